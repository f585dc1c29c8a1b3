"""`driftline replay`: processes recorded data without Kafka or a cloud."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.cli._providers import EVENTS, event_files
from driftline.pipeline.common import exit_codes
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.model import SEVERITIES
from driftline.pipeline.offline.content import accepted, redactor, rulebook_and_options, watch
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.report import alerts as report_alerts
from driftline.pipeline.report import totals
from driftline.pipeline.report.findings import print_report
from driftline.pipeline.report.table import console
from driftline.pipeline.settings.blocks import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.collectors.folder.past import EventFiles

PATH = click.Path(exists=True, path_type=Path)


@click.command(name="replay")
@click.argument("tape", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--tape", "tapes", multiple=True, type=PATH, help="A tape, or a folder of them; may be repeated.")  # fmt: skip
@click.option("--cloudtrail", "logs", multiple=True, type=PATH, help="CloudTrail log files, or folders of them; may be repeated.")  # fmt: skip
@EVENTS
@click.option("--snapshots", "snapshots", multiple=True, type=PATH, help="AWS Config files or tapes; may be repeated.")  # fmt: skip
@click.option("--detections", "content", multiple=True, type=PATH, help="Sigma rules and correlations, in addition to those of the settings; may be repeated.")  # fmt: skip
@click.option("--builtin/--no-builtin", "builtin", default=None, help="Whether to include the built-in detections [default: detections.builtin of the settings].")  # fmt: skip
@formats("csv")
@click.option("--rules", "paths", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--exceptions", "accepting", multiple=True, type=PATH, help="Folder of exceptions; may be repeated. Those of the settings are not used.")  # fmt: skip
@click.option("--fail-on", type=click.Choice(SEVERITIES), default="low", show_default=True)
def command(
    tape: Path | None, tapes: tuple[Path, ...], logs: tuple[Path, ...], events: "Sequence[EventFiles]", snapshots: tuple[Path, ...], form: str,
    paths: tuple[Path, ...], content: tuple[Path, ...], builtin: bool | None, accepting: tuple[Path, ...], fail_on: str,
) -> int:  # fmt: skip
    """Evaluate recorded data again.

    Replays TAPE as recorded, or all files that the options name, in the order of their times: however they are split,
    ordered or duplicated. Shows the last state of every finding and every alert; as JSON, also every drift with its actor.

    At the end, time advances until every alert has ended; those ongoing at the end of the records are marked."""
    if (tape is None) == (not (tapes or logs or events or snapshots)):
        raise UserError(
            "one TAPE, or --tape, --events, --cloudtrail, --snapshots",
            fix="use one or the other",
            place="replay",
        )
    settings = load_settings()
    rulebook, options = rulebook_and_options(settings, paths)
    settings.exceptions.paths = []
    options = replace(options, exceptions=accepted(settings, rulebook, accepting))
    looking = watch(settings, content, builtin=builtin)
    fold = Fold(rulebook, options, watch=looking, lateness=int(settings.correlate.lateness * 1e6))
    problems: list[str] = []
    last, looked = 0, False
    if tape is not None:
        from driftline.collectors.folder.read import entries
        from driftline.pipeline.model import to_micros

        for entry in entries(tape, redactor(settings), problems.append):
            fold.feed(entry.topic, entry.value, to_micros(entry.at))
            looked = True
    else:
        from driftline.collectors.folder.past import past

        found = past(
            tapes, event_files(logs, events), snapshots, redactor(settings), looking.wants_of
        )
        problems, last, looked = found.problems, found.last, bool(found.records or found.events)
        fold.take(found, ticks=found.ticks)
    code = _told(fold, fold.end(last), problems, form, fail_on)
    if not looked:
        click.echo("nothing was evaluated: the files contain no records", err=True)
    return code if looked else exit_codes.EXIT_UNREAD


def _told(fold: Fold, still: list[str], problems: list[str], form: str, fail_on: str) -> int:
    problems = [totals.plain(problem) for problem in problems]
    findings = list(fold.documents())
    dead = totals.letters(fold.dead)
    drifts, alerts = fold.told_drifts(), fold.told_alerts()
    waiting = sorted(one["id"] for one in drifts if one["attribution"] == "pending")
    if form == "json":
        more = {"dead": dead, "problems": problems, "drift": drifts, "alerts": alerts,
                "open_at_end": {"alerts": still, "drift": waiting}}  # fmt: skip
        click.echo(totals.as_json(findings, [], more), nl=False)
    elif form == "csv":
        click.echo(totals.as_csv(findings), nl=False)
    else:
        _tables(findings, alerts, still)
    for problem in problems:
        click.echo(f"not read: {problem}", err=True)
    for letter in dead:
        click.echo(f"not processed: {totals.plain(letter['reason'])}", err=True)
    if waiting:
        click.echo(
            f"{number_of(len(waiting), 'drift')} still waited for a cause at the end of the records",
            err=True,
        )
    sys.stdout.flush()
    return totals.exit_code(totals.standing(findings), [], fail_on, unread=bool(dead or problems))


def _tables(findings: list[dict[str, Any]], alerts: list[dict[str, Any]], still: list[str]) -> None:
    out = console(sys.stdout)
    if findings:  # events alone contain no readings to summarize
        print_report(out, totals.standing(findings), [])
        out.print()
    report_alerts.print_alerts(out, alerts, still)
