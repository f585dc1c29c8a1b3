"""`driftline collect`: stream snapshots to Kafka."""

import signal
import time
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.cli.collect.events import events, reads
from driftline.pipeline.common.errors import UserError, exclusive, patient
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Aws, Settings, load_settings

if TYPE_CHECKING:
    from driftline.collectors.aws.sweep.collect import CollectOptions
    from driftline.collectors.redact import Redactor


@click.group(name="collect", cls=Commands)
def command() -> None:
    """Read configurations and stream them."""


@command.command()
@click.option("--once", is_flag=True, help="One sweep, then end.")
@click.option(
    "--interval",
    metavar="DURATION",
    help="From one sweep's start to the next, 12h at most [default: aws.interval].",
)
@click.option(
    "--shard",
    metavar="I/N",
    default="0/1",
    show_default=True,
    help="Only the accounts of part I of N, from 0.",
)
@click.option(
    "--accounts",
    metavar="LIST|all",
    help="Comma-separated, or all of the organization [default: aws.accounts].",
)
@click.option(
    "--regions",
    metavar="LIST|all",
    help="Comma-separated [default: aws.regions, else every enabled one].",
)
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Only this type; may be repeated."
)
@click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
@click.option("--role-arn", metavar="ARN", help="Take this role first.")
@click.option(
    "--role-name", metavar="NAME", help="The role in every other account [default: aws.role_name]."
)
@click.option(
    "--external-id",
    metavar="ID",
    help="What that role's trust asks for [default: aws.external_id].",
)
def aws(once: bool, interval: str | None, **given: str | tuple[str, ...] | None) -> int:
    """Sweep AWS and stream every configuration. Exit 3: one sweep (--once) that was not complete."""
    exclusive({"--once": once, "--interval": interval})
    settings = load_settings()
    if interval:
        settings.aws = _with_interval(settings.aws, interval)
    options = options_of(settings, given)
    signal.signal(signal.SIGTERM, stopped)
    while True:
        began = time.monotonic()
        with nullcontext() if once else patient():
            complete = _sweep(settings, options)
        took = time.monotonic() - began
        if once:
            return 0 if complete else 3
        if took > settings.aws.interval:
            click.echo(
                f"a sweep took {took:.0f} s, the interval is {settings.aws.interval:.0f} s: the next begins at once"
                " (raise aws.requests_per_second, share accounts out with --shard, or choose a longer interval)",
                err=True,
            )
        time.sleep(max(0.0, settings.aws.interval - took))


NO_ACCOUNT = "nothing was read: no account is to be read (the organization lists no active one, or none is in this --shard)"


def stopped(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's arguments
    raise KeyboardInterrupt


def _sweep(settings: Settings, options: "CollectOptions") -> bool:
    """One sweep into Kafka; whether all of it was complete."""
    from rich.console import Console
    from rich.text import Text

    from driftline.collectors.aws.sweep.collect import sweep
    from driftline.collectors.base import known_from
    from driftline.collectors.batches import Batches
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import SWEEPS
    from driftline.pipeline.report.totals import plain

    began = time.monotonic()
    with explained(settings.kafka):
        known, _, problems = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
        batches = Batches(settings, known)
    for problem in problems:
        click.echo(f"passed over: {plain(problem)}", err=True)
    with Console(stderr=True).status("reading …") as status:
        headers = sweep(
            options,
            known,
            batches,
            lambda text: status.update(Text(f"read {plain(text)}")),
            idle=batches.idle,
        )
        batches.close()
    lacking = [header for header in headers if header.status != "complete"]
    click.echo(
        f"swept {number_of(len(headers), 'scope')}, {number_of(batches.snapshots, 'snapshot')} in {time.monotonic() - began:.1f} s;"
        f" {len(lacking)} not complete", err=True,
    )  # fmt: skip
    for header in lacking[:20]:
        click.echo(
            f"  {header.status}: {plain(header.scope.key)}: {plain(header.reason or '')}", err=True
        )
    if len(lacking) > 20:
        click.echo(f"  and {len(lacking) - 20} more (driftline coverage shows all)", err=True)
    if not headers:
        click.echo(NO_ACCOUNT, err=True)
    return bool(headers) and not lacking


def options_of(
    settings: Settings, given: dict[str, str | tuple[str, ...] | None]
) -> "CollectOptions":
    from driftline.collectors.aws.sweep.collect import CollectOptions, chosen
    from driftline.pipeline.rulebook.narrowing import named

    def text(name: str) -> str | None:
        value = given.get(name)
        return value if isinstance(value, str) else None

    def names(name: str, otherwise: list[str]) -> list[str]:
        value = text(name)
        return otherwise if value is None else named(f"--{name}", [value])

    own = settings.aws
    options = CollectOptions(
        accounts=names("accounts", own.accounts), regions=names("regions", own.regions),
        types=given.get("types") or (), profile=text("profile"), role_arn=text("role_arn"),
        role_name=text("role_name") or own.role_name, external_id=text("external_id") or own.external_id,
        requests_per_second=own.requests_per_second, concurrency=own.concurrency,
        shard=_shard(text("shard") or "0/1"), redactor=redactor_of(settings),
    )  # fmt: skip
    chosen(options.types)  # an unknown type is told before anything is connected
    return options


def redactor_of(settings: Settings) -> "Redactor":
    from driftline.collectors.redact import Redactor

    key = settings.redaction.key
    if key is None or len(key.get_secret_value()) < 16:
        raise UserError(
            f"{'missing' if key is None else 'shorter than 16 characters'}; what looks like a "
            "secret could not be hashed",
            fix="write one: openssl rand -hex 32 > redaction.key, and set redaction.key_file or "
            "DRIFTLINE_REDACTION__KEY",
            place="redaction.key",
        )
    return Redactor(key.get_secret_value().encode())


def _with_interval(own: Aws, interval: str) -> Aws:
    from pydantic import ValidationError

    try:
        return Aws.model_validate(own.model_dump() | {"interval": interval})
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ").removeprefix("interval: ")
        raise UserError(message, place=f"--interval {interval}") from None


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise UserError(
            "not a shard", fix="expected for example 0/4, 1/4, 2/4 and 3/4", place=f"--shard {text}"
        )
    return int(index), int(count)


@command.command()
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH…", type=click.Path(exists=True, path_type=Path)
)
def folder(paths: tuple[Path, ...]) -> int:
    """Stream AWS Config files and tapes. Exit 3: something could not be read."""
    from driftline.collectors.batches import Batches
    from driftline.collectors.folder.read import read
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS
    from driftline.pipeline.report.totals import plain

    settings = load_settings()
    redactor = redactor_of(settings)
    there(settings.kafka, (SNAPSHOTS, CONTROL))
    with explained(settings.kafka):
        batches = Batches(settings)
    told = read(paths, batches.raw, batches, None, redactor)
    batches.close()
    for problem in told.problems:
        click.echo(f"not read: {plain(problem)}", err=True)
    for type_, count in sorted(told.not_judged.items()):
        click.echo(f"not judged: {plain(type_)}: {count}", err=True)
    click.echo(f"streamed {number_of(batches.snapshots, 'snapshot')}", err=True)
    return 3 if told.problems else 0


command.add_command(events)
command.add_command(reads)
