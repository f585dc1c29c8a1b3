"""Recorded events against detections: hits by rule and day. A hit counts once, however often its event was recorded."""

import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import orjson

from pipeline import wire
from pipeline.detections import Detections, View, load
from pipeline.errors import Malformed

MOST_BYTES = 1_000_000_000
"""Of a file, unpacked."""
UNREADABLE = (OSError, EOFError, zlib.error)
_loaded: list[Detections] = []


@dataclass
class Hits:
    """What a file, or all of them, came to."""

    events: int = 0
    hits: set[tuple[str, str, str]] = field(default_factory=set)
    """Rule, event, day."""
    seen: set[bytes] = field(default_factory=set)
    """Digests of the events' ids."""
    problems: list[str] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        """Hits by rule."""
        return Counter(rule for rule, _, _ in self.hits)

    def days(self) -> dict[str, Counter[str]]:
        """Hits by rule and day."""
        out: dict[str, Counter[str]] = {}
        for rule, _, day in self.hits:
            out.setdefault(rule, Counter())[day] += 1
        return out


def ready(rules: Sequence[Path]) -> None:
    """Loads the detections into this process: closures do not travel."""
    _loaded[:] = [load(rules)]


def merged(found: Iterable[Hits]) -> Hits:
    """All files together."""
    total = Hits()
    for one in found:
        total.hits |= one.hits
        total.seen |= one.seen
        total.problems += one.problems
    total.events = len(total.seen)
    return total


def read(path: Path) -> Hits:
    """One file. What cannot be read is a problem, with its place."""
    out = Hits()
    try:
        for place, record in _records(_unpacked(path)):
            if isinstance(record, str):
                out.problems.append(f"{path}:{place}: {record}")
                continue
            event = str(record.get("eventID") or _digest(record))
            out.seen.add(hashlib.blake2b(event.encode(), digest_size=12).digest())
            day = str(record.get("eventTime", ""))[:10]
            for rule in _loaded[0].matching(View(record), "aws", "cloudtrail"):
                out.hits.add((rule.id, event, day))
    except (*UNREADABLE, Malformed) as why:
        out.problems.append(f"{path}: {why}")
    return out


def _digest(record: Any) -> str:
    return hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Malformed(f"more than {MOST_BYTES} bytes unpacked")
    return bytes(data)


class _Log(msgspec.Struct):
    Records: list[msgspec.Raw]


def _records(data: bytes) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Records by their number: of `Records`, of a list, or one a line. A text in the place of one that is none."""
    raws: Iterable[bytes]
    text = data.lstrip()
    try:
        if text[:1] == b"[":
            raws = map(bytes, msgspec.json.decode(text, type=list[msgspec.Raw]))
        elif b'"Records"' in text[:200]:
            raws = map(bytes, msgspec.json.decode(text, type=_Log).Records)
        else:
            raws = (line for line in text.splitlines() if line.strip())
    except (msgspec.DecodeError, UnicodeDecodeError) as why:
        raise Malformed(f"no log file of CloudTrail: {why}") from None
    for number, raw in enumerate(raws, 1):
        try:
            record = wire.decode(raw)
        except Malformed as why:
            yield number, str(why)
            continue
        if not isinstance(record, dict) or "eventName" not in record:
            yield number, "no CloudTrail record: it has no eventName"
        else:
            yield number, record
