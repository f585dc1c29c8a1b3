"""What was heard, to Kafka: changes in micro-batches of one partition, wishes to read again, and poison."""

from collections.abc import Iterable, Sequence
from typing import Any

from driftline.pipeline.common.errors import Undelivered
from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.kafka.dead_letters import Origin, letter
from driftline.pipeline.model import Change, Read, Snapshot
from driftline.pipeline.ops import metrics
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CHANGES, READS, SNAPSHOTS, partition
from driftline.pipeline.settings.blocks import Kafka

PATIENCE = 60.0
MOST_BYTES = 500_000


class EventProducer:
    """For one thread. What was given is safe only after flush()."""

    def __init__(self, kafka: Kafka, out: Any = None) -> None:
        self._out = out or producer(kafka, linger_ms=2, delivery_timeout_ms=int(PATIENCE * 1000))
        self._delivery = Delivery()

    def changes(self, changes: Iterable[Change]) -> None:
        homes: dict[int, list[bytes]] = {}
        for change in changes:
            homes.setdefault(partition(change.uid), []).append(change.encode())
        for home, elements in homes.items():
            for some in _split(elements):
                self._produce(CHANGES.name, codec.encode_batch(some), partition=home)

    def reads(self, reads: Iterable[Read]) -> None:
        for read in reads:
            self._produce(READS.name, read.encode(), key=read.uid.encode())

    def snapshot(self, snapshot: Snapshot) -> None:
        value = codec.encode_batch([codec.encode_snapshot(snapshot)])
        self._produce(SNAPSHOTS.name, value, partition=partition(snapshot.uid))

    def bury(self, source: str, reason: str, body: bytes) -> None:
        """Poison: with its reason to the dead letters. There is no origin in Kafka to try again from."""
        self._produce(**letter("collect", reason, Origin(source, -1, -1, -1), body))
        metrics.DEAD.labels("collect").inc()

    def flush(self) -> None:
        """Everything given is with the brokers after this. Raises Undelivered where it is not."""
        failed, self._delivery.failed = self._delivery.failed, []
        flush(self._out, self._delivery, PATIENCE + 5)
        if failed:
            raise Undelivered("; ".join(failed[:3]))

    def _produce(self, topic: str, value: bytes, **more: Any) -> None:
        produce(self._out, self._delivery, topic, value, **more)


def _split(elements: Sequence[bytes]) -> Iterable[list[bytes]]:
    """Groups that fit a record."""
    some: list[bytes] = []
    size = 0
    for element in elements:
        if some and size + len(element) > MOST_BYTES:
            yield some
            some, size = [], 0
        some.append(element)
        size += len(element) + 1
    if some:
        yield some
