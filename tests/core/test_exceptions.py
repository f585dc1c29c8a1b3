"""Accepted risks: what they suppress, what reopens in spite of them, and how they end."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.assess.decisions.exception_index import ExceptionIndex
from driftline.pipeline.model import Actor, Control, Finding, RiskException, Snapshot
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS
from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.state.resource import DUE_NOW, decode_accepted
from driftline.pipeline.state.rows import EXCEPTIONS_KEY, SOURCES_KEY, in_order, prefix
from tests.core.world import RULE as RULE_TEXT
from tests.core.world import (
    START,
    UID,
    Kept,
    World,
    change,
    gone,
    key,
    minute,
    rulebook,
    tick,
    value,
)

RULE = "t-rotation"
OTHER = UID[:-1] + "2"


def accepted(at: float = 1, until: float = 600, **more: Any) -> RiskException:
    given: dict[str, Any] = {
        "id": "ex-1", "rule": RULE, "reason": "an old machine needs it", "owner": "bea", "approver": "carol",
        "at": minute(at), "until": minute(until),
    }  # fmt: skip
    return RiskException.model_validate(given | more)


def said(world: Fold, exception: RiskException) -> None:
    world.feed(CONTROL.name, Control(exception=exception).encode())


@pytest.fixture
def world() -> World:
    """A key whose rotation is off."""
    world = World()
    world.tick(0)
    world.snapshot(key(0, rotation=False))
    assert world.brief() == ("open", "failed", "opened")
    return world


def test_it_takes_effect_at_once_and_shows_whose_it_is(world: World) -> None:
    risk = world.finding().risk.score
    said(world, accepted())
    finding = world.finding()
    assert (finding.status, finding.evaluation, finding.reason) == (
        "suppressed",
        "failed",
        "accepted",
    )
    assert finding.exception == {
        "id": "ex-1", "reason": "an old machine needs it", "owner": "bea", "approver": "carol",
        "until": "2026-01-01T10:00:00.000000Z",
    }  # fmt: skip
    assert finding.risk.score == risk, "what is accepted still weighs"
    assert not finding.restated


def test_it_ends_by_time(world: World) -> None:
    said(world, accepted(until=30))
    world.tick(29)
    assert world.brief() == ("suppressed", "failed", "accepted")
    world.tick(45)
    finding = world.finding()
    assert world.brief() == ("open", "failed", "exception_ended")
    assert finding.exception is None
    assert (finding.opened_at, finding.reopened) == (minute(0), 0)
    world.snapshot(key(50))
    assert world.brief() == ("resolved", "passed", "fixed")
    world.snapshot(key(51, rotation=False))
    assert world.brief() == ("open", "failed", "reopened")


def test_it_ends_by_time_when_a_reading_comes_first(world: World) -> None:
    said(world, accepted(until=30))
    world.snapshot(key(31, rotation=False))
    assert world.brief() == ("open", "failed", "exception_ended")


def test_somebody_ends_it(world: World) -> None:
    said(world, accepted())
    said(world, accepted(at=2, ended=minute(2)))
    assert world.brief() == ("open", "failed", "exception_ended")
    said(world, accepted())  # the first record again
    assert world.brief() == ("open", "failed", "exception_ended")


def test_a_mended_resource_resolves_and_what_is_as_before_is_accepted_again(world: World) -> None:
    said(world, accepted())
    world.snapshot(key(2))
    finding = world.finding()
    assert world.brief() == ("resolved", "passed", "fixed")
    assert finding.exception is None
    world.snapshot(key(3, rotation=False))
    assert world.brief() == ("suppressed", "failed", "accepted")


def test_only_its_scope() -> None:
    scopes: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"resource": UID}, True),
        ({"resource": OTHER}, False),
        ({"resource": "arn:aws:kms:*:key/*"}, True),
        ({"resource": "arn:aws:s3:*"}, False),
        ({"account": "111111111111"}, True),
        ({"account": "222222222222"}, False),
        ({"tags": {"env": "dev"}}, True),
        ({"tags": {"env": "prod"}}, False),
        ({"rule": "t-patient"}, False),
        ({"rule": None, "control": "none:1"}, False),
    ]
    for scope, matches in scopes:
        world = World()
        world.snapshot(key(0, rotation=False, tags={"env": "dev"}))
        said(world, accepted(**scope))
        assert (world.finding().status == "suppressed") is matches, scope


def test_a_control_stands_for_its_rules(tmp_path: Path) -> None:
    for name, control in [("t-first", "KMS.3"), ("t-second", "KMS.5")]:
        text = RULE_TEXT.format(
            id=name, title=f"the rule {name}", severity="high", part="rotation", more="", path="config.rotation.KeyRotationEnabled",
            must="resource.config.rotation.KeyRotationEnabled",
        )  # fmt: skip
        text = text.replace("frameworks: {}", f"frameworks: {{fsbp: [{control}]}}")
        (tmp_path / f"{name}.yaml").write_text(text)
    fold = Fold(load([tmp_path], builtin=False))
    fold.snapshot(key(0, rotation=False))
    said(fold, accepted(rule=None, control="fsbp:KMS.5"))
    found = {f["rule"]["id"]: f["status"] for f in map(orjson.loads, fold.findings.values())}
    assert found == {"t-first": "open", "t-second": "suppressed"}


def test_new_resources_in_its_scope_are_suppressed(world: World) -> None:
    said(world, accepted(resource="*:key/*"))
    world.snapshot(key(2, rotation=False, uid=OTHER))
    assert world.brief(uid=OTHER) == ("suppressed", "failed", "accepted")
    world.snapshot(key(3, rotation=False, uid=OTHER, tags={"a": "b"}))
    assert world.brief(uid=OTHER) == ("suppressed", "failed", "accepted")


def test_a_resource_that_leaves_the_scope_is_open_again() -> None:
    world = World()
    world.snapshot(key(0, rotation=False, tags={"env": "dev"}))
    said(world, accepted(tags={"env": "dev"}))
    world.snapshot(key(2, rotation=False, tags={"env": "prod"}))
    assert world.brief() == ("open", "failed", "exception_ended")


def test_the_one_who_did_it_cannot_approve_it() -> None:
    for who, finding in [
        (Actor(id="arn:aws:iam::111111111111:user/carol", type="user", name="carol"), "approver_caused_it"),
        (Actor(id="arn:aws:iam::111111111111:role/dev", type="role", session_name="Carol"), "approver_caused_it"),
        (Actor(id="arn:aws:iam::111111111111:user/dora", type="user", name="dora"), "accepted"),
    ]:  # fmt: skip
        world = World()
        world.heard(0)
        world.tick(0)
        world.snapshot(key(0))
        world.snapshot(key(2, rotation=False))
        said(world, accepted())
        assert world.brief() == ("suppressed", "failed", "accepted"), "nobody is known yet"
        world.change(change(1, actor=who.model_dump()))
        assert world.finding().reason == finding
        assert world.finding().exception
        world.snapshot(key(3, rotation=False, tags={"x": "y"}))
        assert world.finding().reason == finding


def test_unknown_stays_suppressed(world: World) -> None:
    from tests.core.world import denied

    said(world, accepted())
    world.snapshot(denied(2))
    assert world.brief() == ("suppressed", "unknown", "unread")
    world.snapshot(key(3, rotation=False))
    assert world.brief() == ("suppressed", "failed", "accepted")


def test_one_made_anew_does_not_inherit_it() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"resource": UID}, "reopened"),
        ({"resource": UID, "recreated": True}, "accepted"),
        ({"resource": "*"}, "accepted"),
    ]
    for more, expected in cases:
        world = World()
        world.snapshot(key(0, rotation=False, incarnation="a"))
        said(world, accepted(**more))
        world.snapshot(gone(2))
        assert world.finding().retired
        world.snapshot(key(3, rotation=False, incarnation="b"))
        assert world.finding().reason == expected, more
        said(world, accepted(**more))  # only said again
        world.tick(5)
        assert world.finding().reason == expected, more


def test_one_recreated_between_two_readings_does_not_inherit_it(world: World) -> None:
    world.snapshot(key(1, rotation=False, incarnation="a"))
    said(world, accepted(resource=UID))
    assert world.brief() == ("suppressed", "failed", "accepted")
    world.snapshot(key(3, rotation=False, incarnation="b"))
    assert world.brief() == ("open", "failed", "opened")
    assert world.finding().exception is None


def test_a_deleted_resource_is_resolved(world: World) -> None:
    said(world, accepted())
    world.snapshot(gone(2))
    finding = world.finding()
    assert (finding.status, finding.retired, finding.exception) == ("resolved", True, None)


def test_restatements_go_on(world: World) -> None:
    said(world, accepted(until=10_000))
    world.tick(13 * 60)
    finding = world.finding()
    assert (finding.restated, finding.status, finding.exception and finding.exception["id"]) == (True, "suppressed", "ex-1")  # fmt: skip


LIST = """\
id: t-open
version: 1
title: Nothing is open here
severity: high
type: AWS::KMS::Key
section: KMS
exposure: none
privilege: none
needs: [key]
must: size(resource.config.key.MacAlgorithms) == 0
why: Only for tests.
remediation: {console: "", cli: "", terraform: ""}
references: []
frameworks: {}
examples:
  base: {config: {key: {MacAlgorithms: []}}}
  passed: [{name: as it is}]
  failed: [{name: one, set: {config.key.MacAlgorithms: [a]}}]
  unknown: [{name: unread, unread: [key]}]
