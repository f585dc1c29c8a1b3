"""The stages of the stream: each one's input and output topics, and the fold that processes its records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.offline.content import rulebook_and_options, ticket_options, watch
from driftline.pipeline.records.counts import Counts
from driftline.pipeline.records.outputs import Dead, Work
from driftline.pipeline.records.topics import (
    ALERTS,
    CHANGES,
    CONTROL,
    DRIFT,
    FINDINGS,
    MEMBERS,
    PARTITIONS,
    READS,
    RESTATEMENTS,
    SIGNALS,
    SNAPSHOTS,
    TICKETS,
    Topic,
    state_of,
)
from driftline.pipeline.settings.blocks import Settings

Get = Callable[[bytes], bytes | None]
Heads = Callable[[], Iterable[tuple[bytes, bytes]]]
"""Reads the head row of every state of a partition."""


class ShardFold(Protocol):
    """What a worker needs of a partition's fold. Implemented by driftline.pipeline.assess.shard and
    driftline.pipeline.correlate.shard, both built on driftline.pipeline.state.shard."""

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
class StreamStage:
    """A stage of the stream, as one worker process runs it."""

    name: str
    """Its name in dead letters and metrics."""
    app_id: str
    """Its consumer group, and the prefix of its changelog topic."""
    inputs: tuple[Topic, ...]
    paced: tuple[Topic, ...]
    """Topics that time must not overtake, where watermarks arrive on a topic of their own."""
    outputs: tuple[Topic, ...]
    port: int
    make: Callable[[int, Get, Heads], ShardFold]

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic that must exist."""
        every = (*self.inputs, *self.outputs, state_of(self.app_id))
        return tuple({topic.name: topic for topic in every}.values())


def assess(settings: Settings) -> StreamStage:
    """Evaluates resources. Raises UserError for invalid rules or detections."""
    rulebook, options = rulebook_and_options(settings)
    engine = watch(settings)

    def make(number: int, get: Get, heads: Heads) -> ShardFold:
        return Partition(number, get, rulebook, options, engine, heads)

    outputs = (FINDINGS, RESTATEMENTS, DRIFT, READS, SIGNALS, MEMBERS)
    paced, own = (SNAPSHOTS, CHANGES), settings.worker
    return StreamStage("assess", own.app_id, (*paced, CONTROL), paced, outputs, own.port, make)


def correlate(settings: Settings) -> StreamStage:
    """Correlates signals into alerts. Raises UserError for invalid detections."""
    from driftline.pipeline.correlate.shard import Correlating

    content, own, tickets = watch(settings), settings.correlate, ticket_options(settings)

    def make(number: int, get: Get, _: Heads) -> ShardFold:
        lateness, budget = int(own.lateness * 1_000_000), -(-own.budget // PARTITIONS)
        return Correlating(number, get, content, lateness, budget=budget, tickets=tickets)

    return StreamStage(
        "correlate", own.app_id, (SIGNALS,), (), (ALERTS, SIGNALS, MEMBERS), own.port, make
    )


def cases(settings: Settings) -> StreamStage:
    """Collects findings and alerts into tickets."""
    from driftline.pipeline.cases.shard import Cases

    own = settings.tickets
    options = (
        ticket_options(settings) or TicketOptions()
    )  # without tickets, those that exist still close

    def make(number: int, get: Get, _: Heads) -> ShardFold:
        return Cases(number, get, options)

    return StreamStage(
        "cases", own.app_id, (MEMBERS, CONTROL), (MEMBERS,), (TICKETS,), own.port, make
    )


STAGES: dict[str, Callable[[Settings], StreamStage]] = {
    "assess": assess,
    "correlate": correlate,
    "cases": cases,
}
