"""The sentence of an alert: what, by whom, from where, with which tool, on what, in which account. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from driftline.pipeline.common.plural import number_of
from driftline.pipeline.rulebook.wording.phrases import LONGEST, clean, format_list

UNKNOWN = "unknown"
"""An unknown tool."""
NAMED = " (named in the request)"
"""After names of resources whose uid is not known."""
OVER = {"merged": "merged into another alert", "withdrawn": "withdrawn, its events no longer match"}
WIDTHS = ((80, 3), (48, 2), (32, 1))
"""Limits for the length of names and lists, decreasing until the sentence fits."""


def sentence(alert: Mapping[str, Any]) -> str:
    """At most 300 characters on one line; unknown facts are omitted."""
    title = clean(str(alert["title"]))
    if alert["state"] in OVER:
        return f"{title}: {OVER[alert['state']]}"[:LONGEST]
    text = title
    for width, items in WIDTHS:
        text = ", ".join([title, *_parts(alert, width, items)])
        if len(text) <= LONGEST:
            return text
    return text[: LONGEST - 1] + "…"


def _parts(alert: Mapping[str, Any], width: int, items: int) -> Iterable[str]:
    story: Sequence[Mapping[str, Any]] = alert["story"]
    accounts = [_account(step) for step in story if step.get("account")]
    for word, names, more in (
        ("by", alert["actors"], _as(alert, width)),
        ("from", [step.get("from") for step in story], ""),
        ("with", [tool for step in story if (tool := step.get("with")) != UNKNOWN], ""),
        ("on", alert["resources"], _others(story)),
        ("on", [step.get("named") for step in story], NAMED),
        ("in account", accounts or [alert["group"].get("driftline.account")], ""),
    ):
        if words := format_list([name for name in names if name], width, items):
            yield f"{word} {words}{more}"
    least = "at least " if alert.get("capped") else ""
    yield least + number_of(alert["count"], "event")
    if alert.get("held_back"):
        yield "held back by the alert budget of its rule"


def _as(alert: Mapping[str, Any], width: int) -> str:
    """For an actor: the role used, and how the person is known."""
    if len(alert["actors"]) != 1:
        return ""
    by = [step for step in alert["story"] if step.get("who")]
    said = [f"as {format_list(step['as'], width)}" for step in by if step.get("as")][:1]
    said += [str(step["known"]) for step in by if step.get("known")][:1]
    return f" ({', '.join(said)})" if said else ""


def _others(story: Sequence[Mapping[str, Any]]) -> str:
    """Notes that a call named more resources than the story shows."""
    most = max((step.get("others", 0) for step in story), default=0)
    return f" (and {most} more in one call)" if most else ""


def _account(step: Mapping[str, Any]) -> str:
    name = step.get("account_name")
    return f"{name} ({step['account']})" if name else str(step["account"])
