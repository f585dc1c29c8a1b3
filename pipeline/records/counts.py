"""What a partition's fold counts. Each kind of count has its own type, and a metric in pipeline/worker/status.py. Pure."""

from collections import Counter
from enum import Enum, StrEnum, auto

import msgspec


class Outcome(StrEnum):
    """Outcome of an element of a record."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    DUPLICATES = "duplicates"
    """Applied before, and redelivered."""
    OLDER = "older"
    CHANGES = "changes"
    EVIDENCE = "evidence"
    SIGNALS = "signals"
    LATE = "late"
    UNKNOWN = "unknown"
    """Its detection is no longer in the content."""
    MARKS = "marks"
    BAD = "bad"
    """Dead-lettered."""
    EXCEPTION = "exception"
    BASELINE = "baseline"


GOOD = tuple(
    one for one in Outcome if one not in (Outcome.BAD, Outcome.EXCEPTION, Outcome.BASELINE)
)
"""The outcomes of which the bad share is computed: elements of high-volume inputs. Records of `control` are few and do not count."""


class Occurrence(Enum):
    """Other events."""

    FORGOTTEN_STATE = auto()
    SIGNAL = auto()
    UNFOLLOWED_MATCH = auto()
    """A match stays with its session, because too many of its matches wait for its origin."""
    HELD_BACK_ALERT = auto()


class FindingCount(msgspec.Struct, frozen=True):
    """A finding was sent."""

    reason: str


class DriftCount(msgspec.Struct, frozen=True):
    """A drift was sent."""

    attribution: str
    found_by: str


class AlertCount(msgspec.Struct, frozen=True):
    """An alert was sent."""

    state: str
    severity: str


class TicketCount(msgspec.Struct, frozen=True):
    """A ticket was rendered."""

    state: str
    severity: str


Count = Outcome | Occurrence | FindingCount | DriftCount | AlertCount | TicketCount
Counts = Counter[Count]
