"""Resources that no sweep will ever call gone: the worker learns what was swept, and what is out of what is watched."""

from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.base import PreviousSweep, ScopeSweep
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import Control, Gone, Scope, Snapshot, Sweep, SweepUids, Swept, micros
from driftline.pipeline.records.topics import CHANGES, CONTROL, FINDINGS, READS, SNAPSHOTS
from tests.core.world import (
    TYPE,
    UID,
    Kept,
    World,
    change,
    denied,
    heard,
    key,
    minute,
    rulebook,
    tick,
    value,
)

ACCOUNT = "111111111111"
OTHER = f"{UID}other"


def swept(at: float, region: str = "eu-west-1", type_: str = TYPE, account: str = ACCOUNT, *, complete: bool = True) -> bytes:  # fmt: skip
    scope = Scope(provider="aws", account=account, region=region, type=type_)
    return Control(swept=Swept(scope=scope, started_at=minute(at), complete=complete)).encode()


def gone(at: float, reason: str = "account_gone", account: str = ACCOUNT, **more: Any) -> bytes:
    about = {"provider": "aws", "account": account, "reason": reason, "at": minute(at), **more}
    return Control(gone=Gone.model_validate(about)).encode()


def wishes(kept: Kept, record: bytes, number: int) -> list[dict[str, Any]]:
    kept.fold.apply(CONTROL.name, record, number)
    while kept.fold.advance():
        pass
    work = kept.fold.take()
    kept.rows.update({row: content for row, content in work.rows.items() if content is not None})
    return [orjson.loads(o.value) for o in work.outputs if o.topic == READS.name]


def failing(at: float = 0) -> World:
    world = World()
    world.tick(at)
    world.snapshot(key(at, False))
    world.snapshot(key(at, False, uid=OTHER))
    assert world.brief()[0] == "open"
    return world


def test_read_only_by_an_event_whose_delete_event_was_lost() -> None:
    world = World()
    world.heard(0)
    world.tick(0)
    world.change(change(10, kind="create", action="CreateKey"))
    world.snapshot(key(10.1, False, source="event"))
    world.tick(60)
    world.snapshot(key(120, False, uid=OTHER))
    world.feed(CONTROL.name, swept(120))
    world.tick(123)
    assert world.brief()[0::2] == ("resolved", "resource_deleted")
    assert world.finding().retired
    assert world.brief(uid=OTHER)[0] == "open"


def test_read_by_a_sweep_that_was_killed_before_its_header() -> None:
    world = failing()  # and no header
    world.snapshot(key(360, False, uid=OTHER))
    world.feed(CONTROL.name, swept(360))
    world.tick(363)
    assert world.brief()[0::2] == ("resolved", "resource_deleted")
    assert world.brief(uid=OTHER)[0] == "open"


def test_dropped_where_two_writers_of_one_scope_raced() -> None:
    """A scope is read again beside a sweep, each with a list of its own; the one that ends last drops what the other
    saw. What was read by one that began later stays, whoever ends last."""
    scope, known = (
        Scope(provider="aws", account=ACCOUNT, region="eu-west-1", type=TYPE),
        PreviousSweep(),
    )
    world = World()
    world.tick(0)
    slow, quick = (
        ScopeSweep(scope, "a", minute(100), known),
        ScopeSweep(scope, "b", minute(101), known),
    )
    made = key(101.5, False)
    world.snapshot(made)
    quick.saw(made)
    told = [*quick.end(minute(102)), *slow.end(minute(103))]
    assert isinstance(told[-1], Sweep)
    assert told[-1].count == 0, "the resource is dropped from what the collector knows"
    for record in told:
        if isinstance(record, Swept):
            world.feed(CONTROL.name, Control(swept=record).encode())
    world.tick(110)
    assert world.brief()[0] == "open"
    world.feed(CONTROL.name, swept(460))
    world.tick(463)
    assert world.brief()[0::2] == ("resolved", "resource_deleted")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (gone(60), "account_gone"),
        (gone(60, "region_disabled", region="eu-west-1"), "region_disabled"),
        (gone(60, "type_removed", type=TYPE), "type_removed"),
        (gone(60, "forgotten", uid=UID), "forgotten"),
    ],
)
def test_what_is_out_of_what_is_watched_says_so(record: bytes, reason: str) -> None:
    world = failing()
    world.feed(CONTROL.name, record)
    world.tick(63)
    assert world.brief()[0::2] == ("resolved", reason)
    assert world.brief(uid=OTHER)[0] == ("open" if reason == "forgotten" else "resolved")
    assert not world.drifts, "nobody has deleted it, as far as is known"
    before = world.said
    world.tick(24 * 60)
    assert world.said == before + (reason == "forgotten") * 3, "it says nothing more"
    world.snapshot(key(25 * 60, False))
    assert world.brief()[0] == "open", "it is there again"


