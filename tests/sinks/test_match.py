"""`match`: which documents a sink is given, and what a condition without an answer means."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS
from driftline.pipeline.rulebook.cel.expression import ExpressionError
from driftline.pipeline.rulebook.match import FACTS, Match, MatchResult, facts, is_transition
from driftline.sinks.batches import Selector
from driftline.sinks.subscription import Subscription
from tests.sinks.findings import SPECIAL, findings

FULL = "full"


def holds(text: str, document: Any = None, topic: str = FINDINGS.own) -> bool | None:
    return Match(text).verdict(topic, findings()[FULL] if document is None else document).holds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('severity in ["high", "critical"]', True),
        ('severity == "low"', False),
        ('"Production" in path && "o-1" in path', True),
        ('"ou-2" in path', False),
        ('account == "111111111111"', True),
        ('owner == "payments"', True),
        ('family.startsWith("encryption-")', True),
        ('"cis" in frameworks', False),
        ("transition", True),
        ('topic == "findings" && status == "open"', True),
        ('document.attribution == "attributed"', True),
        ('tags.none == "x"', None),
        ('"none" in tags && tags.none == "x"', False),
        ("document.no_such_field == 1", None),
        ("document.evaluation", None),
        ('tags[?"none"].orValue("x") == "x"', True),
    ],
)
def test_what_holds(text: str, expected: bool | None) -> None:
    verdict = Match(text).verdict(FINDINGS.own, findings()[FULL])
    assert verdict.holds is expected
    assert bool(verdict.why) == (expected is None)


@pytest.mark.parametrize("special", SPECIAL)
def test_every_finding_has_every_fact(special: str) -> None:
    found = facts(FINDINGS.own, findings()[special])
    assert set(found) == set(FACTS)
    for name in FACTS:
        assert holds(f"{name} == {name}", findings()[special]) is True


def test_alerts_and_drifts_have_what_they_have() -> None:
    alert = {
        "severity": "high",
        "rule": "r",
        "state": "active",
        "tags": ["attack.t1"],
        "resources": ["a"],
    }
    assert holds('severity == "high" && rule == "r" && status == "active" && tags == {}', alert, ALERTS.own) is True  # fmt: skip
    drift = {"resource": {"account": "1", "tags": {"a": "b"}}, "changes": []}
    assert holds('account == "1" && tags.a == "b" && severity == "" && path == ["1"]', drift, DRIFT.own) is True  # fmt: skip


def test_the_document_is_not_changed() -> None:
    before = copy.deepcopy(findings()[FULL])
    assert holds("transition") is True
    assert findings()[FULL] == before


@pytest.mark.parametrize(
    ("text", "told"),
    [("severity ==", "Syntax error"), ("severities == 'x'", "severities"), ("severity", "gives string"), ("1", "gives int")],
)  # fmt: skip
def test_what_is_no_condition(text: str, told: str) -> None:
    with pytest.raises(ExpressionError, match=told):
        Match(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("transition && severity == 'low'", [("transition", True), ("severity == 'low'", False)]),
        ("transition || severity == 'low'", [("transition || severity == 'low'", True)]),
        ("(transition && true) && owner == 'a && b'", [("(transition && true)", True), ("owner == 'a && b'", False)]),
        ("tags.none == 'x' && transition", [("tags.none == 'x'", None), ("transition", True)]),
    ],
)  # fmt: skip
def test_each_part_says_why(text: str, parts: list[tuple[str, bool | None]]) -> None:
    told: Iterator[tuple[str, MatchResult]] = Match(text).explained(FINDINGS.own, findings()[FULL])
    assert [(part, verdict.holds) for part, verdict in told] == parts


def test_what_a_sink_is_given(caplog: pytest.LogCaptureFixture) -> None:
    failed, restated = findings()["failed"], findings()["restated"]
    assert is_transition(FINDINGS.own, failed)
    assert not is_transition(FINDINGS.own, restated)
    assert not is_transition(RESTATEMENTS.own, {})
    every = Selector(Subscription("s"), False)
    assert every.given(FINDINGS.name, restated)
    changes = Selector(Subscription("s"), True)
    assert not changes.given(FINDINGS.name, restated)
    assert not changes.given(RESTATEMENTS.name, {"id": "x"})
    some = Selector(Subscription("s", Match("severity == 'low'")), False)
    assert not some.given(FINDINGS.name, failed)
    assert some.given(RESTATEMENTS.name, {"id": "x"}), "the sink knows whether its finding is there"
    unsure = Selector(Subscription("s", Match("tags.none == 'x'")), False)
    assert [unsure.given(FINDINGS.name, failed) for _ in range(3)] == [failed] * 3
    assert [record.message for record in caplog.records] == [
        "match could not be evaluated; delivered"
    ]
