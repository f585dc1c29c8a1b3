"""Formats alerts as a table."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftline.pipeline.common.plural import number_of
from driftline.pipeline.report.query import LEAST
from driftline.pipeline.report.table import bare_table, severity_text, some
from driftline.pipeline.report.totals import plain

SHOWN = 3
"""Maximum number of story steps shown in a row."""
OVER = ("merged", "withdrawn")
"""States of an alert that is no longer valid."""


def standing(alerts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The alerts that were neither merged nor withdrawn because of late events."""
    return [one for one in alerts if one["state"] not in OVER]


def print_alerts(
    console: Console, alerts: Sequence[Mapping[str, Any]], still: Sequence[str]
) -> None:
    """Prints all valid alerts and their number. `still`: ids of those that were ongoing at the end of the records."""
    told = standing(alerts)
    if told:
        console.print(alerts_table(told, still))
        console.print()
    going = (
        f" ({len(still)} {'was' if len(still) == 1 else 'were'} ongoing at the end of the records)"
        if still
        else ""
    )
    console.print(f"{number_of(len(told), 'alert')}{going}", highlight=False)


def alerts_table(
    alerts: Sequence[Mapping[str, Any]], still: Sequence[str], *, ids: bool = False
) -> Table:
    """One row per alert: its sentence, which says who, from where, on what and in which account, and the events below.
    `ids`: include the first characters of its id."""
    table = bare_table()
    for name in ("from", "to"):
        table.add_column(name, width=10)
    table.add_column("severity", no_wrap=True)
    table.add_column("events", justify="right", no_wrap=True)
    table.add_column("alert", overflow="fold")
    for one in alerts:
        id = f" {one['id'][:LEAST]}" if ids else ""
        story = _story(one["story"])
        state = "going on" if one["id"] in still else one["state"]
        table.add_row(
            _time(one["begins"]), _time(one["last"]), severity_text(one["severity"]),
            f"{one['count']:,}", Text.assemble(
                plain(str(one.get("sentence") or one["title"])), (f" ({plain(state)}){id}", "dim"),
                f"\n{plain(story)}" if story else "",
            ),
        )  # fmt: skip
    return table


def _time(text: str) -> str:
    """The date, with the time on a second line."""
    return text[:19].replace("T", "\n")


def _story(story: Sequence[Mapping[str, Any]]) -> str:
    """The events in order; consecutive repetitions are counted."""
    words = (str(step.get("what") or step.get("rule") or "") for step in story)
    told = [(word, sum(1 for _ in same)) for word, same in groupby(words)]
    return some([word if times == 1 else f"{word} ({number_of(times, 'time')})" for word, times in told], SHOWN)  # fmt: skip
