"""The one delivery loop: consume, render, send, judge each item, retry with back-off, bury, store offsets.

Batches go one after another, so that the actions on one id keep their order; while one is under way the next is read and
rendered. Offsets are stored only after every receipt below them. A sink that waits stays in its group."""

import asyncio
import gc
import logging
import random
import time
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from driftline.pipeline.common.errors import Undelivered
from driftline.pipeline.kafka.client import Delivery, produce, producer
from driftline.pipeline.kafka.dead_letters import Origin, Share, letter, letter_id
from driftline.pipeline.kafka.written_letters import standing
from driftline.pipeline.model import to_micros
from driftline.pipeline.ops import metrics
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS, group_id, short
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.base import RESTATE, Action, Busy, Receipt, Sink
from driftline.sinks.reader import Reader, Slot

log = logging.getLogger("driftline.sink")
SAID = {FINDINGS.own: "last_seen", RESTATEMENTS.own: "last_seen", DRIFT.own: "updated_at", ALERTS.own: "last"}  # fmt: skip
"""When a document was said."""
BATCH, WITHIN = 1000, 0.05
BREATH = 100
"""Findings rendered before the event loop may do something else."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0
GARBAGE = 200_000
"""New containers before Python looks for cycles: documents have none, and by default it looks at each of them often."""
STAY = 3.0
"""Seconds between two looks at the group while a batch is under way: each look drops what librdkafka has fetched."""
GRACE = 2.5
"""Seconds that a send under way is given when we are told to stop; after them it will be delivered again."""
LETTER_SECONDS = 30


class TooManyRefused(Exception):
    """So many findings were refused that the fault must be ours."""


@dataclass(frozen=True)
class Item:
    """One action on its way, with where its finding came from."""

    action: Action
    origin: Origin
    raw: bytes
    turn: int


@dataclass
class Batch:
    """Some messages, rendered."""

    total: int
    last: dict[Slot, tuple[int, Any]]
    """Topic and partition to turn and last message."""
    items: list[Item] = field(default_factory=list)
    bad: list[tuple[str, Origin, bytes]] = field(default_factory=list)
    """What cannot be rendered, and why."""
    said: int | None = None
    """When the last finding was said, microseconds."""


class Deliverer:
    """Delivers findings to one sink until stopped. `chance` gives numbers in 0…1 for jitter; `written`: the ids of letters
    that were written before."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        *,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        dead: Any = None,
        written: Callable[[], Container[str]] | None = None,
    ) -> None:
        self._settings, self._sink = settings, sink
        self._now, self._chance, self._pause = now, chance, pause
        self._stopping = asyncio.Event()
        self._share = Share(settings.sink.bad_share)
        self._delivery = Delivery()
        self._dead = dead or producer(settings.kafka)
        self._turn: Callable[[Slot], int] = lambda _: 0
        self._written = written or (lambda: standing(settings.kafka))
        self._known: Container[str] = ()

    def stop(self) -> None:
        """Ends the loop after what is under way, or at once if that waits."""
        self._stopping.set()

    async def run(self, group: str | None = None) -> None:
        """The loop. Raises TooManyRefused, and Undelivered where Kafka does not do its part."""
        group = group or group_id(f"sink-{self._sink.name}")
        reader = Reader(self._settings, group, [topic.name for topic in self._sink.topics])
        self._turn = reader.turn
        stop = asyncio.ensure_future(self._stopping.wait())
        under_way: asyncio.Task[Batch | None] | None = None
        self._known = await asyncio.to_thread(self._written)
        garbage = gc.get_threshold()
        gc.set_threshold(GARBAGE, *garbage[1:])
        try:
            while not stop.done():
                messages = await asyncio.to_thread(reader.take, BATCH, WITHIN)
                ahead = await self.prepare(messages)
                if under_way is not None and (messages or under_way.done()):
                    while not under_way.done() and not stop.done():
                        await asyncio.wait({under_way, stop}, timeout=STAY, return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
                        if not under_way.done():
                            await asyncio.to_thread(reader.stay)
                    if stop.done():
                        break
                    done, under_way = under_way, None
                    _store(reader, done.result())
                if messages:
                    under_way = asyncio.ensure_future(self._whole(ahead))
            if under_way is not None:
                await asyncio.wait({under_way}, timeout=GRACE)
                if under_way.done():
                    _store(reader, under_way.result())
        finally:
            gc.set_threshold(*garbage)
            stop.cancel()
            if under_way is not None:
                under_way.cancel()
                await asyncio.gather(under_way, return_exceptions=True)
            await asyncio.to_thread(reader.close)
            await self._sink.close()

    async def _whole(self, batch: Batch) -> Batch | None:
        return batch if await self.deliver(batch) else None

    async def prepare(self, messages: Sequence[Any]) -> Batch:
        """Renders what some messages say."""
        batch = Batch(len(messages), {})
        for number, message in enumerate(messages):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            raw, topic, partition = message.value(), message.topic(), message.partition()
            turn = self._turn((topic, partition))
            batch.last[topic, partition] = (turn, message)
            origin = Origin(topic, partition, message.offset(), -1)
            if raw is None:
                key, (_, at) = (message.key() or b"").decode(errors="replace"), message.timestamp()
                gone = self._sink.forget(topic, key, at)
                batch.items += [Item(action, origin, b"", turn) for action in gone]
                continue
            try:
                document = orjson.loads(raw)
                actions = self._sink.render(topic, document, int(self._now() * 1e6))
                said = document[SAID[short(topic)]]
                batch.said = to_micros(said) or batch.said
            except (ValueError, KeyError, TypeError, AttributeError) as why:
                batch.bad.append((f"cannot be rendered: {type(why).__name__}: {why}", origin, raw))
                continue
            batch.items += [Item(action, origin, raw, turn) for action in actions]
        return batch

    async def deliver(self, batch: Batch) -> bool:
        """True when every item has its receipt, False when stopped before. Raises TooManyRefused and Undelivered."""
        refused: set[Origin] = set()
        for reason, origin, raw in batch.bad:
            self._bury(reason, origin, raw, refused)
        if not await self._until_done(_newest(batch.items), refused):
            return False
        if refused and not await self._letters_written():
            return False
        if self._share.add(batch.total - len(refused), len(refused)):
            raise TooManyRefused(
                f"{self._sink.name} refuses too many findings: a bad deploy is not a bad record"
                " (look at: driftline deadletter list)"
            )
        metrics.DELIVERED.labels(self._sink.name).inc(batch.total)
        if batch.said is not None:
            behind = max(0.0, self._now() - batch.said / 1e6)
            metrics.SINK_BEHIND.labels(self._sink.name).set(behind)
        return True

    async def _until_done(self, items: list[Item], refused: set[Origin]) -> bool:
        """Sends until nothing is left to try; False when stopped. What is no longer ours is left to its new owner."""
        wait = FIRST_WAIT
        while items := [
            i for i in items if i.turn == self._turn((i.origin.topic, i.origin.partition))
        ]:
            again: list[Item] = []
            try:
                receipts = await self._sink.send([item.action for item in items])
            except Busy as why:
                receipts = [Receipt("again", str(why))] * len(items)
            for item, receipt in zip(items, receipts, strict=True):
                if receipt.kind == "again":
                    again.append(item)
                elif receipt.kind == "never":
                    self._bury(receipt.reason, item.origin, item.raw, refused)
            if again:
                reasons = {r.reason for r in receipts if r.kind == "again"}
                log.warning(
                    "not taken; trying again",
                    extra={"sink": self._sink.name, "actions": len(again), "why": min(reasons)},
                )
                metrics.RETRIED.labels(self._sink.name).inc(len(again))
                if await self._wait(wait * (0.5 + self._chance())):
                    return False
            wait = min(wait * 2, LONGEST_WAIT) if len(again) == len(items) else FIRST_WAIT
            items = again
        return True

    async def _wait(self, seconds: float) -> bool:
        """Pauses; True when told to stop meanwhile."""
        pause = asyncio.ensure_future(self._pause(seconds))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({pause, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            stop.cancel()
        return self._stopping.is_set()

    def _bury(self, reason: str, origin: Origin, raw: bytes, refused: set[Origin]) -> None:
        log.error(
            "a document was refused",
            extra={
                "reason": reason,
                "topic": origin.topic,
                "partition": origin.partition,
                "offset": origin.offset,
            },
        )
        refused.add(origin)
        if letter_id(self._sink.name, origin, raw) in self._known:
            return  # before we stopped for too many
        produce(self._dead, self._delivery, **letter(self._sink.name, reason, origin, raw))
        metrics.DEAD.labels(self._sink.name).inc()

    async def _letters_written(self) -> bool:
        """Waits until the brokers have every letter; False when told to stop meanwhile. Raises Undelivered."""
        left = 0
        for _ in range(LETTER_SECONDS):
            left = await asyncio.to_thread(self._dead.flush, 1.0)
            if self._delivery.failed:
                raise Undelivered(f"dead letters were refused: {self._delivery.failed[:3]}")
            if not left:
                return True
            if self._stopping.is_set():
                return False
        raise Undelivered(f"{left} dead letters not delivered within {LETTER_SECONDS} s")


def _store(reader: Reader, batch: Batch | None) -> None:
    if batch is not None:
        reader.store(batch.last)


def _newest(items: list[Item]) -> list[Item]:
    """Of several actions on one id at one place only the newest: the others would be refused as old. A restatement stands
    beside the statement that it belongs to."""
    last: dict[tuple[str, str, bool], Item] = {}
    for item in items:
        key = (item.action.target, item.action.id, item.action.name == RESTATE)
        if key not in last or last[key].action.version <= item.action.version:
            last.pop(key, None)
            last[key] = item
    return list(last.values())