@pytest.mark.parametrize(
    "record",
    [
        gone(60, account="222222222222"), gone(60, "region_disabled", region="us-east-1"),
        gone(60, "type_removed", type="AWS::S3::Bucket"), gone(60, "forgotten", uid="arn:aws:kms:eu-west-1:111111111111:key/x"),
        gone(0), swept(60, complete=False), swept(60, region="us-east-1"), swept(60, type_="AWS::S3::Bucket"),
        swept(60, account="222222222222"), swept(0),
    ],
)  # fmt: skip
def test_nothing_else_ends_it(record: bytes) -> None:
    world = failing()
    world.feed(CONTROL.name, record)
    world.tick(63)
    assert world.brief()[0] == world.brief(uid=OTHER)[0] == "open"


def test_a_global_sweep_lists_a_type_wherever_its_resources_lie() -> None:
    world = failing()
    world.feed(CONTROL.name, swept(60, region="global"))
    world.tick(63)
    assert world.brief()[0::2] == ("resolved", "resource_deleted")


def test_what_was_made_while_it_was_swept_stays() -> None:
    world = failing()
    world.change(change(61, kind="create", action="CreateKey"))
    world.feed(CONTROL.name, swept(60))
    world.tick(63)
    assert world.brief()[0] == "open"


def test_a_denial_is_no_sight_of_it() -> None:
    """Denied readings since do not keep it alive for ever: the next complete sweep ends it."""
    world = failing()
    world.snapshot(denied(61))
    world.feed(CONTROL.name, swept(360))
    world.tick(363)
    assert world.brief()[0::2] == ("resolved", "resource_deleted")


def test_what_a_list_may_not_know_yet_is_asked_for_first() -> None:
    kept = Kept(rulebook())
    kept.fold.apply(SNAPSHOTS.name, value(key(59, False)), 0)
    kept.keep()
    (wish,) = wishes(kept, swept(60), 1)
    assert (wish["uid"], wish["reason"], wish["provider"], wish["scope"]) == (UID, "unlisted", "aws", False)  # fmt: skip
    assert kept.fold.take().outputs == []
    assert wishes(kept, swept(62, region="us-east-1"), 2) == []
    assert wishes(kept, swept(420), 3) == []
    world = World()
    world.snapshot(key(59, False))
    world.feed(CONTROL.name, swept(60))
    assert world.brief()[0] == "open"
    world.feed(CONTROL.name, swept(420))
    assert world.brief()[0::2] == ("resolved", "resource_deleted")


