"""The delivery loop: consume, render, send, check each receipt, retry with back-off, dead-letter, store offsets.

Batches are sent one after another, so that actions on one id keep their order; meanwhile the next batch is read and
rendered. Offsets are stored only after all receipts below them. A waiting sink stays in its group."""

import asyncio
import gc
import logging
import random
import time
import zlib
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from driftline.pipeline.common.backoff import Backoff
from driftline.pipeline.common.errors import Undelivered
from driftline.pipeline.kafka.client import Delivery, produce, producer
from driftline.pipeline.kafka.dead_letters import Origin, Share, letter, letter_id
from driftline.pipeline.kafka.written_letters import standing
from driftline.pipeline.ops import metrics
from driftline.pipeline.records.topics import group_id
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks import links
from driftline.sinks.base import Action, Busy, Receipt, Sink
from driftline.sinks.batches import Batch, Item, Renderer, Selector, chunks, newest
from driftline.sinks.delivered import Deliveries, KafkaTopic
from driftline.sinks.pace import SinkRate
from driftline.sinks.reader import Reader, Slot, begin_now
from driftline.sinks.subscription import Subscription

log = logging.getLogger("driftline.sink")
BATCH = 1000
"""Messages read per batch."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0
LONGEST_ASKED = 3600.0
"""Maximum wait in seconds that a destination can request."""
GARBAGE = 200_000
"""Garbage collection threshold: documents have no cycles, and the default would scan each of them often."""
STAY = 3.0
"""Seconds between polls of the group while a batch is in progress: each poll drops what librdkafka has fetched."""
GRACE = 2.5
"""Seconds that a running send gets after a stop; later, it will be delivered again."""
LETTER_SECONDS = 30


@dataclass
class _Round:
    """The result of one attempt."""

    again: list[Item] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    asked: float = 0.0
    """Seconds to wait, as requested by the destination."""


class TooManyRefused(Exception):
    """So many findings were refused that the deployment must be at fault."""


class Deliverer:
    """Delivers findings to a sink until stopped. `chance` returns numbers in 0…1 for jitter; `written`: ids of dead letters
    written before; `deliveries`: the delivery memory of a sink that can only append."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        subscription: Subscription,
        *,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        dead: Any = None,
        written: Callable[[], Container[str]] | None = None,
        deliveries: Deliveries | None = None,
    ) -> None:
        self._settings, self._sink, self._subscription = settings, sink, subscription
        self._now, self._chance, self._pause = now, chance, pause
        self._stopping = asyncio.Event()
        self._share = Share(settings.sink.bad_share)
        self._delivery = Delivery()
        self._dead = dead or producer(settings.kafka)
        self._turn: Callable[[Slot], int] = lambda _: 0
        self._owned: Callable[[], dict[Slot, int]] = dict
        selector = Selector(subscription, sink.transitions_only)
        self._renderer = Renderer(sink, selector, now, lambda slot: self._turn(slot))
        self._pace = SinkRate(sink.limits.rate, now)
        self._written = written or (lambda: standing(settings.kafka))
        self._known: Container[str] = ()
        self._owed = False
        """Whether links or deliveries are being sent to the brokers."""
        self._deliveries = deliveries
        if deliveries is None and sink.transitions_only:
            self._deliveries = Deliveries(subscription.name, KafkaTopic(settings.kafka))

    def stop(self) -> None:
        """Ends the loop after the current batch, or immediately if it waits."""
        self._stopping.set()

    async def run(self, group: str | None = None) -> None:
        """The loop. Raises TooManyRefused, and Undelivered if Kafka fails."""
        group = group or group_id(f"sink-{self._subscription.name}")
        topics = [topic.name for topic in self._sink.topics]
        if self._subscription.start == "now":
            await asyncio.to_thread(begin_now, self._settings, group, topics)
        reader = Reader(self._settings, group, topics)
        self._turn, self._owned = reader.turn, reader.owned
        stop = asyncio.ensure_future(self._stopping.wait())
        under_way: asyncio.Task[Batch | None] | None = None
        self._known = await asyncio.to_thread(self._written)
        garbage = gc.get_threshold()
        gc.set_threshold(GARBAGE, *garbage[1:])
        try:
            while not stop.done():
                messages = await asyncio.to_thread(reader.take, BATCH, self._sink.limits.linger)
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
        """Renders some messages."""
        return await self._renderer.batch(messages)

    async def deliver(self, batch: Batch) -> bool:
        """True when every item has a receipt, False if stopped before. Raises TooManyRefused and Undelivered."""
        refused: set[Origin] = set()
        for reason, origin, raw in batch.bad:
            self._bury(reason, origin, raw, refused)
        if not await self._until_done(await self._new(batch), refused):
            return False
        if (refused or self._owed) and not await self._written_out():
            return False
        self._owed = False
        if self._share.add(batch.total - len(refused), len(refused)):
            raise TooManyRefused(
                f"{self._subscription.name} refuses too many findings: a bad deploy is not a bad record"
                " (see: driftline deadletter list)"
            )
        metrics.DELIVERED.labels(self._subscription.name).inc(batch.total)
        if batch.said is not None:
            behind = max(0.0, self._now() - batch.said / 1e6)
            metrics.SINK_BEHIND.labels(self._subscription.name).set(behind)
        return True

    async def _new(self, batch: Batch) -> list[Item]:
        """The items of a batch to send: for a destination that can only append, those not delivered yet."""
        items, memory = newest(batch.items), self._deliveries
        if memory is None:
            return items
        if (since := memory.lacks(batch.first)) is not None:
            ours = self._owned() | {slot: turn for slot, (turn, _) in batch.first.items()}
            await asyncio.to_thread(memory.recall, since, ours)
        return [item for item in items if not memory.has(item.action)]

    async def _until_done(self, items: list[Item], refused: set[Origin]) -> bool:
        """Sends until nothing is left to retry; False if stopped. Items of revoked partitions are left to their new owner."""
        backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        while items := [
            i for i in items if i.turn == self._turn((i.origin.topic, i.origin.partition))
        ]:
            left = await self._round(items, refused)
            if self._stopping.is_set() and left.again:
                return False
            if left.again:
                log.warning(
                    "not accepted; retrying",
                    extra={"sink": self._subscription.name, "actions": len(left.again), "why": min(left.reasons)},
                )  # fmt: skip
                metrics.RETRIED.labels(self._subscription.name).inc(len(left.again))
                pause = max(
                    backoff.failed() * (0.5 + self._chance()), min(left.asked, LONGEST_ASKED)
                )
                if await self._wait(pause):
                    return False
            if len(left.again) != len(items):
                backoff.succeeded()
            items = left.again
        return True

    async def _round(self, items: list[Item], refused: set[Origin]) -> _Round:
        """Attempts every item once, within the sink's limits. Restatements are sent after the other items are done."""
        left = _Round()
        for some in ([i for i in items if not i.action.behind], [i for i in items if i.action.behind]):  # fmt: skip
            if left.again:
                left.again += some
            elif some:
                await asyncio.gather(*(self._lane(lane, left, refused) for lane in self._lanes(some)))  # fmt: skip
        return left

    def _lanes(self, items: list[Item]) -> list[list[Item]]:
        """Splits items for concurrent calls; items on one id stay in order."""
        count = self._sink.limits.concurrency
        if count == 1:
            return [items]
        lanes: list[list[Item]] = [[] for _ in range(count)]
        for item in items:
            lanes[zlib.crc32(item.action.id.encode()) % count].append(item)
        return [lane for lane in lanes if lane]

    async def _lane(self, items: list[Item], left: _Round, refused: set[Origin]) -> None:
        """Sends calls one after another. After one that failed completely, the others are not attempted."""
        limits, busy = self._sink.limits, False
        for chunk in chunks(items, limits.most_actions, limits.most_bytes):
            if busy or ((pause := self._pace.wait(len(chunk))) and await self._wait(pause)):
                left.again += chunk
                left.reasons.add("not tried")
                continue
            try:
                receipts = await self._sink.send([item.action for item in chunk])
            except Busy as why:
                receipts = [Receipt("again", str(why), why.retry_after)] * len(chunk)
                busy = True
            self._judge(chunk, receipts, left, refused)

    def _judge(
        self, chunk: list[Item], receipts: Sequence[Receipt], left: _Round, refused: set[Origin]
    ) -> None:
        for item, receipt in zip(chunk, receipts, strict=True):
            if receipt.kind == "again":
                left.again.append(item)
                left.reasons.add(receipt.reason)
                left.asked = max(left.asked, receipt.retry_after or 0.0)
            elif receipt.kind == "never":
                self._bury(receipt.reason, item.origin, item.raw, refused)
            else:
                self._done(item.action, receipt)

    def _done(self, action: Action, receipt: Receipt) -> None:
        """Records links and deliveries."""
        if receipt.reference is not None:
            links.write(self._dead, self._delivery, self._subscription.name, action.id, receipt.reference, self._now())  # fmt: skip
            self._owed = True
        if self._deliveries is not None and action.op == "append":
            self._deliveries.write(self._dead, self._delivery, action, self._now())
            self._owed = True

    async def _wait(self, seconds: float) -> bool:
        """Waits; True if stopped meanwhile."""
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
        if letter_id(self._subscription.name, origin, raw) in self._known:
            return  # written before the sink stopped because of too many
        produce(self._dead, self._delivery, **letter(self._subscription.name, reason, origin, raw))
        metrics.DEAD.labels(self._subscription.name).inc()

    async def _written_out(self) -> bool:
        """Waits until all letters, links and deliveries are acknowledged; False if stopped meanwhile. Raises Undelivered."""
        left = 0
        for _ in range(LETTER_SECONDS):
            left = await asyncio.to_thread(self._dead.flush, 1.0)
            if self._delivery.failed:
                raise Undelivered(
                    f"dead letters, links or deliveries were refused: {self._delivery.failed[:3]}"
                )
            if not left:
                return True
            if self._stopping.is_set():
                return False
        raise Undelivered(
            f"{left} dead letters, links or deliveries not written within {LETTER_SECONDS} s"
        )


def _store(reader: Reader, batch: Batch | None) -> None:
    if batch is not None:
        reader.store(batch.last)
