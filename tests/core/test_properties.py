"""Whatever Kafka may do to a tape — other interleavings, duplicates, a cut and a restart — its findings end the same."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import Snapshot
from driftline.pipeline.records.topics import CONTROL, FINDINGS, SNAPSHOTS
from tests.core.world import World, denied, gone, key, rulebook, tick, value

UIDS = [f"arn:aws:kms:eu-west-1:111111111111:key/{n}" for n in range(3)]

Event = tuple[float, str, Any]


def record(kind: str, at: float, uid: str, one: bool, two: bool) -> Snapshot:
    if kind == "read":
        return key(at, one, two, uid=uid)
    if kind == "part":
        return key(at, one, None, uid=uid)
    return gone(at, uid) if kind == "gone" else denied(at, "*" if one else "key", uid)


@st.composite
def tapes(draw: st.DrawFn) -> list[tuple[float, str, bytes]]:
    """Records with rising times: readings, denials, deletions of three keys, and ticks."""
    out, at = [], 0.0
    for _ in range(draw(st.integers(3, 25))):
        at += draw(st.sampled_from([0.5, 4, 11, 45, 400, 800]))
        kind = draw(st.sampled_from(["read", "read", "read", "denied", "gone", "tick", "part"]))
        uid = draw(st.sampled_from(UIDS))
        if kind == "tick":
            out.append((at, CONTROL.name, tick(at)))
            continue
        flags = draw(st.tuples(st.booleans(), st.booleans()))
        out.append((at, uid, value(record(kind, at, uid, *flags))))
    out.append((at + 1, CONTROL.name, tick(at + 1)))
    return out


def play(records: list[tuple[float, str, bytes]]) -> World:
    world = World()
    for _, where, data in records:
        world.feed(CONTROL.name if where == CONTROL.name else SNAPSHOTS.name, data)
    return world


def shuffled(
    records: list[tuple[float, str, bytes]], random: Random
) -> list[tuple[float, str, bytes]]:
    """Another order that Kafka allows: each resource's records stay in order, and a tick never comes before
    a reading that is older (the worker holds ticks back until the readings are through)."""
    queues: dict[str, list[tuple[float, str, bytes]]] = {}
    for record in records:
        queues.setdefault(record[1], []).append(record)
    out = []
    while queues:
        ready = [
            name
            for name, queue in queues.items()
            if name != CONTROL.name
            or all(other[0][0] > queue[0][0] for n, other in queues.items() if n != CONTROL.name)
        ]
        name = random.choice(ready)
        out.append(queues[name].pop(0))
        if not queues[name]:
            del queues[name]
    return out


@settings(max_examples=100, deadline=None)
@given(tapes(), st.integers(0, 2**32))
def test_another_interleaving_ends_the_same(
    tape: list[tuple[float, str, bytes]], seed: int
) -> None:
    assert play(shuffled(tape, Random(seed))).finals() == play(tape).finals()


@settings(max_examples=100, deadline=None)
@given(tapes(), st.integers(0, 2**32))
def test_duplicates_change_nothing(tape: list[tuple[float, str, bytes]], seed: int) -> None:
    random, doubled = Random(seed), list(tape)
    for index in sorted(random.sample(range(len(tape)), len(tape) // 2), reverse=True):
        doubled.insert(random.randint(index + 1, len(doubled)), tape[index])
    assert play(doubled).finals() == play(tape).finals()


@settings(max_examples=100, deadline=None)
@given(tapes(), st.integers(0, 2**32))
def test_a_cut_and_a_restart_change_nothing(
    tape: list[tuple[float, str, bytes]], seed: int
) -> None:
    """The worker dies with outputs written and states not, or both; it begins again a little earlier."""
    random, stored = Random(seed), dict[bytes, bytes | None]()
    findings: dict[bytes, bytes] = {}
    partition = Partition(0, stored.get, rulebook())
    at = 0
    crashes = 0
    while at < len(tape):
        _, where, data = tape[at]
        topic = CONTROL.name if where == CONTROL.name else SNAPSHOTS.name
        partition.apply(topic, data, at + 1)
        while partition.advance():
            pass
        work = partition.take()
        findings.update((out.key, out.value) for out in work.outputs if out.topic == FINDINGS.name)
        if crashes < 5 and random.random() < 0.3:
            crashes += 1
            if random.random() < 0.5:
                stored.update(work.rows)
            partition = Partition(0, stored.get, rulebook())
            partition.restore((key, row) for key, row in stored.items() if row)
            at = max(0, at - random.randint(0, 3))
            continue
        stored.update(work.rows)
        at += 1
    whole = play(tape)
    again = World()
    again.findings = findings
    assert again.finals() == whole.finals()
