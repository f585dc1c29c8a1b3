"""Options shared by several commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from driftline.pipeline.common.errors import UserError

Decorator = Callable[[Any], Any]


class Commands(click.Group):
    """A group that suggests a command when one is misspelt."""

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
    return click.option("--format", "form", type=click.Choice(["table", "json", *more]), default="table", show_default=True, help="Output format.")  # fmt: skip


def choosing(function: Any) -> Any:
    """`--severity`, `--service` and `--exclude-rule`."""
    for option in (
        click.option("--exclude-rule", "excluded", multiple=True, metavar="ID", help="Exclude this rule; may be repeated."),
        click.option("--service", "services", multiple=True, metavar="LIST", help="Only rules on these services: s3,ec2."),
        click.option("--severity", "severities", multiple=True, metavar="LIST", help="Only these severities: critical,high."),
    ):  # fmt: skip
        function = option(function)
    return function


def into(default: str) -> Decorator:
    """`--dir` of commands that create a file."""
    return click.option(
        "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(default),
        show_default=True, help="Folder of the new file.",
    )  # fmt: skip


def write_new(path: Path, text: str, fix: str) -> None:
    """Writes a new file. Raises UserError, with `fix`, if it exists."""
    if path.exists():
        raise UserError(f"{path} already exists", fix=fix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


store = click.option("--store", metavar="NAME", help="Where to search: the name of a searchable sink, or kafka [default: the first searchable sink with an address, else Kafka].")  # fmt: skip
"""`--store`: where to search for findings and alerts."""
