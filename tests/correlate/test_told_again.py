"""Drifts and findings are told again when more is known of their cause: what was said of them before, and holds no more, is
taken back from the correlations."""

from itertools import permutations
from typing import Any

import pytest

from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Actor
from driftline.pipeline.offline.content import watch
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import CHANGES, CONTROL
from driftline.pipeline.settings.blocks import Settings
from tests.core.world import change, heard, key, rulebook, tick, value
from tests.correlate.test_one_fold import final
from tests.correlate.test_unresolved import END, MICROS, ROLES, opened, person, taken

TITLE = "Several resources changed by one session or deployment"


@pytest.fixture(scope="module")
def content() -> DetectionEngine:
    return watch(Settings())


def by_title(fold: Fold, title: str) -> list[dict[str, Any]]:
    return [one for one in final(fold.told_alerts()).values() if one["title"] == title]


def changed(content: DetectionEngine, later: list[bytes]) -> Fold:
    """Three keys are changed, the last by a session of its own; what is known of the sessions comes in some order."""
    fold = Fold(rulebook(), watch=content, lateness=MICROS)
    uids = [f"{key(0).uid}{n}" for n in range(3)]
    fold.feed(CONTROL.name, heard(0))
    fold.feed(CONTROL.name, tick(0))
    for n, uid in enumerate(uids):
        fold.feed("driftline.snapshots", value(key(0, uid=uid)))
        fold.feed("driftline.snapshots", value(key(2 + n, uid=uid, rotation=False)))
    for record in later:
        fold.feed(CHANGES.name, record)
    fold.end(END)
    assert not fold.dead
    return fold


def calls() -> list[bytes]:
    sessions = [("ASIA1", ROLES[0]), ("ASIA2", ROLES[1]), ("ASIA3", ROLES[1])]
    return [change(1 + n, uid=f"{key(0).uid}{n}", id=f"c{n}", actor=taken(*one).model_dump()).encode() for n, one in enumerate(sessions)]  # fmt: skip


def openings() -> list[bytes]:
    people = (("ASIA1", ROLES[0], "ann"), ("ASIA2", ROLES[1], "ann"), ("ASIA3", ROLES[1], "bea"))
    return [opened(credential, role, person(who), 0.5).encode() for credential, role, who in people]  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_change_set_is_the_persons_whenever_that_is_known(content: DetectionEngine, order: tuple[int, ...]) -> None:  # fmt: skip
    wanted = final(changed(content, [*openings(), *calls()]).told_alerts())
    (one,) = [found for found in wanted.values() if found["title"] == TITLE]
    assert one["group"] == {"driftline.change_set": person("ann").id}
    assert (one["count"], one["actors"]) == (2, [person("ann").id])
    assert {step["as"] for step in one["story"]} == set(ROLES[:2])
    late = [openings()[n] for n in order]
    assert final(changed(content, [*calls(), *late]).told_alerts()) == wanted
    mixed = [record for pair in zip(calls(), late, strict=True) for record in pair]
    assert final(changed(content, [*mixed, *calls(), *late]).told_alerts()) == wanted


def test_nobody_stays_named_where_somebody_else_may_have_done_it(content: DetectionEngine) -> None:
    """A late event makes the cause ambiguous."""

    def one(number: int, who: Actor) -> bytes:
        return change(1, uid=f"{key(0).uid}{number}", id=f"{who.name}{number}", actor=who.model_dump()).encode()  # fmt: skip

    sure = [one(number, person("ann")) for number in (0, 1)]
    assert by_title(changed(content, sure), TITLE)
    doubt = [one(number, person("bea")) for number in (0, 1)]
    fold = changed(content, [*sure, *doubt])
    assert by_title(fold, TITLE) == []
    assert not any(alert["actors"] for alert in final(fold.told_alerts()).values())
