"""Tapes: records and their times as NDJSON, for tests, replay and audits."""

import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from driftline.pipeline.common import files
from driftline.pipeline.common.errors import Malformed, UserError
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS

HEADER = {"driftline": "tape", "version": 1}
LONGEST = codec.MAX_BYTES + 1000
"""Maximum length of a line: the largest record and its envelope."""
UNREADABLE = (OSError, EOFError, zlib.error)
TOPICS = {topic.own: topic for topic in (SNAPSHOTS, CHANGES, CONTROL)}

ORDER = (CHANGES, SNAPSHOTS, CONTROL)
"""Order of records with the same time: changes first, then readings, then ticks."""


class TapeRecord(NamedTuple):
    line: int
    topic: str
    """The topic's full name."""
    value: bytes
    at: str = ""
    """When the broker received it, if the tape says so."""


def is_tape(path: Path) -> bool:
    """Returns whether a file begins like a tape."""
    try:
        with _open(path) as lines:
            first = orjson.loads(lines.readline(10_000))
    except (*UNREADABLE, ValueError):
        return False
    return isinstance(first, dict) and first.get("driftline") == "tape"


def read(path: Path, told: Callable[[str], None]) -> Iterator[TapeRecord]:
    """Reads the records of a tape (gzip or not) in order. Malformed lines are reported with their number and
    skipped.

    Raises UserError if the file is not a tape, is of a newer version, or cannot be read to its end."""
    try:
        with _open(path) as file:
            lines = _lines(file)
            _header(path, next(lines, b""))
            for number, line in enumerate(lines, 2):
                if line.strip():
                    try:
                        yield _entry(number, line)
                    except Malformed as why:
                        told(f"{path}:{number}: {why}")
    except UNREADABLE as error:
        raise UserError(f"cannot be read: {error}", fix="is it a whole file?", place=path) from None


def _lines(file: Any) -> Iterator[bytes]:
    """Yields lines; a line that is too long is cut, so that it cannot exhaust memory."""
    while line := file.readline(LONGEST + 1):
        rest = line
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)
        yield line


def write(path: Path, records: Iterable[tuple[str, str, Any]]) -> int:
    """Writes (short topic name, time, value) records and returns their number. A tape is sensitive: mode 0600."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    count = 0
    with os.fdopen(descriptor, "wb") as raw:
        out = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
        out.write(orjson.dumps(HEADER) + b"\n")
        for topic, at, value in records:
            out.write(orjson.dumps({"topic": topic, "at": at, "value": value}) + b"\n")
            count += 1
        if out is not raw:
            out.close()
    return count


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    with files.open_regular(path) as file:
        yield files.open_unpacked(file)


def _header(path: Path, line: bytes) -> None:
    try:
        header = codec.decode(line)
    except Malformed:
        header = None
    if not isinstance(header, dict) or header.get("driftline") != "tape":
        raise UserError(
            "not a tape",
            fix='a tape begins with {"driftline":"tape","version":1}; replay takes AWS Config '
            "files by --snapshots, CloudTrail logs by --cloudtrail",
            place=f"{path}:1",
        )
    if header.get("version") != 1:
        raise UserError(
            f"tape version {header.get('version')!r}",
            fix="this Driftline reads 1: use a newer one",
            place=f"{path}:1",
        )


def _entry(number: int, line: bytes) -> TapeRecord:
    record = codec.decode(line, LONGEST)
    if (
        not isinstance(record, dict)
        or str(record.get("topic")) not in TOPICS
        or "value" not in record
    ):
        raise Malformed("not a tape record (needs topic: snapshots, changes or control; and value)")
    return TapeRecord(
        number,
        TOPICS[record["topic"]].name,
        orjson.dumps(record["value"], option=orjson.OPT_SORT_KEYS),
        record["at"] if isinstance(record.get("at"), str) else "",
    )
