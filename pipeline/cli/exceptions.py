"""`driftline exceptions`: manages risks accepted for a limited time."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands, formats
from driftline.pipeline.common import exit_codes
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.common.yaml_source import FOLDER, YAML, require_files
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.pipeline.kafka.exception_store import Use
    from driftline.pipeline.model import RiskException
    from driftline.pipeline.settings.exception_files import Read

PATHS = click.argument("paths", nargs=-1, metavar="[PATH…]", type=click.Path(path_type=Path))
FORM = formats()
SOON = timedelta(days=14)
MANY = 100
"""Number of findings above which an exception is considered too broad."""


@click.group(name="exceptions", cls=Commands)
def command() -> None:
    """Manage accepted risks. Failing findings are suppressed until the exception ends, then reopen."""


def _read(settings: Settings, paths: Sequence[Path], now: datetime) -> "Read":
    """The exceptions in files; prints warnings. Raises UserError with all errors."""
    from driftline.pipeline.offline.content import checker
    from driftline.pipeline.report.totals import plain

    paths = paths or settings.exceptions.paths
    if not paths:
        raise UserError("no folder of exceptions", fix="name one, or set exceptions.paths")
    found = checker(settings, now).folders(paths)
    if found.problems:
        raise UserError(*found.problems)
    for warning in found.warnings:
        click.echo(f"warning: {plain(warning)}", err=True)
    return found


@command.command()
@PATHS
def check(paths: tuple[Path, ...]) -> int:
    """Check the exceptions in files. By default those of exceptions.paths. Exit 2: some are invalid; 3: there are none."""
    found = _read(load_settings(), paths, datetime.now(UTC))
    click.echo(
        f"{number_of(len(found.records), 'exception')}; {number_of(len(found.warnings), 'warning')}"
    )
    if found.records:
        return 0
    click.echo("nothing was evaluated: the files contain no exceptions", err=True)
    return exit_codes.EXIT_UNREAD


@command.command()
@PATHS
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
def apply(paths: tuple[Path, ...], dry_run: bool) -> None:
    """Bring the exceptions in files into force. New and changed ones begin; those no longer in any file end.

    Exceptions added by command are kept. A changed exception counts as a new approval of the current state."""
    from driftline.pipeline.kafka import exception_store
    from driftline.pipeline.kafka.decision_store import same

    settings, now = load_settings(), datetime.now(UTC)
    require_files(
        paths or settings.exceptions.paths,
        YAML,
        "exception",
        fix=f"{FOLDER}; driftline exceptions expire ends one",
    )
    found = _read(settings, paths, now)
    known = exception_store.stored(settings.kafka)
    wanted = {record.id: record for record in found.records}
    new = [
        r
        for r in found.records
        if r.until > now and (r.id not in known or not same(r, known[r.id]))
    ]
    over = [r.model_copy(update={"at": now, "ended": now}) for r in known.values()
            if r.source == "file" and r.in_force(now) and r.id not in wanted]  # fmt: skip
    for record in new:
        click.echo(f"{'changed' if record.id in known else 'new'}: {_line(record)}")
    for record in over:
        click.echo(f"ended: {_line(record)}")
    click.echo(f"{len(new)} begin or change, {len(over)} end, {len(wanted) - len(new)} unchanged")
    if not dry_run:
        exception_store.say(settings.kafka, [*new, *over])


@command.command()
@click.option("--rule", metavar="ID", help="The rule that may fail.")
@click.option(
    "--control", metavar="FRAMEWORK:CONTROL", help="Instead of --rule: all rules of a control."
)
@click.option("--resource", metavar="UID", help="Only this resource; * matches any text.")
@click.option("--account", metavar="ID", help="Only in this account.")
@click.option("--provider", metavar="NAME", help="Only resources of this provider.")
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only resources with this tag; may be repeated.",
)
@click.option("--reason", required=True, help="Why the risk is accepted.")
@click.option("--owner", required=True, help="Who bears it.")
@click.option(
    "--approver", required=True, help="Who accepted it: not the owner, and not whoever caused it."
)
@click.option("--until", metavar="DAY", help="The last day, or a time (RFC 3339).")
@click.option(
    "--for",
    "lasting",
    metavar="DURATION",
    help="Instead of --until: a duration from now, 12h or 30d.",
)
@click.option(
    "--recreated", is_flag=True, help="Also apply to a resource recreated under the same name."
)
def add(tags: tuple[str, ...], lasting: str | None, **given: Any) -> None:
    """Accept a risk now. Repeated with the same scope, it is approved again."""
    from driftline.pipeline.kafka import exception_store
    from driftline.pipeline.offline.content import checker, rulebook_and_options
    from driftline.pipeline.report.totals import plain
    from driftline.pipeline.settings.exception_files import Read
    from driftline.pipeline.settings.times import ahead

    if (lasting is None) == (given["until"] is None):
        raise UserError(
            "no end given",
            fix="use either --until DAY or --for DURATION",
            place="exceptions add",
        )
    settings = load_settings()
    rulebook = rulebook_and_options(settings)[0]
    now = datetime.now(UTC)  # after everything slow, because the end is counted from here
    if lasting is not None:
        given["until"] = ahead("--for", lasting, now).isoformat()
    data = {name: value for name, value in given.items() if value not in (None, False)}
    if wrong := [tag for tag in tags if "=" not in tag]:
        raise UserError(
            *(Problem("not a tag", fix="write KEY=VALUE", place=f"--tag {tag}") for tag in wrong)
        )
    if tags:
        data["tags"] = dict(tag.split("=", 1) for tag in tags)
    found = Read()
    checker(settings, now, rulebook).checked(
        data, lambda *name: f"--{name[0]}" if name else "exceptions add", found, "command"
    )
    problems = found.problems
    if not problems and found.records[0].until <= now:
        problems = [
            Problem(
                "it is in the past",
                fix="use a future date",
                place=f"--until {given['until']}",
            )
        ]
    if problems:
        raise UserError(*problems)
    for warning in found.warnings:
        click.echo(f"warning: {plain(warning)}", err=True)
    exception_store.say(settings.kafka, found.records)
    click.echo(_line(found.records[0]))


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
def expire(ids: tuple[str, ...]) -> None:
    """End exceptions now. Findings that still fail reopen."""
    from driftline.pipeline.common.yaml_source import hint
    from driftline.pipeline.kafka import exception_store

    settings, now = load_settings(), datetime.now(UTC)
    known = exception_store.stored(settings.kafka)
    if unknown := [id for id in ids if id not in known]:
        raise UserError(
            *(Problem("no such exception", fix=hint(id, known), place=id) for id in unknown)
        )
    over = [known[id].model_copy(update={"at": now, "ended": now}) for id in dict.fromkeys(ids)
            if known[id].in_force(now)]  # fmt: skip
    exception_store.say(settings.kafka, over)
    for record in over:
        click.echo(f"ended: {_line(record)}")
        if record.source == "file":
            click.echo(f"  it is defined in a file: remove it there, or `exceptions apply` starts it again ({record.id})", err=True)  # fmt: skip
    if len(over) < len(set(ids)):
        click.echo(f"{len(set(ids)) - len(over)} had already ended", err=True)


@command.command()
def send() -> None:
    """Send every exception to the stream again. Needed after its state was lost or reset."""
    from driftline.pipeline.kafka import exception_store

    settings, now = load_settings(), datetime.now(UTC)
    standing = [r for r in exception_store.stored(settings.kafka).values() if r.in_force(now)]
    exception_store.say(settings.kafka, standing)
    click.echo(f"{number_of(len(standing), 'exception')} sent")


@command.command(name="list")
@FORM
@click.option("--all", "every", is_flag=True, help="Include ended exceptions.")
def list_(form: str, every: bool) -> None:
    """List exceptions by end date. Shows the findings that each suppresses, and which are unused, too broad or expired."""
    from driftline.pipeline.kafka import exception_store
    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import ascii_json

    settings, now = load_settings(), datetime.now(UTC)
    uses = exception_store.uses(settings.kafka)
    known = sorted(exception_store.stored(settings.kafka).values(), key=lambda r: (r.until, r.id))
    shown = [row for r in known if (row := _row(r, uses, now))["state"] != "ended" or every]
    if form == "json":
        click.echo(ascii_json(shown))
        return
    if shown:
        console(sys.stdout).print(_table(shown))
    hidden = len(known) - len(shown)
    more = f"; {hidden} have ended (--all)" if hidden else ""
    click.echo(
        f"{number_of(len(shown), 'exception')}, {number_of(sum(row['suppresses'] for row in shown), 'finding')} suppressed{more}"
    )


def _row(record: "RiskException", uses: "Mapping[str, Use]", now: datetime) -> dict[str, Any]:
    """An exception with its state (in_force, ends_soon, expired, ended) and its warnings."""
    from driftline.pipeline.kafka.exception_store import Use
    from driftline.pipeline.settings.exception_files import wide

    use = uses.get(record.id, Use())
    state = "in_force"
    if record.ended is not None:
        state = "ended"
    elif record.until <= now:
        state = "expired" if record.until > now - SOON else "ended"
    elif record.until <= now + SOON:
        state = "ends_soon"
    notes = []
    if state in ("in_force", "ends_soon"):
        if not (use.suppresses or use.overridden):
            notes.append("unused")
        if wide(record) or use.suppresses > MANY:
            notes.append("too_broad")
    return {
        "state": state,
        "notes": notes,
        **use._asdict(),
        **record.model_dump(mode="json", exclude_none=True),
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> "Table":
    from driftline.pipeline.report.table import texts

    heads = (
        "id",
        "state",
        "until",
        "suppresses",
        "overridden",
        "what",
        "where",
        "owner",
        "approver",
    )
    return texts(heads, map(_cells, rows), right=("suppresses", "overridden"))


def _cells(row: Mapping[str, Any]) -> list[object]:
    where = [
        row["resource"],
        row.get("account", ""),
        row.get("provider", ""),
        *(f"{k}={v}" for k, v in row["tags"].items()),
    ]
    return [row["id"], ", ".join([row["state"], *row["notes"]]), row["until"][:16] + "Z", row["suppresses"], row["overridden"],
            row.get("rule") or row.get("control"), " ".join(where).strip(), row["owner"], row["approver"]]  # fmt: skip


def _line(record: "RiskException") -> str:
    from driftline.pipeline.report.totals import plain

    what = record.rule or record.control
    return plain(
        f"{record.id}: {what} on {record.resource}, until {record.until:%Y-%m-%d %H:%M}Z, approved by {record.approver}"
    )
