"""The Faust app: group membership, fetching, and recovery of the state files; what is durable when, is ours.

Order of durability for a batch: outputs, flush; changelog, flush; files; acknowledgement. Outputs may come twice, their
ids are the same; a state never hides a record whose outputs were lost."""

import asyncio
import logging
import time
from collections import deque
from typing import Any

import aiokafka
import faust
from confluent_kafka import KafkaException
from faust.types import TP

from pipeline import metrics
from pipeline.cli import EXIT_NEWER, EXIT_OWN_ERROR
from pipeline.deadletter import Origin, letter
from pipeline.kafka import Delivery, flush, produce, producer
from pipeline.partition import Partition, Work
from pipeline.settings import Settings
from pipeline.shell import rulebook_and_options
from pipeline.state import NewerState
from pipeline.topics import CONTROL, PARTITIONS, SNAPSHOTS, state_of
from pipeline.worker import signs
from pipeline.worker.assignor import Assignor
from pipeline.worker.credentials import credentials
from pipeline.worker.graves import Graves
from pipeline.worker.guard import Guard, die
from pipeline.worker.store import Rows

log = logging.getLogger("driftline.worker")
TAKE, WITHIN, BUFFER = 200, 0.02, 400
"""Records are micro-batches of up to 500 kB: the buffer counts records, not bytes."""
SLICE, BREATH = 1.0, 0.05
"""Seconds of work before it is made durable, and before the loop may do something else (heartbeats): a first sweep, or
a day's restatements, must not look like a worker that sleeps."""
DUE_AT_ONCE = 100
BEAT = 0.5
MOST_OUTPUT = 3_900_000


