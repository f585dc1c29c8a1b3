"""Alerts while their hits are held, and as far as they are final. Pure. Times in microseconds."""

from collections.abc import Sequence
from typing import Any

import msgspec
from driftline.pipeline.correlate.alerts.names import AlertNames
from driftline.pipeline.detections.windows import Hit, Place
from driftline.pipeline.model.finding import named_uuid

MAX_SHOWN = 50
"""Hits that an alert shows."""
BEGIN: Place = (0, "", "")


class Run(msgspec.Struct, array_like=True):
    """One alert's stretch of time, as far as it is final."""

    id: str
    begins: int
    """The earliest hit of its first window."""
    at: int
    """Its first match."""
    last: int
    """Its last match."""
    count: int
    """Hits from the beginning to the last match."""
    end: Place = BEGIN
    """The place of the hit that ends the last match."""
    continues: str | None = None
    """The alert that it goes on from."""
    briefs: list[dict[str, Any]] = []
    """What is shown: the first hits, and the last."""
    frozen: bool = False
    """It is judged no more."""
    listed: dict[str, list[str]] = {}
    """Its names of each kind, the first by the alphabet."""
    overflow: bool = False
    """There are more names than are told apart."""


NO_RUN = Run("", 0, 0, 0, 0)
"""Of a run of which nothing is final yet."""


class OpenRun:
    """A run while its hits are held."""

    __slots__ = (
        "at",
        "begin",
        "begins",
        "continues",
        "end",
        "ends",
        "extra",
        "final",
        "finalized",
        "first",
        "frozen",
        "id",
        "named",
        "names",
    )  # fmt: skip

    def __init__(self, id: str, begins: int, at: int, continues: str | None, begin: Place, first: Place) -> None:  # fmt: skip
        self.id, self.begins, self.at, self.continues = id, begins, at, continues
        self.first = first
        """The place that ends its first match."""
        self.begin = begin
        """Its hits begin here, or after what is final of it."""
        self.end = first
        """Its last match."""
        self.ends = [first]
        """Its matches, while it is judged."""
        self.frozen: Place | None = None
        """Since here it is judged no more."""
        self.final = NO_RUN
        self.extra: Sequence[Hit] = ()
        """What only stands, and belongs to its beginning."""
        self.names: AlertNames | None = None
        """What is final of them, and the names of its hits up to `named`; None: nothing is."""
        self.named: Place | None = None
        self.finalized: list[bytes] = []
        """Digests of names that have become final, and are not kept yet."""

    @classmethod
    def final_only(cls, run: Run, names: AlertNames) -> "OpenRun":
        """One that was begun earlier."""
        self = cls(run.id, run.begins, run.at, run.continues, run.end, run.end)
        self.final, self.ends, self.names = run, [], names
        self.frozen = run.end if run.frozen else None
        return self


def alert_id(correlation: str, group: str, at: int, continues: str | None = None) -> str:
    """The one id of a group's alert whose first match is of that moment. Which of the hits of one moment is heard first
    does not matter: CloudTrail's times are whole seconds."""
    return named_uuid(f"alert\n{correlation}\n{group}\n{at}\n{continues or ''}")
