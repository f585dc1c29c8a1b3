"""Commands with a name for each provider: one of each installed collector that can do what the command asks for."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import hint

if TYPE_CHECKING:
    from driftline.collectors.collector import CollectorContext, CollectorModule
    from driftline.collectors.redact import Redactor
    from driftline.pipeline.settings.blocks import Settings


class ProviderCommands(Commands):
    """Its own commands, and what `make` gives for an installed collector; None: the collector cannot do it."""

    def __init__(
        self, *args: Any, make: "Callable[[CollectorModule], click.Command | None]", **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self._make = make

    def list_commands(self, ctx: click.Context) -> list[str]:
        from driftline.collectors import installed

        found = {one.provider for one in installed.modules() if self._make(one) is not None}
        return sorted({*super().list_commands(ctx), *found})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from driftline.collectors import installed

        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in installed.providers():
            return own
        return self._make(installed.module(cmd_name))


def options_of(command: Any) -> Sequence[click.Parameter]:
    """The options that decorators have given a function."""
    return list(reversed(getattr(command, "__click_params__", [])))


def given_to(options: "Sequence[click.Option]", values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a command's values those of a module's own options."""
    return {str(one.name): values.get(str(one.name)) for one in options}


def known_types(module: "CollectorModule", types: Sequence[str]) -> Sequence[str]:
    """The types, each of which the collector reads. Raises UserError before anything is connected."""
    rows = module.kinds() if types else {}
    unknown = [one for one in types if one not in rows]
    if unknown:
        raise UserError(
            *(Problem("no such type", fix=hint(t, rows), place=f"--type {t}") for t in unknown)
        )
    return types


def context_of(
    settings: "Settings", options: "Sequence[click.Option]", values: Mapping[str, Any], redactor: "Redactor",
) -> "CollectorContext":  # fmt: skip
    """What a collector is given of a command."""
    from driftline.collectors.collector import CollectorContext

    return CollectorContext(settings, given_to(options, values), redactor)
