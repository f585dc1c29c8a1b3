"""`driftline collect PROVIDER`: performs sweeps, one after another."""

import contextlib
import signal
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.cli._providers import context_of, known_types
from driftline.pipeline.cli.collect._redactor import redactor_of
from driftline.pipeline.common.errors import UserError, exclusive, patient
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import Settings, load_settings, reloaded

if TYPE_CHECKING:
    from driftline.collectors.collector import CollectorContext, CollectorModule, Sweeper
    from driftline.pipeline.settings.base import CollectorSettings

NO_ACCOUNT = "nothing was read: no account is to be read (the organization lists no active one, or none is in this --shard)"


def inventory_command(
    module: "CollectorModule", name: str, *, group: bool = False
) -> click.Command | None:
    """The sweep command, possibly a group with subcommands. None if the collector does not sweep."""
    from driftline.collectors.collector import Sweeper

    if not isinstance(module, Sweeper):
        return None
    params: list[click.Parameter] = [*_options(module.provider), *module.sweep_options]
    more: dict[str, Any] = {"invoke_without_command": True} if group else {}

    @click.pass_context
    def sweep_on(ctx: click.Context, /, **given: Any) -> int | None:
        if ctx.invoked_subcommand is None:
            return _sweeps(module, given)
        if misplaced := [p.opts[0] for p in params if ctx.get_parameter_source(str(p.name)) is click.core.ParameterSource.COMMANDLINE]:  # fmt: skip
            raise UserError(
                f"{misplaced[0]} stands before {ctx.invoked_subcommand}", fix="write it behind"
            )
        return None

    help = f"Sweep {module.title} and stream every configuration. On SIGHUP the settings are read again, and a sweep begins. Exit 3: one sweep (--once) that was not complete."
    kind = Commands if group else click.Command
    return kind(name, callback=sweep_on, params=params, help=help, **more)


def _options(provider: str) -> list[click.Option]:
    return [
        click.Option(["--once"], is_flag=True, help="Perform one sweep, then exit."),
        click.Option(
            ["--interval"], metavar="DURATION",
            help=f"Time between the starts of two sweeps, at most 12h [default: {provider}.interval].",
        ),
        click.Option(
            ["--shard"], metavar="I/N", default="0/1", show_default=True,
            help="Only the accounts of shard I of N, counted from 0.",
        ),
        click.Option(
            ["--type", "types"], multiple=True, metavar="TYPE", help="Only this type; may be repeated."
        ),
    ]  # fmt: skip


def _sweeps(module: "CollectorModule", given: dict[str, Any]) -> int:
    from driftline.collectors.collector import Sweeper

    assert isinstance(module, Sweeper)  # noqa: S101 - as inventory_command has found it
    once = given["once"]
    exclusive({"--once": once, "--interval": given["interval"]})
    plan = _planned(module, load_settings(), given)
    signal.signal(signal.SIGTERM, stopped)
    asked: SimpleQueue[None] = SimpleQueue()  # put is reentrant: a handler may interrupt get
    if not once:
        signal.signal(signal.SIGHUP, lambda *_: asked.put(None))
    while True:
        began = time.monotonic()
        with nullcontext() if once else patient():
            complete = _sweep(module, plan)
        took = time.monotonic() - began
        if once:
            return 0 if complete else 3
        if took > plan.interval:
            click.echo(
                f"a sweep took {took:.0f} s, the interval is {plan.interval:.0f} s: the next begins at once"
                f" ({module.faster}, share accounts out with --shard, or choose a longer interval)",
                err=True,
            )
        if _was_asked(asked, max(0.0, plan.interval - took)):
            plan = _planned_anew(module, plan, given)


def _was_asked(asked: "SimpleQueue[None]", seconds: float) -> bool:
    """Waits for a SIGHUP; those that came meanwhile are one."""
    try:
        asked.get(timeout=seconds)
    except Empty:
        return False
    with contextlib.suppress(Empty):
        while True:
            asked.get_nowait()
    return True


@dataclass(frozen=True)
class _Plan:
    """The sweep options, from the settings and the command's options."""

    context: "CollectorContext"
    types: Sequence[str]
    shard: tuple[int, int]
    interval: float
    """Seconds between the starts of two sweeps."""


def _planned(module: "CollectorModule", settings: Settings, given: dict[str, Any]) -> _Plan:
    """Raises UserError for invalid options."""
    from driftline.collectors.collector import Sweeper

    assert isinstance(module, Sweeper)  # noqa: S101 - as inventory_command has found it
    own: CollectorSettings = settings.collector(module.provider)
    if given["interval"]:
        own = _with_interval(own, given["interval"])
        setattr(settings, module.provider, own)
    shard, types = _shard(given["shard"]), known_types(module, given["types"])
    context = context_of(settings, module.sweep_options, given, redactor_of(settings))
    return _Plan(context, types, shard, own.interval)


def _planned_anew(module: "CollectorModule", plan: _Plan, given: dict[str, Any]) -> _Plan:
    """Reloads the settings (SIGHUP); if there is an error in them, the old ones stay in use."""
    try:
        new = _planned(module, reloaded(plan.context.settings), given)
    except UserError as error:
        for problem in error.problems:
            click.echo(f"the settings are not taken up: {problem}", err=True)
        return plan
    click.echo("the settings were read again", err=True)
    return new


def stopped(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's arguments
    raise KeyboardInterrupt


def _sweep(module: "Sweeper", plan: _Plan) -> bool:
    """Performs one sweep into Kafka; returns whether it was complete."""
    from rich.console import Console
    from rich.text import Text

    from driftline.collectors.base import known_from
    from driftline.collectors.batches import Batches
    from driftline.collectors.collector import SweepRequest
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import SWEEPS
    from driftline.pipeline.report.totals import plain

    settings, began = plan.context.settings, time.monotonic()
    with explained(settings.kafka):
        known, _, problems = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
        batches = Batches(settings, known)
    for problem in problems:
        click.echo(f"passed over: {plain(problem)}", err=True)
    with Console(stderr=True).status("reading …") as status:
        request = SweepRequest(
            batches, plan.types, plan.shard, known=known, idle=batches.idle,
            progress=lambda text: status.update(Text(f"read {plain(text)}")),
        )  # fmt: skip
        headers = module.sweep(plan.context, request)
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


def _with_interval(own: "CollectorSettings", interval: str) -> "CollectorSettings":
    from pydantic import ValidationError

    try:
        return type(own).model_validate(own.model_dump() | {"interval": interval})
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
