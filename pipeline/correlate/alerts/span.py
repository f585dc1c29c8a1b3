"""Runs of matches: while their hits are held, and the part that is final. Pure. Times in microseconds."""

from collections.abc import Sequence
from typing import Any

import msgspec

from driftline.pipeline.correlate.alerts.names import AlertNames
from driftline.pipeline.detections.windows import Hit, Place
from driftline.pipeline.model.finding import named_uuid

MAX_SHOWN = 50
"""Maximum number of hits shown in an alert."""
BEGIN: Place = (0, "", "")


class Run(msgspec.Struct, array_like=True):
    """The final part of one alert's run."""

    id: str
    begins: int
    """Time of the earliest hit in the first window."""
    at: int
    """Time of the first match."""
    last: int
    """Time of the last match."""
    count: int
    """Number of hits from the beginning to the last match."""
    end: Place = BEGIN
    """Place of the hit that completes the last match."""
    continues: str | None = None
    """Id of the alert that this one continues."""
    briefs: list[dict[str, Any]] = []
    """The hits shown: the first ones and the last ones."""
    frozen: bool = False
    """The condition is no longer evaluated for this run."""
    listed: dict[str, list[str]] = {}
    """Names by kind, the first ones in alphabetical order."""
    overflow: bool = False
    """More distinct names occurred than are counted."""


NO_RUN = Run("", 0, 0, 0, 0)
"""Used while nothing of a run is final."""


class OpenRun:
    """A run whose hits are still held."""

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
        """Place of the hit that completes the first match."""
        self.begin = begin
        """Where its hits begin, or where its final part ends."""
        self.end = first
        """Place of the last match."""
        self.ends = [first]
        """Places of its matches, while the condition is evaluated."""
        self.frozen: Place | None = None
        """Place after which the condition is no longer evaluated."""
        self.final = NO_RUN
        self.extra: Sequence[Hit] = ()
        """Findings that were already open when the run began; shown at its beginning."""
        self.names: AlertNames | None = None
        """Its final names and those of the hits up to `named`; None while there is neither."""
        self.named: Place | None = None
        self.finalized: list[bytes] = []
        """Digests of names that became final and are not stored yet."""

    @classmethod
    def final_only(cls, run: Run, names: AlertNames) -> "OpenRun":
        """Restores a run that was begun earlier."""
        self = cls(run.id, run.begins, run.at, run.continues, run.end, run.end)
        self.final, self.ends, self.names = run, [], names
        self.frozen = run.end if run.frozen else None
        return self


def alert_id(correlation: str, group: str, at: int, continues: str | None = None) -> str:
    """Returns the id of a group's alert by the time of its first match. The order of hits within one moment does not
    matter: timestamps of audit events may have a resolution of one second."""
    return named_uuid(f"alert\n{correlation}\n{group}\n{at}\n{continues or ''}")
