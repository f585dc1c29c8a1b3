"""`driftline forget`: an account, or a resource, is out of what is watched."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.common.errors import UserError, exclusive
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.providers.installed import names
from driftline.pipeline.settings.blocks import load_settings

if TYPE_CHECKING:
    from driftline.pipeline.kafka.forgetting import Ends


@click.command(name="forget")
@click.option("--account", metavar="ID", help="Everything of an account (subscription, project).")
@click.option("--uid", help="One resource, as findings name it.")
@click.option("--region", help="Of the account only this region (`global` for what has none).")
@click.option("--type", "type_", metavar="TYPE", help="Of the account only this type.")
@click.option("--provider", type=click.Choice(names()), default="aws", show_default=True, help="Whose account it is, where no finding tells.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would end.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@formats()
def command(
    account: str | None, uid: str | None, region: str | None, type_: str | None, provider: str, form: str, *, dry_run: bool,
    yes: bool,
) -> None:  # fmt: skip
    """End findings of what is read no more. Of an account or a resource, with the reason `forgotten`.

    What is read later is there again: stop its sweeps first."""
    from driftline.collectors.base import covers
    from driftline.pipeline.kafka import forgetting
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import FINDINGS, SWEEPS

    exclusive({"--dry-run": dry_run, "--yes": yes})
    if (account is None) == (uid is None) and not (account and uid):
        raise UserError("nothing selected", fix="use --account ID or --uid UID")
    given = {"--account": account, "--uid": uid, "--region": region, "--type": type_}
    if wrong := [name for name, value in given.items() if value is not None and not value.strip()]:
        raise UserError("is empty", fix="write it, or leave the option out", place=wrong[0])
    if wrong := [name for name, value in given.items() if name != "--uid" and "*" in (value or "")]:
        raise UserError(
            "holds a *", fix="write it in full: patterns are not supported here", place=wrong[0]
        )
    if uid and (region or type_):
        raise UserError("--region and --type go with --account: --uid names one resource")
    settings, wanted = load_settings(), forgetting.Wanted(account, uid, region, type_)
    with explained(settings.kafka):
        found = forgetting.ends(read_compacted(settings.kafka, FINDINGS.name).values(), wanted)
    gone = forgetting.words(found, wanted, provider, datetime.now(UTC))
    if not gone:
        raise UserError(
            f"no finding names {uid}",
            fix="write it as in a finding's resource.uid if it has no findings, add --account",
        )
    _show(found, form)
    if not found.resources:
        click.echo("no findings match (driftline coverage shows accounts, regions and types)", err=True)  # fmt: skip
    if dry_run:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(
                "nothing was forgotten: cannot ask for confirmation here",
                fix="add --yes or --dry-run",
            )
        click.confirm("forget all this?", abort=True, err=True)
    with explained(settings.kafka):
        keys = read_compacted(settings.kafka, SWEEPS.name)
    swept = [key for key in keys if any(covers(one, _scope(key)) for one in gone)]
    forgetting.say(settings.kafka, gone, swept)
    click.echo("sent to the stream; the findings end as `forgotten` within minutes, while the clock runs", err=True)  # fmt: skip


def _scope(key: bytes) -> str:
    """The scope of a key of `sweeps`: the header's own, or that of a page."""
    name, mark, _ = key.decode(errors="replace").rpartition("#")
    return name if mark else key.decode(errors="replace")


def _show(found: "Ends", form: str) -> None:
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
