"""The worker's loop: applies the records that Faust fetches to the folds, in slices, and commits each slice."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NoReturn

from confluent_kafka import KafkaException
from faust.types import TP

from driftline.pipeline.common.environment_errors import describe_state_error
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.exit_codes import EXIT_NEWER, EXIT_OTHER_TOPIC, EXIT_OWN_ERROR
from driftline.pipeline.kafka.topics_admin import remember
from driftline.pipeline.kafka.written_letters import standing
from driftline.pipeline.ops import metrics
from driftline.pipeline.records.outputs import Work
from driftline.pipeline.records.topics import PARTITIONS
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.state.rows import ORIGINS_KEY, NewerState
from driftline.pipeline.worker import faust_seam, status
from driftline.pipeline.worker.commit import Acknowledge, CommitPipeline
from driftline.pipeline.worker.dead_letters import DeadLetterWriter
from driftline.pipeline.worker.heartbeat import Heartbeat
from driftline.pipeline.worker.offsets import OffsetGuard, exit_now
from driftline.pipeline.worker.origins import TopicOrigins
from driftline.pipeline.worker.slices import Pace
from driftline.pipeline.worker.stages import ShardFold, StreamStage
from driftline.pipeline.worker.store import Rows, catch_up

log = logging.getLogger("driftline.worker")
SLICE, SHORTEST_SLICE, BREATH = 1.0, 0.05, 0.05
"""Seconds of work per slice, at most and at least, and between two yields to the event loop (heartbeats): a worker that is
busy with a first sweep, or a day's restatements, must not look like one that hangs."""
TAKE, WITHIN = 200, 0.02
STATES, PIECE = 1000, 0.04
"""States processed per step when time passes, at most, and the seconds of thread time that a step may take."""
MEMORY = {"write_buffer_size": 8 << 20, "block_cache_size": 32 << 20}
"""RocksDB memory per partition, in bytes. Faust's defaults are 64 MB (three times) and 2 GB."""


