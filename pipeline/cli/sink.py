"""`driftline sink NAME`: forwards findings. NAME is a module of `sinks` that has `create(settings)`."""

import asyncio
import contextlib
import signal
import socket
from contextlib import nullcontext
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import click
from driftline import sinks
from driftline.pipeline.cli._options import Commands
from driftline.pipeline.common.errors import NotThere, Undelivered, UserError, exclusive, patient
from driftline.pipeline.ops.health import listen
from driftline.pipeline.settings.blocks import Settings, load_settings

EXIT_DIFFERS, EXIT_REFUSED = 2, 4


def destinations() -> list[str]:
    """The names of all sinks; what sinks share among them has no `create`, and is none."""
    return sorted(name for name in _modules() if _plug(name) is not None)


def _modules() -> set[str]:
    return {module.name for module in iter_modules(sinks.__path__)}


def _plug(name: str) -> Any:
    plug = import_module(f"driftline.sinks.{name}") if name in _modules() else None
    return plug if hasattr(plug, "create") else None


class Sinks(Commands):
    """Finds the destinations by their files."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return destinations()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        plug = _plug(cmd_name)
        if plug is None:
            return None
        params: list[click.Parameter] = []
        if hasattr(plug, "install"):
            write = "Write what the destination needs (templates, index), then end; a change of it replaces."
            params.append(click.Option(["--install"], is_flag=True, help=write))
        if hasattr(plug, "check"):
            compare = "Say whether the destination is as --install would make it; exit 2 if not."
            params.append(click.Option(["--check", "check_only"], is_flag=True, help=compare))

        def callback(install: bool = False, check_only: bool = False) -> int:
            exclusive({"--install": install, "--check": check_only})
            return run(plug, load_settings(), install=install, check_only=check_only)

        about = (plug.__doc__ or "").strip()
        return click.Command(cmd_name, callback=callback, params=params, help=about)


@click.group(name="sink", cls=Sinks)
def command() -> None:
    """Forward findings to a destination."""


def run(plug: Any, settings: Settings, *, install: bool, check_only: bool) -> int:
    """One sink until a signal; or its installation, or its check."""
    once, own = install or check_only, settings.sink
    page = listen(own.bind, own.port, "sink.port") if own.port and not once else nullcontext()
    with nullcontext() if once else patient(), page as listening:
        try:
            return asyncio.run(_run(plug, settings, install, check_only, listening))
        except Exception as error:
            told = plug.explained(error, settings) if hasattr(plug, "explained") else None
            if told is None:
                raise
            raise told from None


async def _run(
    plug: Any, settings: Settings, install: bool, check_only: bool, listening: socket.socket | None
) -> int:
    if install:
        await plug.install(settings, click.echo)
        return 0
    problem = await plug.check(settings) if hasattr(plug, "check") else None
    if check_only:
        click.echo(problem or "as it should be")
        return EXIT_DIFFERS if problem else 0
    if problem:
        raise UserError(problem)
    from driftline.pipeline.kafka.topics_admin import there

    sink = plug.create(settings)
    await asyncio.to_thread(there, settings.kafka, sink.topics)
    return await _deliver(sink, settings, listening)


async def _deliver(sink: Any, settings: Settings, listening: socket.socket | None) -> int:
    from driftline.pipeline.ops import log
    from driftline.pipeline.ops.health import serve
    from driftline.sinks.deliver import Deliverer, TooManyRefused

    log.start()
    if listening is not None:
        serve(listening)
    deliverer = Deliverer(settings, sink)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, deliverer.stop)
    try:
        await deliverer.run()
    except TooManyRefused as why:
        click.echo(f"error: {why}", err=True)
        return EXIT_REFUSED
    except Undelivered as why:  # dead letters could not be written: Kafka is away
        raise NotThere(f"Kafka at {settings.kafka.bootstrap_servers}: {why}") from None
    return 0
