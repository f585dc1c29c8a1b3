"""`driftline doctor`: checks all parts and shows the next step."""

import sys
from typing import TYPE_CHECKING

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.common.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.pipeline.ops.checks import Line

COLORS = {"ok": "green", "warn": "yellow", "fail": "bold red", "unknown": "magenta"}


class Area(click.Choice[str]):
    """The areas, loaded on demand, because sinks of other packages may add some."""

    def __init__(self) -> None:
        super().__init__(())

    @property
    def choices(self) -> tuple[str, ...]:
        from driftline.pipeline.tasks.doctor import areas

        return areas()

    @choices.setter
    def choices(self, _: object) -> None: ...


@click.command(name="doctor")
@formats()
@click.option(
    "--only",
    multiple=True,
    type=Area(),
    help="Only this area; may be repeated. (A worker does not need aws.)",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.5, 300),
    default=10.0,
    show_default=True,
    help="Time limit of each check in seconds.",
)
def command(form: str, only: tuple[str, ...], timeout: float) -> int:
    """Check that everything works. Settings, Kafka, topics, sinks and their destinations, credentials and permissions of the clouds: what, state, next step.

    Reads only. Exit 0: all is well; 1: something is to be looked at, or could not be asked; 2: something fails."""
    from driftline.pipeline.ops.checks import examine, exit_code, folded, named, worst
    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import ascii_json
    from driftline.pipeline.settings.blocks import Settings, load_settings
    from driftline.pipeline.tasks.doctor import areas_in_use, checks

    try:
        settings = load_settings()
        wanted = only or areas_in_use(settings)
        by_area = checks(settings, timeout)
        lines = examine([check for area in wanted for check in by_area[area]], timeout)
    except UserError as error:
        wanted = only or areas_in_use(Settings())
        others = [check for area, some in checks(Settings(), timeout).items()
                  if area in wanted and area != "settings" for check in some]  # fmt: skip
        lines = list(named(others, error.problems))
    if form == "json":
        rows = [{"what": x.what, "state": x.state, "detail": x.detail, "next": x.next} for x in lines]  # fmt: skip
        click.echo(ascii_json({"state": worst(lines), "checks": rows}))
    else:
        console(sys.stdout).print(_table(folded(lines)))
    return exit_code(lines)


def _table(lines: "list[Line]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from driftline.pipeline.report.totals import plain

    out = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("what", "state", "detail", "next step"):
        out.add_column(name, overflow="fold")
    for line in lines:
        texts = [Text(plain(text)) for text in (line.what, line.state, line.detail, line.next)]
        texts[1].stylize(COLORS[line.state])
        out.add_row(*texts)
    return out
