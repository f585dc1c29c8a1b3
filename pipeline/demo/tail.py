"""Reads new records of a topic without waiting."""

import json
from typing import Any

from confluent_kafka import TopicPartition

from driftline.pipeline.kafka.client import consumer
from driftline.pipeline.model import Sweep
from driftline.pipeline.records.topics import FINDINGS, SWEEPS, Topic
from driftline.pipeline.settings.blocks import Kafka


class Tail:
    """The values of a topic as they arrive, from its beginning or its current end."""

    def __init__(self, kafka: Kafka, topic: Topic, *, beginning: bool) -> None:
        self._reader = consumer(kafka, "driftline-demo", fetch_wait_max_ms=200)
        places = [TopicPartition(topic.name, number, 0) for number in range(topic.partitions)]
        if not beginning:
            for place in places:
                place.offset = self._reader.get_watermark_offsets(place, 10)[1]
        self._reader.assign(places)

    def look(self) -> list[tuple[bytes, bytes]]:
        """Keys and values that have arrived since the last call."""
        messages = self._reader.consume(1000, 0)
        pairs = [(m.key(), m.value()) for m in messages if m.error() is None]
        return [(key, value) for key, value in pairs if key and value]

    def close(self) -> None:
        self._reader.close()


class Sweeps:
    """The headers of every sweep."""

    def __init__(self, kafka: Kafka) -> None:
        self._tail = Tail(kafka, SWEEPS, beginning=True)
        self.headers: dict[str, list[Sweep]] = {}

    def look(self) -> dict[str, list[Sweep]]:
        """The headers so far by sweep id, newest sweep last."""
        for key, value in self._tail.look():
            if b"#" not in key:
                header = Sweep.model_validate_json(value)
                self.headers.setdefault(header.id, []).append(header)
        return self.headers

    def scopes(self) -> int:
        """The number of headers of a complete sweep."""
        return max((len(headers) for headers in self.look().values()), default=0)

    def close(self) -> None:
        self._tail.close()


class Findings:
    """The latest version of each finding, from now on."""

    def __init__(self, kafka: Kafka) -> None:
        self._tail = Tail(kafka, FINDINGS, beginning=False)
        self.said: dict[str, dict[str, Any]] = {}

    def status(self, id: str) -> str | None:
        for key, value in self._tail.look():
            self.said[key.decode()] = json.loads(value)
        return str(self.said[id]["status"]) if id in self.said else None

    def close(self) -> None:
        self._tail.close()
