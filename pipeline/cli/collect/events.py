"""`driftline collect events` and `reads`: hear of changes, and read again what changed."""

import signal
import threading
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.common.errors import UserError, exclusive, patient
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from driftline.collectors.aws.sweep.collect import CollectOptions


def _until_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _at(_: Any, __: Any, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter("no time (write for example 2026-11-01 or 2026-11-01T10:00Z)") from None  # fmt: skip
    return found if found.tzinfo else found.astimezone()


@click.command()
@click.option("--once", is_flag=True, help="Until the queues are empty, then end.")
@click.option("--backfill", metavar="s3://BUCKET/PREFIX", help="Read log files that lie there already, then end.")  # fmt: skip
@click.option("--from", "since", metavar="TIME", callback=_at, help="With --backfill: events since then.")  # fmt: skip
@click.option("--to", "until", metavar="TIME", callback=_at, help="With --backfill: events until then.")  # fmt: skip
@click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
@click.option("--role-arn", metavar="ARN", help="Take this role first.")
def events(
    once: bool, backfill: str | None, since: datetime | None, until: datetime | None, profile: str | None,
    role_arn: str | None,
) -> int:  # fmt: skip
    """Stream change events of AWS. From the queues and lookups of aws.events. Exit 3: something could not be understood."""
    from driftline.collectors.aws.sources.listen import Listener
    from driftline.pipeline.cli.collect import options_of
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.ops import log
    from driftline.pipeline.records.topics import (
        CHANGES,
        CONTROL,
        DEADLETTER,
        READS,
        SNAPSHOTS,
        SWEEPS,
    )
    from driftline.pipeline.settings.times import in_order

    exclusive({"--once": once, "--backfill": backfill})
    if backfill is None and (since or until):
        raise UserError("--from and --to go with --backfill", fix="add it, or leave them out")
    in_order(since, until)
    settings = load_settings()
    options = options_of(settings, {"profile": profile, "role_arn": role_arn})
    if backfill is not None:
        return _backfill(settings, options, backfill, since, until)
    own = settings.aws.events
    if not own.queues and not own.lookup:
        raise UserError(
            "no source of change events",
            fix="write queues: [{url: …}], or lookup: true; deploy/aws makes the queues",
            place="aws.events",
        )
    log.start()
    stop = _until_signal()
    _page(settings)
    with nullcontext() if once else patient():
        there(settings.kafka, (CHANGES, READS, SNAPSHOTS, SWEEPS, CONTROL, DEADLETTER))
        Listener(settings, options, stop).run(once=once)
    return 0


def _page(settings: Settings) -> None:
    from driftline.pipeline.ops.health import listen, serve

    own = settings.aws.events
    if own.port:
        serve(listen(own.bind, own.port, "aws.events.port"))


def _backfill(
    settings: Settings, options: "CollectOptions", where: str, since: datetime | None, until: datetime | None
) -> int:  # fmt: skip
    from rich.console import Console
    from rich.progress import Progress

    from driftline.collectors.aws.sources import backfill
    from driftline.collectors.aws.sources.dispatch import DispatchOutcome
    from driftline.collectors.aws.sources.listen import Listener

    bucket, prefix = backfill.place_of(where)
    total, files = DispatchOutcome(), 0
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("log files", total=None)

        def done(heard: DispatchOutcome) -> None:
            nonlocal files
            files += 1
            total.events += heard.events
            total.changes += heard.changes
            total.more += len(heard.bad) + heard.more
            progress.update(bar, advance=1)

        listener = Listener(settings, options, threading.Event())
        backfill.run(listener, bucket, prefix, since, until, done)
    click.echo(
        f"{number_of(files, 'log file')}, {number_of(total.events, 'event')}, {number_of(total.changes, 'change')}, {total.more} not understood",
        err=True,
    )
    if not total.events:
        click.echo(f"nothing was evaluated: {where} has no event of that time", err=True)
    return 3 if total.more or not total.events else 0


@click.command()
@click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
@click.option("--role-arn", metavar="ARN", help="Take this role first.")
def reads(profile: str | None, role_arn: str | None) -> int:
    """Read again what has changed. At once, as the stream asks."""
    from driftline.collectors.aws.reread.loop import RereadLoop
    from driftline.collectors.aws.reread.resource import ResourceReader
    from driftline.pipeline.cli.collect import options_of
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.ops import log
    from driftline.pipeline.records.topics import CONTROL, DEADLETTER, READS, SNAPSHOTS, SWEEPS

    settings = load_settings()
    options = options_of(settings, {"profile": profile, "role_arn": role_arn})
    log.start()
    stop = _until_signal()
    _page(settings)
    with patient(), explained(settings.kafka):
        there(settings.kafka, (READS, SNAPSHOTS, SWEEPS, CONTROL, DEADLETTER))
        RereadLoop(settings, ResourceReader(options)).run(stop)
    return 0
