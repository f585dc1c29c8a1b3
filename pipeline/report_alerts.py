"""Alerts as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.report import texts

SHOWN = 3
"""Steps of a story that a line has room for."""
OVER = ("merged", "withdrawn")
"""States of an alert that stands no more."""


def standing(alerts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that late events have neither joined to others nor taken the ground from."""
    return [one for one in alerts if one["state"] not in OVER]


def print_alerts(
    console: Console, alerts: Sequence[Mapping[str, Any]], still: Sequence[str]
) -> None:
    """Every alert that stands, and how many they are. `still`: ids of those that were going on when the past ended."""
    told = standing(alerts)
    if told:
        console.print(_table(told, still))
        console.print()
    going = f" ({len(still)} were going on when the records ended)" if still else ""
    console.print(f"{len(told)} alerts{going}", highlight=False)


def _table(alerts: Sequence[Mapping[str, Any]], still: Sequence[str]) -> Table:
    """One line an alert, by time."""
    heads = ("from", "to", "severity", "events", "state", "alert", "group", "what happened")
    rows = (
        [one["begins"][:19], one["last"][:19], one["severity"], one["count"],
         "going on" if one["id"] in still else one["state"], one["title"], _group(one["group"]), _story(one["story"])]
        for one in alerts
    )  # fmt: skip
    return texts(heads, rows, right=["events"], whole=["from", "to", "severity", "state"])


def _group(group: Mapping[str, str]) -> str:
    return ", ".join(f"{name.removeprefix('driftline.')}={value}" for name, value in group.items())


def _story(story: Sequence[Mapping[str, Any]]) -> str:
    steps = [str(step.get("what") or step.get("rule") or "") for step in story]
    more = [f"and {len(steps) - SHOWN} more"] if len(steps) > SHOWN else []
    return ", ".join([*steps[:SHOWN], *more])
