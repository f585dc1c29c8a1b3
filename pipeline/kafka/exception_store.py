"""Stores risk exceptions in a compacted topic and announces them to the stream on `control`."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Producer

from driftline.pipeline.kafka import decision_store
from driftline.pipeline.kafka.client import Delivery, explained, produce, read_all
from driftline.pipeline.model import Control, RiskException
from driftline.pipeline.records.topics import CONTROL, EXCEPTIONS, FINDINGS
from driftline.pipeline.settings.blocks import Kafka


class Use(NamedTuple):
    """What an exception currently suppresses."""

    suppresses: int = 0
    overridden: int = 0
    """Findings in its scope that are open despite it: worse than accepted, or caused by the approver."""


def stored(kafka: Kafka) -> dict[str, RiskException]:
    """Every exception by id, including ended ones."""
    return {record.id: record for record in decision_store.stored(kafka, EXCEPTIONS, RiskException)}


def say(kafka: Kafka, records: Iterable[RiskException]) -> None:
    """Stores exceptions, then announces them to the stream. Raises UserError if Kafka does not accept them."""
    decision_store.say(kafka, EXCEPTIONS, records, lambda record: record.id, tell)


def tell(out: Producer, delivery: Delivery, records: Iterable[RiskException]) -> None:
    """Sent to every partition, because any resource may be in scope."""
    for record in records:
        value = Control(exception=record).encode()
        for partition in range(CONTROL.partitions):
            produce(out, delivery, CONTROL.name, value, partition=partition)


def uses(kafka: Kafka) -> dict[str, Use]:
    """How each exception is used, from the latest version of every finding."""
    last: dict[bytes, tuple[str, bool]] = {}
    with explained(kafka):
        for message in read_all(kafka, FINDINGS.name):
            told = _exception_of(message.value() or b"")
            if told is None:
                last.pop(message.key(), None)
            else:
                last[message.key()] = told
    return counted(last)


def counted(last: Mapping[bytes, tuple[str, bool]]) -> dict[str, Use]:
    found: dict[str, Use] = {}
    for id, suppressed in last.values():
        use = found.get(id, Use())
        found[id] = Use(use.suppresses + suppressed, use.overridden + (not suppressed))
    return found


def _exception_of(value: bytes) -> tuple[str, bool] | None:
    """A finding's exception, and whether it suppresses it."""
    if b'"exception":{' not in value:  # most findings have none: do not decode them
        return None
    finding: dict[str, Any] = orjson.loads(value)
    told = finding.get("exception")
    return (told["id"], finding["status"] == "suppressed") if told else None
