"""`driftline record`: records the topics to a tape."""

from datetime import UTC, datetime
from pathlib import Path

import click

from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import load_settings


@click.command(name="record")
@click.argument("tape", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--from", "since", metavar="WHEN", help="Start: a duration before now (2h, 3d) or a time (RFC 3339).")  # fmt: skip
@click.option("--to", "until", metavar="WHEN", help="Only before then.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(tape: Path, since: str | None, until: str | None, force: bool) -> int:
    """Record the stream to TAPE. It has readings, changes, time and exceptions, for `replay` and `backtest`.

    Compressed if the name ends with .gz. Mode 0600, because configurations are sensitive. Exit 3: some records were invalid."""
    from rich.console import Console

    from driftline.pipeline.common.errors import UserError
    from driftline.pipeline.kafka import recording
    from driftline.pipeline.settings.times import in_order, moment

    settings, now = load_settings(), datetime.now(UTC)
    first, last = moment("--from", since, now), moment("--to", until, now)
    in_order(first, last)
    if tape.exists() and not force:
        raise UserError("already exists", fix="choose another name, or use --force", place=tape)
    if not tape.absolute().parent.is_dir():
        raise UserError("no such folder", place=tape)
    with Console(stderr=True).status("reading …") as status:
        count, bad = recording.record(
            settings.kafka,
            tape,
            first,
            last,
            lambda read: status.update(f"{number_of(read, 'record')} read"),
        )
    click.echo(
        f"{number_of(count, 'record')} in {tape}"
        + (f"; {bad} were invalid and are omitted" if bad else "")
    )
    return 3 if bad else 0
