"""What differs, and who did it: changes before and after the reading that shows them, late, twice, by two, by nobody."""

from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import Actor, Change, Drift
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.topics import CHANGES, CONTROL, DRIFT, READS, SNAPSHOTS
from tests.core.world import (
    World,
    change,
    gone,
    heard,
    key,
    minute,
    rulebook,
    value,
    watched,
)

ROLE = "arn:aws:iam::222222222222:role/deployer"


@pytest.fixture
def world() -> World:
    return watched()


def test_the_change_comes_first(world: World) -> None:
    world.change(change(1))
    world.snapshot(key(1.1, rotation=False))
    drift, finding = world.drift(), world.finding()
    assert (drift.attribution, drift.actor and drift.actor.id) == ("attributed", "ann")
    (place,) = drift.changes
    assert (place.op, place.path, place.before, place.after) == ("replace", "/rotation/KeyRotationEnabled", True, False)  # fmt: skip
    assert (place.attribution, place.change, place.person and place.person.id) == ("attributed", "ann-1-1", "ann")  # fmt: skip
    assert (finding.status, finding.drift, finding.attribution) == ("open", drift.id, "attributed")
    assert finding.actor
    assert finding.actor["id"] == "ann"


def test_a_late_event_completes_the_same_drift_and_finding(world: World) -> None:
    world.snapshot(key(1.1, rotation=False))
    before, opened = world.drift(), world.finding()
    assert (before.attribution, before.actor) == ("pending", None)
    assert (opened.attribution, opened.actor) == ("pending", None)
    world.change(change(1))
    after, finding = world.drift(), world.finding()
    assert (after.id, after.attribution) == (before.id, "attributed")
    assert after.revision > before.revision
    assert finding.id == opened.id
    assert finding.revision > opened.revision
    assert finding.actor
    assert finding.actor["id"] == "ann"
    assert finding.opened_at == opened.opened_at


def test_nobody_is_known_once_every_event_has_come(world: World) -> None:
    world.snapshot(key(1.1, rotation=False))
    world.heard(2)
    world.tick(60)
    assert world.drift().attribution == "pending"  # the skew is not over
    world.heard(4)
    world.tick(120)
    assert world.drift().attribution == world.finding().attribution == "unattributed"
    world.change(change(1))  # later than it may be, and still true
    assert world.drift().attribution == "attributed"


def test_without_any_source_of_events_nothing_is_pending() -> None:
    world = World()
    world.snapshot(key(0))
    world.snapshot(key(1, rotation=False))
    assert world.drift().attribution == "unattributed"


def test_a_source_that_was_switched_off_holds_nothing_back(world: World) -> None:
    world.tick(7 * 60)
    world.snapshot(key(7 * 60 + 1, rotation=False))
    assert world.drift().attribution == "unattributed"


def test_two_people_are_never_a_guess(world: World) -> None:
    world.change(change(1, "ann"), change(2, "bob"))
    world.snapshot(key(3, rotation=False))
    drift = world.drift()
    assert (drift.attribution, drift.actor) == ("ambiguous", None)
    assert {c.actor.id for c in drift.candidates} == {"ann", "bob"}
    assert world.finding().actor is None


def test_what_was_asked_for_decides_between_two(world: World) -> None:
    asked = {"KeyRotationPeriod": 90}
    world.change(change(1, "ann", request={"other": 5}), change(2, "bob", request=asked))
    snapshot = key(3)
    snapshot.config["rotation"] = {"KeyRotationEnabled": True, "RotationPeriodInDays": 90}
    world.snapshot(snapshot)
    drift = world.drift()
    assert (drift.attribution, drift.actor and drift.actor.id) == ("attributed", "bob")
    assert [c.actor.id for c in drift.candidates] == ["bob", "ann"]


def test_what_cannot_touch_the_part_is_no_candidate(world: World) -> None:
    world.change(change(1, "ann", parts=["key"]), change(1, "bob", parts=["rotation"]))
    world.snapshot(key(3, rotation=False))
    assert [c.actor.id for c in world.drift().candidates] == ["bob"]


@pytest.mark.parametrize(
    "more", [{"outcome": "failure"}, {"kind": "read"}, {"kind": "other"}, {"kind": "create"}]
)
def test_what_changed_nothing_is_no_candidate(world: World, more: dict[str, Any]) -> None:
    world.change(change(1, **more))
    world.snapshot(key(2, rotation=False))
    assert world.drift().candidates == []


