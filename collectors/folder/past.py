"""Recorded readings and events, from any number of files, by the times that they carry.

The same records give the same order, however they are cut into files, shuffled or doubled."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from collectors.aws.events.envelope import records
from collectors.aws.events.record import Nothing, Reader
from collectors.folder.read import UNREADABLE, files, read
from collectors.redact import Redactor
from pipeline import wire
from pipeline.errors import Malformed
from pipeline.model import Change, Snapshot
from pipeline.tape import ORDER
from pipeline.topics import CHANGES, CONTROL, SNAPSHOTS, short

Told = Callable[[str], None]
FIRST = {topic.own: place for place, topic in enumerate(ORDER)}
TIMES = {CHANGES.own: "occurred_at", SNAPSHOTS.own: "captured_at"}


class Gathered:
    """Records by time, each once."""

    def __init__(self) -> None:
        self._records: dict[bytes, tuple[str, int, str, str, bytes]] = {}

    def add(self, topic: str, element: bytes) -> None:
        """One element. Raises Malformed where it has no time."""
        document = wire.decode(element)
        at = _time(topic, document)
        digest = hashlib.blake2b(topic.encode() + element, digest_size=16).digest()
        self._records[digest] = (
            at,
            FIRST[short(topic)],
            str(document.get("uid", "")),
            topic,
            element,
        )

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for *_, topic, element in sorted(self._records.values()):
            yield topic, element if topic == CONTROL.name else wire.join([element])


def _time(topic: str, document: Any) -> str:
    if isinstance(document, dict):
        tick, exception = document.get("tick"), document.get("exception")
        at = document.get(TIMES.get(short(topic), ""))
        if topic == CONTROL.name and isinstance(said := tick or exception, dict):
            at = said.get("watermark" if said is tick else "at")
        if isinstance(at, str):
            return at
    raise Malformed("a record without a time")


def past(
    tapes: Sequence[Path], logs: Sequence[Path], snapshots: Sequence[Path], redactor: Redactor, told: Told,
    wanted: Callable[[Any], bool] = lambda _: False,
) -> Gathered:  # fmt: skip
    """Everything in the files. What cannot be read is told, and left out. `wanted`: which read-only and data events are
    kept."""
    out = Gathered()

    def fed(topic: str, value: bytes) -> None:
        for element in [value] if topic == CONTROL.name else wire.split(value):
            try:
                out.add(topic, element)
            except Malformed as why:
                told(str(why))

    def emitted(snapshot: Snapshot) -> None:
        out.add(SNAPSHOTS.name, wire.encode_snapshot(snapshot))

    if tapes or snapshots:
        result = read([*tapes, *snapshots], fed, emitted, None, redactor)
        for problem in result.problems:
            told(problem)
    reader = Reader(redactor, "import", Nothing(), wanted)
    for path in files(logs, told):
        for change in _changes(path, reader, told):
            out.add(CHANGES.name, change.encode())
    return out


def _changes(path: Path, reader: Reader, told: Told) -> Iterator[Change]:
    try:
        with path.open("rb") as file:
            for number, record in enumerate(records(file)):
                try:
                    if isinstance(record, Malformed):
                        raise record
                    yield from reader.changes(record)
                except Malformed as why:
                    told(f"{path}: Records[{number}]: {why}")
    except (Malformed, *UNREADABLE) as why:
        told(f"{path}: {why}")
