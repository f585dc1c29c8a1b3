"""The checks of `driftline doctor` on programs, through Kafka: the last tick, and the progress of consumer groups."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from driftline.collectors.collector import Listens
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.kafka.client import admin, answer, explained
from driftline.pipeline.kafka.clock import SOURCE
from driftline.pipeline.kafka.redeliver import Origins
from driftline.pipeline.model import Control
from driftline.pipeline.ops.checks import Line
from driftline.pipeline.records.topics import CONTROL, Topic
from driftline.pipeline.settings.blocks import Settings

BACKLOG = 2400.0
"""Seconds that a source may be behind, including its own lateness (20 minutes at most)."""
LATE = 300.0
"""Seconds that the oldest record may wait, or the clock may be silent, without a warning."""
TAIL = 400
"""Number of latest control records searched for a tick."""


def clock(settings: Settings, seconds: float) -> Iterator[Line]:
    """Reports when the last tick was written."""
    run = "run: driftline clock"
    found = _ticks(settings, seconds).get(SOURCE)
    if found is None:
        yield Line("clock", "warn", "no recent tick", run)
        return
    age = found.age
    late = age > max(LATE, 4 * settings.clock.interval)
    text = f"the last tick was written {age:.0f} s ago"
    told = f"{text}: waiting findings, restatements and staleness do not advance" if late else text
    yield Line("clock", "fail" if late else "ok", told, run if late else "")


class Told(NamedTuple):
    """The last tick of a source."""

    age: float
    """Seconds since it was written."""
    behind: float
    """Seconds since its watermark."""


def _ticks(settings: Settings, seconds: float) -> dict[str, Told]:
    """The last tick of every source that reported recently."""
    slot, origins = TopicPartition(CONTROL.name, 0), Origins(settings.kafka)
    readers: dict[str, dict[str, Told | None]] = {}
    try:
        with explained(settings.kafka):
            low, high = origins.ends(slot, seconds)
            for message in origins.since(slot.topic, 0, max(low, high - TAIL)):
                try:
                    tick = Control.model_validate_json(message.value() or b"").tick
                except ValueError:
                    continue
                if tick is not None:
                    now = time.time()
                    age = max(0.0, now - message.timestamp()[1] / 1000)
                    told = Told(age, max(0.0, now - tick.watermark.timestamp()))
                    readers.setdefault(tick.source, {})[tick.reader] = None if tick.ended else told
    finally:
        origins.close()
    return {source: last for source, told in readers.items() if (last := _last(told.values()))}


def _last(readers: Iterable[Told | None]) -> Told | None:
    """The slowest of a source's recently active readers, or else the one active last."""
    heard = [told for told in readers if told is not None]
    lately = [told for told in heard if told.age <= LATE]
    return max(lately, key=lambda told: told.behind) if lately else min(heard, default=None)


def events(settings: Settings, collector: Listens, what: str, seconds: float) -> Iterator[Line]:
    """Which sources of change events of a provider are on, and how late they run."""
    provider = collector.provider
    own = settings.collector(provider).events
    run = " ".join(("driftline collect", provider, "events"))
    if not own.sources:
        yield Line(what, "ok", "no source is configured: only sweeps find changes, without their actors",
                   f"to attribute changes: {collector.guide}")  # fmt: skip
        return
    ticks = _ticks(settings, seconds)
    for source in own.sources:
        told = ticks.get(f"{provider}.{source}")
        if told is None or told.age > max(LATE, 4 * own.tell):
            last = "recently" if told is None else f"for {told.age:.0f} s"
            yield Line(what, "fail", f"{source}: no progress reported {last}: drift waits for its cause and stays unattributed",
                       f"run: {run}")  # fmt: skip
        elif told.behind > BACKLOG:
            yield Line(what, "warn", f"{source}: {number_of(round(told.behind / 60), 'minute')} behind",
                       f"start more of: {run}" + (f" (or {collector.more_readers})" if collector.more_readers else ""))  # fmt: skip
        else:
            yield Line(what, "ok", f"{source}: all events up to {number_of(round(told.behind / 60), 'minute')} ago have arrived")  # fmt: skip


def group(
    settings: Settings, program: str, name: str, topics: Sequence[Topic], seconds: float
) -> Iterator[Line]:
    """Reports the lag of a program's consumer group, and the number of its members."""
    what, run = program.split()[0], f"run: driftline {program}"
    client = admin(settings.kafka)
    with explained(settings.kafka):
        groups = answer(client.list_consumer_groups, request_timeout=seconds, seconds=seconds).valid
        if name not in {found.group_id for found in groups}:
            yield Line(what, "warn", f"no group {name}: it has never run", run)
            return
        about = answer(client.describe_consumer_groups, [name], seconds=seconds)[name]
        slots = [TopicPartition(t.name, n) for t in topics for n in range(t.partitions)]
        behind, lost = _behind(client, name, slots, seconds)
        members, waiting = len(about.members), sum(behind.values())
        slot = max(behind, key=lambda one: behind[one], default=None)
        age = _age(settings, slot) if slot else 0.0
    if lost:
        yield Line(what, "fail", f"retention deleted unread records on {', '.join(lost[:3])}",
                   "choose a longer retention, reset the group to the oldest offset, then: driftline collect aws --once")  # fmt: skip
    state = f"{members} running, {about.state.name.lower().replace('_', ' ')}"
    if not members:
        yield Line(
            what,
            "fail" if waiting else "warn",
            f"none runs; {number_of(waiting, 'record waits', 'records wait')}",
            run,
        )
    elif not waiting:
        yield Line(what, "ok", f"{name} is up to date ({state})")
    else:
        late = age > LATE
        text = f"{number_of(waiting, 'record waits', 'records wait')}, the oldest looked at for {age:.0f} s ({state})"
        step = f"check its log and /metrics, or start more: driftline {program}" if late else ""
        yield Line(what, "warn" if late else "ok", text, step)


def _behind(
    client: AdminClient, group: str, slots: list[TopicPartition], seconds: float
) -> tuple[dict[TopicPartition, int], list[str]]:
    """Waiting records by partition, with the next offset; and partitions where retention deleted unread records."""
    wanted = [ConsumerGroupTopicPartitions(group, slots)]
    asked = answer(client.list_consumer_group_offsets, wanted, seconds=seconds)
    committed = asked[group].topic_partitions
    specs: tuple[Any, Any] = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = [
        answer(client.list_offsets, dict.fromkeys(slots, spec), seconds=seconds) for spec in specs
    ]
    lows, highs = (
        {(tp.topic, tp.partition): told.offset for tp, told in found.items()} for found in ends
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