"""
NEEDED = LIST.replace("t-open", "t-needed").replace(
    "size(resource.config.key.MacAlgorithms) == 0", "size(resource.config.key.MacAlgorithms) >= 3"
).replace("base: {config: {key: {MacAlgorithms: []}}}", "base: {config: {key: {MacAlgorithms: [a, b, c]}}}")  # fmt: skip


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "t-open.yaml").write_text(LIST)
    (folder / "t-needed.yaml").write_text(NEEDED)
    return load([folder], builtin=False)


def listed(at: float, *names: str) -> Snapshot:
    one = key(at, None, None)
    config = {"key": {"MacAlgorithms": list(names)}}
    parts = [{"name": "key", "captured_at": minute(at)}]
    return Snapshot.model_validate(one.model_dump() | {"config": config, "parts": parts})


@pytest.mark.parametrize(
    ("rule", "after", "reason"),
    [
        ("t-open", ["22", "23"], "accepted"),
        ("t-open", ["23", "22"], "accepted"),
        ("t-open", ["22"], "accepted"),
        ("t-open", ["22", "23", "80"], "worse_than_accepted"),
        ("t-open", ["22", "80"], "worse_than_accepted"),
        ("t-needed", ["22", "23"], "accepted"),
        ("t-needed", ["22"], "worse_than_accepted"),
        ("t-needed", ["22", "80"], "worse_than_accepted"),
    ],
)
def test_what_is_worse_is_open_again(
    lists: Rulebook, rule: str, after: list[str], reason: str
) -> None:
    fold = Fold(lists)
    fold.snapshot(listed(0, "22", "23"))
    said(fold, accepted(rule=rule))

    def finding() -> Finding:
        every = map(Finding.model_validate_json, fold.findings.values())
        return next(one for one in every if one.rule.id == rule)

    assert finding().reason == "accepted"
    fold.snapshot(listed(2, *after))
    assert (finding().reason, finding().status) == (
        reason,
        "open" if "worse" in reason else "suppressed",
    )
    assert finding().exception
    fold.snapshot(listed(3, "22", "23"))
    assert finding().reason == "accepted"
    fold.snapshot(listed(4, *after))
    said(fold, accepted(at=5, rule=rule))  # somebody looked again, and accepted that too
    assert finding().reason == "accepted"


def test_long_values_are_compared_whole(lists: Rulebook) -> None:
    fold = Fold(lists)
    many = [f"{n:04}" for n in range(2000)]
    fold.snapshot(listed(0, *many))
    said(fold, accepted(rule="t-open"))
    for at, names, reason in [
        (1.0, [*many[:-1], "x"], "worse_than_accepted"),
        (2.0, many, "accepted"),
    ]:
        fold.snapshot(listed(at, *names))
        found = [
            f for f in map(orjson.loads, fold.findings.values()) if f["rule"]["id"] == "t-open"
        ]
        assert found[0]["reason"] == reason


def test_a_crash_between_hearing_and_judging_loses_nothing() -> None:
    kept = Kept(rulebook())
    kept.fold.apply(CONTROL.name, tick(0), 0)
    for number in range(5):
        kept.fold.apply(SNAPSHOTS.name, value(key(0, rotation=False, uid=f"{UID}{number}")), number)
    kept.keep()
    kept.fold.apply(CONTROL.name, Control(exception=accepted()).encode(), 1)
    assert kept.keep() == []  # heard and kept, nothing judged yet
    assert EXCEPTIONS_KEY in kept.rows
    kept.start(rulebook())
    while kept.fold.advance(most=2):
        pass
    found = kept.keep()
    assert [f["reason"] for f in found if f["rule"]["id"] == RULE] == ["accepted"] * 5
    kept.start(rulebook())
    kept.fold.apply(CONTROL.name, Control(exception=accepted()).encode(), 1)  # delivered again
    while kept.fold.advance():
        pass
    assert kept.keep() == []
    kept.fold.apply(SNAPSHOTS.name, value(key(1, rotation=False, uid=OTHER)), 9)
    assert [f["reason"] for f in kept.keep() if f["rule"]["id"] == RULE] == ["accepted"]


@pytest.mark.parametrize("cut", range(7))
def test_a_batch_that_is_only_half_durable_loses_nothing(cut: int) -> None:
    """The changelog takes rows one by one: a worker may die between any two of them."""
    kept = Kept(rulebook())
    uids = [f"{UID}{number}" for number in range(4)]
    for number, uid in enumerate(uids):
        kept.fold.apply(SNAPSHOTS.name, value(key(0, rotation=False, uid=uid)), number)
    kept.keep()
    kept.fold.apply(CONTROL.name, Control(exception=accepted()).encode(), 1)
    assert kept.fold.advance(most=1)  # restores
    assert kept.fold.advance(most=1)  # looks for the states
    rows = list(in_order(kept.fold.take().rows).items())
    assert len(rows) == 6
    kept.rows |= {row: content for row, content in rows[:cut] if content is not None}
    kept.start(rulebook())
    kept.fold.apply(CONTROL.name, Control(exception=accepted()).encode(), 1)
    while kept.fold.advance():
        pass
    found = kept.keep()
    assert {f["resource"]["uid"] for f in found if f["reason"] == "accepted"} == set(uids)


@pytest.mark.parametrize("pieces", range(8))
def test_a_crash_while_states_are_looked_for_leaves_none_out(
    pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pattern is looked for a piece at a time; after a restart it is looked for again, from the beginning."""
    monkeypatch.setattr("driftline.pipeline.assess.shard.LOOKS", 20)
    kept = Kept(rulebook())
    uids = [f"{UID}{number}" for number in range(90)]
    for number, uid in enumerate(uids):
        kept.fold.apply(SNAPSHOTS.name, value(key(0, rotation=False, uid=uid)), number)
    kept.keep()
    kept.fold.apply(CONTROL.name, Control(exception=accepted(resource=f"{UID}*")).encode(), 1)
    found: list[dict[str, Any]] = []
    for _ in range(pieces):
        assert kept.fold.advance(most=1)
        found += kept.keep()
    found += kept.keep()
    kept.start(rulebook())
    while kept.fold.advance(most=1):
        found += kept.keep()
    found += kept.keep()
    told = [f["resource"]["uid"] for f in found if f["reason"] == "accepted"]
    assert sorted(told) == sorted(uids)
    assert decode_accepted(kept.rows[EXCEPTIONS_KEY]).asking == []


