"""`driftline deadletter`: lists, shows, retries and drops records that could not be processed."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands, formats
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from driftline.pipeline.kafka.dead_letters import Letter

SHOWN = 100
EXIT_KEPT = 3


@click.group(name="deadletter", cls=Commands)
def command() -> None:
    """Inspect, retry or drop records that could not be processed."""


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--since",
            metavar="WHEN",
            help="Only letters since then: a duration before now (2h, 3d) or a time (RFC 3339).",
        ),
        click.option(
            "--topic", metavar="NAME", help="Only letters from this topic (snapshots, findings)."
        ),
        click.option(
            "--reason", metavar="TEXT", help="Only letters whose reason contains this text."
        ),
    ):
        function = option(function)
    return function


@command.command(name="list")
@_filters
@formats()
@click.option(
    "--limit",
    default=SHOWN,
    show_default=True,
    help="Maximum number to show, newest first; 0: all.",
)
def list_(form: str, limit: int, **filters: str | None) -> None:
    """List open dead letters, oldest first. Retried and dropped ones are not shown."""
    import sys

    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import ascii_json

    letters = _standing(load_settings(), **filters)
    if form == "json":
        click.echo(ascii_json([letter.as_dict() for letter in letters]))
        return
    if not letters:
        click.echo("no dead letters")
        return
    shown = letters[-limit:] if limit else letters
    console(sys.stdout).print(_table(shown))
    hidden = len(letters) - len(shown)
    more = f", {hidden} older ones not shown (--limit 0)" if hidden else ""
    click.echo(f"{len(letters)} dead letters{more}")


@command.command()
@click.argument("id")
@formats()
def show(id: str, form: str) -> None:
    """Show a dead letter. Prints its origin, its reason, and the first 64 kB of the record."""
    import base64

    from driftline.pipeline.kafka import redeliver as retry
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.report.totals import ascii_json, plain

    settings = load_settings()
    [letter] = _chosen(_standing(settings), (id,))
    with explained(settings.kafka):
        value = retry.value(settings.kafka, letter)
    if value is None:
        raise UserError("deleted by retention", fix="list again", place=letter.id)
    text = value.decode(errors="backslashreplace")
    if form == "json":
        both = {"value": text, "value_base64": base64.b64encode(value).decode()}
        click.echo(ascii_json(letter.as_dict() | both))
        return
    for name, what in letter.as_dict().items():
        click.echo(f"{name:>10}  {plain('' if what is None else what)}")
    kept = "" if letter.size in (None, len(value)) else f" (the first {len(value)} bytes)"
    click.echo(f"{'value':>10}  {plain(text)}{kept}")


@command.command(name="retry")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="All letters that match the filters.")
@_filters
def retry_(ids: tuple[str, ...], every: bool, **filters: str | None) -> int:
    """Send letters again. Reads each original record and sends the affected element to the same partition.

    A finding with a newer revision is not sent. Exit 3: some could not be sent and stay listed."""
    from driftline.pipeline.kafka import redeliver as retry
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.report.totals import plain

    settings = load_settings()
    letters = _wanted(settings, ids, every, filters)
    counts: Counter[str] = Counter()
    kept = False
    with explained(settings.kafka):
        for done in retry.retry(settings.kafka, letters):
            counts[done.kind] += 1
            kept = kept or done.kept
            if done.kept or ids:
                detail = f": {plain(done.detail)}" if done.detail else ""
                click.echo(f"{done.letter.id} {done.kind}{detail}")
    click.echo(", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "no dead letters")
    if kept:
        click.echo("drop the remaining letters with: driftline deadletter drop ID...", err=True)
    return EXIT_KEPT if kept else 0


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="All letters that match the filters.")
@_filters
def drop(ids: tuple[str, ...], every: bool, **filters: str | None) -> None:
    """Drop letters, so that they are no longer listed. If the same record is rejected again, it is listed again."""
    from driftline.pipeline.kafka import redeliver as retry
    from driftline.pipeline.kafka.client import explained

    settings = load_settings()
    letters = _wanted(settings, ids, every, filters)
    with explained(settings.kafka):
        retry.acknowledge(settings.kafka, letters, "dropped")
    click.echo(f"{len(letters)} dropped")


def _wanted(
    settings: Settings, ids: tuple[str, ...], every: bool, filters: dict[str, str | None]
) -> "list[Letter]":
    if every == bool(ids):
        raise UserError("no letters selected", fix="give either ids or --all")
    if ids and any(filters.values()):
        raise UserError(
            "--reason, --topic and --since go with --all", fix="use either filters or ids"
        )
    letters = _standing(settings, **filters)
    return letters if every else _chosen(letters, ids)


def _standing(
    settings: Settings,
    reason: str | None = None,
    topic: str | None = None,
    since: str | None = None,
) -> "list[Letter]":
    """The letters that match the filters, oldest first."""
    from driftline.pipeline.kafka import redeliver as retry
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.report.totals import plain

    name, after = _topic(topic), _since(since)
    with explained(settings.kafka):
        box = retry.box(settings.kafka)
    for problem in box.problems:
        click.echo(f"skipped: {plain(problem)}", err=True)
    return [
        letter
        for letter in box.letters.values()
        if (reason or "").lower() in letter.reason.lower()
        and (name is None or (letter.origin is not None and letter.origin.topic == name))
        and letter.written_ms >= after
    ]


def _chosen(letters: "Iterable[Letter]", ids: tuple[str, ...]) -> "list[Letter]":
    """The letters with these ids; a unique prefix is sufficient."""
    known = {letter.id: letter for letter in letters}
    out: dict[str, Letter] = {}
    problems = []
    for id in ids:
        found = [one for one in known if one.startswith(id)] if len(id) >= 4 else []
        if len(found) == 1:
            out[found[0]] = known[found[0]]
        elif found:
            problems.append(
                Problem(
                    f"{len(found)} letters begin with it",
                    fix="write more characters of the id",
                    place=id,
                )
            )
        else:
            problems.append(
                Problem("no such letter", fix="see: driftline deadletter list", place=id)
            )
    if problems:
        raise UserError(*problems)
    return list(out.values())


def _topic(name: str | None) -> str | None:
    from driftline.pipeline.common.yaml_source import hint
    from driftline.pipeline.records.topics import TOPICS, in_use

    names = [topic.name for topic in TOPICS]
    if name is None or name in names:
        return name
    if (full := f"{in_use()}{name}") in names:
        return full
    raise UserError("no such topic", fix=hint(name, names), place=f"--topic {name}")


def _since(text: str | None) -> float:
    """Milliseconds since 1970."""
    from driftline.pipeline.settings.times import moment

    found = moment("--since", text, datetime.now(UTC))
    return found.timestamp() * 1000 if found else 0


def _table(letters: "Iterable[Letter]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from driftline.pipeline.records.topics import short
    from driftline.pipeline.report.totals import plain

    out = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "at", "stage", "origin", "bytes", "times", "reason"):
        out.add_column(
            name,
            justify="right" if name in ("bytes", "times") else "left",
            overflow="fold",
            no_wrap=name == "id",
        )
    for letter in letters:
        origin = letter.origin
        where = "not said"
        if origin:
            place = "" if origin.place < 0 else f"#{origin.place}"
            where = f"{short(origin.topic)}[{origin.partition}]@{origin.offset}{place}"
        size = "" if letter.size is None else str(letter.size)
        cells = [letter.id, letter.at[:19], letter.stage, where, size, str(letter.times), letter.reason]  # fmt: skip
        out.add_row(*(Text(plain(cell)[:500]) for cell in cells))
    return out
