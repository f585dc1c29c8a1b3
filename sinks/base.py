"""The sink interface: a sink renders documents and sends actions. Batching, limits, retries, dead letters and offsets are
handled by driftline.sinks.deliver for all sinks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from driftline.pipeline.records.topics import Topic

Op = Literal["upsert", "append", "delete"]


@dataclass(frozen=True)
class Action:
    """One operation at the destination for one document."""

    op: Op
    """`upsert`: the highest version of an id wins; `append`: once for each id; `delete`: removes the id."""
    target: str
    """The target at the destination: an index, a file, a channel."""
    id: str
    """Identical for every delivery of the same thing."""
    version: int
    body: dict[str, Any] | None
    """None for a deletion."""
    behind: bool = False
    """It updates an existing document (a restatement), and is sent after all other actions."""


@dataclass(frozen=True)
class Receipt:
    """The result of an action: done, to be retried, or never."""

    kind: Literal["done", "again", "never"]
    reason: str = ""
    retry_after: float | None = None
    """Seconds to wait before the retry, as requested by the destination."""
    reference: str | None = None
    """The destination's reference (a ticket's key), kept in the topic `ticket-links`."""


class Busy(Exception):
    """The destination as a whole is unavailable: everything is retried. `retry_after`: seconds to wait, as requested by
    the destination."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limits:
    """Limits of a destination, enforced by the delivery loop."""

    most_actions: int = 10_000
    """Maximum number per call of `send`."""
    most_bytes: int | None = None
    """Maximum total size of bodies per call, as JSON; a larger body is sent alone. None: unlimited."""
    linger: float = 0.05
    """Seconds that a batch may wait to fill up."""
    concurrency: int = 1
    """Maximum concurrent calls of `send`. Actions on one id keep their order."""
    rate: float | None = None
    """Maximum actions per second. None: unlimited."""


class Sink(Protocol):
    """A destination, connected."""

    topics: tuple[Topic, ...]
    """The topics it reads: findings and, optionally, their restatements, drifts, alerts."""
    limits: Limits
    transitions_only: bool
    """It can only append: repetitions are not rendered for it, and deliveries are remembered
    (driftline.sinks.delivered)."""

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        """The actions for a document of a topic; pure. `now` in microseconds. Raises ValueError if it cannot be rendered."""

    def forget(self, topic: str, key: str, at: int) -> list[Action]:
        """The actions for a tombstone: everything written under its key is obsolete. `at`: its Kafka timestamp in
        milliseconds."""

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        """Delivers the actions; returns one receipt per action, in order. Raises Busy."""

    async def close(self) -> None:
        """Closes connections."""
