"""`driftline replay`: folds a recorded tape, without Kafka and without a cloud."""

import sys
from pathlib import Path

import click
from rich.console import Console

from pipeline import report
from pipeline.model import SEVERITIES
from pipeline.settings import load_settings
from pipeline.shell import redactor, rulebook_and_options


@click.command(name="replay")
@click.argument("tape", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option("--rules", "paths", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--fail-on", type=click.Choice(SEVERITIES), default="low", show_default=True)
def command(tape: Path, form: str, paths: tuple[Path, ...], fail_on: str) -> int:
    """Fold TAPE and show every finding's last state."""
    from collectors.folder.read import entries
    from pipeline.fold import Fold

    settings = load_settings()
    rulebook, options = rulebook_and_options(settings, paths)
    fold = Fold(rulebook, options)
    problems: list[str] = []
    for entry in entries(tape, redactor(settings), problems.append):
        fold.feed(entry.topic, entry.value)
    problems = [report.plain(problem) for problem in problems]
    findings = list(fold.documents())
    dead = report.letters(fold.dead)
    more = {"dead": dead} | ({"problems": problems} if problems else {})
    if form == "json":
        click.echo(report.as_json(findings, [], more), nl=False)
    elif form == "csv":
        click.echo(report.as_csv(findings), nl=False)
    else:
        report.print_table(Console(), report.standing(findings), [])
    for problem in problems:
        click.echo(f"not read: {problem}", err=True)
    for letter in dead:
        click.echo(f"not processed: {report.plain(letter['reason'])}", err=True)
    sys.stdout.flush()
    return report.exit_code(report.standing(findings), [], fail_on, unread=bool(dead or problems))
