"""A broker that goes away while a topic is read: told after a while, with the place and what to do; and waited for where it
comes back."""

from pathlib import Path

import pytest

from driftline.pipeline.common.errors import NotThere
from driftline.pipeline.kafka import retries, topics_admin
from driftline.pipeline.kafka.client import Delivery, explained, flush, produce, producer, read_all
from driftline.pipeline.local import kafka
from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.settings.blocks import Kafka

pytestmark = pytest.mark.live
RECORDS, SIZE, PARTITIONS = 18_000, 8000, 3
"""144 MB: more than a client fetches ahead (64 MB, and up to 50 MB under way), so that the end is never at hand when the
broker is killed."""


def test_a_broker_that_goes_away_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    broker = kafka.start(tmp_path / "kafka")
    ours = Kafka(bootstrap_servers=broker.bootstrap)
    try:
        topics_admin.create(ours)
        out, delivery = producer(ours, compression_type="none"), Delivery()
        for number in range(RECORDS):
            produce(out, delivery, FINDINGS.name, b"x" * SIZE, key=str(number).encode(), partition=number % PARTITIONS)  # fmt: skip
        flush(out, delivery, 60)

        reading = read_all(ours, FINDINGS.name)
        keys = {next(reading).key()}
        broker.kill()
        broker.start()
        keys |= {message.key() for message in reading}
        assert len(keys) == RECORDS

        monkeypatch.setattr(retries, "SILENCE", 3.0)
        reading = read_all(ours, FINDINGS.name)
        next(reading)
        broker.kill()
        with pytest.raises(NotThere) as told, explained(ours):
            list(reading)
        assert all(part in str(told.value) for part in (broker.bootstrap, "driftline doctor"))
    finally:
        broker.stop()
