"""The worker: what Faust brings is judged, in slices, and handed to the ledger."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NoReturn

from confluent_kafka import KafkaException
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
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker import status as signs
from driftline.pipeline.worker.commit import Ledger, Then
from driftline.pipeline.worker.dead_letters import Graves
from driftline.pipeline.worker.offsets import Guard, die
from driftline.pipeline.worker.origins import Origins
from driftline.pipeline.worker.slices import Pace
from driftline.pipeline.worker.stages import Folding, Job
from driftline.pipeline.worker.store import Rows, catch_up
from faust.types import TP

log = logging.getLogger("driftline.worker")
SLICE, SHORTEST_SLICE, BREATH = 1.0, 0.05, 0.05
"""Seconds of work before it is made durable, at most and at least, and before the loop may do something else (heartbeats): a
first sweep, or a day's restatements, must not look like a worker that sleeps."""
TAKE, WITHIN = 200, 0.02
STATES, PIECE = 1000, 0.04
"""The most states that are looked at in one go when time passes, and the seconds of thread time that this may take."""
MEMORY = {"write_buffer_size": 8 << 20, "block_cache_size": 32 << 20}
"""Bytes of each partition's database; Faust's own would be 64 MB (three times) and 2 GB."""
BEAT = 0.5


class Agent:
    """One worker process."""

    def __init__(
        self, settings: Settings, faust_app: Any, job: Job, ids: Mapping[str, str]
    ) -> None:
        self.settings, self.app, self.job = settings, faust_app, job
        self.session = settings.worker.session_timeout
        self.paced = tuple(topic.name for topic in job.paced)
        self.inputs = tuple(topic.name for topic in job.inputs)
        self.table = faust_app.Table(
            "state", key_type=bytes, value_type=bytes, partitions=PARTITIONS, options=MEMORY
        )
        self.rows = Rows(self.table)
        self.guard = Guard(
            settings.kafka,
            job.app_id,
            self.session,
            partial(faust_seam.generation, faust_app),
        )
        self.turn = asyncio.Lock()  # held for the length of a batch
        self.partitions: dict[int, Folding] = {}
        self.last_at: dict[tuple[str, int], int] = {}
        """Topic and partition to how far its records have come, in microseconds; of `control` it does not count."""
        changelog = self.table.changelog_topic_name
        self.ids, self.own = ids, {topic.name: topic.own for topic in job.inputs}
        self.origins = Origins(ids, settings.worker.accepted_topics, changelog)
        home = settings.worker.state_dir / job.app_id
        self.ledger = Ledger(settings.kafka, self.rows, changelog, self.session, job.name, home)
        self.graves = Graves(settings.worker.bad_share, self.ledger.send, job.name)
        self.stopped = threading.Event()
        """Set: a catching up ends, its partitions are given up."""
        self.over = False
        """The files are about to be closed."""
        self.awake_at: float | None = None
        self.newest_tick = 0
        self.slice = Pace(SLICE / 8, SHORTEST_SLICE, SLICE, self.session / 4)
        """Seconds of judging before what came of it is made durable: less where brokers are slow."""
        self.states = Pace(STATES / 50, 1, STATES, PIECE)

    async def run(self, stream: Any) -> None:
        """The agent's loop. Nothing ever escapes it: Faust would acknowledge the batch and go on."""
        if self.awake_at is None:
            self._beat()
        async for events in stream.noack_take(TAKE, within=WITHIN):
            waiting = deque(events)
            try:
                while waiting and not self.over:
                    async with self.turn:  # a rebalance, or the end, may come between two slices
                        await self._slice(stream, waiting)
            except NewerState as why:
                die(str(why), EXIT_NEWER)
            except Exception as why:
                self._failed("a batch failed", why)

    async def idle(self) -> None:
        """Between batches: what has become due, in slices."""
        signs.ready(self.app, self.guard.next, self.inputs)
        more = True
        try:
            while more and not (self.turn.locked() or self.over) and self.guard.broken is None:
                async with self.turn:
                    more = await self._pass_time(list(self.partitions), time.monotonic())
                    if any(partition.pending for partition in self.partitions.values()):
                        await self._commit(time.monotonic())
        except NewerState as why:
            die(str(why), EXIT_NEWER)
        except Exception as why:
            self._failed("due states failed", why)

    def _failed(self, what: str, why: Exception) -> NoReturn:
        """Ends the process: nothing is lost. What is the disk's fault is told as that."""
        if told := describe_state_error(why, self.settings.worker.state_dir / self.job.app_id):
            die(told)
        log.exception(what)
        die(what, error=repr(why))

    async def reload(self, remake: Callable[[], Job]) -> None:
        """Takes up rules, detections and what else the settings say of judging, as they are now. With a mistake in them
        the old ones stay."""
        try:
            job = await asyncio.to_thread(remake)
        except UserError as why:
            metrics.RELOADS.labels("refused").inc()
            log.error("not reloaded: what was there before stays", extra={"problems": why.problems})  # fmt: skip
            return
        async with self.turn:
            await self._commit(time.monotonic())
            await self.ledger.settled()
            self.job = job
            self.partitions.clear()  # made again out of the files, with the new content
        metrics.RELOADS.labels("done").inc()
        log.info("reloaded")

    async def _slice(self, stream: Any, waiting: "deque[Any]") -> None:
        """Applies records for a while and has what comes of them made durable, and only then acknowledged."""
        began = time.monotonic()
        breath = began + BREATH
        if self.over:
            return
        self._awake()
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

    async def _commit(self, began: float, then: Then | None = None) -> None:
        await self.ledger.write(self._taken, began, then)
        if self.ledger.took is not None:  # the slice before
            self.slice.took(self.ledger.took)

    def _taken(self) -> dict[int, Work]:
        signs.counted(self.partitions.values())
        works = {number: partition.take() for number, partition in self.partitions.items()}
        for number in works.keys() & self.origins.unsaved.keys():
            works[number].rows[ORIGINS_KEY] = self.origins.unsaved.pop(number)
        return works

    def _apply(self, message: Any) -> None:
        partition = self._partition(message.partition)
        before = signs.elements(partition)
        at = int(message.timestamp * 1_000_000)
        offset = self.origins.place(message.partition, self.own[message.topic], message.offset)
        partition.apply(message.topic, message.value or b"", offset, at)
        # what comes late is as old as what it says, whenever the broker took it
        self.last_at[message.topic, message.partition] = min(at, partition.dated(message.topic))
        self._bury(message, partition, signs.elements(partition) - before)

    async def _pass_time(self, numbers: list[int], began: float) -> bool:
        """Lets time pass in partitions, until the slice is over; whether anything is left to do."""
        for number in numbers:
            while await self._advance(number):
                await asyncio.sleep(0)
                if time.monotonic() - began > self.slice.amount:
                    return True
        return False

    async def look(self) -> None:
        """Now and then: whether what is there also comes."""
        if not faust_seam.recovered(self.app) or self.guard.broken is not None:
            return
        held = [(tp.topic, tp.partition) for tp in faust_seam.assigned(self.app, self.inputs)]
        try:
            await self.guard.look(held, partial(faust_seam.consumer_facts, self.app))
        except KafkaException as why:
            log.warning("Kafka does not say how far it is", extra={"error": str(why)})

    def _partition(self, number: int) -> Folding:
        if number not in self.partitions:
            self._came_from(number)
            heads = partial(self.rows.heads, number)
            partition = self.job.make(number, self.rows.getter(number), heads)
            partition.restore(heads())
            self.partitions[number] = partition
        return self.partitions[number]

    def _came_from(self, number: int) -> None:
        """Ends this process where a partition's state was made from other topics than those of now."""
        if problems := self.origins.learn(number, self.rows.getter(number)(ORIGINS_KEY)):
            for problem in problems:
                log.critical(problem)
            die("the topics are not those that the state was made from", EXIT_OTHER_TOPIC)
        folder = self.settings.worker.state_dir / self.job.app_id
        remember(folder, self.ids)

    async def _advance(self, number: int) -> bool:
        """Lets time pass in a partition, but never past what still waits to be read; whether more is due."""
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
        self.newest_tick = max(self.newest_tick, partition.watermark)
        metrics.WATERMARK.set(self.newest_tick / 1e6)
        return more

    def _awake(self) -> None:
        """Dies if this process slept: its partitions may be another's by now, and what it would say, overtaken."""
        asleep = time.monotonic() - (self.awake_at or time.monotonic())
        if asleep > self.session / 2:
            die(
                "this process slept: its partitions may be another's by now",
                seconds=round(asleep, 1),
            )

    def _beat(self) -> None:
        self._awake()
        self.awake_at = time.monotonic()
        asyncio.get_running_loop().call_later(BEAT, self._beat)

    @property
    def alive(self) -> bool:
        """The loop still turns."""
        return self.awake_at is None or time.monotonic() - self.awake_at < self.session

    def _bury(self, message: Any, partition: Folding, good: int) -> None:
        if self.graves.bury(message, partition.take_dead(), good):
            self.ledger.flush_now()  # so that they can be looked at
            die(
                "too many bad records: a bad deploy is not a bad record. Look at: driftline deadletter list",
                EXIT_OWN_ERROR, topic=message.topic, partition=message.partition, offset=message.offset,
            )  # fmt: skip

    async def revoked(self) -> None:
        """A running slice ends first; then nothing more is written for what was given up."""
        signs.revoked()
        self.stopped.set()
        async with self.turn:
            await self.ledger.settled()
            self.guard.revoked()
            self.partitions.clear()
            self.last_at.clear()
            self.rows.heal.clear()
        await self.app.consumer.commit()

    async def end(self) -> None:
        """Before Faust closes the files: what has been judged is made durable, and nothing more is judged."""
        self.stopped.set()
        async with self.turn:
            await self.ledger.settled()
            self.over = True

    async def catch_up(self, changelogs: Iterable[TP]) -> None:
        """Brings the files up to their changelogs, before Faust does the same ten times slower."""
        self.stopped.clear()
        async with self.turn:
            self.graves.known = await asyncio.to_thread(standing, self.settings.kafka)
            numbers = [tp.partition for tp in changelogs]
            job = asyncio.ensure_future(
                asyncio.to_thread(catch_up, self.rows, self.settings.kafka,
                                  self.table.changelog_topic_name, numbers, self.stopped)
            )  # fmt: skip
            try:
                await asyncio.shield(job)
            except asyncio.CancelledError:
                self.stopped.set()
                await job  # the thread must be off the files
                raise
            except KafkaException as why:  # Faust tries for itself
                log.warning("states were not caught up", extra={"error": str(why)})
