"""A plain confluent-kafka loop that does the worker's step: what Faust costs is the difference.

`python -m tests.bench.bare BROKERS GROUP CHANGELOG FOLDER durable|lean`
durable: the worker's own order of durability (outputs, flush; changelog, flush; RocksDB; commit).
lean: state in a dict, outputs and changelog under one flush: the least that still survives a restart by its changelog."""

import signal
import sys
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.records.topics import PARTITIONS, SNAPSHOTS
from driftline.pipeline.rulebook import load

TAKE = 100


def main(brokers: str, group: str, changelog: str, folder: str, how: str) -> None:
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50, "session.timeout.ms": 10_000})  # fmt: skip
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "acks": "all", "linger.ms": 5,
                         "compression.type": "lz4", "batch.size": 500_000, "message.max.bytes": 4_000_000,
                         "queue.buffering.max.kbytes": 2_000_000})  # fmt: skip
    rulebook = load()
    stores = _stores(Path(folder), how, brokers, changelog)
    partitions = {n: Partition(n, store.get, rulebook) for n, store in stores.items()}
    consumer.subscribe([SNAPSHOTS.name])
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    while running:
        messages: list[Any] = consumer.consume(TAKE, 0.05)
        messages = [m for m in messages if m.error() is None]
        if messages:
            _batch(messages, partitions, stores, producer, changelog, how)
            consumer.commit(asynchronous=True)
    consumer.close()


def _batch(
    messages: list[Any], partitions: dict[int, Partition], stores: dict[int, Any], producer: Producer, changelog: str,
    how: str,
) -> None:  # fmt: skip
    for message in messages:
        partitions[message.partition()].apply(SNAPSHOTS.name, message.value(), message.offset())
    works = {n: partitions[n].take() for n in {m.partition() for m in messages}}
    for work in works.values():
        for output in work.outputs:
            producer.produce(output.topic, output.value, key=output.key)
    if how == "durable":
        producer.flush()
    for number, work in works.items():
        for key, row in work.rows.items():
            producer.produce(changelog, row, key=key, partition=number)
    producer.flush()
    for number, work in works.items():
        if how == "durable":
            batch = WriteBatch(raw_mode=True)
            for key, row in work.rows.items():
                batch.put(key, row)
            stores[number].write(batch)
        else:
            stores[number].update(work.rows)


def _stores(folder: Path, how: str, brokers: str, changelog: str) -> dict[int, Any]:
    """RocksDB files; or dicts, filled from the changelog."""
    if how == "durable":
        folder.mkdir(parents=True, exist_ok=True)
        return {n: Rdict(str(folder / str(n)), Options(raw_mode=True)) for n in range(PARTITIONS)}
    stores: dict[int, Any] = {n: {} for n in range(PARTITIONS)}
    reader = Consumer({"bootstrap.servers": brokers, "group.id": "bench-look", "enable.auto.commit": False,
                       "enable.partition.eof": True})  # fmt: skip
    reader.assign([TopicPartition(changelog, n, 0) for n in range(PARTITIONS)])
    waiting = set(range(PARTITIONS))
    while waiting:
        looked: list[Any] = reader.consume(5000, 1.0)
        for message in looked:
            if message.error() is None:
                stores[message.partition()][message.key()] = message.value()
            else:
                waiting.discard(message.partition())
    reader.close()
    return stores


if __name__ == "__main__":
    main(*sys.argv[1:])
