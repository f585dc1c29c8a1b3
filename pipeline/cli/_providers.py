"""Commands with a name for each provider: one of each installed collector that can do what the command asks for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import hint

if TYPE_CHECKING:
    from driftline.collectors.collector import CollectorContext, CollectorModule
    from driftline.collectors.folder.past import EventFiles
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


def _event_files(
    _: click.Context, __: click.Parameter, texts: Sequence[str]
) -> "tuple[EventFiles, ...]":
    """`PROVIDER:PATH`, each. Raises UserError."""
    from driftline.collectors import installed
    from driftline.collectors.folder.past import EventFiles

    found = []
    for text in texts:
        provider, path = (*text.split(":", 1), "")[:2]
        if provider not in installed.providers():
            known = installed.providers()
            fix = hint(provider, known) or f"write PROVIDER:PATH, for example {known[0]}:logs"
            raise UserError("no such provider", fix=fix, place=f"--events {text}")
        if not path or not Path(path).exists():
            raise UserError("no such file or folder", place=f"--events {text}")
        found.append(EventFiles(provider, Path(path)))
    return tuple(found)


EVENTS = click.option(
    "--events", multiple=True, metavar="PROVIDER:PATH", callback=_event_files,
    help="Files of a provider's audit events, or folders of them (aws: CloudTrail log files); may be repeated.",
)  # fmt: skip
"""Files of audit events of any provider; `--cloudtrail PATH` is `--events aws:PATH`."""


def event_files(cloudtrail: Sequence[Path], events: "Sequence[EventFiles]") -> "list[EventFiles]":
    """What `--cloudtrail` and `--events` name together."""
    from driftline.collectors.folder.past import EventFiles

    return [*(EventFiles("aws", path) for path in cloudtrail), *events]
