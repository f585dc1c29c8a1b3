"""What a worker process does: which topics come in, and what folds them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.offline.content import rulebook_and_options, watch
from driftline.pipeline.records.counts import Counts
from driftline.pipeline.records.outputs import Dead, Work
from driftline.pipeline.records.topics import (
    ALERTS,
    CHANGES,
    CONTROL,
    DRIFT,
    FINDINGS,
    PARTITIONS,
    READS,
    RESTATEMENTS,
    SIGNALS,
    SNAPSHOTS,
    Topic,
    state_of,
)
from driftline.pipeline.settings.blocks import Settings

Get = Callable[[bytes], bytes | None]
Heads = Callable[[], Iterable[tuple[bytes, bytes]]]
"""Every head's row of a partition."""


class Folding(Protocol):
    """One partition's fold (driftline.pipeline.assess.shard, driftline.pipeline.correlate.shard)."""

    @property
    def counts(self) -> Counts: ...
    @property
    def pending(self) -> bool: ...
    @property
    def watermark(self) -> int: ...
    def dated(self, topic: str) -> int: ...
    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None: ...
    def apply(
        self, topic: str, value: bytes, offset: int, broker_time: int | None = None
    ) -> None: ...
    def advance(self, limit: int | None = None, most: int = 1000) -> bool: ...
    def take(self) -> Work: ...
    def take_dead(self) -> list[Dead]: ...


@dataclass(frozen=True)
class Job:
    """A stage of the stream."""

    name: str
    """As dead letters call it."""
    app_id: str
    """The consumer group, and the beginning of its changelog's name."""
    inputs: tuple[Topic, ...]
    paced: tuple[Topic, ...]
    """Time, where it comes by a topic of its own, never runs ahead of these."""
    outputs: tuple[Topic, ...]
    port: int
    make: Callable[[int, Get, Heads], Folding]

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All that must be there."""
        every = (*self.inputs, *self.outputs, state_of(self.app_id))
        return tuple({topic.name: topic for topic in every}.values())


def assess(settings: Settings) -> Job:
    """Resources are judged. Raises UserError for rules or detections with mistakes."""
    rulebook, options = rulebook_and_options(settings)
    looking = watch(settings)

    def make(number: int, get: Get, heads: Heads) -> Folding:
        return Partition(number, get, rulebook, options, looking, heads)

    outputs = (FINDINGS, RESTATEMENTS, DRIFT, READS, SIGNALS)
    paced, own = (SNAPSHOTS, CHANGES), settings.worker
    return Job("assess", own.app_id, (*paced, CONTROL), paced, outputs, own.port, make)


def correlate(settings: Settings) -> Job:
    """Signals become alerts. Raises UserError for detections with mistakes."""
    from driftline.pipeline.correlate.shard import Correlating

    content, own = watch(settings), settings.correlate

    def make(number: int, get: Get, _: Heads) -> Folding:
        lateness, budget = int(own.lateness * 1_000_000), -(-own.budget // PARTITIONS)
        return Correlating(number, get, content, lateness, budget=budget)

    return Job("correlate", own.app_id, (SIGNALS,), (), (ALERTS, SIGNALS), own.port, make)


STAGES: dict[str, Callable[[Settings], Job]] = {"assess": assess, "correlate": correlate}
