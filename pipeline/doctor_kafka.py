"""What `driftline doctor` asks Kafka about our programs: the last tick, and how far consumer groups are."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from pipeline.doctor import Line
from pipeline.kafka import explained, librdkafka
from pipeline.model import Control
from pipeline.retry import Origins
from pipeline.settings import Settings
from pipeline.topics import CONTROL, Topic

LATE = 300.0
"""Seconds that the oldest waiting record may wait, or the clock be silent, unremarked."""
TAIL = 50
"""So many of the last control records are looked at for a tick."""


def clock(settings: Settings, seconds: float) -> Iterator[Line]:
    """How long ago the last tick was written."""
    slot, origins = TopicPartition(CONTROL.name, 0), Origins(settings.kafka)
    try:
        with explained(settings.kafka):
            low, high = origins.ends(slot, seconds)
            last = [
                m
                for m in origins.since(slot.topic, 0, max(low, high - TAIL))
                if _is_tick(m.value())
            ]
    finally:
        origins.close()
    run = "run: driftline clock"
    if not last:
        yield Line("clock", "warn", "no tick was written lately, or ever", run)
        return
    age = max(0.0, time.time() - last[-1].timestamp()[1] / 1000)
    late = age > max(LATE, 4 * settings.clock.interval)
    text = f"the last tick was written {age:.0f} s ago"
    told = f"{text}: what waits, is restated or becomes stale stands still" if late else text
    yield Line("clock", "fail" if late else "ok", told, run if late else "")


def _is_tick(value: bytes | None) -> bool:
    try:
        return Control.model_validate_json(value or b"").tick is not None
    except ValueError:
        return False


def group(
    settings: Settings, program: str, name: str, topics: Sequence[Topic], seconds: float
) -> Iterator[Line]:
    """How far a program's consumer group is behind, and how many of it run."""
    what, run = program.split()[0], f"run: driftline {program}"
    client = AdminClient(librdkafka(settings.kafka))
    with explained(settings.kafka):
        groups = client.list_consumer_groups(request_timeout=seconds).result(seconds).valid
        if name not in {found.group_id for found in groups}:
            yield Line(what, "warn", f"no group {name}: it has never run", run)
            return
        about = client.describe_consumer_groups([name])[name].result(seconds)
        slots = [TopicPartition(t.name, n) for t in topics for n in range(t.partitions)]
        behind, lost = _behind(client, name, slots, seconds)
        members, waiting = len(about.members), sum(behind.values())
        slot = max(behind, key=lambda one: behind[one], default=None)
        age = _age(settings, slot) if slot else 0.0
    if lost:
        yield Line(what, "fail", f"retention has passed what it had not read, on {', '.join(lost[:3])}",
                   "choose a longer retention, move the group to the oldest offset, then: driftline collect aws --once")  # fmt: skip
    state = f"{members} running, {about.state.name.lower().replace('_', ' ')}"
    if not members:
        yield Line(what, "fail" if waiting else "warn", f"none runs; {waiting} records wait", run)
    elif not waiting:
        yield Line(what, "ok", f"{name} is up to date ({state})")
    else:
        late = age > LATE
        text = f"{waiting} records wait, the oldest looked at for {age:.0f} s ({state})"
        step = f"look at its log and /metrics, or start more: driftline {program}" if late else ""
        yield Line(what, "warn" if late else "ok", text, step)


def _behind(
    client: AdminClient, group: str, slots: list[TopicPartition], seconds: float
) -> tuple[dict[TopicPartition, int], list[str]]:
    """Records that wait, by partition with the offset that comes next; and where retention took some unread."""
    asked = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, slots)])
    committed = asked[group].result(seconds).topic_partitions
    specs: tuple[Any, Any] = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = [client.list_offsets(dict.fromkeys(slots, spec)) for spec in specs]
    lows, highs = (
        {(tp.topic, tp.partition): future.result(seconds).offset for tp, future in found.items()}
        for found in ends
    )
    behind: dict[TopicPartition, int] = {}
    lost: list[str] = []
    for tp in committed:
        slot = (tp.topic, tp.partition)
        at = tp.offset if tp.offset >= 0 else lows[slot]
        if at < lows[slot]:
            lost.append(f"{tp.topic}[{tp.partition}]")
        if highs[slot] > at:
            behind[TopicPartition(*slot, max(at, lows[slot]))] = highs[slot] - at
    return behind, lost


def _age(settings: Settings, slot: TopicPartition) -> float:
    """Seconds since the record at a partition's next offset was written."""
    origins = Origins(settings.kafka)
    try:
        message = next(origins.since(slot.topic, slot.partition, slot.offset), None)
    finally:
        origins.close()
    return max(0.0, time.time() - message.timestamp()[1] / 1000) if message else 0.0
