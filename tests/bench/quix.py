"""The worker's step under quixstreams, in an environment of its own (it pins another confluent-kafka).

`python -m tests.bench.quix BROKERS GROUP INPUT FOLDER`. Its state is kept by message key; here the key is the
partition's number, so that the elements of a micro-batch find their states."""

import sys
from typing import Any

from quixstreams import Application, message_context  # type: ignore[import-not-found]
from quixstreams.models import Serializer  # type: ignore[import-not-found]

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.records.outputs import Output
from driftline.pipeline.records.topics import FINDINGS, SNAPSHOTS
from driftline.pipeline.rulebook import load


class Value(Serializer):  # type: ignore[misc]
    """An output's bytes as they are."""

    def __call__(self, value: Output, ctx: Any) -> bytes:
        return value.value


def main(brokers: str, group: str, source: str, folder: str) -> None:
    app = Application(
        broker_address=brokers, consumer_group=group, state_dir=folder, auto_offset_reset="earliest",
        commit_interval=1.0, loglevel="WARNING", processing_guarantee="at-least-once",
        consumer_extra_config={"fetch.wait.max.ms": 50},
        producer_extra_config={"compression.type": "lz4", "message.max.bytes": 4_000_000, "linger.ms": 5,
                               "batch.size": 500_000},
    )  # fmt: skip
    rulebook, partitions = load(), dict[bytes, Partition]()
    state: list[Any] = [None]

    def get(key: bytes) -> bytes | None:
        row: bytes | None = state[0].get_bytes(key.decode())
        return row

    def step(value: bytes, key: bytes, timestamp: int, headers: Any, held: Any) -> list[Output]:
        state[0] = held
        partition = partitions.setdefault(key, Partition(0, get, rulebook))
        partition.apply(SNAPSHOTS.name, value, message_context().offset)
        work = partition.take()
        for row_key, row in work.rows.items():
            held.set_bytes(row_key.decode(), row)
        return work.outputs

    topic = app.topic(source, value_deserializer="bytes", key_deserializer="bytes")
    findings = app.topic(FINDINGS.name, value_serializer=Value(), key_serializer="bytes")
    frame = app.dataframe(topic).apply(step, stateful=True, metadata=True, expand=True)
    frame.to_topic(findings, key=lambda output: output.key)
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
