"""Every part of Faust and aiokafka that the worker replaces or reads although it is not their public API.

Faust does group membership, fetching and `noack_take`. What becomes durable when is decided by the worker itself, so
Faust's own writing of state, its recovery and its shutdown order are replaced here. faust-streaming and aiokafka are
pinned because of this file; tests/shells/test_faust_seam.py checks each name and signature below, and fails with the
name when a new version lacks it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import aiokafka
from faust.assignor import PartitionAssignor
from faust.stores.rocksdb import Store
from faust.types import TP
from faust.worker import Worker

from driftline.pipeline.records.topics import PARTITIONS

OFFSET_KEY: bytes = Store.offset_key
"""Key of the row of a RocksDB file under which Faust keeps the changelog offset that the file stands for."""


def set_fetch_wait(milliseconds: int) -> None:
    """Makes every consumer of this process wait at most this long for a fetch. Faust fixes `fetch_max_wait_ms` at 1500:
    one quiet partition then delays the others of its broker."""
    init = aiokafka.AIOKafkaConsumer.__init__

    def init_with_short_wait(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **(options | {"fetch_max_wait_ms": milliseconds}))

    aiokafka.AIOKafkaConsumer.__init__ = init_with_short_wait


def complete_assignor(
    topics: Sequence[str], on_unknown: Callable[[list[str]], None]
) -> type[PartitionAssignor]:
    """Faust's partition assignor, except that `on_unknown` is called with those of `topics` that the cluster does not
    know with all their partitions. A broker that has just started may not list them yet: Faust would then assign
    nothing to any member, and no member would ask again."""

    class CompleteAssignor(PartitionAssignor):
        def assign(self, cluster: Any, member_metadata: Any) -> Any:
            unknown = [
                topic
                for topic in topics
                if len(cluster.partitions_for_topic(topic) or ()) != PARTITIONS
            ]
            if unknown:
                on_unknown(unknown)
            return super().assign(cluster, member_metadata)

    return CompleteAssignor


def recover_first(
    app: Any, catch_up: Callable[[set[TP]], Awaitable[None]], known: Callable[[int], int]
) -> None:
    """Calls `catch_up` with the changelog partitions assigned to this member before Faust recovers them, and has Faust
    start after the offset that `known` then gives for a partition (-1: none). Faust's recovery takes about 0.1 ms a
    row, three minutes for a million resources; this leaves it only the seeking."""
    recovery = app.tables.recovery
    build_offsets = recovery._build_offsets

    async def catch_up_and_build(consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        if title == "active" and tps:
            await catch_up(tps)
            for tp in tps:
                if (offset := known(tp.partition)) >= 0:
                    destination[tp] = offset
        await build_offsets(consumer, tps, destination, title)

    recovery._build_offsets = catch_up_and_build


def before_stop(app: Any, end: Callable[[], Awaitable[None]]) -> None:
    """Calls `end` before Faust stops its consumer: it closes the files right after, and sends no signal before."""
    stop_consumer = app._stop_consumer

    async def end_and_stop() -> None:
        await end()
        await stop_consumer()

    app._stop_consumer = end_and_stop


def apply_changelog_by(table: Any, apply: Callable[..., None]) -> None:
    """Has `apply(batch, to_key=, to_value=)` write recovered changelog events to the files in place of Faust.

    Only once the event loop is set: this creates the table's store, and one that was made earlier hangs at SIGTERM."""
    table.data.apply_changelog_batch = apply


def on_open_failure(table: Any, failed: Callable[[int, Exception], None]) -> None:
    """Calls `failed` with the partition and the error when a file cannot be opened. Faust retries if it returns."""
    store = table.data
    open_for_partition = store._open_for_partition

    def opened(partition: int) -> Any:
        try:
            return open_for_partition(partition)
        except Exception as error:
            failed(partition, error)
            raise

    store._open_for_partition = opened


def database(table: Any, partition: int) -> Any:
    """The open RocksDB file (rocksdict.Rdict) of a partition. A table cannot be written through Faust inside
    `noack_take`, and its changelog producer guarantees no order of durability."""
    return table.data._db_for_partition(partition)


def generation(app: Any) -> int:
    """The group's generation that this member belongs to now."""
    return int(app.consumer_generation_id)


def recovered(app: Any) -> bool:
    """Whether this member's states are recovered and no rebalance is under way."""
    return bool(app.tables.recovery.completed.is_set() and not app.rebalancing)


def assigned(app: Any, topics: Collection[str]) -> list[TP]:
    """The partitions of these topics that are assigned to this member."""
    return [tp for tp in app.consumer.assignment() if tp.topic in topics]


def consumer_facts(app: Any) -> Mapping[str, Any]:
    """What Faust's consumer is doing, for the log of a stall."""
    consumer = app.consumer
    return {
        "flow": consumer.flow_active,
        "paused": len(consumer._paused_partitions),
        "unacked": len(consumer.unacked),
    }


def process(app: Any, loop: asyncio.AbstractEventLoop, logging_config: dict[str, Any]) -> Worker:
    """Faust's worker process for the app, without its banner and its progress spinner, which writes terminal codes
    between the lines of the log."""
    worker = Worker(
        app,
        loop=loop,
        loglevel="WARNING",
        redirect_stdouts=False,
        logging_config=logging_config,
        quiet=True,
    )
    worker.spinner = None
    return worker
