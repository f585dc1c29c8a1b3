"""CloudTrail's log files on disk: gz or not, `Records`, a list, or one record a line."""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from collectors.folder.read import UNREADABLE
from pipeline import wire
from pipeline.errors import Malformed

MOST_BYTES = 1_000_000_000
"""Of a file, unpacked."""


class _Log(msgspec.Struct):
    Records: list[msgspec.Raw]


def records(path: Path) -> Iterator[tuple[str, dict[str, Any] | Malformed]]:
    """The records of a file, each with its place; a Malformed in the place of one that is none.

    Raises Malformed where it is no log file, cannot be read to its end, or unpacks to more than MOST_BYTES."""
    try:
        data = _unpacked(path)
    except UNREADABLE as why:
        raise Malformed(f"{path}: {why}") from None
    for place, raw in _raws(path, data.lstrip()):
        try:
            record = wire.decode(raw)
        except Malformed as why:
            yield place, why
            continue
        yield place, record if isinstance(record, dict) else Malformed("no JSON object")


def _raws(path: Path, text: bytes) -> Iterable[tuple[str, bytes]]:
    try:
        if text[:1] == b"[":
            found = msgspec.json.decode(text, type=list[msgspec.Raw])
            return ((f"{path}: [{n}]", bytes(raw)) for n, raw in enumerate(found))
        if b'"Records"' in text[:200]:
            found = msgspec.json.decode(text, type=_Log).Records
            return ((f"{path}: Records[{n}]", bytes(raw)) for n, raw in enumerate(found))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise Malformed(f"{path}: no log file of CloudTrail: {why}") from None
    lines = enumerate(text.splitlines(), 1)
    return ((f"{path}:{number}", line) for number, line in lines if line.strip())


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Malformed(f"{path}: more than {MOST_BYTES} bytes unpacked")
    return bytes(data)
