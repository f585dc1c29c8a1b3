"""What destinations call the things that were delivered to them: the topic `ticket-links`."""

from typing import Any

import orjson

from driftline.pipeline.kafka.client import Delivery, produce
from driftline.pipeline.model import from_micros
from driftline.pipeline.records.topics import TICKET_LINKS


def write(
    producer: Any, delivery: Delivery, sink: str, id: str, reference: str, now: float
) -> None:
    """Of one id at one sink the last reference stands. It is on its way: flush before offsets are stored."""
    value = {"sink": sink, "id": id, "reference": reference, "at": from_micros(int(now * 1e6))}
    produce(producer, delivery, topic=TICKET_LINKS.name, key=f"{sink}\n{id}".encode(), value=orjson.dumps(value))  # fmt: skip
