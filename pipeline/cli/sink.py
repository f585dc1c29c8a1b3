"""`driftline sink NAME`: forwards findings. NAME is a sink of the settings, or a kind of sink with default settings."""

import asyncio
import contextlib
import inspect
import signal
import socket
from contextlib import nullcontext
from typing import Protocol

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.common.errors import NotThere, Undelivered, UserError, exclusive, patient
from driftline.pipeline.ops.health import listen
from driftline.pipeline.settings.blocks import Settings, load_settings
from driftline.sinks import installed
from driftline.sinks.configured import ConfiguredSink, configured_sink, kind_of
from driftline.sinks.module import Checks, Installs, KeepsTickets, SinkModule

EXIT_DIFFERS, EXIT_REFUSED = 2, 4


class Sinks(Commands):
    """The installed kinds, and the sinks of the settings by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return installed.kinds()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        module = kind_of(cmd_name)
        if module is None:
            return None
        params: list[click.Parameter] = []
        if isinstance(module, Installs):
            write = "Install what the destination needs (templates, index) or update it, then exit."
            params.append(click.Option(["--install"], is_flag=True, help=write))
        if isinstance(module, Checks):
            compare = (
                "Check whether the destination matches what --install would create; exit 2 if not."
            )
            params.append(click.Option(["--check", "check_only"], is_flag=True, help=compare))

        def callback(install: bool = False, check_only: bool = False) -> int:
            exclusive({"--install": install, "--check": check_only})
            settings = load_settings()
            return run(configured_sink(settings, cmd_name), settings, install=install, check_only=check_only)  # fmt: skip

        return click.Command(cmd_name, callback=callback, params=params, help=_about(module))


def _about(module: SinkModule) -> str:
    """A kind's docstring."""
    return inspect.cleandoc(getattr(module, "__doc__", None) or f"Forward to {module.kind}.")


@click.group(name="sink", cls=Sinks)
def command() -> None:
    """Forward findings to a destination."""


def run(to: ConfiguredSink, settings: Settings, *, install: bool, check_only: bool) -> int:
    """Runs a sink until a signal, or its installation, or its check."""
    once, own = install or check_only, to.run
    page = listen(own.bind, own.port, "sink.port") if own.port and not once else nullcontext()
    with nullcontext() if once else patient(), page as listening:
        try:
            return asyncio.run(_run(to, settings, install, check_only, listening))
        except Exception as error:
            told = to.explained(error)
            if told is None:
                raise
            raise told from None


async def _run(
    to: ConfiguredSink, settings: Settings, install: bool, check_only: bool, listening: socket.socket | None
) -> int:  # fmt: skip
    if install:
        await to.install(click.echo)
        return 0
    problem = await to.check()
    if check_only:
        click.echo(problem or "as it should be")
        return EXIT_DIFFERS if problem else 0
    if problem:
        raise UserError(problem)
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.records.topics import DELIVERED, TICKET_LINKS

    own = settings.model_copy(update={"sink": to.run})
    if isinstance(to.module, KeepsTickets):
        from driftline.sinks.tickets.run import TicketSink

        await asyncio.to_thread(there, settings.kafka, (*to.module.topics, TICKET_LINKS))
        destination = to.module.destination(to.settings, to.context)
        return await _until_stopped(TicketSink(own, to.subscription, destination), own, listening)
    sink = to.created()
    topics = (*sink.topics, DELIVERED) if sink.transitions_only else sink.topics
    await asyncio.to_thread(there, settings.kafka, topics)
    from driftline.sinks.deliver import Deliverer

    return await _until_stopped(Deliverer(own, sink, to.subscription), own, listening)


class Delivering(Protocol):
    """A delivery loop."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


async def _until_stopped(
    deliverer: Delivering, settings: Settings, listening: socket.socket | None
) -> int:
    from driftline.pipeline.ops import log
    from driftline.pipeline.ops.health import serve
    from driftline.sinks.deliver import TooManyRefused

    log.start()
    if listening is not None:
        serve(listening)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, deliverer.stop)
    try:
        await deliverer.run()
    except TooManyRefused as why:
        click.echo(f"error: {why}", err=True)
        return EXIT_REFUSED
    except Undelivered as why:  # dead letters could not be written: Kafka is unavailable
        raise NotThere(why, place=f"Kafka at {settings.kafka.bootstrap_servers}") from None
    return 0
