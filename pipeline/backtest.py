"""Recorded events against detections: hits by rule and day, alerts by correlation. A hit counts once, however often its
event was recorded."""

import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson

from pipeline import wire
from pipeline.correlate import Hit
from pipeline.correlate.runs import Run, runs
from pipeline.detections import Detection, Detections, View, load
from pipeline.detections.correlations import Correlation
from pipeline.detections.match import text_of
from pipeline.errors import Malformed
from pipeline.model import micros
from pipeline.state import NEVER

MOST_BYTES = 1_000_000_000
"""Of a file, unpacked."""
UNREADABLE = (OSError, EOFError, zlib.error)
_loaded: list[Detections] = []


class Part(NamedTuple):
    """A hit as a correlation looks at it."""

    at: int
    event: str
    rule: str
    value: str | None


@dataclass
class Hits:
    """What a file, or all of them, came to."""

    events: int = 0
    hits: set[tuple[str, str, str]] = field(default_factory=set)
    """Rule, event, day."""
    seen: set[bytes] = field(default_factory=set)
    """Digests of the events' ids."""
    problems: list[str] = field(default_factory=list)
    parts: dict[tuple[str, tuple[str, ...]], set[Part]] = field(default_factory=dict)
    """By correlation and group: what it looks at."""

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
        for key, parts in one.parts.items():
            total.parts.setdefault(key, set()).update(parts)
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
            view = View(record)
            for rule in _loaded[0].matching(view, "aws", "cloudtrail"):
                out.hits.add((rule.id, event, day))
                _correlated(out, rule, view, event)
    except (*UNREADABLE, Malformed) as why:
        out.problems.append(f"{path}: {why}")
    return out


def _correlated(out: Hits, rule: Detection, view: View, event: str) -> None:
    """Keeps a hit for the correlations that name its rule."""
    for one in _loaded[0].correlations.values():
        if rule.id not in one.rules:
            continue
        try:
            at = micros(datetime.fromisoformat(str(view.event.get("eventTime")).replace("Z", "+00:00")))  # fmt: skip
        except (ValueError, TypeError):
            return
        group = tuple(_first(view, one.field_of(name, rule.id, rule.name)) or "" for name in one.group_by)  # fmt: skip
        value = _first(view, one.counted) if one.counted else None
        out.parts.setdefault((one.id, group), set()).add(Part(at, event, rule.id, value))


def _first(view: View, name: str) -> str | None:
    return next((text for value in view.values(name) if (text := text_of(value)) is not None), None)


def alerts(found: Detections, total: Hits) -> Counter[str]:
    """Alerts by correlation: runs of matches in each group, those of correlations of correlations too."""
    parts = {key: set(own) for key, own in total.parts.items()}
    out: Counter[str] = Counter()
    left = dict(found.correlations)
    while left:
        ready = [id for id, one in left.items() if not any(rule in left for rule in one.rules)]
        for id in ready:
            one = left.pop(id)
            for (_, group), own in sorted((k, v) for k, v in parts.items() if k[0] == id):
                hits = [Hit(p.at, p.event, p.rule, p.value) for p in sorted(own)]
                told = runs(one.spec(), id, "\n".join(group), sorted(hits, key=_place), NEVER)
                out[id] += len(told)
                _above(found, one, group, told, parts)
    return out


def _place(hit: Hit) -> tuple[int, str, str]:
    return hit.place


def _above(found: Detections, one: Correlation, group: tuple[str, ...], told: Sequence[Run], parts: Any) -> None:  # fmt: skip
    """Alerts are hits of the correlations that name theirs."""
    known = dict(zip(one.group_by, group, strict=True))
    for above in found.correlations.values():
        if one.id in above.rules:
            key = tuple(known.get(above.field_of(name, one.id, one.name), "") for name in above.group_by)  # fmt: skip
            parts.setdefault((above.id, key), set()).update(
                Part(run.at, run.id, one.id, known.get(above.counted or "")) for run in told
            )


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