def test_what_is_kept_beside_the_states_never_runs_back() -> None:
    """Control records that come again, after a restart, are not newer than what they said before."""
    kept = Kept(rulebook())
    records = [tick(0), Control(exception=accepted()).encode(), tick(1), tick(2)]
    for offset, record in enumerate(records):
        kept.fold.apply(CONTROL.name, record, offset)
    kept.keep()
    before = {row: prefix(kept.rows[row])[1] for row in (SOURCES_KEY, EXCEPTIONS_KEY)}
    assert [position.control for position in before.values()] == [3, 1]
    kept.start(rulebook())
    for offset in (0, 1, 2):
        kept.fold.apply(CONTROL.name, records[offset], offset)
        kept.keep()
        assert {row: prefix(kept.rows[row])[1] for row in before} == before


def test_slices_are_bounded_and_only_what_is_concerned_is_looked_at() -> None:
    kept = Kept(rulebook())
    for number in range(5):
        kept.fold.apply(SNAPSHOTS.name, value(key(0, rotation=False, uid=f"{UID}{number}")), number)
    kept.keep()
    kept.fold.apply(CONTROL.name, Control(exception=accepted(resource=f"{UID}3")).encode(), 1)
    kept.keep()
    asked = [row for row, content in kept.rows.items() if row[:1] == b"h" and int.from_bytes(content[:8], "big") == DUE_NOW]  # fmt: skip
    assert asked == [f"h{UID}3".encode()]


