"""Detections of other providers are never asked: what they cost a change is one lookup."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.load import DetectionSet
from driftline.pipeline.detections.values import EventView
from tests.bench import foreign


def never(_: EventView) -> bool:
    raise AssertionError("a foreign detection was asked")


def test_foreign_detections_are_never_called() -> None:
    rules = {one.id: replace(one, matches=never, possible=never) for one in foreign.foreign()}
    by_person = {
        id: replace(one, fields=frozenset({"driftline.actor.person.id"}))
        for id, one in rules.items()
    }
    for found in (rules, by_person):
        engine = DetectionEngine(DetectionSet(found).indexed())
        for number in range(4):
            event = engine.event(foreign._change(number), {"known": False})
            assert engine.event_signals(event) == []
            assert not engine.depends_on_actor(event)
            assert not engine.wants_of("aws")(event.fields)


@pytest.mark.parametrize("ask", [lambda e: e.wants_of("azure"), lambda e: e.wants_of("gcp")])
def test_their_own_events_ask_them(ask: Callable[[DetectionEngine], Callable[..., bool]]) -> None:
    rules = {one.id: replace(one, matches=never, possible=never) for one in foreign.foreign()}
    with pytest.raises(AssertionError):
        ask(DetectionEngine(DetectionSet(rules).indexed()))({"eventName": "PutBucketPolicy"})


def test_a_service_that_no_rule_names_has_the_rules_of_its_product() -> None:
    [one, other] = foreign.foreign()[0], foreign.foreign()[2]
    rules = {
        "any": replace(one, id="any", logsource={"product": "azure"}),
        "named": replace(other, id="named", logsource={"product": "azure", "service": "signinlogs"}),
    }  # fmt: skip
    found = DetectionSet(rules).indexed()
    event = EventView({"eventName": "PutBucketPolicy", "operationName": "X/WRITE"})
    asked = [
        {rule.id for rule in found.matching(event, "azure", service)}
        for service in ("", "whatever", "signinlogs")
    ]
    assert asked == [{"any"}, {"any"}, {"any", "named"}]