def test_two_accounts_evidence_of_one_cause_counts_once(world: World) -> None:
    world.change(change(1, "ann", shared="s"), change(1.001, "ann-as-seen-there", shared="s"))
    world.snapshot(key(2, rotation=False))
    assert len(world.drift().candidates) == 1
    assert world.drift().attribution == "attributed"


def test_a_change_of_before_the_last_reading_is_no_candidate(world: World) -> None:
    world.snapshot(key(30))
    world.change(change(20))
    world.snapshot(key(40, rotation=False))
    assert world.drift().candidates == []


def test_the_same_event_by_two_ways_is_one(world: World) -> None:
    world.change(change(1), change(1, source="log"))
    world.snapshot(key(2, rotation=False))
    world.change(change(1, source="lookup"))
    assert len(world.drift().candidates) == 1


def test_made_and_ended_by_somebody() -> None:
    world = World()
    world.heard(0)
    world.change(change(1, "ann", kind="create"))
    world.snapshot(key(1.1, rotation=False))
    made = world.drift("*")
    assert made.actor
    assert made.actor.id == "ann"
    assert made.changes[0].op == "add"
    assert (world.finding().actor or {})["id"] == "ann"
    world.change(change(5, "bob", kind="delete"))
    world.snapshot(gone(5.1))
    ended = world.drift("*")
    assert ended.actor
    assert ended.actor.id == "bob"
    assert ended.changes[0].op == "remove"


def test_a_first_sweep_is_no_drift() -> None:
    world = World()
    world.snapshot(key(0))
    world.change(change(1))
    world.snapshot(key(2))
    assert not world.drifts


# Settling


