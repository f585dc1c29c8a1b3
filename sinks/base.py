"""What a sink is: three small parts. Batching, retries, dead letters and offsets are driftline.sinks.deliver's, once for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from driftline.pipeline.records.topics import Topic

RESTATE = "restate"
"""The name of an action that only moves a document's time on: it is sent behind all others."""


@dataclass(frozen=True)
class Action:
    """One thing to do at the destination for one document. `body` is None for a deletion."""

    name: str
    target: str
    id: str
    version: int
    body: dict[str, Any] | None


@dataclass(frozen=True)
class Receipt:
    """What became of an action: done, to be tried again, or never."""

    kind: Literal["done", "again", "never"]
    reason: str = ""


class Busy(Exception):
    """The destination as a whole cannot take anything now: everything is to be tried again."""


class Sink(Protocol):
    """A destination."""

    name: str
    topics: tuple[Topic, ...]
    """What it takes: findings, and perhaps their restatements, drifts, alerts."""

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        """What a document of a topic asks for; pure. `now` in microseconds. Raises ValueError for what cannot be rendered."""

    def forget(self, topic: str, key: str, at: int) -> list[Action]:
        """What a record without a value asks for: all that was said under its key is over. `at`: Kafka's time of it in
        milliseconds."""

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        """Delivers; one receipt an action, in order. Raises Busy."""

    async def close(self) -> None:
        """Lets go of connections."""
