"""The outputs of a partition's fold: records, state rows, and dead letters. Pure."""

from typing import NamedTuple

from driftline.pipeline.model import Mark, from_micros
from driftline.pipeline.records.topics import MARK_KEYS, SIGNALS


class Output(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    """Empty: a tombstone."""


class Dead(NamedTuple):
    """An element that could not be processed; place -1 is the whole record."""

    place: int
    reason: str
    value: bytes


class Work(NamedTuple):
    outputs: list[Output]
    rows: dict[bytes, bytes | None]
    """None: deleted."""
    dead: list[Dead]


def marks(number: int, level: int, until: int) -> list[Output]:
    """Returns a Mark for every partition of the signals topic."""
    mark = {"mark": number, "level": level, "until": from_micros(until)}
    value = Mark.model_validate(mark).encode()
    return [Output(SIGNALS.name, key, value) for key in MARK_KEYS]