class Agent:
    """One worker process."""

    def __init__(
        self, settings: Settings, faust_app: Any, stage: StreamStage, ids: Mapping[str, str]
    ) -> None:
        self.settings, self.app, self.stage = settings, faust_app, stage
        self.session = settings.worker.session_timeout
        self.paced = tuple(topic.name for topic in stage.paced)
        self.inputs = tuple(topic.name for topic in stage.inputs)
        self.table = faust_app.Table(
            "state", key_type=bytes, value_type=bytes, partitions=PARTITIONS, options=MEMORY
        )
        self.rows = Rows(self.table)
        self.guard = OffsetGuard(
            settings.kafka,
            stage.app_id,
            self.session,
            partial(faust_seam.generation, faust_app),
        )
        self.lock = asyncio.Lock()  # held while a slice is processed
        self.partitions: dict[int, ShardFold] = {}
        self.last_at: dict[tuple[str, int], int] = {}
        """By topic and partition, how far its records have come by their own times (microseconds). Not needed for `control`."""
        changelog = self.table.changelog_topic_name
        self.ids, self.own = ids, {topic.name: topic.own for topic in stage.inputs}
        self.origins = TopicOrigins(ids, settings.worker.accepted_topics, changelog)
        home = settings.worker.state_dir / stage.app_id
        self.commits = CommitPipeline(
            settings.kafka, self.rows, changelog, self.session, stage.name, home
        )
        self.dead_letters = DeadLetterWriter(
            settings.worker.bad_share, self.commits.send, stage.name
        )
        self.stopped = threading.Event()
        """Set to stop catching up: its partitions are being revoked."""
        self.closing = False
        """No more records are processed: the files are about to be closed."""
        self.heartbeat = Heartbeat(self.session)
        self.newest_watermark = 0
        self.slice = Pace(SLICE / 8, SHORTEST_SLICE, SLICE, self.session / 4)
        """Seconds of processing per slice: fewer if brokers are slow."""
        self.states = Pace(STATES / 50, 1, STATES, PIECE)

    async def run(self, stream: Any) -> None:
        """Processes batches. Lets no exception through: Faust would acknowledge the batch and continue."""
        self.heartbeat.start()
        async for events in stream.noack_take(TAKE, within=WITHIN):
            waiting = deque(events)
            try:
                while waiting and not self.closing:
                    async with self.lock:  # a rebalance or shutdown may happen between two slices
                        await self._slice(stream, waiting)
            except NewerState as why:
                exit_now(str(why), EXIT_NEWER)
            except Exception as why:
                self._exit_on_error("a batch could not be processed", why)

    async def idle(self) -> None:
        """Processes states that have become due, in slices, between batches."""
        status.ready(self.app, self.guard.next, self.inputs)
        more = True
        try:
            while more and not (self.lock.locked() or self.closing) and self.guard.broken is None:
                async with self.lock:
                    more = await self._pass_time(list(self.partitions), time.monotonic())
                    if any(partition.pending for partition in self.partitions.values()):
                        await self._commit(time.monotonic())
        except NewerState as why:
            exit_now(str(why), EXIT_NEWER)
        except Exception as why:
            self._exit_on_error("due states could not be processed", why)

    def _exit_on_error(self, what: str, why: Exception) -> NoReturn:
        """Exits; nothing is lost. An error of the disk is reported as one."""
        if told := describe_state_error(why, self.settings.worker.state_dir / self.stage.app_id):
            exit_now(told)
        log.exception(what)
        exit_now(what, error=repr(why))

    async def reload(self, remake: Callable[[], StreamStage]) -> None:
        """Reloads rules, detections and evaluation settings. If they are invalid, the current ones stay in use."""
        try:
            stage = await asyncio.to_thread(remake)
        except UserError as why:
            metrics.RELOADS.labels("refused").inc()
            log.error("reload refused: the previous rules and settings stay in use", extra={"problems": why.problems})  # fmt: skip
            return
        async with self.lock:
            await self._commit(time.monotonic())
            await self.commits.drain()
            self.stage = stage
            self.partitions.clear()  # created again from the files, with the new content
        metrics.RELOADS.labels("done").inc()
        log.info("reloaded")

    async def _slice(self, stream: Any, waiting: "deque[Any]") -> None:
        """Applies records for the length of a slice, then commits them; they are acknowledged once they are durable."""
        began = time.monotonic()
        breath = began + BREATH
        if self.closing:
            return
        self.heartbeat.check()
        done = []
        while waiting and time.monotonic() - began < self.slice.amount:
            event = waiting.popleft()
            if await self.guard.admit([event]):
                self._apply(event.message)
                done.append(event)
            if time.monotonic() > breath:
                await asyncio.sleep(0)
                breath = time.monotonic() + BREATH
        if not done:
            return
        await self._pass_time(sorted({event.message.partition for event in done}), began)

        async def acknowledge() -> None:
            for event in done:
                await stream.ack(event)

        await self._commit(began, acknowledge)

    async def _commit(self, began: float, then: Acknowledge | None = None) -> None:
        await self.commits.write(self._taken, began, then)
        if self.commits.took is not None:  # of the previous slice
            self.slice.took(self.commits.took)

    def _taken(self) -> dict[int, Work]:
        status.export_counts(self.partitions.values())
        works = {number: partition.take() for number, partition in self.partitions.items()}
        for number in works.keys() & self.origins.unsaved.keys():
            works[number].rows[ORIGINS_KEY] = self.origins.unsaved.pop(number)
        return works

    def _apply(self, message: Any) -> None:
        partition = self._partition(message.partition)
        before = status.good_elements(partition)
        at = int(message.timestamp * 1_000_000)
        offset = self.origins.place(message.partition, self.own[message.topic], message.offset)
        partition.apply(message.topic, message.value or b"", offset, at)
        # a late record counts by its own time, not by when the broker received it
        self.last_at[message.topic, message.partition] = min(at, partition.dated(message.topic))
        self._write_dead_letters(message, partition, status.good_elements(partition) - before)

    async def _pass_time(self, numbers: list[int], began: float) -> bool:
        """Processes due states of partitions until the slice is over. Returns whether more are due."""
        for number in numbers:
            while await self._advance(number):
                await asyncio.sleep(0)
                if time.monotonic() - began > self.slice.amount:
                    return True
        return False

    async def check_stalled(self) -> None:
        """Checks that partitions with records also deliver them."""
        if not faust_seam.recovered(self.app) or self.guard.broken is not None:
            return
        held = [(tp.topic, tp.partition) for tp in faust_seam.assigned(self.app, self.inputs)]
        try:
            await self.guard.check_stalled(held, partial(faust_seam.consumer_facts, self.app))
        except KafkaException as why:
            log.warning("offsets could not be read from Kafka", extra={"error": str(why)})

    def _partition(self, number: int) -> ShardFold:
        if number not in self.partitions:
            self._check_origins(number)
            heads = partial(self.rows.heads, number)
            partition = self.stage.make(number, self.rows.getter(number), heads)
            partition.restore(heads())
            self.partitions[number] = partition
        return self.partitions[number]

    def _check_origins(self, number: int) -> None:
        """Exits if a partition's state was built from other topics than the current ones."""
        if problems := self.origins.check(number, self.rows.getter(number)(ORIGINS_KEY)):
            for problem in problems:
                log.critical(problem)
            exit_now("the topics are not those that the state was built from", EXIT_OTHER_TOPIC)
        folder = self.settings.worker.state_dir / self.stage.app_id
        remember(folder, self.ids)

    async def _advance(self, number: int) -> bool:
        """Processes due states of a partition, but none due after the oldest record still to be read. Returns whether more are
        due."""
        partition = self.partitions[number]
        limits = []
        for slot in [(topic, number) for topic in self.paced]:
            if slot not in self.guard.next:
                self.guard.next[slot] = await asyncio.to_thread(self.guard.first, *slot)
            high = self.app.consumer.highwater(TP(*slot))
            if high is None or self.guard.next[slot] < high:
                late = int(self.settings.clock.lateness * 1_000_000)
                limits.append(self.last_at.get(slot, 0) - late)
        limit = min(limits) if limits else None
        before = time.thread_time()
        more = partition.advance(limit, int(self.states.amount))
        self.states.took(time.thread_time() - before)
        self.newest_watermark = max(self.newest_watermark, partition.watermark)
        metrics.WATERMARK.set(self.newest_watermark / 1e6)
        return more

    def _write_dead_letters(self, message: Any, partition: ShardFold, good: int) -> None:
        if self.dead_letters.write(message, partition.take_dead(), good):
            self.commits.flush_now()  # so that the letters can be inspected
            exit_now(
                "too many malformed records: a bad deploy is not a bad record. Inspect them: driftline deadletter list",
                EXIT_OWN_ERROR, topic=message.topic, partition=message.partition, offset=message.offset,
            )  # fmt: skip

    async def revoked(self) -> None:
        """Waits for the running slice; after that nothing is written for the revoked partitions."""
        status.revoked()
        self.stopped.set()
        async with self.lock:
            await self.commits.drain()
            self.guard.revoked()
            self.partitions.clear()
            self.last_at.clear()
            self.rows.repair.clear()
        await self.app.consumer.commit()

    async def end(self) -> None:
        """Commits what has been processed, and processes no more, before Faust closes the files."""
        self.stopped.set()
        async with self.lock:
            await self.commits.drain()
            self.closing = True

    async def catch_up(self, changelogs: Iterable[TP]) -> None:
        """Brings the files up to date with their changelogs, ten times faster than Faust would."""
        self.stopped.clear()
        async with self.lock:
            self.dead_letters.known = await asyncio.to_thread(standing, self.settings.kafka)
            numbers = [tp.partition for tp in changelogs]
            caught_up = asyncio.ensure_future(
                asyncio.to_thread(catch_up, self.rows, self.settings.kafka,
                                  self.table.changelog_topic_name, numbers, self.stopped)
            )  # fmt: skip
            try:
                await asyncio.shield(caught_up)
            except asyncio.CancelledError:
                self.stopped.set()
                await caught_up  # the thread must no longer use the files
                raise
            except KafkaException as why:  # Faust itself tries next
                log.warning(
                    "state could not be caught up from the changelog", extra={"error": str(why)}
                )