class Alone:
    """One partition, and what it says."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.partition = Partition(0, self.rows.get, rulebook())
        self.offset = 0

    def feed(self, topic: str, data: bytes) -> list[tuple[str, dict[str, Any]]]:
        self.offset += 1
        self.partition.apply(topic, data, self.offset)
        while self.partition.advance():
            pass
        work = self.partition.take()
        self.rows.update(work.rows)
        assert not work.dead, work.dead
        return [(out.topic, orjson.loads(out.value)) for out in work.outputs]

    def snapshot(self, snapshot: Any) -> list[tuple[str, dict[str, Any]]]:
        return self.feed(SNAPSHOTS.name, value(snapshot))

    def change(self, record: Change) -> list[tuple[str, dict[str, Any]]]:
        return self.feed(CHANGES.name, record.encode())

    def again(self, snapshot: Any) -> list[str]:
        """When it asks to be read again."""
        return [out["not_before"] for topic, out in self.snapshot(snapshot) if topic == READS.name]


def test_a_reading_that_shows_nothing_yet_is_taken_again_with_back_off() -> None:
    alone = Alone()
    alone.snapshot(key(0))
    alone.change(change(1))
    second = 1 / 60
    waits = [1.01 * second, 2.1 * second, 5 * second]
    told = [alone.again(key(1 + wait)) for wait in waits]
    assert all(len(times) == 1 for times in told)
    assert told == sorted(told)
    assert alone.again(key(1 + 16 * second)) == []  # two that agree, ten seconds apart
    assert alone.again(key(1 + 30 * second)) == []


def test_a_reading_that_shows_the_change_is_the_last() -> None:
    alone = Alone()
    alone.snapshot(key(0))
    alone.change(change(1))
    assert alone.again(key(1.02, rotation=False)) == []


def test_a_reading_within_the_second_of_the_event_is_taken_once_more() -> None:
    alone = Alone()
    alone.snapshot(key(0))
    alone.change(change(1))
    assert len(alone.again(key(1.01, rotation=False))) == 1
    assert alone.again(key(1.03, rotation=False)) == []


def test_not_found_right_after_a_change_deletes_nothing(world: World) -> None:
    world.snapshot(key(1, rotation=False))
    world.change(change(2))
    world.snapshot(gone(2.05))
    assert world.finding().status == "open"
    world.snapshot(gone(3.2))  # a minute later it is believed
    assert world.finding().reason == "resource_deleted"


def test_a_reading_that_is_not_believed_stops_no_wait(world: World) -> None:
    world.snapshot(key(1, enabled=False))
    world.change(change(10.9))
    world.snapshot(gone(11.1))  # not believed; the wait of t-patient ran out just before
    assert world.brief("t-patient") == ("clear", "failed", "pending")
    world.tick(12)
    assert world.brief("t-patient") == ("open", "failed", "opened")


def test_not_found_after_a_deletion_is_believed_at_once(world: World) -> None:
    world.snapshot(key(1, rotation=False))
    world.change(change(2, kind="delete"))
    world.snapshot(gone(2.01))
    assert world.finding().reason == "resource_deleted"


def test_a_server_that_lags_behind_undoes_nothing(world: World) -> None:
    world.change(change(1))
    world.snapshot(key(1.01, rotation=False))
    world.snapshot(key(1.02))  # as it was before, and nobody put it back
    assert world.finding().status == "open"
    world.snapshot(key(1.03, rotation=False))
    assert len([d for d in world.drifts.values() if orjson.loads(d)["part"] == "rotation"]) == 1


def test_what_somebody_put_back_is_believed_at_once(world: World) -> None:
    world.change(change(1))
    world.snapshot(key(1.01, rotation=False))
    world.change(change(1.1, "bob"))
    world.snapshot(key(1.11))
    assert world.finding().status == "resolved"
    drift = world.drift()
    assert drift.actor
    assert drift.actor.id == "bob"


# Sessions


def session(at: float, credential: str, who: Actor, role: str = ROLE) -> Change:
    return change(
        at, uid=f"session:{credential}", id=f"assume-{credential}", type=None, kind="session", action="AssumeRole",
        actor=who.model_dump(), resources=[role],
    )  # fmt: skip


def deployer(credential: str) -> Actor:
    return Actor(id=ROLE, type="role", session=credential)


ANN = Actor(id="arn:aws:iam::111111111111:user/ann", type="user")
ORDERS = [
    ("one", "two", "change", "read"),
    ("read", "change", "two", "one"),
    ("change", "one", "read", "two"),
]


@pytest.mark.parametrize("order", ORDERS)
def test_a_chain_of_roles_is_followed_across_accounts(world: World, order: tuple[str, ...]) -> None:
    def come(what: str) -> None:
        if what == "one":
            world.change(session(0.5, "ASIAONE", ANN))
        elif what == "two":
            world.change(session(0.6, "ASIATWO", deployer("ASIAONE")))
        elif what == "change":
            world.change(change(1, actor=deployer("ASIATWO").model_dump()))
        else:
            world.snapshot(key(1.1, rotation=False))

    for what in order:
        come(what)
    actor = world.drift().actor
    assert actor is not None
    assert [link.issued_to for link in actor.chain] == [ROLE, ANN.id]
    assert not actor.chain_broken
    assert (world.finding().actor or {})["chain"][-1]["issued_to"] == ANN.id


def test_a_missing_link_is_said(world: World) -> None:
    world.change(session(0.6, "ASIATWO", deployer("ASIAONE")))
    world.change(change(1, actor=deployer("ASIATWO").model_dump()))
    world.snapshot(key(1.1, rotation=False))
    actor = world.drift().actor
    assert actor
    assert actor.chain_broken
    assert len(actor.chain) == 1


def test_a_session_is_forgotten(world: World) -> None:
    world.change(session(0.5, "ASIAONE", ANN))
    assert any(key.startswith(b"s") and row for key, row in world._rows.items())
    world.tick(37 * 60)
    assert not any(key.startswith(b"s") and row for key, row in world._rows.items())


# Whatever the order


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[float, str, bytes]]:
    """Readings of a key and changes of it, with times of their own."""
    out: list[tuple[float, str, bytes]] = []
    at = 0.0
    for number in range(draw(st.integers(2, 14))):
        at += draw(st.sampled_from([0.01, 0.2, 2, 5, 30]))
        kind = draw(st.sampled_from(["read", "read", "change", "change", "delete", "gone"]))
        if kind == "read":
            flags = draw(st.tuples(st.booleans(), st.booleans()))
            out.append((at, SNAPSHOTS.name, value(key(at, *flags))))
        elif kind == "gone":
            out.append((at, SNAPSHOTS.name, value(gone(at))))
        else:
            parts = draw(st.sampled_from([[], ["rotation"], ["key"]]))
            who = draw(st.sampled_from(["ann", "bob"]))
            kind = "update" if kind == "change" else "delete"
            record = change(at, who, id=str(number), kind=kind, parts=parts)
            out.append((at, CHANGES.name, record.encode()))
    return out


def told(records: list[tuple[float, str, bytes]]) -> dict[str, Any]:
    """Every drift's cause at the end, however it came to be known."""
    world = World()
    world.heard(0)
    for _, topic, data in records:
        world.feed(topic, data)
    last = max(at for at, _, _ in records)
    world.heard(last + 10)
    world.tick(last + 10)
    world.tick(last + 20)
    return {
        id: {k: v for k, v in orjson.loads(data).items() if k not in ("revision", "updated_at")}
        for id, data in world.drifts.items()
    }


