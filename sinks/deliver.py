"""The one delivery loop: consume, render, send, judge each item, retry with back-off, bury, commit.

Offsets are committed only after every receipt below them. A sink that stands still stays in its group."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline import metrics
from pipeline.deadletter import Origin, Share, letter
from pipeline.kafka import Delivery, consumer, flush, produce, producer
from pipeline.model import to_micros
from pipeline.settings import Settings
from pipeline.topics import FINDINGS
from sinks.base import Action, Busy, Receipt, Sink

log = logging.getLogger("driftline.sink")
BATCH, WITHIN = 1000, 0.05
FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0


class TooManyRefused(Exception):
    """So many findings were refused that the fault must be ours."""


@dataclass
class Item:
    """One action on its way, with where its finding came from."""

    action: Action
    origin: Origin
    raw: bytes


class Deliverer:
    """Delivers findings to one sink until stopped. `chance` gives numbers in 0…1 for jitter."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        *,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings, self._sink = settings, sink
        self._now, self._chance, self._pause = now, chance, pause
        self._stopping = asyncio.Event()
        self._share = Share(settings.sink.bad_share)
        self._delivery = Delivery()
        self._dead = producer(settings.kafka)

    def stop(self) -> None:
        """Ends the loop after what is under way, or at once if that waits."""
        self._stopping.set()

    async def run(self, group: str | None = None) -> None:
        """The loop. Raises TooManyRefused, and OSError where dead letters cannot be written."""
        reader = consumer(self._settings.kafka, group or f"driftline-sink-{self._sink.name}",
                          enable_auto_offset_store=False, fetch_wait_max_ms=50, max_poll_interval_ms=600_000)  # fmt: skip
        reader.subscribe([FINDINGS.name])
        try:
            while not self._stopping.is_set():
                messages = await asyncio.to_thread(reader.consume, BATCH, WITHIN)
                good = [m for m in messages if m.error() is None]
                for error in (message.error() for message in messages):
                    if error is not None and not error.retriable():
                        log.warning("Kafka", extra={"error": error.str()})
                if good and await self.batch(good, lambda: _stay(reader)):
                    await asyncio.to_thread(_commit, reader, good)
        finally:
            await asyncio.to_thread(reader.close)
            await self._sink.close()

    async def batch(self, messages: list[Any], stay: Callable[[], None] = lambda: None) -> bool:
        """Delivers what some messages say; True when every item has its receipt, False when stopped before."""
        items: list[Item] = []
        dead = 0
        for message in messages:
            origin = Origin(message.topic(), message.partition(), message.offset(), -1)
            if message.value() is None:
                continue
            try:
                finding = orjson.loads(message.value())
                actions = self._sink.render(finding, int(self._now() * 1e6))
            except (ValueError, KeyError, TypeError, AttributeError) as why:
                dead += self._bury(
                    f"cannot be rendered: {type(why).__name__}: {why}", origin, message.value()
                )
                continue
            items += [Item(action, origin, message.value()) for action in actions]
        total = len(messages)
        refused = await self._until_done(_newest(items), stay)
        if refused is None:
            return False
        dead += refused
        await asyncio.to_thread(flush, self._dead, self._delivery, 30.0)
        if self._share.add(total - min(dead, total), dead):
            raise TooManyRefused(
                f"{self._sink.name} refuses too many findings: a bad deploy is not a bad record"
                " (look at: driftline deadletter list)"
            )
        metrics.DELIVERED.labels(self._sink.name).inc(total)
        self._behind(messages[-1])
        return True

    async def _until_done(self, items: list[Item], stay: Callable[[], None]) -> int | None:
        """Sends until nothing is left to try; how many were refused for good, or None when stopped."""
        wait, refused = FIRST_WAIT, 0
        while items:
            again: list[Item] = []
            try:
                receipts = await self._sink.send([item.action for item in items])
            except Busy as why:
                log.warning(
                    "the destination is not there; trying again",
                    extra={"sink": self._sink.name, "why": str(why)},
                )
                receipts = [Receipt("again", str(why))] * len(items)
            for item, receipt in zip(items, receipts, strict=True):
                if receipt.kind == "again":
                    again.append(item)
                elif receipt.kind == "never":
                    refused += self._bury(receipt.reason, item.origin, item.raw)
            if again:
                metrics.RETRIED.labels(self._sink.name).inc(len(again))
                stay()
                if await self._wait(wait * (0.5 + self._chance())):
                    return None
            wait = min(wait * 2, LONGEST_WAIT) if len(again) == len(items) else FIRST_WAIT
            items = again
        return refused

    async def _wait(self, seconds: float) -> bool:
        """Pauses; True when told to stop meanwhile."""
        pause = asyncio.ensure_future(self._pause(seconds))
        stop = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({pause, stop}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
        stop.cancel()
        return self._stopping.is_set()

    def _bury(self, reason: str, origin: Origin, raw: bytes) -> int:
        log.error(
            "a finding was refused",
            extra={"reason": reason, "partition": origin.partition, "offset": origin.offset},
        )
        produce(self._dead, self._delivery, **letter(self._sink.name, reason, origin, raw))
        metrics.DEAD.labels(self._sink.name).inc()
        return 1

    def _behind(self, message: Any) -> None:
        try:
            said = to_micros(orjson.loads(message.value())["last_seen"])
        except (ValueError, KeyError, TypeError):
            return
        if said is not None:
            metrics.SINK_BEHIND.labels(self._sink.name).set(max(0.0, self._now() - said / 1e6))


def _newest(items: list[Item]) -> list[Item]:
    """Of several actions on one id at one place only the newest: the others would be refused as old."""
    last: dict[tuple[str, str], Item] = {}
    for item in items:
        key = (item.action.target, item.action.id)
        if key not in last or last[key].action.version <= item.action.version:
            last.pop(key, None)
            last[key] = item
    return list(last.values())


def _commit(reader: Any, delivered: list[Any]) -> None:
    """Commits what was delivered, of partitions that are still ours; another's are delivered again, by the other."""
    last = {message.partition(): message for message in delivered}
    for message in last.values():
        with contextlib.suppress(KafkaException):  # revoked meanwhile
            reader.store_offsets(message=message)
    try:
        reader.commit(asynchronous=False)
    except KafkaException as why:
        if why.args[0].code() != KafkaError._NO_OFFSET:  # noqa: SLF001 - its public name
            log.warning("not committed; will be delivered again", extra={"why": why.args[0].str()})


def _stay(reader: Any) -> None:
    """Keeps the membership while we wait: a poll of paused partitions returns nothing but rebalances."""
    assignment = reader.assignment()
    if not assignment:
        return
    reader.pause(assignment)
    early = reader.poll(0)
    if early is not None and early.error() is None:  # of a partition that has just become ours
        reader.seek(TopicPartition(early.topic(), early.partition(), early.offset()))
    with contextlib.suppress(KafkaException):  # some may just have been revoked
        reader.resume(reader.assignment())
