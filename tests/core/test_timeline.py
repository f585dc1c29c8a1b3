"""The timeline: everything of one resource, or one actor, in one order; nothing of others, nothing twice."""

import random
from typing import Any

import orjson
import pytest

from driftline.pipeline.model import Actor, Control, RiskException, Snapshot
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.offline.timeline import Timeline
from driftline.pipeline.people.identity import MappedPerson, People
from driftline.pipeline.records.topics import (
    ALERTS,
    CHANGES,
    CONTROL,
    DRIFT,
    EXCEPTIONS,
    FINDINGS,
    SNAPSHOTS,
)
from tests.core.world import UID, change, gone, heard, key, minute, rulebook, tick, value

OTHER = UID[:-1] + "2"
ANN = Actor(id="arn:aws:iam::111111111111:user/ann", type="user", name="ann").model_dump()


@pytest.fixture(scope="module")
def records() -> list[tuple[str, bytes]]:
    """What the topics hold after a small story."""
    out: list[tuple[str, bytes]] = []
    fold = Fold(rulebook(), told=lambda topic, finding: out.append((topic, finding)) if topic == FINDINGS.name else None)  # fmt: skip

    def read(one: Snapshot) -> None:
        out.append((SNAPSHOTS.name, value(one)))
        fold.snapshot(one)

    def changed(*given: Any, **more: Any) -> None:
        out.append((CHANGES.name, b"[" + change(*given, **more).encode() + b"]"))
        fold.feed(*out[-1])

    for control in (tick(0), heard(0)):
        fold.feed(CONTROL.name, control)
    read(key(0))
    read(key(0, uid=OTHER))
    read(key(1))
    changed(2, "ann", actor=ANN, source_ip="192.0.2.1")
    changed(2.5, "ann", actor=ANN, outcome="failure", error="AccessDenied")
    changed(2, "bob", uid=OTHER)
    read(key(2.1, rotation=False))
    accepted = RiskException(
        id="ex-1", rule="t-rotation", resource=UID, reason="an old machine needs it", owner="bea", approver="carol",
        at=minute(3), until=minute(600),
    )  # fmt: skip
    out.append((EXCEPTIONS.name, accepted.encode()))
    fold.feed(CONTROL.name, Control(exception=accepted).encode())
    read(gone(60))
    out += [(DRIFT.name, drift) for drift in fold.drifts.values()]
    alert = {
        "id": "a1", "rule": "r", "title": "keys changed", "severity": "high", "state": "active", "revision": 1, "at": "2026-01-01T00:02:00.000000Z",
        "count": 1, "resources": [UID], "actors": [ANN["id"]], "group": {"who": ANN["id"]},
    }  # fmt: skip
    out += [(ALERTS.name, orjson.dumps(alert | {"revision": n, "count": n})) for n in (1, 2)]
    return out


def told(records: list[tuple[str, bytes]], subject: str, **more: Any) -> list[tuple[str, str, str]]:
    timeline = Timeline(subject, **more)
    for topic, one in records:
        timeline.take(topic, one)
    return [(line.at[11:19], line.kind, line.what) for line in timeline.lines()]


def test_of_a_resource(records: list[tuple[str, bytes]]) -> None:
    assert told(records, UID) == [
        ("00:00:00", "reading", "read (by sweep)"),
        ("00:00:00", "finding", "t-rotation: passed for 1; t-rotation: clear (holds)"),
        ("00:00:00", "finding", "t-sticky: passed for 1; t-sticky: clear (holds)"),
        ("00:00:00", "finding", "t-patient: passed for 1; t-patient: clear (holds)"),
        ("00:02:00", "change", "PutKey (from 192.0.2.1)"),
        ("00:02:00", "alert", "keys changed: active, 2 hits (high)"),
        ("00:02:06", "reading", "read: changed (by sweep)"),
        ("00:02:06", "drift", "replace /rotation/KeyRotationEnabled (attributed)"),
        ("00:02:06", "finding", "t-rotation: failed for 1; t-rotation: open (opened)"),
        ("00:02:06", "finding", "t-rotation: failed for 1; t-rotation: suppressed (accepted)"),
        ("00:02:30", "change", "PutKey (refused: AccessDenied)"),
        ("00:03:00", "exception", "t-rotation: accepted until 2026-01-01T10:00Z, for bea"),
        ("01:00:00", "reading", "gone (by sweep)"),
        ("01:00:00", "drift", "remove * (pending)"),
        ("01:00:00", "finding", "t-rotation: no longer checked for 1 (the resource was deleted); t-rotation: resolved (resource_deleted)"),
        ("01:00:00", "finding", "t-sticky: no longer checked for 1 (the resource was deleted); t-sticky: clear (resource_deleted)"),
        ("01:00:00", "finding", "t-patient: no longer checked for 1 (the resource was deleted); t-patient: clear (resource_deleted)"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", [ANN["id"], "ann", "Ann"])
def test_of_an_actor(records: list[tuple[str, bytes]], name: str) -> None:
    found = told(records, name)
    assert [kind for _, kind, _ in found if kind in ("change", "alert", "drift")] == [
        "change",
        "alert",
        "drift",
        "change",
    ]
    assert not [one for one in found if one[1] == "reading"]


def test_of_a_person_by_all_names(records: list[tuple[str, bytes]]) -> None:
    people = People([MappedPerson("ann@example.com", [ANN["id"], "carol"])])
    by_one, by_other = (told(records, name, people=people) for name in ("ann@example.com", "carol"))
    assert by_one == by_other == sorted([*told(records, "ann"), *told(records, "carol")], key=by_one.index)  # fmt: skip
    assert {kind for _, kind, _ in by_one} >= {"change", "drift", "alert", "exception", "finding"}
    assert told(records, "ann@example.com") == []


def test_of_an_approver(records: list[tuple[str, bytes]]) -> None:
    assert [kind for _, kind, _ in told(records, "carol")] == ["exception"]


def test_only_a_while(records: list[tuple[str, bytes]]) -> None:
    found = told(records, UID, since=minute(2), until=minute(2.2))
    assert {at for at, _, _ in found} == {"00:02:00", "00:02:06"}


def test_of_nobody(records: list[tuple[str, bytes]]) -> None:
    assert told(records, "zoe") == []


def test_twice_and_in_any_order_of_topics(records: list[tuple[str, bytes]]) -> None:
    """Topics are read one after another, and a record may be there twice."""
    wanted = told(records, UID)
    names = sorted({topic for topic, _ in records})
    for seed in range(5):
        random.Random(seed).shuffle(names)
        again = [one for name in names for one in records if one[0] == name for _ in range(2)]
        assert told(again, UID) == wanted


@pytest.mark.parametrize(
    "bad", [b"", b"{", b"[1]", b'{"uid":1}', UID.encode(), b'[{"uid":"%s"}]' % UID.encode()]
)
def test_what_is_no_record_is_passed_over(bad: bytes) -> None:
    timeline = Timeline(UID)
    for topic in (SNAPSHOTS, CHANGES, DRIFT, FINDINGS, EXCEPTIONS, ALERTS):
        timeline.take(topic.name, bad)
    assert timeline.lines() == []