def test_it_waits_for_the_readings_before_it() -> None:
    """Topics have no common order: the word of a sweep may come before what it read. It counts when time has come to
    where it was said."""
    kept = Kept(rulebook())
    feed = kept.fold.apply
    feed(CONTROL.name, tick(0), 0)
    feed(SNAPSHOTS.name, value(key(0, False)), 1)
    feed(CONTROL.name, swept(60), 2, micros(minute(61)))
    while kept.fold.advance():
        pass
    kept.keep()
    kept.start(rulebook())  # it is kept, too
    feed = kept.fold.apply
    feed(SNAPSHOTS.name, value(key(60, False)), 3)
    feed(CONTROL.name, tick(62), 4, micros(minute(64)))
    while kept.fold.advance():
        pass
    assert not any(finding["retired"] for finding in kept.keep())
    feed(CONTROL.name, swept(400), 5, micros(minute(401)))
    feed(CONTROL.name, tick(400), 6, micros(minute(402)))
    while kept.fold.advance():
        pass
    assert kept.keep() == []
    kept.start(rulebook())
    kept.fold.apply(CONTROL.name, tick(402), 7, micros(minute(404)))
    while kept.fold.advance():
        pass
    assert {finding["reason"] for finding in kept.keep()} == {"resource_deleted"}
    assert not [row for row in kept.rows if row[:1] == b"g"], "what is done with is not kept"


def ended(began: float, at: float) -> bytes:
    scope = Scope(provider="aws", account=ACCOUNT, region="eu-west-1", type=TYPE)
    word = Swept(scope=scope, started_at=minute(began), complete=True, ended_at=minute(at))
    return Control(swept=word).encode()


@pytest.mark.parametrize("ahead", [0, 4, 9, 9.9, 11, 30, 45, 600])
@pytest.mark.parametrize("long", [1, 5, 40])
def test_a_collector_s_clock_that_is_ahead_ends_nothing_that_lives(ahead: float, long: float) -> None:  # fmt: skip
    """Of two keys one is listed, the other is made when the list has passed its place: an event tells of it."""
    world = World()
    for record in (value(key(0, False)), value(key(59, False, uid=OTHER))):
        world.feed(SNAPSHOTS.name, record, micros(minute(60)))
    made = f"{UID}made"
    for uid, at in ((UID, 60.5 + ahead), (made, 60.6)):
        world.feed(SNAPSHOTS.name, value(key(at, False, uid=uid)), micros(minute(60.7)))
    world.feed(CONTROL.name, ended(60 + ahead, 60 + long + ahead), micros(minute(60.1 + long)))
    for at in (200, 1000):
        world.feed(CONTROL.name, tick(at), micros(minute(at + 2)))
    assert world.brief()[0] == world.brief(uid=made)[0] == "open"
    assert world.brief(uid=OTHER)[0] == "open", "it is asked for first"


@pytest.mark.parametrize("behind", [0, 5, 30, 600])
def test_a_collector_s_clock_that_is_behind_does_not_make_its_readings_come_earlier(behind: float) -> None:  # fmt: skip
    kept = Kept(rulebook())
    records = [
        (CONTROL.name, tick(98), 100), (SNAPSHOTS.name, value(key(0, False)), 0),
        (CONTROL.name, ended(700 - behind, 701 - behind), 701.1), (CONTROL.name, tick(720), 722),
    ]  # fmt: skip
    for number, (topic, record, at) in enumerate(records):
        kept.fold.apply(topic, record, number, micros(minute(at)))
    while kept.fold.advance(micros(minute(699))):
        pass
    said = kept.keep()
    kept.fold.apply(SNAPSHOTS.name, value(key(700.5 - behind, False)), 9, micros(minute(700.6)))
    while kept.fold.advance():
        pass
    assert not any(finding["retired"] for finding in [*said, *kept.keep()])


def test_a_walk_goes_in_slices_however_many_scopes_were_swept() -> None:
    rows: dict[bytes, bytes] = {}
    walked: list[bytes] = []

    def heads() -> Any:
        for key_ in [key_ for key_ in rows if key_[:1] == b"h"]:
            walked.append(key_)
            yield key_, rows[key_]

    fold = Partition(0, rows.get, rulebook(), heads=heads)
    uids = [f"{UID}{n:05}" for n in range(5000)]
    for start in range(0, 5000, 500):
        fold.apply(
            SNAPSHOTS.name, value(*(key(0, uid=uid) for uid in uids[start : start + 500])), start
        )
    rows.update({k: v for k, v in fold.take().rows.items() if v is not None})
    while fold.advance():
        pass
    walked.clear()
    for number in range(200):
        fold.apply(
            CONTROL.name,
            swept(60, type_=f"AWS::Some::Type{number}"),
            6000 + number,
            micros(minute(61)),
        )
    fold.apply(CONTROL.name, tick(65), 7000)
    slices = 1
    while fold.advance():
        slices += 1
    assert len(walked) == 5000, "one walk for all of them"
    assert slices > 2


