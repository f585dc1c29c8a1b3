"""`driftline accounts`: lists monitored accounts, and removes accounts and organizations."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from driftline.pipeline.cli._ending import confirm, show_ends, tell
from driftline.pipeline.cli._options import Commands, formats
from driftline.pipeline.common.errors import Problem, UserError, exclusive
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from driftline.pipeline.report.watched import Watched


@click.group(name="accounts", cls=Commands)
def command() -> None:
    """List monitored accounts, and remove accounts."""


@command.command(name="list")
@formats()
def list_(form: str) -> int:
    """List accounts that were read or have findings. Exit 3: there are none."""
    from driftline.pipeline.report.table import console, texts
    from driftline.pipeline.report.totals import ascii_json

    rows = [one.row() for one in _watched(load_settings())]
    names = ("account", "name", "provider", "organization", "open", "last_read")
    if form == "json":
        click.echo(ascii_json(rows))
    elif rows:
        cells = (tuple(str(row[name])[:19] if name == "last_read" else str(row[name]) for name in names) for row in rows)  # fmt: skip
        console(sys.stdout).print(texts(names, cells, whole=("account",)))
    if not rows:
        click.echo("nothing was ever read (run: driftline collect aws)", err=True)
    return 0 if rows else 3


@command.command()
@click.argument("ids", nargs=-1, metavar="ID…")
@click.option("--organization", metavar="ID", help="Every account of an organization or tenant.")
@click.option("--dry-run", is_flag=True, help="Only show what would end.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@formats()
def remove(
    ids: tuple[str, ...], organization: str | None, form: str, *, dry_run: bool, yes: bool
) -> None:
    """End the findings of removed accounts. They end with the reason `account_gone`.

    Remove the accounts from the collectors' settings first, and send SIGHUP to `collect`: accounts that are read later are tracked again."""
    from driftline.pipeline.kafka import forgetting
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import FINDINGS

    exclusive({"--dry-run": dry_run, "--yes": yes})
    settings = load_settings()
    chosen = _chosen(_watched(settings), ids, organization)
    _still_read(settings, chosen)
    wanted = forgetting.WantedAccounts(frozenset((one.provider, one.account) for one in chosen))
    with explained(settings.kafka):
        found = forgetting.ends(read_compacted(settings.kafka, FINDINGS.name).values(), wanted)
    show_ends(found, form)
    for one in chosen:
        if one.last_read:
            click.echo(f"{one.account} was last read at {one.last_read[:19]}Z; if it is read again, it is tracked again", err=True)  # fmt: skip
    if dry_run:
        return
    confirm(f"end {number_of(len(chosen), 'account')}?", "nothing was removed", yes=yes)
    tell(settings, wanted.words(datetime.now(UTC)))
    click.echo("sent to the stream; the findings end as `account_gone` within minutes, while the clock runs", err=True)  # fmt: skip


def _still_read(settings: Settings, chosen: "Iterable[Watched]") -> None:
    """Raises UserError for accounts that the settings name."""
    from driftline.collectors import installed

    problems = []
    for one in chosen:
        if one.provider in installed.providers() and one.account in getattr(
            settings.collector(one.provider), "accounts", ()
        ):
            fix = "remove it from the settings, and send SIGHUP to collect"
            problems.append(Problem(f"{one.account} would be read again", fix, f"{one.provider}.accounts"))  # fmt: skip
    if problems:
        raise UserError(*problems)


def _watched(settings: Settings) -> "list[Watched]":
    from driftline.collectors.base import known_from
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import FINDINGS, SWEEPS
    from driftline.pipeline.report.watched import watched

    with explained(settings.kafka):
        _, headers, _ = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
        findings = read_compacted(settings.kafka, FINDINGS.name).values()
    return watched(headers.values(), findings)


def _chosen(
    known: "Iterable[Watched]", ids: tuple[str, ...], organization: str | None
) -> "list[Watched]":
    """The selected accounts. Raises UserError for an unknown account, such as a misspelt id."""
    if not ids and organization is None:
        raise UserError("nothing selected", fix="write the ids of accounts, or --organization ID")
    known = list(known)
    names = {one.account for one in known}
    see = "driftline accounts list"
    problems = [Problem("nothing is known of this account", place=id, see=see) for id in ids if id not in names]  # fmt: skip
    if organization is not None and not (
        organization and any(one.organization == organization for one in known)
    ):
        problems.append(Problem("no known account belongs to it", place=f"--organization {organization}", see=see))  # fmt: skip
    if problems:
        raise UserError(*problems)
    wanted = organization or None
    return [one for one in known if one.account in ids or (wanted and one.organization == wanted)]