class Assess:
    """One worker process."""

    def __init__(self, settings: Settings, faust_app: Any) -> None:
        self.settings, self.app = settings, faust_app
        self.session = settings.worker.session_timeout
        self.rulebook, self.options = rulebook_and_options(settings)
        self.table = faust_app.Table(
            "state", key_type=bytes, value_type=bytes, partitions=PARTITIONS
        )
        self.rows = Rows(self.table)
        self.guard = Guard(
            settings.kafka,
            settings.worker.app_id,
            self.session,
            lambda: faust_app.consumer_generation_id,
        )
        self.turn = asyncio.Lock()  # held for the length of a batch
        self.partitions: dict[int, Partition] = {}
        self.last_at: dict[int, int] = {}
        """Partition to the Kafka time of its last snapshots, in microseconds."""
        self.graves = Graves(settings.worker.bad_share, self._send)
        self.delivery = Delivery()
        self.logged: dict[int, list[int]] = {}
        self.producer = producer(settings.kafka, message_timeout_ms=int(self.session * 500))
        self.awake_at: float | None = None
        self.newest_tick = 0

    async def run(self, stream: Any) -> None:
        """The agent's loop. Nothing ever escapes it: Faust would acknowledge the batch and go on."""
        if self.awake_at is None:
            self._beat()
        async for events in stream.noack_take(TAKE, within=WITHIN):
            waiting = deque(events)
            try:
                while waiting:
                    async with self.turn:  # a rebalance may come between two slices
                        for event in await self._slice(waiting):
                            await stream.ack(event)
            except NewerState as why:
                die(str(why), EXIT_NEWER)
            except Exception as why:
                log.exception("a batch failed")
                die("a batch failed", error=repr(why))

    async def idle(self) -> None:
        """Between batches: what has become due, in slices."""
        signs.ready(self.app, self.guard.next)
        more = True
        try:
            while more and not self.turn.locked() and self.guard.broken is None:
                async with self.turn:
                    more = await self._pass_time(list(self.partitions), time.monotonic())
                    if any(partition.counts for partition in self.partitions.values()):
                        await self._commit()
        except NewerState as why:
            die(str(why), EXIT_NEWER)
        except Exception as why:
            log.exception("due states failed")
            die("due states failed", error=repr(why))

    async def _slice(self, waiting: "deque[Any]") -> list[Any]:
        """Applies records for a while and makes what comes of them durable; the events that are done with."""
        began = time.monotonic()
        breath = began + BREATH
        self._awake()
        done = []
        while waiting and time.monotonic() - began < SLICE:
            event = waiting.popleft()
            if await self.guard.admit([event]):
                self._apply(event.message)
                done.append(event)
            if time.monotonic() > breath:
                await asyncio.sleep(0)
                breath = time.monotonic() + BREATH
        if done:
            await self._pass_time(sorted({event.message.partition for event in done}), began)
            await self._commit(began)
        return done

    def _apply(self, message: Any) -> None:
        partition = self._partition(message.partition)
        before = signs.elements(partition)
        if message.topic == SNAPSHOTS.name:
            partition.snapshots(message.value or b"", message.offset)
            self.last_at[message.partition] = int(message.timestamp * 1_000_000)
        else:
            partition.control(message.value or b"", message.offset)
        self._bury(message, partition, signs.elements(partition) - before)

    async def _pass_time(self, numbers: list[int], began: float) -> bool:
        """Lets time pass in partitions, until the slice is over; whether anything is left to do."""
        for number in numbers:
            while await self._advance(number):
                await asyncio.sleep(0)
                if time.monotonic() - began > SLICE:
                    return True
        return False

    async def look(self) -> None:
        """Now and then: whether what is there also comes."""
        recovered = self.app.tables.recovery.completed.is_set() and not self.app.rebalancing
        if not recovered or self.guard.broken is not None:
            return
        held = [
            (tp.topic, tp.partition)
            for tp in self.app.consumer.assignment()
            if tp.topic in signs.INPUTS
        ]
        try:
            await self.guard.look(held, self._facts)
        except KafkaException as why:
            log.warning("Kafka does not say how far it is", extra={"error": str(why)})

    def _facts(self) -> dict[str, Any]:
        """What Faust thinks it is doing, for the log of a stall."""
        consumer = self.app.consumer
        return {
            "flow": consumer.flow_active,
            "paused": len(consumer._paused_partitions),  # noqa: SLF001 - only told
            "unacked": len(consumer.unacked),
        }

    def _partition(self, number: int) -> Partition:
        if number not in self.partitions:
            partition = Partition(number, self.rows.getter(number), self.rulebook, self.options)
            partition.restore(self.rows.heads(number))
            self.partitions[number] = partition
        return self.partitions[number]

    async def _advance(self, number: int) -> bool:
        """Lets time pass in a partition, but never past snapshots that still wait to be read; whether more is due."""
        partition = self.partitions[number]
        slot = (SNAPSHOTS.name, number)
        if slot not in self.guard.next:
            self.guard.next[slot] = await asyncio.to_thread(self.guard.first, *slot)
        high = self.app.consumer.highwater(TP(*slot))
        caught_up = high is not None and self.guard.next[slot] >= high
        late = int(self.settings.clock.lateness * 1_000_000)
        limit = None if caught_up else self.last_at.get(number, 0) - late
        more = partition.advance(limit, DUE_AT_ONCE)
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

    def _bury(self, message: Any, partition: Partition, good: int) -> None:
        if self.graves.bury(message, partition.take_dead(), good):
            flush(self.producer, self.delivery, self.session)  # so that they can be looked at
            die(
                "too many bad records: a bad deploy is not a bad record. Look at: driftline deadletter list",
                EXIT_OWN_ERROR, topic=message.topic, partition=message.partition, offset=message.offset,
            )  # fmt: skip

    def _send(self, topic: str, value: bytes, **more: Any) -> None:
        produce(self.producer, self._delivered, topic, value, **more)

    def _delivered(self, error: Any, message: Any) -> None:
        self.delivery(error, message)
        if error is None and message.topic() == self.table.changelog_topic_name:
            self.logged.setdefault(message.partition(), []).append(message.offset())

    async def _flush(self) -> None:
        try:
            await asyncio.to_thread(flush, self.producer, self.delivery, self.session)
        except OSError as why:
            die("outputs were not delivered", error=str(why))

    async def _commit(self, began: float | None = None) -> None:
        began = time.monotonic() if began is None else began
        works: dict[int, Work] = {n: p.take() for n, p in self.partitions.items()}
        self.logged.clear()
        self._in_time(began)
        for number, work in works.items():
            for output in work.outputs:
                if len(output.value) > MOST_OUTPUT:
                    origin = Origin(SNAPSHOTS.name, number, -1, -1)
                    metrics.DEAD.labels("assess").inc()
                    self._send(
                        **letter(
                            "assess", "a finding larger than a record may be", origin, output.value
                        )
                    )
                else:
                    self._send(output.topic, output.value, key=output.key)
        await self._flush()  # 1. outputs, before any state that would let their records be skipped
        self._in_time(began)
        rows = {n: dict(work.rows) for n, work in works.items() if work.rows}
        for (number, key), row in self.rows.heal.items():
            rows.setdefault(number, {}).setdefault(key, row)
        self.rows.heal.clear()
        for number, new in rows.items():
            for key, row in new.items():
                self._send(self.table.changelog_topic_name, row, key=key, partition=number)
        await (
            self._flush()
        )  # 2. changelog, before the files that would hide a hole in it from recovery
        for number, new in rows.items():
            self._fence(number, len(new))
            self.rows.write(number, new, max(self.logged[number]))  # 3. files
        signs.counted([self.partitions[number] for number in works], began)

    def _in_time(self, began: float) -> None:
        if time.monotonic() - began > self.session / 2:
            die("a batch took too long: its partitions may be another's by now")

    def _fence(self, number: int, count: int) -> None:
        """The stored offset means "I know all before it": a hole is another worker's writing."""
        known, offsets = self.rows.known(number), self.logged.get(number, [])
        if (min(offsets), max(offsets)) != (known + 1, known + count):
            die("another worker has written to our changelog", partition=number, knew=known,
                wrote=f"{min(offsets)}-{max(offsets)}")  # fmt: skip

    async def revoked(self) -> None:
        """A running batch ends first; then nothing more is written for what was given up."""
        signs.revoked()
        async with self.turn:
            self.guard.revoked()
            self.partitions.clear()
            self.last_at.clear()
            self.rows.heal.clear()
        await self.app.consumer.commit()