def test_while_time_stands_still_sweeps_do_not_pile_up() -> None:
    rows: dict[bytes, bytes] = {}

    def take(fold: Partition) -> list[dict[str, Any]]:
        work = fold.take()
        for row, content in work.rows.items():
            if content is None:
                rows.pop(row, None)
            else:
                rows[row] = content
        return [orjson.loads(o.value) for o in work.outputs if o.topic == FINDINGS.name]

    def heads() -> Any:
        return [pair for pair in rows.items() if pair[0][:1] == b"h"]

    fold = Partition(0, rows.get, rulebook(), heads=heads)
    fold.apply(SNAPSHOTS.name, value(key(0, False)), 0)
    fold.apply(CONTROL.name, tick(1), 0)
    take(fold)
    for number in range(1, 500):
        at = 60 * number
        region = ("eu-west-1", "eu-west-2", "eu-west-3")[number % 3]
        fold.apply(CONTROL.name, swept(at, region), number, micros(minute(at + 1)))
        if number % 7 == 0:
            fold.apply(CONTROL.name, gone(at, account="999999999999"), number, micros(minute(at)))
        take(fold)
        if number % 100 == 0:
            fold = Partition(0, rows.get, rulebook(), heads=heads)
        while fold.advance():
            pass
    told = [row for row in rows if row[:1] == b"g"]
    assert len(told) == 1, "eight words: two of each scope"
    fold.apply(CONTROL.name, tick(60 * 600), 1000)
    while fold.advance():
        pass
    assert {one["reason"] for one in take(fold)} == {"resource_deleted"}
    assert [row for row in rows if row[:1] == b"g"] == []


class Cloud:
    """Keys that come and go, and who tells of them."""

    def __init__(self, random: Random) -> None:
        self.random, self.alive = random, dict[str, bool]()
        self.known = PreviousSweep()
        self.records: list[tuple[float, str, bytes]] = []
        """When they came to Kafka, minutes; topic; value."""
        self.scope = Scope(provider="aws", account=ACCOUNT, region="eu-west-1", type=TYPE)

    def turn(self, at: float, uid: str) -> None:
        """Somebody makes, changes or deletes a key; the event, or the reading after it, may be lost."""
        kind = "create" if uid not in self.alive else self.random.choice(["update", "delete"])
        if kind == "delete":
            del self.alive[uid]
        else:
            self.alive[uid] = self.random.random() < 0.5
        if self.random.random() < 0.6:
            event = change(at, uid=uid, kind=kind, action=f"{kind}Key")
            self.records.append((at + 1, CHANGES.name, event.encode()))
        if self.random.random() < 0.6:
            found = self.read(at + 2, uid) if uid in self.alive else key(at + 2, None, None, uid, deleted=True, deleted_reason="not_found")  # fmt: skip
            self.records.append(
                (at + 2, SNAPSHOTS.name, value(found.model_copy(update={"source": "event"})))
            )

    def read(self, at: float, uid: str) -> Snapshot:
        return key(at, self.alive[uid], True, uid)

    def sweep(self, at: float, *, killed: bool = False, races: bool = False) -> None:
        """A whole sweep; `killed`: before its header. `races`: what it knew is not what the next one knows."""
        reading = ScopeSweep(self.scope, str(at), minute(at), PreviousSweep(set(self.known.uids)))
        for uid in sorted(self.alive):
            found = self.read(at + 0.1, uid)
            reading.saw(found)
            self.records.append((at + 0.2, SNAPSHOTS.name, value(found)))
        if killed:
            return
        for record in reading.end(minute(at + 1)):
            if isinstance(record, Snapshot):
                self.records.append((at + 1, SNAPSHOTS.name, value(record)))
            elif isinstance(record, Swept):
                self.records.append((at + 1.1, CONTROL.name, Control(swept=record).encode()))
            elif isinstance(record, SweepUids) and not races:
                self.known.uids = set(record.uids)