def test_what_is_told_again_takes_no_room() -> None:
    """All exceptions in force are told anew every day."""
    kept = Kept(rulebook())
    big = accepted(reason="x" * 1_200_000)
    for offset in range(1, 6):
        kept.fold.apply(CONTROL.name, Control(exception=big).encode(), offset)
    assert kept.fold.take_dead() == []
    kept.fold.take()
    for offset in range(6, 11):
        kept.fold.apply(CONTROL.name, Control(exception=big).encode(), offset)
    assert kept.fold.take_dead() == []


def test_too_many_are_refused_not_swallowed() -> None:
    kept = Kept(rulebook())
    big = accepted(reason="x" * 3_600_000)
    kept.fold.apply(CONTROL.name, Control(exception=big).encode(), 1)
    assert "too many" in kept.fold.take_dead()[0].reason


def test_an_exception_may_be_one_providers() -> None:
    """Two providers may use the same account id."""
    said = {"control": "f:c", "account": "111111111111", "reason": "r", "owner": "o", "approver": "a",
            "at": START, "until": START + timedelta(days=1)}  # fmt: skip
    at = int((START.timestamp() + 60) * 1_000_000)
    plain = RiskException.model_validate(said | {"id": "e"})
    own = RiskException.model_validate(said | {"id": "e", "provider": "aws"})
    assert plain.scope == ("", "f:c", "*", "111111111111")
    assert own.scope == ("", "f:c", "*", "111111111111", "provider:aws")
    assert b"provider" not in plain.encode()
    resource = {"uid": "u", "account": "111111111111", "tags": {}}
    for record, provider, covered in ((plain, "gcp", True), (own, "gcp", False), (own, "aws", True)):  # fmt: skip
        [entry] = ExceptionIndex().add(record)
        assert entry.covers(resource | {"provider": provider}, at) is covered