@settings(max_examples=200, deadline=None)
@given(stories(), st.integers(0, 2**32))
def test_changes_twice_and_in_another_order(
    story: list[tuple[float, str, bytes]], seed: int
) -> None:
    """Changes among themselves come in any order, and twice, between the same readings."""
    random = Random(seed)
    mixed: list[tuple[float, str, bytes]] = []
    block: list[tuple[float, str, bytes]] = []
    for record in [*story, (0.0, "", b"")]:
        if record[1] == CHANGES.name:
            block.append(record)
            continue
        doubled = block + [one for one in block if random.random() < 0.5]
        random.shuffle(doubled)
        mixed += doubled + ([record] if record[1] else [])
        block = []
    assert told(mixed) == told(story)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([3.0, 11.0, 40.0]), st.booleans(), st.booleans()), min_size=1, max_size=8),
       st.integers(0, 2**32))  # fmt: skip
def test_events_may_come_before_or_after_the_readings(
    steps: list[tuple[float, bool, bool]], seed: int
) -> None:
    """Readings far enough from the changes to be settled: whenever the events come, the same causes are told."""
    at, story, changes = 0.0, [(0.0, SNAPSHOTS.name, value(key(0)))], []
    for number, (wait, one, two) in enumerate(steps):
        at += wait
        record = change(at - 1.5, f"p{number}", id=str(number))
        changes.append((at - 1.5, CHANGES.name, record.encode()))
        story.append((at, SNAPSHOTS.name, value(key(at, one, two))))
    random = Random(seed)
    late = list(story)
    for record_ in changes:
        late.insert(random.randint(0, len(late)), record_)
    orderly = sorted([*story, *changes], key=lambda record: record[0])
    assert told(late) == told(orderly)


def test_drifts_and_reads_hold_to_their_models() -> None:
    alone = Alone()
    alone.snapshot(key(0))
    alone.change(change(1))
    said = alone.snapshot(key(1.001)) + alone.snapshot(key(1.5, rotation=False))
    for topic, document in said:
        if topic == DRIFT.name:
            assert Drift.model_validate(document).at == minute(1.5)
    assert {topic for topic, _ in said} >= {DRIFT.name, READS.name}


def test_the_first_record_of_each_topic_is_none_that_was_applied() -> None:
    rows: dict[bytes, bytes | None] = {}
    partition = Partition(0, rows.get, rulebook())
    partition.apply(CHANGES.name, change(1, kind="create").encode(), 0)
    partition.apply(SNAPSHOTS.name, value(key(1.1)), 0)
    assert partition.counts[Outcome.DUPLICATES] == 0
    partition.apply(CHANGES.name, change(1, kind="create").encode(), 0)
    partition.apply(SNAPSHOTS.name, value(key(1.1)), 0)
    assert partition.counts[Outcome.DUPLICATES] == 2


def test_a_restart_remembers_that_events_come() -> None:
    rows: dict[bytes, bytes | None] = {}
    first = Partition(0, rows.get, rulebook())
    first.apply(SNAPSHOTS.name, value(key(0)), 1)
    first.apply(CONTROL.name, heard(0), 1)
    rows.update(first.take().rows)
    second = Partition(0, rows.get, rulebook())
    second.apply(SNAPSHOTS.name, value(key(1, rotation=False)), 2)
    drifts = [orjson.loads(o.value) for o in second.take().outputs if o.topic == DRIFT.name]
    assert [drift["attribution"] for drift in drifts] == ["pending"]
