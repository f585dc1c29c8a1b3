"""Restatements: small, even over the interval, whole where anything differs, and in one order with the whole statements."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.schedule import (
    RESTATE_AFTER,
    WHOLE_EVERY,
    restate_at,
    whole_is_due,
)
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import (
    Baseline,
    Control,
    Restatement,
    RiskException,
    finding_id,
    from_micros,
    micros,
)
from driftline.pipeline.records.topics import CONTROL, FINDINGS, RESTATEMENTS, SNAPSHOTS
from driftline.pipeline.state.resource import Body, Head, State, decode_body, decode_head
from driftline.pipeline.state.rows import body_key, head_key
from tests.core.world import START, TYPE, UID, denied, gone, key, minute, rulebook, tick, value

HOUR = 60
DAY = 24 * HOUR
"""In minutes. The key of these tests is restated whole on the second day, and then every seventh."""


class Watched:
    """A partition, its durable rows, and all that it said, step by step."""

    def __init__(self, options: AssessOptions | None = None) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.partition = Partition(0, self.rows.get, rulebook(), options)
        self.offset = 0
        self.whole: list[dict[str, Any]] = []
        self.small: list[dict[str, Any]] = []
        self.order: dict[str, list[int]] = {}
        """By finding: the versions of all that was said of it, in order."""
        self.written: list[set[bytes]] = []

    def feed(self, topic: str, record: bytes) -> None:
        self.offset += 1
        self.partition.apply(topic, record, self.offset)
        while self.partition.advance():
            pass
        work = self.partition.take()
        self.rows.update(work.rows)
        self.written.append(set(work.rows))
        for output in work.outputs:
            if not output.value:
                continue  # forgotten
            document = orjson.loads(output.value)
            if output.topic == FINDINGS.name:
                self.whole.append(document)
                self.order.setdefault(document["id"], []).append(document["revision"])
            elif output.topic == RESTATEMENTS.name:
                told = Restatement.model_validate(document)
                assert output.key == told.id.encode()
                self.small.append(document)
                revision, version = self.newest(told.id), micros(told.last_seen) // 1000
                assert told.revision == revision, "it belongs to the newest whole statement"
                self.order.setdefault(told.id, []).append(version)

    def newest(self, id: str) -> int:
        return max(int(one["revision"]) for one in self.whole if one["id"] == id)

    def read(self, at: float, **more: Any) -> None:
        self.feed(SNAPSHOTS.name, value(key(at, **more)))

    def tick(self, at: float) -> None:
        self.feed(CONTROL.name, tick(at))

    def days(self, first: int, last: int, **more: Any) -> None:
        """Days of sweeps every six hours, and ticks every half hour."""
        for number in range(first * 48, last * 48):
            if number % 12 == 0:
                self.read(number * 30, **more)
            self.tick(number * 30)


def test_one_that_only_stands_is_small_and_writes_no_body() -> None:
    world = Watched()
    world.days(0, 1)
    assert len(world.whole) == 3, "one for each rule"
    assert {one["id"] for one in world.small} == {one["id"] for one in world.whole}
    assert all(len(orjson.dumps(one)) < 120 for one in world.small)
    first, *later = world.written
    assert body_key(UID) in first
    assert not any(body_key(UID) in keys for keys in later)


def test_that_it_stands_is_told_to_those_to_whom_it_is_a_state() -> None:
    """A restatement, small or whole, is no transition; but for `standing` it says that something holds on."""
    told: dict[str, list[str]] = {"standing": [], "finding": [], "drift": []}

    class Watching:
        def state_signals(self, finding: dict[str, Any], body: Body) -> list[Any]:
            assert finding["resource"] == body.resource
            told["standing"].append(finding["last_seen"])
            return []

        def finding(self, finding: dict[str, Any], body: Body, *, first_reading: bool) -> list[Any]:
            told["finding"].append(finding["id"])
            return []

    world = Watched()
    world.partition = Partition(0, world.rows.get, rulebook(), None, Watching())  # type: ignore[arg-type]
    world.days(0, 3)
    assert len(told["finding"]) == 3
    again = [one["last_seen"] for one in (*world.whole, *world.small) if one.get("restated", True)]
    assert sorted(told["standing"]) == sorted(again)
    assert len(told["standing"]) == 3 * 6


def test_one_of_fourteen_is_whole_each_at_its_own_turn() -> None:
    turns = set()
    for number in range(30):
        uid = f"{UID}{number}"
        places = [restate_at(_state(uid, 0)) + n * RESTATE_AFTER for n in range(29)]
        whole = [n for n, at in enumerate(places[1:]) if whole_is_due(_state(uid, places[n]), at)]
        assert len(whole) == 2
        assert whole[1] - whole[0] == WHOLE_EVERY
        turns.add(whole[0])
    assert len(turns) > 8


def test_a_whole_turn_that_was_slept_through_is_made_up_for() -> None:
    asleep = WHOLE_EVERY * RESTATE_AFTER
    assert whole_is_due(_state(UID, 10**15), 10**15 + asleep)


def test_whole_statements_come_again_and_small_ones_belong_to_them() -> None:
    world = Watched()
    world.days(0, 15)
    again = [one for one in world.whole if one["restated"]]
    assert Counter(one["id"] for one in again) == dict.fromkeys({one["id"] for one in again}, 2)
    assert len(world.small) == 3 * 28
    assert all(one == sorted(set(one)) for one in world.order.values())


def _state(uid: str, said_at: int) -> State:
    return State(Head(said_at=said_at), Body({"uid": uid}))


def test_they_are_spread_over_the_whole_interval() -> None:
    """The least even minute of a day has at most half as many again as the mean."""
    count, minutes = 400_000, RESTATE_AFTER // 60_000_000
    said_at = micros(START)
    found = Counter(
        (restate_at(_state(f"{UID}/{n}", said_at)) - said_at) // 60_000_000 for n in range(count)
    )
    mean = count / minutes
    assert len(found) == minutes
    assert max(found.values()) <= 1.5 * mean
    assert min(found.values()) >= 0.5 * mean


@given(st.integers(0, 2**52), st.text(min_size=1))
def test_never_later_than_the_interval(said_at: int, uid: str) -> None:
    after = restate_at(_state(uid, said_at)) - said_at
    assert 0 < after <= RESTATE_AFTER


def test_a_score_that_grew_with_age_is_said_whole() -> None:
    world = Watched()
    world.days(0, 31, rotation=False)
    scores = {one["risk"]["score"] for one in world.whole if one["rule"]["id"] == "t-rotation"}
    assert len(scores) == 2
    last = [one for one in world.whole if one["rule"]["id"] == "t-rotation"][-1]
    assert last["restated"]


def test_what_people_set_anew_is_said_whole() -> None:
    world = Watched()
    world.days(3, 4, rotation=False, tags={"env": "prod"})
    before = len(world.whole)
    options = AssessOptions(criticality={"env": {"prod": "critical"}})
    world.partition = Partition(0, world.rows.get, rulebook(), options)
    world.partition.restore([(k, v) for k, v in world.rows.items() if k[:1] == b"h" and v])
    world.days(4, 5, rotation=False, tags={"env": "prod"})
    said = world.whole[before:]
    assert {one["restated"] for one in said} == {True}
    assert len(said) == 3, "once"


def test_an_exception_s_words_are_said_whole() -> None:
    world = Watched()
    world.days(3, 4, rotation=False)
    accepted = RiskException(
        id="ex-1", rule="t-rotation", reason="an old machine", owner="bea", approver="carol",
        at=minute(4 * DAY), until=minute(90 * DAY),
    )  # fmt: skip
    world.feed(CONTROL.name, Control(exception=accepted).encode())
    world.days(4, 5, rotation=False)
    before = len(world.whole)
    anew = accepted.model_copy(update={"owner": "dan", "at": minute(5 * DAY)})
    world.feed(CONTROL.name, Control(exception=anew).encode())
    world.days(5, 6, rotation=False)
    owners = {one["exception"]["owner"] for one in world.whole[before:] if one.get("exception")}
    assert owners == {"dan"}


def test_a_state_of_the_last_release_is_told_whole_once() -> None:
    """Its head has neither digest nor time; the worker before may also take over again."""
    world = Watched()
    world.days(3, 4)
    head = decode_head(world.rows[head_key(UID)] or b"")
    row = bytes(world.rows[head_key(UID)] or b"")
    old = msgspec.msgpack.encode([head.digest, head.seen_at, head.said_at, head.parts])
    prefix = row[: len(row) - len(msgspec.msgpack.encode(head))]
    world.rows[head_key(UID)] = prefix + old
    before, small = len(world.whole), len(world.small)
    world.days(4, 5)
    assert [one["restated"] for one in world.whole[before:]] == [True] * 3
    assert len(world.small) == small + 3, "and small ones after it"


def test_what_turns_unknown_knows_the_last_reading_that_said_more() -> None:
    """Although readings that show nothing new write no life."""
    world = Watched()
    world.days(0, 2)
    world.feed(SNAPSHOTS.name, value(denied(2 * DAY + 10)))
    found = next(one for one in reversed(world.whole) if one["rule"]["id"] == "t-rotation")
    assert found["evaluation"] == "unknown"
    assert found["evaluated_at"] == "2026-01-02T18:00:00.000000Z"


def test_what_is_gone_is_not_restated() -> None:
    world = Watched()
    world.days(0, 1)
    world.feed(SNAPSHOTS.name, value(gone(DAY)))
    small = len(world.small)
    for hour in range(24, 96):
        world.tick(hour * HOUR)
    assert len(world.small) == small
    body = decode_body(world.rows[body_key(UID)] or b"")
    assert all(life.retired for life in body.lives.values())


steps = st.lists(
    st.tuples(
        st.sampled_from(("good", "bad", "denied", "tick", "early", "gone")),
        st.integers(1, 30 * HOUR),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_versions_only_grow(history: list[tuple[str, int]]) -> None:
    """Of everything said of a finding, whole or small, whatever comes when: a sink that goes by them shows the newest."""
    world, at = Watched(), 0
    world.read(0)
    for what, after in history:
        at += after
        if what == "tick":
            world.tick(at)
        elif what == "early":  # read ahead of the time that the ticks have told
            world.read(at + 5)
            world.tick(at)
        elif what in ("denied", "gone"):
            world.feed(SNAPSHOTS.name, value((denied if what == "denied" else gone)(at)))
        else:
            world.read(at, rotation=what == "good")
    for versions in world.order.values():
        assert versions == sorted(set(versions))


@pytest.mark.parametrize("rule", ["t-rotation", "t-sticky"])
def test_the_newest_word_is_at_most_the_interval_old(rule: str) -> None:
    world = Watched()
    world.days(0, 3, rotation=False)
    id = finding_id(rule, UID)
    said = [one for one in (*world.whole, *world.small) if one["id"] == id]
    seen = sorted(datetime.fromisoformat(one["last_seen"]) for one in said)
    most = timedelta(hours=12, minutes=30)  # a tick comes every half hour
    assert all(after - before <= most for before, after in pairwise(seen))
    assert minute(3 * DAY) - seen[-1] <= most


def test_what_comes_late_does_not_make_it_look_older() -> None:
    """Declared in code, said again when it was due, and then found deleted since long before: it still stands, and was
    said to stand later than that."""
    world = Watched()
    world.read(0)
    declared = Baseline(uid=UID, type=TYPE, kind="declared", expect={}, at=minute(1), by="ann")
    world.feed(CONTROL.name, Control(baseline=declared).encode())
    for at in range(10, 1500, 10):
        world.tick(at)
    world.feed(SNAPSHOTS.name, value(gone(700)))
    last = world.whole[-4:]
    (standing,) = [one for one in last if one["rule"]["id"] == "driftline-declared-baseline"]
    assert standing["status"] == "open"
    said = max(one["last_seen"] for one in world.small)
    assert standing["last_seen"] == said
    assert all(one["last_seen"] == from_micros(micros(minute(700))) for one in last if one["retired"])  # fmt: skip
