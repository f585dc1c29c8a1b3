"""Dead letters: what could not be processed, with its reason and where it came from."""

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pipeline.model import rfc3339
from pipeline.topics import DEADLETTER

KEPT = 64_000
"""Bytes kept of each."""


class Origin(NamedTuple):
    topic: str
    partition: int
    offset: int
    place: int
    """In its micro-batch; -1 is the record as a whole."""


def letter(stage: str, reason: str, origin: Origin, value: bytes) -> dict[str, Any]:
    """What to produce: arguments of a producer's produce()."""
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
        "headers": [(name, str(value).encode()) for name, value in headers.items()],
    }


class Share:
    """Says when so many of the last records were bad that the fault must be ours: a bad deploy is not a bad record."""

    def __init__(self, most: float, window: int = 1000, least: int = 100) -> None:
        self._most, self._window, self._least = most, window, least
        self._good = self._bad = 0

    def add(self, good: int, bad: int) -> bool:
        """Counts; True when the share is over its limit. Halves its memory when the window is full."""
        self._good += good
        self._bad += bad
        if self._good + self._bad > self._window:
            over = self._bad > self._most * (self._good + self._bad)
            self._good, self._bad = self._good // 2, self._bad // 2
            return over
        total = self._good + self._bad
        return total >= self._least and self._bad > self._most * total
