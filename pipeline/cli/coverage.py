"""`driftline coverage`: what was read of every account, region and type, when, and what was not."""

from datetime import UTC, datetime

import click

from pipeline.settings import load_settings


@click.command(name="coverage")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option("--account", help="Only this account.")
@click.option(
    "--lacking", is_flag=True, help="Only what the last sweep did not read whole, or not lately."
)
def command(form: str, account: str | None, lacking: bool) -> int:
    """Last complete sweep of every account, region and type, its age, and what was unread and why.

    Exit 3 where a last sweep was not complete or is older than a day."""
    from rich.console import Console

    from collectors.base import known_from
    from collectors.coverage import as_json, rows, table
    from pipeline.kafka import explained, read_compacted
    from pipeline.report import plain
    from pipeline.topics import SWEEPS

    settings = load_settings()
    with explained(settings.kafka):
        _, headers, problems = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
    for problem in problems:
        click.echo(f"passed over: {plain(problem)}", err=True)
    found = [
        row for row in rows(headers.values(), datetime.now(UTC)) if account in (None, row.account)
    ]
    shown = [row for row in found if not (lacking and row.healthy)]
    if form == "json":
        click.echo(as_json(shown))
    else:
        Console().print(table(shown))
    return 0 if all(row.healthy for row in found) else 3
