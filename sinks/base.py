"""What a sink is: it renders documents and sends actions. Batching, limits, retries, dead letters and offsets are
driftline.sinks.deliver's, once for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from driftline.pipeline.records.topics import Topic

Op = Literal["upsert", "append", "delete"]


@dataclass(frozen=True)
class Action:
    """One thing to do at the destination for one document."""

    op: Op
    """`upsert`: of one id the highest version stands; `append`: once for each id; `delete`: what stands under the id goes."""
    target: str
    """Where at the destination: an index, a file, a channel."""
    id: str
    """The same for the same thing, however often it is delivered."""
    version: int
    body: dict[str, Any] | None
    """None for a deletion."""
    behind: bool = False
    """It adds to what stands, and is sent behind all that is not so: a restatement."""


@dataclass(frozen=True)
class Receipt:
    """What became of an action: done, to be tried again, or never."""

    kind: Literal["done", "again", "never"]
    reason: str = ""
    retry_after: float | None = None
    """Seconds that the destination asks to wait before it is tried again."""
    reference: str | None = None
    """What the destination calls it (a ticket's key): kept in the topic `ticket-links`."""


class Busy(Exception):
    """The destination as a whole cannot take anything now: everything is to be tried again. `retry_after`: seconds that it
    asks to wait."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Limits:
    """What a destination takes at once. The delivery loop keeps to it."""

    most_actions: int = 10_000
    """In one call of `send`."""
    most_bytes: int | None = None
    """Of all bodies in one call, as JSON; one larger body is sent alone. None: not counted."""
    linger: float = 0.05
    """Seconds that a batch may wait to become larger."""
    concurrency: int = 1
    """Calls of `send` side by side. Actions on one id keep their order."""
    rate: float | None = None
    """Actions a second. None: as many as it takes."""


class Sink(Protocol):
    """A destination, connected."""

    topics: tuple[Topic, ...]
    """What it reads: findings, and perhaps their restatements, drifts, alerts."""
    limits: Limits
    transitions_only: bool
    """It can only append: what is merely said again is not rendered for it, and what it has got is remembered
    (driftline.sinks.delivered)."""

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        """What a document of a topic asks for; pure. `now` in microseconds. Raises ValueError for what cannot be rendered."""

    def forget(self, topic: str, key: str, at: int) -> list[Action]:
        """What a record without a value asks for: all that was said under its key is over. `at`: Kafka's time of it in
        milliseconds."""

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        """Delivers; one receipt an action, in order. Raises Busy."""

    async def close(self) -> None:
        """Lets go of connections."""
