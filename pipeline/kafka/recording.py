"""Records a tape from the topics: the input of the stream, ordered by Kafka timestamp."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from driftline.pipeline.common.errors import Malformed, UserError
from driftline.pipeline.kafka.client import explained, read_all, starts
from driftline.pipeline.kafka.topics_admin import there
from driftline.pipeline.model import rfc3339
from driftline.pipeline.records import codec, tape
from driftline.pipeline.records.topics import CHANGES, CONTROL
from driftline.pipeline.settings.blocks import Kafka

EVERY = 1000


def record(
    kafka: Kafka, path: Path, since: datetime | None, until: datetime | None, told: Callable[[int], None]
) -> tuple[int, int]:  # fmt: skip
    """Writes the current records of the topics from `since` until before `until` (Kafka timestamps; None: all).

    Returns the numbers of records written, and of malformed records skipped; calls `told` with the number read so far.
    Control records that go to every partition are written once. Raises UserError if there are none."""
    there(kafka, tape.ORDER)
    with tempfile.TemporaryDirectory(dir=path.absolute().parent) as folder:
        # on disk: a week of an organization does not fit into memory
        base = sqlite3.connect(Path(folder) / "records")
        base.execute("create table records (at, topic, partition, place, value)")
        bad = _gather(kafka, base, since, until, told)
        _once(base)
        count = base.execute("select count(*) from records").fetchone()[0]
        if not count:
            raise UserError(
                "nothing to record",
                fix="check that the topics hold records, and check --from and --to",
            )
        base.execute("create index by_time on records (at, topic, partition, place)")
        tape.write(path, _sorted(base))
        base.close()
    return count, bad


def _gather(
    kafka: Kafka, base: sqlite3.Connection, since: datetime | None, until: datetime | None, told: Callable[[int], None]
) -> int:  # fmt: skip
    read = bad = 0
    for number, topic in enumerate(tape.ORDER):
        with explained(kafka):
            begin = starts(kafka, topic.name, range(topic.partitions), since)
            for message in read_all(kafka, topic.name, begin):
                at = message.timestamp()[1]
                read += 1
                if read % EVERY == 0:
                    told(read)
                if until is not None and at >= until.timestamp() * 1000:
                    continue
                try:
                    value = _value(topic.name, message.value() or b"")
                except Malformed:
                    bad += topic is not CONTROL or not message.partition()
                    continue
                if value is not None:
                    base.execute("insert into records values (?, ?, ?, ?, ?)",
                                 (at, number, message.partition(), message.offset(), value))  # fmt: skip
    told(read)
    return bad


def _once(base: sqlite3.Connection) -> None:
    """Keeps control records that went to several partitions only once, at their first place. (A baseline goes to one.)"""
    base.execute(
        "delete from records where topic = ? and rowid not in (select rowid from (select rowid, row_number()"
        " over (partition by value order by at, partition, place) as nth from records where topic = ?) where nth = 1)",
        (tape.ORDER.index(CONTROL), tape.ORDER.index(CONTROL)),
    )


def _value(topic: str, value: bytes) -> bytes | None:
    """A record as stored in a tape; None for messages between states, which a replay creates again."""
    if topic == CONTROL.name:
        codec.decode(value)
        return value
    elements = [one for one in codec.split(value) if topic != CHANGES.name or _is_change(one)]
    return codec.encode_batch(elements) if elements else None


def _is_change(element: bytes) -> bool:
    document = codec.decode(element)
    return isinstance(document, dict) and "action" in document


def _sorted(base: sqlite3.Connection) -> Iterator[tuple[str, str, Any]]:
    rows = base.execute("select at, topic, value from records order by at, topic, partition, place")
    for at, topic, value in rows:
        name = tape.ORDER[topic].own
        yield name, rfc3339(datetime.fromtimestamp(at / 1000, UTC)), orjson.loads(value)
