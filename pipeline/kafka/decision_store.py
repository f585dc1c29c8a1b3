"""Stores people's decisions (exceptions, baselines): each kind in its own compacted topic, and announces them to the
stream on `control`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from confluent_kafka import Producer
from pydantic import ValidationError

from driftline.pipeline.kafka.client import (
    Delivery,
    explained,
    flush,
    produce,
    producer,
    read_compacted,
)
from driftline.pipeline.kafka.topics_admin import there
from driftline.pipeline.model import Record
from driftline.pipeline.records.topics import CONTROL, Topic
from driftline.pipeline.settings.blocks import Kafka

TAIL = 30.0
R = TypeVar("R", bound=Record)
Tell = Callable[[Producer, Delivery, Sequence[R]], None]
"""Writes records to the partitions of `control` that they concern."""


def stored(kafka: Kafka, topic: Topic, kind: type[R]) -> Iterator[R]:
    """The latest version of each decision, including ended ones."""
    with explained(kafka):
        values = read_compacted(kafka, topic.name).values()
    for value in values:
        try:
            yield kind.model_validate_json(value)
        except ValidationError:
            continue  # written by a newer version


def say(
    kafka: Kafka, topic: Topic, records: Iterable[R], key: Callable[[R], str], tell: Tell[R]
) -> None:
    """Stores decisions, then announces them to the stream. Raises UserError if Kafka does not accept them."""
    records = list(records)
    with explained(kafka):
        there(kafka, (topic, CONTROL))  # report an outage or a missing topic early
        out, delivery = producer(kafka), Delivery()
        for record in records:
            produce(out, delivery, topic.name, record.encode(), key=key(record).encode())
        flush(out, delivery, TAIL)
        tell(out, delivery, records)
        flush(out, delivery, TAIL)


def same(one: Record, other: Record) -> bool:
    """Whether two decisions are equal, ignoring their time."""
    return one.model_dump(exclude={"at"}) == other.model_dump(exclude={"at"})
