"""What the sweeps say about each account, region and type. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson
from rich.table import Table
from rich.text import Text

from pipeline.model import Sweep, rfc3339
from pipeline.report import plain

SOMEWHERE = "*"
DAY = 86_400.0
COLORS = {"complete": "green", "partial": "yellow", "denied": "red"}


@dataclass(frozen=True)
class Row:
    """One scope."""

    account: str
    region: str
    type: str
    status: str
    """Of the last sweep."""
    resources: int
    swept_at: str
    age_seconds: float
    """Since the last sweep, of whatever status."""
    complete_at: str | None
    """When the last complete sweep began; None where there was none."""
    complete_age_seconds: float | None
    reason: str | None
    unread: tuple[dict[str, str | int], ...]
    """Parts that were not read: part, reason, code, count."""

    @property
    def healthy(self) -> bool:
        """Read whole, and within a day."""
        return self.status == "complete" and self.age_seconds <= DAY


def rows(headers: Iterable[Sweep], now: datetime) -> list[Row]:
    """The scopes, by account, type and region. A denial of a whole account ends when any of it was read again."""
    headers = list(headers)
    newest: dict[tuple[str, str], datetime] = {}
    for header in headers:
        scope = header.scope
        if scope.region != SOMEWHERE:
            key = (scope.account, scope.type)
            newest[key] = max(header.started_at, newest.get(key, header.started_at))
    out = []
    for header in headers:
        scope, at = header.scope, newest.get((header.scope.account, header.scope.type))
        if scope.region == SOMEWHERE and at is not None and at > header.started_at:
            continue
        out.append(_row(header, now))
    return sorted(out, key=lambda row: (row.account, row.type, row.region))


def _row(header: Sweep, now: datetime) -> Row:
    whole = header.completed_at
    return Row(
        header.scope.account, header.scope.region, header.scope.type, header.status, header.count,
        rfc3339(header.started_at), _age(header.started_at, now), rfc3339(whole) if whole else None,
        _age(whole, now) if whole else None, header.reason,
        tuple(item.model_dump(include={"part", "reason", "code", "count"}) for item in header.unread),
    )  # fmt: skip


def _age(then: datetime, now: datetime) -> float:
    return round(max(0.0, (now - then).total_seconds()), 1)


def as_json(found: Sequence[Row]) -> str:
    """A list of objects, one a scope."""
    return orjson.dumps([asdict(row) for row in found], option=orjson.OPT_INDENT_2).decode()


def table(found: Sequence[Row]) -> Table:
    """The scopes for people; what a cloud wrote is shown as text only."""
    out = Table(box=None, pad_edge=False, header_style="bold")
    for name in (
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
        out.add_row(*texts)
    return out


def ago(seconds: float | None) -> str:
    """A time since, in one unit."""
    if seconds is None:
        return "never"
    for size, unit in ((DAY, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
