"""`driftline owners`: finds resources without owner and owners that no longer exist, and explains the owner of a resource."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands, formats, store
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.exit_codes import EXIT_UNREAD
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from driftline.pipeline.report.owners import OwnerCheck

MOST = 1_000_000
"""Maximum number of findings queried from a destination."""
MOST_REPORT = 1_000_000_000
report = click.option(
    "--report", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of a store: a report of scan, replay or findings list with --format json.",
)  # fmt: skip


@click.group(name="owners", cls=Commands)
def command() -> None:
    """Check and explain the owners of resources."""


@command.command()
@click.option("--at-most", type=click.FloatRange(0, 100), default=0.0, show_default=True, metavar="PERCENT", help="Allowed share of resources without owner.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of accounts and types to show.")  # fmt: skip
@report
@store
@formats()
def check(at_most: float, limit: int, report: Path | None, store: str | None, form: str) -> int:
    """Find resources without owner. Also reports owners that `owners.known` no longer contains.

    Exit 1: more than --at-most have none, or an owner no longer exists. Exit 3: too many owners are unknown, because tags were not
    read or contradict each other; or there are no resources."""
    from driftline.pipeline.report.owners import checked
    from driftline.pipeline.report.totals import ascii_json
    from driftline.pipeline.settings.owner_files import known_owners

    settings = load_settings()
    known = known_owners(settings.owners)
    found = checked(_findings(settings, report, store), known)
    code = found.exit_code(at_most)
    if form == "json":
        click.echo(ascii_json(found.as_json()))
    else:
        _print(found, limit)
    if known is None:
        click.echo("whether owners still exist was not checked (list them in owners.known)", err=True)  # fmt: skip
    return code


@command.command()
@click.argument("uid")
@report
@store
@formats()
def explain(uid: str, report: Path | None, store: str | None, form: str) -> int:
    """Explain the owner of a resource. Shows the result of each source, in order. Exit 3: it has no finding."""
    from driftline.pipeline.assess.ownership.sources import UNDECIDED, Facts
    from driftline.pipeline.report.table import console, texts
    from driftline.pipeline.report.totals import ascii_json, owner, plain
    from driftline.pipeline.settings.owner_files import owners_of

    settings = load_settings()
    sources = owners_of(settings.owners)
    found = _findings(settings, report, store, uid)
    one = max((one for one in found if one["resource"]["uid"] == uid), key=lambda one: one["last_seen"], default=None)  # fmt: skip
    if one is None:
        click.echo(f"there is no finding of {plain(uid)} (write the uid as findings show it)", err=True)  # fmt: skip
        return EXIT_UNREAD
    read = (one.get("owner") or {}).get("found_by") != "unread"
    facts = Facts(one["resource"], read, (one.get("declared") or {}).get("workspace", ""))
    said = [(source, answer) for source, answer in sources.explained(facts)]
    stored = one.get("owner")
    if form == "json":
        rows = [{"source": source, "owner": answer and answer.id, "found_by": answer and answer.found_by} for source, answer in said]  # fmt: skip
        click.echo(ascii_json({"resource": uid, "owner": stored, "sources": rows}))
        return 0
    click.echo(f"{plain(uid)}: {plain(owner(one)) or 'no owner'}")
    words = {mark: f"not known ({mark})" for mark in UNDECIDED}
    told = ((source, (answer.id or words[answer.found_by]) if answer else "says nothing") for source, answer in said)  # fmt: skip
    console(sys.stdout).print(texts(("source", "owner"), told))
    if {"group", "account", "folder"} & {*sources.sources}:
        click.echo("tags of resource groups, accounts and folders are not part of a finding: they are not shown", err=True)  # fmt: skip
    return 0


def _findings(
    settings: Settings, report: Path | None, store: str | None, resource: str = ""
) -> list[dict[str, Any]]:
    """All current findings (of a resource). Raises UserError."""
    from driftline.pipeline.kafka import stored_documents as stored
    from driftline.pipeline.report.query import WantedFindings
    from driftline.pipeline.tasks.lookup import looked_up

    if report is not None:
        if store is not None:
            raise UserError("--report and --store exclude each other", fix="leave one out")
        return _reported(report)
    wanted = WantedFindings(resource=resource)
    return looked_up(
        settings, store, lambda at: _all(at, wanted), lambda: stored.findings(settings.kafka, wanted.takes)
    )  # fmt: skip


async def _all(at: Any, wanted: Any) -> list[dict[str, Any]]:
    found = await at.module.findings(at.at.settings, wanted, MOST)
    documents: list[dict[str, Any]] = found.documents
    if found.total > len(documents):
        raise UserError(f"more than {MOST:,} findings", fix="use --store kafka")
    return documents


def _reported(path: Path) -> list[dict[str, Any]]:
    """The findings of a report. Raises UserError if it is not a report."""
    import orjson

    from driftline.pipeline.common.files import read_bytes

    try:
        found = orjson.loads(read_bytes(path, MOST_REPORT))["findings"]
        for one in found:
            _ = one["retired"], one["last_seen"], one["resource"]["uid"], one["resource"]["account"], one["resource"]["type"]  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise UserError("not a report", fix="write one with scan --format json", place=str(path)) from None  # fmt: skip
    except OSError as why:
        raise UserError(f"cannot be read: {why.strerror}", place=str(path)) from None
    return list(found)


def _print(found: "OwnerCheck", limit: int) -> None:
    from driftline.pipeline.report.table import console, texts

    out = console(sys.stdout)
    lacking = found.lacking()
    if lacking:
        heads = ("account", "type", "resources", "no owner", "unknown")
        cells = ((one.account, one.type, one.resources, one.without, one.unknown) for one in lacking[:limit])  # fmt: skip
        out.print(texts(heads, cells, right=heads[2:], whole=(heads[0], *heads[2:])))
        if len(lacking) > limit:
            out.print(f"and {number_of(len(lacking) - limit, 'more row')} (--limit shows more)", highlight=False)  # fmt: skip
    if found.departed:
        out.print(texts(("owner who is no more", "resources"), found.departed.items(), right=("resources",)))  # fmt: skip
    share = 100 * found.without / found.resources if found.resources else 0
    out.print(
        f"{number_of(found.resources, 'resource')}: {found.without:,} without owner ({share:.1f} %), {found.unknown:,} whose owner is not known,"
        f" {number_of(len(found.owners), 'owner')}", highlight=False,
    )  # fmt: skip
