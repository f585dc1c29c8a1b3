"""Converts messages to actions: selects and renders documents, and keeps their origin."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from driftline.pipeline.kafka.dead_letters import Origin
from driftline.pipeline.model import to_micros
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS, short
from driftline.pipeline.rulebook.match import is_transition
from driftline.sinks.base import Action, Sink
from driftline.sinks.reader import Slot
from driftline.sinks.subscription import Subscription

log = logging.getLogger("driftline.sink")
SAID = {FINDINGS.own: "last_seen", RESTATEMENTS.own: "last_seen", DRIFT.own: "updated_at", ALERTS.own: "last"}  # fmt: skip
"""The field with a document's time, by topic; unknown for other topics."""
BREATH = 100
"""Documents rendered before yielding to the event loop."""


@dataclass(frozen=True)
class Item:
    """An action in progress, with the origin of its document."""

    action: Action
    origin: Origin
    raw: bytes
    turn: int


@dataclass
class Batch:
    """A batch of rendered messages."""

    total: int
    last: dict[Slot, tuple[int, Any]]
    """Topic and partition to turn and last message."""
    first: dict[Slot, tuple[int, int]] = field(default_factory=dict)
    """Topic and partition to turn and Kafka's time of the first message, milliseconds."""
    items: list[Item] = field(default_factory=list)
    bad: list[tuple[str, Origin, bytes]] = field(default_factory=list)
    """Documents that cannot be rendered, and why."""
    said: int | None = None
    """The time of the last document, microseconds."""


class Selector:
    """Selects and adapts the documents for a sink. The first one for which `match` cannot be evaluated is logged."""

    def __init__(self, subscription: Subscription, transitions_only: bool) -> None:
        self._to, self._transitions_only = subscription, transitions_only
        self._told = False

    def given(self, topic: str, document: Any) -> dict[str, Any] | None:
        """The adapted document; None if the sink does not receive it."""
        if self._transitions_only and not is_transition(short(topic), document):
            return None
        adapted = self._to.adapted(document)
        result = self._to.verdict(topic, adapted)
        if result.holds is None and not self._told:
            self._told = True
            log.warning(
                "match could not be evaluated; delivered",
                extra={"sink": self._to.name, "why": result.why},
            )
        return adapted if result.takes else None


class Renderer:
    """Makes batches of messages. `turn`: the turn of a partition (driftline.sinks.reader)."""

    def __init__(
        self, sink: Sink, selector: Selector, now: Callable[[], float], turn: Callable[[Slot], int]
    ) -> None:
        self._sink, self._selector, self._now, self.turn = sink, selector, now, turn

    async def batch(self, messages: Sequence[Any]) -> Batch:
        """The actions for some messages."""
        batch = Batch(len(messages), {})
        for number, message in enumerate(messages):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            raw, topic, partition = message.value(), message.topic(), message.partition()
            turn = self.turn((topic, partition))
            batch.last[topic, partition] = (turn, message)
            if batch.first.get((topic, partition), (None, 0))[0] != turn:
                batch.first[topic, partition] = (turn, message.timestamp()[1])
            origin = Origin(topic, partition, message.offset(), -1)
            if raw is None:
                key, (_, at) = (message.key() or b"").decode(errors="replace"), message.timestamp()
                gone = self._sink.forget(topic, key, at)
                batch.items += [Item(action, origin, b"", turn) for action in gone]
                continue
            try:
                document = orjson.loads(raw)
                actions = self._actions(topic, document)
                if said := SAID.get(short(topic)):
                    batch.said = to_micros(document[said]) or batch.said
            except (ValueError, KeyError, TypeError, AttributeError) as why:
                batch.bad.append((f"cannot be rendered: {type(why).__name__}: {why}", origin, raw))
                continue
            batch.items += [Item(action, origin, raw, turn) for action in actions]
        return batch

    def _actions(self, topic: str, document: Any) -> list[Action]:
        now = int(self._now() * 1e6)
        if (given := self._selector.given(topic, document)) is not None:
            return self._sink.render(topic, given, now)
        if self._sink.transitions_only or topic != FINDINGS.name:
            return []
        # it may have matched before: delete it at the destination
        ended = self._sink.render(topic, document | {"retired": True}, now)
        return [action for action in ended if action.op == "delete"]


def newest(items: Sequence[Item]) -> list[Item]:
    """Keeps only the newest of several actions on one id and target, because the others would be rejected as outdated. A restatement is
    kept together with the finding that it belongs to."""
    last: dict[tuple[str, str, bool], Item] = {}
    for item in items:
        key = (item.action.target, item.action.id, item.action.behind)
        if key not in last or last[key].action.version <= item.action.version:
            last.pop(key, None)
            last[key] = item
    return list(last.values())


def chunks(items: Sequence[Item], most_actions: int, most_bytes: int | None) -> Iterator[list[Item]]:  # fmt: skip
    """Splits items into calls within the limits, in order; a larger item is sent alone."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        more = 0 if most_bytes is None else len(orjson.dumps(item.action.body))
        if chunk and (
            len(chunk) >= most_actions or (most_bytes is not None and size + more > most_bytes)
        ):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += more
    if chunk:
        yield chunk
