"""`driftline collect`: stream snapshots and changes to Kafka."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.pipeline.cli._providers import ProviderCommands
from driftline.pipeline.cli.collect._redactor import redactor_of
from driftline.pipeline.cli.collect.events import events_command, reads_command
from driftline.pipeline.cli.collect.inventory import inventory_command
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.settings.blocks import load_settings

if TYPE_CHECKING:
    from driftline.collectors.collector import CollectorModule

ONLY = "aws"
"""The provider of commands without a provider name."""


def _provider(module: "CollectorModule") -> click.Command | None:
    """The command of a collector: its inventory, with its other capabilities as subcommands."""
    inventory = inventory_command(module, "inventory")
    if inventory is None:
        return None
    whole = inventory_command(module, module.provider, group=True)
    assert isinstance(whole, click.Group)  # noqa: S101 - as it was asked for
    for command in (inventory, events_command(module, "events"), reads_command(module, "reads")):
        if command is not None:
            whole.add_command(command)
    return whole


class CollectCommands(ProviderCommands):
    """Includes earlier command names without a provider."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        make = {"events": events_command, "reads": reads_command}.get(cmd_name)
        if make is None:
            return super().get_command(ctx, cmd_name)
        from driftline.collectors import installed

        return _renamed(make(installed.module(ONLY), cmd_name), f"collect {ONLY} {cmd_name}")


def _renamed(command: click.Command | None, name: str) -> click.Command | None:
    """A command under its old name: it prints the new one, and does the same."""
    if command is None or command.callback is None:
        return command
    work = command.callback

    def told(**given: object) -> int:
        click.echo(f"this command is now: driftline {name}", err=True)
        code: int = work(**given)
        return code

    command.callback, command.hidden = told, True
    return command


@click.group(name="collect", cls=CollectCommands, make=_provider)
def command() -> None:
    """Read configurations and stream them."""


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