Record = tuple[float, str, bytes]


def interleaved(records: list[Record], random: Random) -> list[Record]:
    """Changes come earlier or later than readings; what a sweep says comes after what it read."""
    out = list(records)
    for place, record in enumerate(records):
        if record[1] == CHANGES.name and random.random() < 0.5:
            out.remove(record)
            out.insert(min(len(out), max(0, place + random.randint(-4, 4))), record)
    return out


def history(random: Random) -> tuple[Cloud, list[Record], float]:
    """What went on for a while, and at its end one more complete sweep; the records, and when it was over."""
    cloud, at = Cloud(random), 0.0
    uids = [f"{UID}{letter}" for letter in "abc"]
    for _ in range(random.randint(2, 14)):
        at += random.choice([1, 5, 40, 400])
        if random.random() < 0.6:
            cloud.turn(at, random.choice(uids))
        else:
            cloud.sweep(at, killed=random.random() < 0.3, races=random.random() < 0.5)
    told, cloud.records = interleaved(cloud.records, random), []
    cloud.sweep(at + 400)
    end = at + 500
    ticks = [(end, CONTROL.name, heard(end)), (end, CONTROL.name, tick(end))]
    return cloud, [*told, *cloud.records, *ticks], end


def as_in_the_cloud(cloud: Cloud, findings: list[dict[str, Any]]) -> None:
    said = {f["resource"]["uid"]: f for f in findings if f["rule"]["id"] == "t-rotation"}
    there = {uid: f["evaluation"] == "passed" for uid, f in said.items() if not f["retired"]}
    assert there == cloud.alive


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_after_one_more_complete_sweep_it_is_as_in_the_cloud(seed: int) -> None:
    cloud, records, _ = history(Random(seed))
    world = World()
    for _, topic, record in records:
        world.feed(topic, record)
    assert not world.dead
    as_in_the_cloud(cloud, list(world.documents()))


LATE = 2.0
"""Minutes that a tick is behind what has been written by then."""


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_whichever_topic_comes_first(seed: int) -> None:
    """As a worker has it: topics in any order, time held back by what still waits, deaths and starts in between."""
    random = Random(seed)
    cloud, records, end = history(random)
    records += [(at, CONTROL.name, tick(at - LATE)) for at in {record[0] + 3 for record in records}]
    queues: dict[str, list[Record]] = {CHANGES.name: [], SNAPSHOTS.name: [], CONTROL.name: []}
    for record in sorted(records, key=lambda record: record[0]):
        queues[record[1]].append(record)
    ends = {topic: len(queue) for topic, queue in queues.items()}
    kept, findings = Kept(rulebook()), dict[str, dict[str, Any]]()
    last: dict[str, float] = {}
    while any(queues.values()):
        topic = random.choice([topic for topic, queue in queues.items() if queue])
        for _ in range(random.randint(1, 8)):
            if not queues[topic]:
                break
            at, _, data = queues[topic].pop(0)
            offset = ends[topic] - len(queues[topic]) - 1
            kept.fold.apply(topic, data, offset, micros(minute(at)))
            last[topic] = at
            waiting = [
                last.get(one, 0) - LATE for one in (CHANGES.name, SNAPSHOTS.name) if queues[one]
            ]
            limit = micros(minute(min(waiting))) if waiting else None
            while kept.fold.advance(limit):
                pass
        findings |= {finding["id"]: finding for finding in kept.keep()}
        if random.random() < 0.2:
            kept.start(rulebook())
    kept.fold.apply(CONTROL.name, tick(end + 10), 10_000, micros(minute(end + 12)))
    while kept.fold.advance():
        pass
    findings |= {finding["id"]: finding for finding in kept.keep()}
    assert not kept.fold.take_dead()
    as_in_the_cloud(cloud, list(findings.values()))
