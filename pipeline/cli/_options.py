"""Options that several commands have, so that they read and do the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from driftline.pipeline.common.errors import UserError

Decorator = Callable[[Any], Any]


class Commands(click.Group):
    """A group that says of a misspelt command which one may be meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args[0].startswith("-"):
                raise
            from driftline.pipeline.common.yaml_source import nearest

            near = nearest(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message.removesuffix('.')}{near}", ctx) from None


def formats(*more: str) -> Decorator:
    """`--format`: a table for people, JSON for programs, and `more`."""
    return click.option("--format", "form", type=click.Choice(["table", "json", *more]), default="table", show_default=True, help="A table for people, or for programs.")  # fmt: skip


def choosing(function: Any) -> Any:
    """`--severity`, `--service` and `--exclude-rule`."""
    for option in (
        click.option("--exclude-rule", "excluded", multiple=True, metavar="ID", help="Not this rule; may be repeated."),
        click.option("--service", "services", multiple=True, metavar="LIST", help="Only rules on these services: s3,ec2."),
        click.option("--severity", "severities", multiple=True, metavar="LIST", help="Only these severities: critical,high."),
    ):  # fmt: skip
        function = option(function)
    return function


def into(default: str) -> Decorator:
    """`--dir` of a command that begins a file."""
    return click.option(
        "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(default),
        show_default=True, help="Where its file is written.",
    )  # fmt: skip


def write_new(path: Path, text: str, fix: str) -> None:
    """Writes a file that does not exist yet. Raises UserError, with `fix`, where it does."""
    if path.exists():
        raise UserError(f"{path} already exists", fix=fix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


store = click.option("--store", metavar="NAME", help="Where to look: a sink of the settings that can be searched, or kafka [default: the first such sink whose address is set, else Kafka].")  # fmt: skip
"""`--store`: which of the places that have findings and alerts is asked."""
