"""Dead letters: records that could not be processed, with their reason and origin.

The topic is not compacted. A letter is closed by an acknowledgement in the same topic, which is written after the
letter, so that retention never deletes it first. Retries are in driftline.pipeline.kafka.redeliver."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.model import rfc3339
from driftline.pipeline.records.topics import DEADLETTER

KEPT = 64_000
"""Maximum bytes of the original value kept in a letter."""
ACKNOWLEDGED = b"acknowledged"
"""The key of acknowledgements. A letter's key is its original topic."""
ACKNOWLEDGED_AT_ONCE = 5000
Outcome = Literal["dropped", "retried", "overtaken"]


class Origin(NamedTuple):
    topic: str
    partition: int
    offset: int
    place: int
    """Index in its micro-batch; -1 for the record as a whole."""


def letter_id(stage: str, origin: Origin, value: bytes) -> str:
    """The id of a letter before it is written."""
    return _id([stage, *map(str, origin), hashlib.sha256(value).hexdigest()])


def _id(identity: list[str]) -> str:
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def letter(stage: str, reason: str, origin: Origin, value: bytes) -> dict[str, Any]:
    """The arguments of a producer's produce()."""
    headers = {
        "reason": reason[:500],
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "place": origin.place,
        "size": len(value),
        "sha256": hashlib.sha256(value).hexdigest(),
        "at": rfc3339(datetime.now(UTC)),
        "stage": stage,
    }
    return {
        "topic": DEADLETTER.name,
        "key": origin.topic.encode(),
        "value": value[:KEPT],
        "headers": [
            (name, str(value).encode(errors="backslashreplace")) for name, value in headers.items()
        ],
    }


class Share:
    """Detects that so many recent records were bad that a bad deployment, not bad records, is the cause."""

    def __init__(self, most: float, window: int = 1000, least: int = 100) -> None:
        self._most, self._window, self._least = most, window, least
        self._good = self._bad = 0

    def add(self, good: int, bad: int) -> bool:
        """Counts records. True if the bad share exceeds its limit. Halves both counts when the window is full."""
        self._good += good
        self._bad += bad
        if self._good + self._bad > self._window:
            over = self._bad > self._most * (self._good + self._bad)
            self._good, self._bad = self._good // 2, self._bad // 2
            return over
        total = self._good + self._bad
        return total >= self._least and self._bad > self._most * total


@dataclass(frozen=True)
class Letter:
    """A dead letter as listed. All strings may be hostile: escape them before printing to a terminal."""

    id: str
    """Derived from stage, origin and hash: a record that is refused twice is one letter."""
    stage: str
    reason: str
    origin: Origin | None
    """None if the letter does not name its origin."""
    size: int | None
    sha256: str
    at: str
    written_ms: int
    """Kafka's time of it."""
    slot: tuple[int, int]
    """The letter's own partition and offset."""
    times: int = 1

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        origin = self.origin._asdict() if self.origin else dict.fromkeys(Origin._fields)
        return {"id": self.id, "at": self.at, "stage": self.stage, "reason": self.reason, **origin,
                "size": self.size, "sha256": self.sha256, "times": self.times}  # fmt: skip


class Box:
    """Collects letters without an acknowledgement. Add every message of the topic, in order."""

    def __init__(self, messages: Iterable[Any] = ()) -> None:
        self.letters: dict[str, Letter] = {}
        self.problems: list[Problem] = []
        for message in messages:
            self.add(message)

    def add(self, message: Any) -> None:
        """Adds a letter or an acknowledgement (confluent-kafka's message). Never raises because of its content."""
        if message.key() == ACKNOWLEDGED:
            self._acknowledged(message)
            return
        letter = _read(message)
        known = self.letters.pop(letter.id, None)
        self.letters[letter.id] = replace(letter, times=known.times + 1) if known else letter

    def _acknowledged(self, message: Any) -> None:
        try:
            ids = json.loads(message.value())
            for id in ids:
                self.letters.pop(str(id), None)
        except (ValueError, TypeError):
            where = f"{DEADLETTER.name}[{message.partition()}], offset {message.offset()}"
            self.problems.append(Problem("not an acknowledgement, skipped", place=where))


def acknowledgements(ids: Iterable[str], outcome: Outcome) -> Iterable[dict[str, Any]]:
    """The arguments of produce() for acknowledging letters, so that they are no longer listed."""
    known = list(ids)
    for start in range(0, len(known), ACKNOWLEDGED_AT_ONCE):
        yield {
            "topic": DEADLETTER.name,
            "key": ACKNOWLEDGED,
            "value": json.dumps(known[start : start + ACKNOWLEDGED_AT_ONCE]).encode(),
            "headers": [("outcome", outcome.encode()), ("at", rfc3339(datetime.now(UTC)).encode())],
        }


def _read(message: Any) -> Letter:
    headers = {
        str(name): (value or b"").decode(errors="backslashreplace")
        for name, value in message.headers() or []
    }
    slot = (message.partition(), message.offset())
    origin = _origin(headers)
    named = ["stage", *Origin._fields, "sha256"]
    identity = [headers.get(name, "") for name in named] if origin else [str(n) for n in slot]
    size = headers.get("size", "")
    return Letter(
        id=_id(identity),
        stage=headers.get("stage", ""), reason=headers.get("reason", ""), origin=origin,
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None,
        sha256=headers.get("sha256", ""), at=headers.get("at", ""),
        written_ms=message.timestamp()[1], slot=slot,
    )  # fmt: skip


def _origin(headers: dict[str, str]) -> Origin | None:
    try:
        numbers = [int(headers[name]) for name in ("partition", "offset", "place")]
    except (KeyError, ValueError):
        return None
    topic = headers.get("topic", "")
    if not topic or not all(-1 <= n < 2**63 for n in numbers) or not 0 <= numbers[0] < 2**31:
        return None
    return Origin(topic, *numbers)
