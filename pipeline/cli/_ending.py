"""Common parts of commands that end findings: show what would end, ask for confirmation, tell the stream."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings

if TYPE_CHECKING:
    from driftline.pipeline.kafka.forgetting import Ends
    from driftline.pipeline.model import Gone


def show_ends(found: "Ends", form: str) -> None:
    """Prints what would end, by account, region and type, and the totals."""
    from driftline.pipeline.report.table import console, texts
    from driftline.pipeline.report.totals import ascii_json

    rows = found.rows()
    names = ("account", "region", "type", "resources", "findings", "open")
    if form == "json":
        click.echo(ascii_json(rows))
    elif rows:
        cells = (tuple(str(row[name]) for name in names) for row in rows)
        console(sys.stdout).print(texts(names, cells, whole=names))
    total = sum(row["resources"] for row in rows)
    click.echo(f"{number_of(total, 'resource')}, {number_of(sum(row['findings'] for row in rows), 'finding')} would end, {sum(row['open'] for row in rows)} of them open", err=True)  # fmt: skip


def confirm(question: str, refused: str, *, yes: bool) -> None:
    """Asks for confirmation, unless --yes is given. Raises Abort, and UserError if there is no terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(
            f"{refused}: cannot ask for confirmation here", fix="add --yes or --dry-run"
        )
    click.confirm(question, abort=True, err=True)


def tell(settings: Settings, gone: "Sequence[Gone]") -> None:
    """Tells the stream, and deletes the records of the sweeps concerned."""
    from driftline.collectors.base import covers
    from driftline.pipeline.kafka import forgetting
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import SWEEPS

    with explained(settings.kafka):
        keys = read_compacted(settings.kafka, SWEEPS.name)
    swept = [key for key in keys if any(covers(one, scope_of(key)) for one in gone)]
    forgetting.say(settings.kafka, gone, swept)


def scope_of(key: bytes) -> str:
    """The scope of a key of `sweeps`, for a header or a page."""
    name, mark, _ = key.decode(errors="replace").rpartition("#")
    return name if mark else key.decode(errors="replace")