def create(settings: Settings) -> tuple[Any, Assess]:
    """The Faust app and its worker."""
    worker = settings.worker
    _quick_fetches()
    state_dir = worker.state_dir / worker.app_id
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = faust.App(
        worker.app_id,
        broker=[f"aiokafka://{host.strip()}" for host in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(settings.kafka),
        store="rocksdb://", datadir=str(state_dir), web_enabled=False,
        topic_partitions=PARTITIONS, topic_replication_factor=1, topic_disable_leader=True,
        topic_allow_declare=False, table_standby_replicas=0, consumer_auto_offset_reset="earliest",
        broker_max_poll_records=500, stream_buffer_maxsize=BUFFER, broker_commit_interval=1.0,
        broker_session_timeout=worker.session_timeout, broker_heartbeat_interval=worker.session_timeout / 4,
        consumer_max_fetch_size=8_000_000, stream_wait_empty=False, PartitionAssignor=Assignor,
    )  # fmt: skip
    assess = Assess(settings, app)
    Assignor.needed = (SNAPSHOTS, CONTROL, state_of(worker.app_id))
    Assignor.missing = staticmethod(
        lambda topics: assess.guard.leave("the brokers do not know our topics", topics=topics)
    )

    async def judge(stream: Any) -> None:
        await assess.run(stream)

    channel = app.topic(
        SNAPSHOTS.name,
        CONTROL.name,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    app.agent(channel)(judge)
    app.timer(0.5)(assess.idle)
    app.timer(worker.session_timeout)(assess.look)
    app.on_partitions_revoked.connect(lambda *_, **__: assess.revoked(), weak=False)
    return app, assess


def _quick_fetches() -> None:
    """Faust fixes fetch_max_wait_ms at 1500: one quiet partition then holds back the others of its broker."""
    init = aiokafka.AIOKafkaConsumer.__init__

    def quick(self: Any, *args: Any, **more: Any) -> None:
        init(self, *args, **(more | {"fetch_max_wait_ms": 50}))

    aiokafka.AIOKafkaConsumer.__init__ = quick
