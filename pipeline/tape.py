"""Tapes: records and the times they carry, as NDJSON. What a test, a replay or an audit needs."""

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipeline import wire
from pipeline.errors import Malformed, UserError
from pipeline.topics import CONTROL, SNAPSHOTS

HEADER = {"driftline": "tape", "version": 1}
TOPICS = {"snapshots": SNAPSHOTS.name, "control": CONTROL.name}


class Entry(NamedTuple):
    line: int
    topic: str
    """The topic's full name."""
    value: bytes


def is_tape(path: Path) -> bool:
    """Whether a file begins as a tape does."""
    try:
        with _open(path) as lines:
            first = orjson.loads(lines.readline(10_000))
    except (OSError, ValueError, EOFError):
        return False
    return isinstance(first, dict) and first.get("driftline") == "tape"


def read(path: Path) -> Iterator[Entry]:
    """The records of a tape (gz or not), in order. Raises UserError with file and line."""
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                if number == 1:
                    _header(path, line)
                elif line.strip():
                    yield _entry(path, number, line)
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: cannot be read: {error} (is it a whole file?)") from None


def write(path: Path, records: Iterable[tuple[str, str, Any]]) -> int:
    """Writes (short topic name, time, value) records; says how many. A tape is sensitive: mode 0600."""
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


def _open(path: Path) -> gzip.GzipFile | Any:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")


def _header(path: Path, line: bytes) -> None:
    try:
        header = wire.decode(line)
    except Malformed:
        header = None
    if not isinstance(header, dict) or header.get("driftline") != "tape":
        raise UserError(
            f'{path}:1: not a tape (a tape begins with {{"driftline":"tape","version":1}})'
        )
    if header.get("version") != 1:
        raise UserError(
            f"{path}:1: tape version {header.get('version')!r} (this Driftline reads 1: use a newer one)"
        )


def _entry(path: Path, number: int, line: bytes) -> Entry:
    try:
        record = wire.decode(line)
    except Malformed as why:
        raise UserError(f"{path}:{number}: {why}") from None
    if not isinstance(record, dict) or record.get("topic") not in TOPICS or "value" not in record:
        raise UserError(
            f"{path}:{number}: not a tape record (needs topic: snapshots or control, and value)"
        )
    return Entry(
        number, TOPICS[record["topic"]], orjson.dumps(record["value"], option=orjson.OPT_SORT_KEYS)
    )
