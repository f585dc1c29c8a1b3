"""`driftline route`: which sinks a finding, an alert or a drift goes to."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands, formats
from driftline.pipeline.common.exit_codes import EXIT_UNREAD
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS
from driftline.pipeline.settings.blocks import Kafka, load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.sinks.route_answers import RouteAnswer


@click.group(name="route", cls=Commands)
def command() -> None:
    """Show which sinks findings, alerts and drifts go to."""


@command.command()
@click.argument("id")
@formats()
def explain(id: str, form: str) -> int:
    """Show which sinks a finding, an alert or a drift goes to, and why. As Kafka holds it and the settings here name the sinks. ID may be its first eight characters. Exit 3: there is none, or no sink."""
    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import ascii_json
    from driftline.sinks.configured import configured
    from driftline.sinks.route_answers import routes

    settings = load_settings()
    topic, document = _found(settings.kafka, id)
    if document is None:
        return EXIT_UNREAD
    answers = list(routes(configured(settings), topic, document))
    if form == "json":
        rows = [asdict(one) for one in answers]
        click.echo(ascii_json({"id": document["id"], "topic": topic, "sinks": rows}))
    elif answers:
        console(sys.stdout).print(_table(answers))
    else:
        click.echo("the settings name no sink (write one under sinks)", err=True)
    return 0 if answers else EXIT_UNREAD


def _found(kafka: Kafka, id: str) -> tuple[str, dict[str, Any] | None]:
    """The finding, else the alert, else the drift, of that id, with its topic; None is told."""
    from driftline.pipeline.kafka import stored_documents
    from driftline.pipeline.tasks.lookup import one

    def named(document: Mapping[str, Any]) -> bool:
        return str(document["id"]).startswith(id)

    if found := stored_documents.findings(kafka, named):
        return FINDINGS.own, one("finding", id, found)
    if found := stored_documents.alerts(kafka, named):
        return ALERTS.own, one("alert", id, found)
    return DRIFT.own, one("finding, alert or drift", id, stored_documents.drifts(kafka, named))


def _table(answers: "list[RouteAnswer]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from driftline.pipeline.report.totals import plain

    out = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("sink", "kind", "given", "why"):
        out.add_column(name, overflow="fold")
    for answer in answers:
        given = Text("yes", style="green") if answer.given else Text("no", style="yellow")
        out.add_row(Text(answer.sink), Text(answer.kind), given, Text(plain(answer.why)))
        for part in answer.parts if len(answer.parts) > 1 else ():
            mark = {True: "holds", False: "does not hold", None: "no answer"}[part.holds]
            out.add_row("", "", "", Text(plain(f"{mark}: {part.text}"), style="dim"))
    return out
