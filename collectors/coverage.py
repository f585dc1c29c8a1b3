"""Coverage: what the sweeps report for each account, region and type, as rows and as metrics."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from driftline.pipeline.model import Sweep, rfc3339
from driftline.pipeline.ops import metrics
from driftline.pipeline.report.totals import ascii_json, plain

SOMEWHERE = "*"
DAY = 86_400.0
COLORS = {"complete": "green", "partial": "yellow", "denied": "red"}


@dataclass(frozen=True)
class CoverageRow:
    """One scope."""

    provider: str
    account: str
    region: str
    type: str
    status: str
    """Status of the last sweep."""
    resources: int
    swept_at: str
    age_seconds: float
    """Time since the last sweep, whatever its status."""
    complete_at: str | None
    """When the last complete sweep began; None if there was none."""
    complete_age_seconds: float | None
    reason: str | None
    unread: tuple[dict[str, str | int], ...]
    """Parts that were not read: part, reason, code, count."""

    @property
    def healthy(self) -> bool:
        """Read completely, and within a day."""
        return self.status == "complete" and self.age_seconds <= DAY


def rows(headers: Iterable[Sweep], now: datetime) -> list[CoverageRow]:
    """Returns the scopes by provider, account, type and region. A denial of a whole account ends when any part of it is read
    again."""
    headers = list(headers)
    newest: dict[tuple[str, str, str], datetime] = {}
    for header in headers:
        scope = header.scope
        if scope.region != SOMEWHERE:
            key = (scope.provider, scope.account, scope.type)
            newest[key] = max(header.started_at, newest.get(key, header.started_at))
    out = []
    for header in headers:
        scope = header.scope
        at = newest.get((scope.provider, scope.account, scope.type))
        if scope.region == SOMEWHERE and at is not None and at > header.started_at:
            continue
        out.append(_row(header, now))
    return sorted(out, key=lambda row: (row.provider, row.account, row.type, row.region))


def _row(header: Sweep, now: datetime) -> CoverageRow:
    whole = header.completed_at
    return CoverageRow(
        header.scope.provider, header.scope.account, header.scope.region, header.scope.type, header.status, header.count,
        rfc3339(header.started_at), _age(header.started_at, now), rfc3339(whole) if whole else None,
        _age(whole, now) if whole else None, header.reason,
        tuple(item.model_dump(include={"part", "reason", "code", "count"}) for item in header.unread),
    )  # fmt: skip


def _age(then: datetime, now: datetime) -> float:
    return round(max(0.0, (now - then).total_seconds()), 1)


def as_json(found: Sequence[CoverageRow]) -> str:
    """Returns a list of objects, one per scope."""
    return ascii_json([asdict(row) for row in found])


def table(found: Sequence[CoverageRow]) -> Table:
    """Formats the scopes for people; text from a cloud is shown as text only. The provider has a column where there are several."""
    out = Table(box=None, pad_edge=False, header_style="bold")
    several = len({row.provider for row in found}) > 1
    for name in (
        *(("provider",) if several else ()),
        "account",
        "region",
        "type",
        "last sweep",
        "age",
        "complete",
        "resources",
        "unread",
    ):
        out.add_column(
            name,
            overflow="fold",
            justify="right" if name in ("age", "complete", "resources") else "left",
        )
    for row in found:
        parts = ", ".join(
            f"{item['part']} {item['reason']} ({item['code']}) x{item['count']}"
            for item in row.unread
        )
        cells = [row.account, row.region, row.type, row.status, ago(row.age_seconds), ago(row.complete_age_seconds),
                 str(row.resources), parts or row.reason or ""]  # fmt: skip
        texts = [Text(plain(cell)) for cell in cells]
        texts[3].stylize(COLORS[row.status])
        if row.age_seconds > DAY:
            texts[4].stylize("red")
        out.add_row(*([Text(plain(row.provider))] if several else []), *texts)
    return out


def ago(seconds: float | None) -> str:
    """Formats an age in one unit."""
    if seconds is None:
        return "never"
    for size, unit in ((DAY, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


class Gauges:
    """The coverage as Prometheus metrics: feed it the records of `sweeps`, then call set() periodically.

    It reports what no collector can report about itself: that none has run for a long time."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._headers: dict[bytes, Sweep] = {}
        self._shown: set[tuple[str, str, str, str]] = set()
        self.bad = 0
        """Number of malformed records."""

    def record(self, key: bytes | None, value: bytes | None) -> None:
        """Applies one record of the topic; pages of uids are skipped, a deletion removes its scope."""
        if key is None or b"#" in key:
            return
        if value is None:
            self._headers.pop(key, None)
            return
        try:
            self._headers[key] = Sweep.model_validate_json(value)
        except ValidationError:
            self.bad += 1

    def set(self) -> None:
        """Updates the gauges; a scope that was never read completely has an infinite age."""
        found = rows(self._headers.values(), self._now())
        for row in found:
            labels = (row.provider, row.account, row.region, row.type)
            age = row.complete_age_seconds
            metrics.SWEEP_AGE.labels(*labels).set(math.inf if age is None else age)
            metrics.SWEEP_UNREAD.labels(*labels).set(int(row.status != "complete"))
        shown = {(row.provider, row.account, row.region, row.type) for row in found}
        gauges: tuple[Any, ...] = (metrics.SWEEP_AGE, metrics.SWEEP_UNREAD)
        for labels in self._shown - shown:
            for gauge in gauges:
                gauge.remove(*labels)
        self._shown = shown
