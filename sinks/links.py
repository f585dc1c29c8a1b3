"""References that destinations returned for deliveries: the topic `ticket-links`."""

from typing import Any

import orjson

from driftline.pipeline.kafka.client import Delivery, produce
from driftline.pipeline.model import from_micros
from driftline.pipeline.records.topics import TICKET_LINKS


def write(
    producer: Any, delivery: Delivery, sink: str, id: str, reference: str, now: float
) -> None:
    """Records a reference; the last one for an id and sink wins. Sent asynchronously: flush before storing offsets."""
    value = {"sink": sink, "id": id, "reference": reference, "at": from_micros(int(now * 1e6))}
    produce(producer, delivery, topic=TICKET_LINKS.name, key=f"{sink}\n{id}".encode(), value=orjson.dumps(value))  # fmt: skip
