"""Formats a complete finding or alert."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from driftline.pipeline.common.plural import number_of
from driftline.pipeline.people.identity import who_as
from driftline.pipeline.report.table import COLORS, bare_table
from driftline.pipeline.report.totals import account, controls, owner, plain, sentence

Row = tuple[str, object]
STEP = (
    ("who", "by"), ("known", "who is"), ("as", "as"), ("from", "from"), ("with", "with"), ("resource", "on"),
    ("named", "named in the request:"),
    ("account_name", "in account"), ("account", "account"), ("region", "region"), ("failed", "failed:"),
)  # fmt: skip
"""Fields shown for a step of a story, with the words before them."""
VALUE = 400
"""Maximum number of characters shown of a value."""
WAYS = (("console", "In the console"), ("cli", "Command line"), ("terraform", "Terraform"))


def print_finding(console: Console, one: Mapping[str, Any]) -> None:
    """The sentence, then resource, rule, cause, evidence, and how to fix it."""
    rule, resource = one["rule"], one["resource"]
    _head(console, rule["severity"], one["status"], sentence(one))
    _rows(console, [
        ("Resource", f"{resource['name'] or resource['uid']} ({resource['type']})"),
        ("", resource["uid"]),
        ("Account", account(one)),
        ("Region", resource["region"]),
        ("Rule", f"{rule['id']}, version {rule['version']}"),
        ("", rule["title"]),
        ("Why", rule.get("why", "")),
        ("Verdict", f"{one['evaluation']} ({one['reason']})"),
        ("Cause", one.get("cause", "")),
        ("Risk", one["risk"]["score"]),
        *_times(one),
        ("Caused by", _actor(one)),
        ("Accepted", _exception(one.get("exception"))),
        ("Declared", " ".join(str(value) for value in (one.get("declared") or {}).values() if value)),
        ("Owner", owner(one)),
        *_listed("Evidence", [f"{item['path']} = {_value(item['value'])}" for item in one.get("evidence", ())]),
        ("Controls", ", ".join(controls(rule))),
        *_listed("Read more", [*one.get("links", ()), *rule.get("references", ())]),
        ("Id", one["id"]),
    ])  # fmt: skip
    for way, title in WAYS:
        if text := one["remediation"].get(way, "").strip():
            console.print(Text(f"\n{title}", style="bold"))
            console.print(Padding(_lines(text), (0, 0, 0, 2)))


def print_alert(console: Console, one: Mapping[str, Any]) -> None:
    """What happened, what to do, the actors and resources, and the story."""
    _head(console, one["severity"], one["state"], str(one.get("sentence") or one["title"]))
    _rows(console, [
        ("What", one.get("description", "")),
        ("First do", one.get("next", "")),
        ("From", one["begins"]),
        ("To", one["last"]),
        ("Told at", one["at"]),
        ("Events", f"{'at least ' if one.get('capped') else ''}{one['count']:,}"),
        *_listed("Group", [f"{name} = {value}" for name, value in one["group"].items()]),
        *_listed("Who", one["actors"]),
        *_listed("On", one["resources"]),
        ("Owner", owner(one)),
        *_listed("Calls", one.get("actions", ())),
        *_listed("Findings", one["findings"]),
        *_listed("Benign if", one["false_positives"]),
        ("Held back", "its rule had more alerts in that hour than its budget" if one.get("held_back") else ""),
        ("Merged into", one.get("merged_into") or ""),
        ("Continues", one.get("continues") or ""),
        ("Rule", one["rule"]),
        ("Id", one["id"]),
    ])  # fmt: skip
    if one["story"]:
        console.print(Text("\nStory", style="bold"))
        console.print(_story(one["story"]))


def _story(story: Iterable[Mapping[str, Any]]) -> Table:
    table = bare_table(heads=False)
    table.add_column("at", width=19)
    table.add_column("what", overflow="fold")
    for step in story:
        what = str(step.get("what") or step.get("rule") or "")
        more = [f"{word} {step[key]}" for key, word in STEP if step.get(key)]
        table.add_row(
            plain(str(step.get("at", ""))[:19]),
            Text.assemble(plain(what), *(("\n" + plain(text), "dim") for text in more)),
        )
    return table


def _head(console: Console, severity: str, status: str, text: str) -> None:
    console.print(
        Text.assemble(Text(severity, style=COLORS.get(severity, "")), f", {plain(status)}")
    )
    console.print(Text(f"{plain(text)}\n", style="bold"))


def _rows(console: Console, rows: Iterable[Row]) -> None:
    table = bare_table(heads=False)
    table.add_column("name", no_wrap=True, style="dim")
    table.add_column("value", overflow="fold")
    for name, value in rows:
        if value != "":
            table.add_row(name, Text(plain(value)))
    console.print(table)


def _listed(name: str, values: Iterable[object]) -> list[Row]:
    """One row per value, the first with the name."""
    return [(name if number == 0 else "", value) for number, value in enumerate(values)]


def _value(value: object) -> str:
    """JSON, shortened if it is long; --format json shows all of it."""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if len(text) <= VALUE else f"{text[:VALUE]}… ({len(text):,} characters)"


def _times(one: Mapping[str, Any]) -> list[Row]:
    names = (("first_seen", "First seen"), ("opened_at", "Opened"), ("resolved_at", "Resolved"), ("last_seen", "Last seen"), ("due_at", "Due"))  # fmt: skip
    rows: list[Row] = [(title, one.get(name) or "") for name, title in names]
    return [*rows, ("Reopened", number_of(one["reopened"], "time") if one["reopened"] else "")]


def _actor(one: Mapping[str, Any]) -> str:
    actor = one.get("actor")
    if not actor:
        return f"{one['attribution']} (drift {one['drift']})" if one.get("drift") else ""
    more = [f"{word} {actor[key]}" for key, word in (("source_ip", "from"), ("tool", "by")) if actor.get(key)]  # fmt: skip
    return ", ".join([who_as(actor), *more])


def _exception(one: Mapping[str, Any] | None) -> str:
    if not one:
        return ""
    names = (("reason", ""), ("approver", "by "), ("until", "until "))
    return ", ".join(f"{word}{one[key]}" for key, word in names if one.get(key))


def _lines(text: str) -> Text:
    return Text("\n").join(Text(plain(line)) for line in text.splitlines())
