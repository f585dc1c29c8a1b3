"""Where baselines are kept: a compacted topic of their own, and `control`, by which the stream hears of them."""

from collections.abc import Callable, Iterable

import orjson
from pydantic import ValidationError

from pipeline.assess import Options
from pipeline.fold import Fold
from pipeline.kafka import Delivery, explained, flush, produce, producer, read_all, read_compacted
from pipeline.model import Baseline, Control
from pipeline.rulebook import Rulebook
from pipeline.rulebook.standing import STANDING_IDS
from pipeline.settings import Kafka
from pipeline.state import Body
from pipeline.topics import BASELINES, CONTROL, FINDINGS, SNAPSHOTS, partition

TAIL = 30.0


def key(record: Baseline) -> str:
    return f"{record.kind} {record.uid}"


def stored(kafka: Kafka) -> dict[str, Baseline]:
    """Every baseline by kind and uid, those that were revoked with them."""
    found = {}
    with explained(kafka):
        for value in read_compacted(kafka, BASELINES.name).values():
            try:
                record = Baseline.model_validate_json(value)
            except ValidationError:
                continue  # of a version that says more than we can read
            found[key(record)] = record
    return found


def say(kafka: Kafka, records: Iterable[Baseline]) -> None:
    """Keeps them, and then tells the stream. Raises OSError where Kafka does not take them."""
    records = list(records)
    with explained(kafka):
        out, delivery = producer(kafka), Delivery()
        for record in records:
            produce(out, delivery, BASELINES.name, record.encode(), key=key(record).encode())
        flush(out, delivery, TAIL)
        for record in records:
            value = Control(baseline=record).encode()
            produce(out, delivery, CONTROL.name, value, partition=partition(record.uid))
        flush(out, delivery, TAIL)


def present(kafka: Kafka, wanted: Callable[[str], bool]) -> dict[str, Body]:
    """What the readings of the last week say of the resources whose uid is wanted; deleted ones are left out."""
    fold = Fold(Rulebook([]), Options())
    with explained(kafka):
        for message in read_all(kafka, SNAPSHOTS.name):
            value = message.value() or b""
            fold.feed(SNAPSHOTS.name, value)
    return {
        body.resource["uid"]: body
        for body in fold.bodies()
        if body.deleted_at is None and wanted(body.resource["uid"])
    }


def statuses(kafka: Kafka) -> dict[str, str]:
    """By kind and uid: how the finding stands."""
    found: dict[str, str] = {}
    with explained(kafka):
        for message in read_all(kafka, FINDINGS.name):
            value = message.value() or b""
            if b"-baseline" not in value:
                continue  # most are of other rules
            finding = orjson.loads(value)
            rule = STANDING_IDS.get(finding["rule"]["id"])
            if rule is not None:
                found[f"{rule.kind} {finding['resource']['uid']}"] = (
                    finding["evaluation"]
                    if finding["status"] in ("clear", "resolved")
                    else finding["status"]
                )
    return found
