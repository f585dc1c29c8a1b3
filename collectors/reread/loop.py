"""The loop of `driftline collect PROVIDER reads`: wishes from Kafka, readings side by side, snapshots to Kafka, then the commit."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from driftline.collectors.base import SweepStopped, known_from
from driftline.collectors.batches import Batches
from driftline.collectors.collector import ResourceSource
from driftline.collectors.events.producer import EventProducer
from driftline.collectors.redact import safe
from driftline.collectors.reread.queue import PendingReread, RereadQueue, wish_of
from driftline.pipeline.common.errors import Malformed, Undelivered, UserError
from driftline.pipeline.kafka.client import consumer, read_compacted
from driftline.pipeline.kafka.outages import Away
from driftline.pipeline.model import Read, Snapshot
from driftline.pipeline.ops import metrics
from driftline.pipeline.records.topics import READS, SWEEPS, readers
from driftline.pipeline.settings.blocks import Settings

log = logging.getLogger("driftline.collect")
COMMIT = 1.0
MOST_WAITING = 20_000
"""Wishes held in memory; more are left in Kafka for a while."""
Ended = tuple[str, Snapshot | Exception | None]


class RereadLoop:
    """One process's loop."""

    def __init__(
        self, settings: Settings, provider: str, source: ResourceSource, now: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        self._settings, self._source, self._now = settings, source, now
        self._provider, self._own = provider, settings.collector(provider)
        self.rereads = RereadQueue()
        self._ended: queue.Queue[Ended] = queue.Queue()
        self._sender = EventProducer(settings.kafka)
        session = int(self._own.events.session_timeout * 1000)
        self._consumer = consumer(settings.kafka, readers(provider), fetch_wait_max_ms=20, session_timeout_ms=session,
                                  heartbeat_interval_ms=session // 4, error_cb=Away(log, settings.kafka.bootstrap_servers))  # fmt: skip
        self._committed: dict[int, int] = {}
        self._committed_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Until stopped. Raises Undelivered where Kafka takes nothing more."""
        most = self._own.concurrency
        self._consumer.subscribe([READS.name], on_revoke=self._revoked, on_lost=self._revoked)
        pool = ThreadPoolExecutor(most, "reread")
        busy = 0
        try:
            while not stop.is_set():
                self._take(busy)
                for one in self.rereads.due(self._now(), most - busy):
                    busy += 1
                    pool.submit(self._read, one)
                busy -= self._finish()
                metrics.REREADS_WAITING.set(len(self.rereads))
                self._commit()
        finally:
            self._source.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            self._finish()
            self._commit(now=True)
            self._consumer.close()

    def _take(self, busy: int) -> None:
        if len(self.rereads) > MOST_WAITING:
            time.sleep(0.01)
            return
        due = self.rereads.next_due()
        idle = 0.2 if due is None else max(0.0, min(0.2, due - self._now()))
        messages: list[Any] = self._consumer.consume(200, min(0.01, idle) if busy else idle)
        for message in messages:
            if (error := message.error()) is not None:
                if error.fatal():
                    raise Undelivered(error.str())
                continue
            slot = (message.partition(), message.offset())
            try:
                wish = wish_of(message.value() or b"", self._provider)
            except Malformed as why:
                self._sender.bury(READS.name, str(why), message.value() or b"")
                wish = None
            if wish is None:
                self.rereads.nothing(slot)
            else:
                self.rereads.wish(wish, slot, self._now())

    def _read(self, one: PendingReread) -> None:
        """In a thread of its own: never raises."""
        wish = one.wish
        try:
            if wish.scope:
                self._scope(wish)
                self._ended.put((wish.uid, None))
            else:
                self._ended.put((wish.uid, self._source.one(wish)))
        except Exception as error:  # told by whoever finishes it
            self._ended.put((wish.uid, error))

    def _scope(self, wish: Read) -> None:
        known, _, _ = known_from(read_compacted(self._settings.kafka, SWEEPS.name).items())
        batches = Batches(self._settings, known)
        self._source.scope(wish, known, batches)
        batches.close()

    def _finish(self) -> int:
        """Hands on what has been read; how many readings ended."""
        ended: list[Ended] = []
        while True:
            try:
                ended.append(self._ended.get_nowait())
            except queue.Empty:
                break
        if not ended:
            return 0
        for _, found in ended:
            if isinstance(found, Snapshot):
                self._sender.snapshot(found)
        self._sender.flush()
        for uid, found in ended:
            if isinstance(found, Exception):
                self._failed(uid, found)
            else:
                metrics.REREADS.labels(_outcome(found)).inc()
                self.rereads.done(uid)
        return len(ended)

    def _failed(self, uid: str, error: Exception) -> None:
        if isinstance(error, SweepStopped):
            return  # it is not committed: who comes after reads it
        code = self._source.code(error)
        expected = code is not None or isinstance(error, (UserError, KafkaException, OSError))
        if self.rereads.again(uid, self._now()):
            metrics.REREADS.labels("tried again").inc()
        else:
            metrics.REREADS.labels("given up").inc()
            log.warning(
                "left to the next sweep", extra={"uid": uid, "why": code or type(error).__name__}
            )
        if not expected:
            log.error("a reading failed", extra={"uid": uid, "why": safe(repr(error))[:500]})

    def _commit(self, *, now: bool = False) -> None:
        if not now and self._now() - self._committed_at < COMMIT:
            return
        self._committed_at = self._now()
        news = {p: o for p, o in self.rereads.committed().items() if self._committed.get(p) != o}
        if news:
            self._store(news)

    def _store(self, offsets: Mapping[int, int]) -> None:
        try:
            self._consumer.commit(offsets=[TopicPartition(READS.name, p, o) for p, o in offsets.items()], asynchronous=False)  # fmt: skip
            self._committed.update(offsets)
        except KafkaException as error:  # what is done is then read once more
            log.warning("not committed", extra={"why": str(error)[:300]})

    def _revoked(self, _: Any, partitions: list[TopicPartition]) -> None:
        committed = self.rereads.committed()
        mine = {tp.partition: committed[tp.partition] for tp in partitions if tp.partition in committed}  # fmt: skip
        if mine:
            self._store(mine)
        for tp in partitions:
            self.rereads.lost(tp.partition)
            self._committed.pop(tp.partition, None)


def _outcome(found: Snapshot | None) -> str:
    if found is None:
        return "scope"
    return "not found" if found.deleted else "denied" if found.unread and not found.parts else "read"  # fmt: skip
