"""`driftline collect PROVIDER events` and `reads`: receive change events, and re-read changed resources."""

import signal
import threading
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._providers import context_of
from driftline.pipeline.cli.collect._redactor import redactor_of
from driftline.pipeline.common.errors import UserError, exclusive, patient
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from driftline.collectors.collector import (
        Backfills,
        CollectorContext,
        CollectorModule,
        FileOutcome,
    )


def events_command(module: "CollectorModule", name: str) -> click.Command | None:
    """The command that receives change events; None if the collector does not support it."""
    from driftline.collectors.collector import Backfills, Listens

    if not isinstance(module, Listens):
        return None
    past = _past(module.backfill_place) if isinstance(module, Backfills) else []
    once = click.Option(["--once"], is_flag=True, help="Run until the queues are empty, then exit.")
    help = (
        f"Stream change events of {module.title}. From the sources of {module.provider}.events."
        " Exit 3: something could not be understood."
    )

    def hear(**given: Any) -> int:
        return _events(module, given)

    params: list[click.Parameter] = [once, *past, *module.event_options]
    return click.Command(name, callback=hear, params=params, help=help)


def _past(place: str) -> list[click.Option]:
    return [
        click.Option(
            ["--backfill"], metavar=place, help="Read existing log files, then exit."
        ),
        click.Option(
            ["--from", "since"], metavar="TIME", callback=_at, help="With --backfill: events since then."
        ),
        click.Option(
            ["--to", "until"], metavar="TIME", callback=_at, help="With --backfill: events until then."
        ),
    ]  # fmt: skip


def _at(_: Any, __: Any, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter("no time (write for example 2026-11-01 or 2026-11-01T10:00Z)") from None  # fmt: skip
    return found if found.tzinfo else found.astimezone()


def _events(module: "CollectorModule", given: dict[str, Any]) -> int:
    from driftline.collectors.collector import Backfills, Listens
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

    assert isinstance(module, Listens)  # noqa: S101 - as events_command has found it
    once, where = given["once"], given.get("backfill")
    since, until = given.get("since"), given.get("until")
    exclusive({"--once": once, "--backfill": where})
    if where is None and (since or until):
        raise UserError("--from and --to go with --backfill", fix="add it, or leave them out")
    in_order(since, until)
    settings = load_settings()
    context = context_of(settings, module.event_options, given, redactor_of(settings))
    if where is not None and isinstance(module, Backfills):
        return _backfill(module, context, where, since, until)
    if not settings.collector(module.provider).events.sources:
        fix, place = module.no_source
        raise UserError("no source of change events", fix=fix, place=place)
    log.start()
    stop = _until_signal()
    _page(settings, module)
    with nullcontext() if once else patient():
        there(settings.kafka, (CHANGES, READS, SNAPSHOTS, SWEEPS, CONTROL, DEADLETTER))
        module.listen(context, stop, once=once)
    return 0


def _until_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _page(settings: Settings, module: "CollectorModule") -> None:
    from driftline.pipeline.ops.health import listen, serve

    own = settings.collector(module.provider).events
    if own.port:
        serve(listen(own.bind, own.port, f"{module.provider}.events.port"))


def _backfill(
    module: "Backfills", context: "CollectorContext", where: str, since: datetime | None, until: datetime | None
) -> int:  # fmt: skip
    from rich.console import Console
    from rich.progress import Progress

    files, events, changes, bad = 0, 0, 0, 0
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("log files", total=None)

        def done(heard: "FileOutcome") -> None:
            nonlocal files, events, changes, bad
            files += 1
            events += heard.events
            changes += heard.changes
            bad += heard.bad
            progress.update(bar, advance=1)

        module.backfill(context, where, since, until, done)
    click.echo(
        f"{number_of(files, 'log file')}, {number_of(events, 'event')}, {number_of(changes, 'change')}, {bad} not understood",
        err=True,
    )
    if not events:
        click.echo(f"nothing was evaluated: {where} has no event of that time", err=True)
    return 3 if bad or not events else 0


def reads_command(module: "CollectorModule", name: str) -> click.Command | None:
    """The re-read command; None if the collector does not support it."""
    from driftline.collectors.collector import Rereader

    if not isinstance(module, Rereader):
        return None

    def read_again(**given: Any) -> int:
        return _reads(module, given)

    help = f"Read again what has changed of {module.title}. At once, as the stream asks."
    return click.Command(name, callback=read_again, params=list(module.read_options), help=help)


def _reads(module: "CollectorModule", given: dict[str, Any]) -> int:
    from driftline.collectors.collector import Rereader
    from driftline.collectors.reread.loop import RereadLoop
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.ops import log
    from driftline.pipeline.records.topics import CONTROL, DEADLETTER, READS, SNAPSHOTS, SWEEPS

    assert isinstance(module, Rereader)  # noqa: S101 - as reads_command has found it
    settings = load_settings()
    context = context_of(settings, module.read_options, given, redactor_of(settings))
    log.start()
    stop = _until_signal()
    _page(settings, module)
    with patient(), explained(settings.kafka):
        there(settings.kafka, (READS, SNAPSHOTS, SWEEPS, CONTROL, DEADLETTER))
        RereadLoop(settings, module.provider, module.source(context)).run(stop)
    return 0
