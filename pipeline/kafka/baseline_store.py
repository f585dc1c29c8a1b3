"""Stores baselines in a compacted topic and announces them to the stream on `control`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
from confluent_kafka import Producer

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.kafka import decision_store
from driftline.pipeline.kafka.client import Delivery, explained, produce, read_all
from driftline.pipeline.model import Baseline, Control
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import BASELINES, CONTROL, FINDINGS, SNAPSHOTS, partition
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.rulebook.baseline_rules import STANDING_IDS
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.state.resource import Body


def key(record: Baseline) -> str:
    return f"{record.kind} {record.uid}"


def stored(kafka: Kafka) -> dict[str, Baseline]:
    """Every baseline by kind and uid, including revoked ones."""
    return {key(record): record for record in decision_store.stored(kafka, BASELINES, Baseline)}


def say(kafka: Kafka, records: Iterable[Baseline]) -> None:
    """Stores baselines, then announces them to the stream. Raises UserError if Kafka does not accept them."""
    decision_store.say(kafka, BASELINES, records, key, _tell)


def _tell(out: Producer, delivery: Delivery, records: Iterable[Baseline]) -> None:
    """To the partition of the resource."""
    for record in records:
        value = Control(baseline=record).encode()
        produce(out, delivery, CONTROL.name, value, partition=partition(record.uid))


def present(kafka: Kafka, wanted: Callable[[str], bool]) -> dict[str, Body]:
    """The latest snapshots, within a week, of the resources whose uid matches, without deleted resources."""
    fold = Fold(Rulebook([]), AssessOptions())
    with explained(kafka):
        for message in read_all(kafka, SNAPSHOTS.name):
            for element in _of(message.value() or b"", wanted):
                fold.feed(SNAPSHOTS.name, codec.encode_batch([element]))
    return {body.resource["uid"]: body for body in fold.bodies() if body.deleted_at is None}


def _of(value: bytes, wanted: Callable[[str], bool]) -> Iterator[bytes]:
    """The elements of a micro-batch that belong to a matching resource."""
    try:
        peeks = codec.peek(value)
    except Malformed:
        return
    asked = [number for number, peek in enumerate(peeks) if peek is not None and wanted(peek.uid)]
    if asked:  # most batches have none: do not split them
        elements = codec.split(value)
        yield from (elements[number] for number in asked)


def statuses(kafka: Kafka) -> dict[str, str]:
    """The status of the finding, by kind and uid."""
    found: dict[bytes, tuple[str, str]] = {}
    with explained(kafka):
        for message in read_all(kafka, FINDINGS.name):
            value = message.value()
            if value is None:  # forgotten
                found.pop(message.key(), None)
            elif b"-baseline" in value:  # most findings are of other rules
                one = _status(orjson.loads(value))
                if one is not None:
                    found[message.key()] = one
    return dict(found.values())


def _status(finding: dict[str, Any]) -> tuple[str, str] | None:
    rule = STANDING_IDS.get(finding["rule"]["id"])
    if rule is None:
        return None
    good = finding["status"] in ("clear", "resolved")
    name = f"{rule.kind} {finding['resource']['uid']}"
    return name, finding["evaluation"] if good else finding["status"]
