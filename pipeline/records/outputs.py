"""What a partition's fold gives: records, rows of state, and what could not be processed. Pure."""

from typing import NamedTuple

from driftline.pipeline.model import Mark, from_micros
from driftline.pipeline.records.topics import MARK_KEYS, SIGNALS


class Output(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    """Empty: nothing is kept of this key any more (a tombstone)."""


class Dead(NamedTuple):
    """A bad element; place -1 is the record as a whole."""

    place: int
    reason: str
    value: bytes


class Work(NamedTuple):
    outputs: list[Output]
    rows: dict[bytes, bytes | None]
    """None: gone."""
    dead: list[Dead]


def marks(number: int, level: int, until: int) -> list[Output]:
    """A Mark for every partition of the signals."""
    mark = {"mark": number, "level": level, "until": from_micros(until)}
    value = Mark.model_validate(mark).encode()
    return [Output(SIGNALS.name, key, value) for key in MARK_KEYS]
