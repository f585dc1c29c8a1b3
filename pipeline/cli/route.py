"""`driftline route`: which sinks a finding, an alert or a drift goes to, and how much each would have got of the past."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands, formats
from driftline.pipeline.cli._providers import event_files
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.exit_codes import EXIT_UNREAD
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS
from driftline.pipeline.settings.blocks import Kafka, load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.sinks.route_answers import RouteAnswer
    from driftline.sinks.route_backtest import GivenCount


@click.group(name="route", cls=Commands)
def command() -> None:
    """Show which sinks findings, alerts and drifts go to."""


@command.command()
@click.argument("id")
@formats()
def explain(id: str, form: str) -> int:
    """Show where a finding, an alert or a drift goes, and why. As Kafka holds it and the settings here name the sinks. ID may be its first eight characters. Exit 3: there is none, or no sink."""
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
        click.echo("the settings contain no sink (write one under sinks)", err=True)
    return 0 if answers else EXIT_UNREAD


@command.command()
@click.option("--tape", "tapes", multiple=True, required=True, metavar="PATH", type=click.Path(exists=True, path_type=Path), help="A tape, AWS Config files, or folders of them; may be repeated.")  # fmt: skip
@click.option("--cloudtrail", "logs", multiple=True, metavar="PATH", type=click.Path(exists=True, path_type=Path), help="CloudTrail's log files, or folders of them; may be repeated.")  # fmt: skip
@formats()
def backtest(tapes: tuple[Path, ...], logs: tuple[Path, ...], form: str) -> int:
    """Show how much each sink would have got of a recorded past. By day and by owner; with the sinks, rules and detections of the settings; exceptions stay out of the past.

    `repeated` are findings that only say again what stands: sinks that can only append are not given them. Exit 3: a file could not be read, or nothing was recorded."""
    from driftline.collectors.folder.past import past
    from driftline.pipeline.offline.content import redactor, rulebook_and_options, watch
    from driftline.pipeline.offline.fold import Fold
    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import ascii_json, letters, plain
    from driftline.sinks.configured import configured
    from driftline.sinks.route_backtest import RouteTally

    settings = load_settings()
    sinks = configured(settings)
    if not sinks:
        raise UserError("the settings name no sink", fix="write one under sinks")
    tally, looking = RouteTally(sinks), watch(settings)
    fold = Fold(*rulebook_and_options(settings), watch=looking, lateness=int(settings.correlate.lateness * 1e6), told=tally.add)  # fmt: skip
    found = past(tapes, event_files(logs, ()), (), redactor(settings), looking.wants_of)
    fold.take(found, ticks=found.ticks)
    fold.end(found.last)
    problems = [*found.problems, *(str(one["reason"]) for one in letters(fold.dead))]
    for problem in problems:
        click.echo(f"not read: {plain(problem)}", err=True)
    given = list(tally.given())
    if form == "json":
        names = [one.name for one in sinks]
        click.echo(ascii_json({"sinks": names, "given": [one._asdict() for one in given], "problems": [*map(plain, problems)]}))  # fmt: skip
    else:
        out = console(sys.stdout)
        for by in ("day", "owner"):
            out.print(_sums(given, by))
            out.print()
    click.echo(f"{number_of(tally.documents, 'document')} of the past, {number_of(len(sinks), 'sink')}", err=True)  # fmt: skip
    return EXIT_UNREAD if problems or not tally.documents else 0


def _sums(given: "list[GivenCount]", by: str) -> "Table":
    """One table: each sink, and what it would have been given of each day, or owner."""
    from driftline.pipeline.report.table import texts
    from driftline.sinks.route_backtest import COUNTED, summed

    rows = ([sink, value or "nobody", *(counts[one] for one in COUNTED)] for sink, value, counts in summed(given, by))  # fmt: skip
    return texts(["sink", by, *COUNTED], rows, right=COUNTED)


def _found(kafka: Kafka, id: str) -> tuple[str, dict[str, Any] | None]:
    """The finding, alert or drift with that id, and its topic; prints an error and returns None if there is none."""
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
