"""What the tests of deploy/ and docs/ share: command lines read by the program's own parser, settings by its own loader."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from driftline.pipeline.cli import main
from driftline.pipeline.settings.blocks import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PLACE = {
    "PATH": str(ROOT),
    "TAPE": str(ROOT / "README.md"),
    "plan.json": str(ROOT / "README.md"),
    "DIR": str(ROOT),
    "PORT": "6065",
    "NAME": "elasticsearch",
}
"""What stands for words where the parser wants something that exists."""


def parse(words: Sequence[str]) -> None:
    """Lets click read a whole command line without running it. Raises click.ClickException where it does not fit."""
    command: click.Command = main
    rest = [PLACE.get(word, word) for word in words]
    parent: click.Context | None = None
    name: str | None = "driftline"
    while True:
        parent = command.make_context(name, rest, parent=parent)
        if not isinstance(command, click.Group):
            return
        rest = [*parent._protected_args, *parent.args]
        if not rest:
            return  # a group that is only named
        name, found, rest = command.resolve_command(parent, rest)
        assert found is not None
        command = found


def mentioned(text: str) -> Iterator[list[str]]:
    """Every `driftline …` in backticks, and every line of a code block that calls it."""
    for match in re.finditer(r"`driftline ([^`\n]+)`", text):
        yield shlex.split(match[1])
    for block in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for match in re.finditer(r"^driftline (.+)$", block, re.MULTILINE):
            yield shlex.split(match[1], comments=True)


def settings_of(env: Mapping[str, str], folder: Path, config: str = "") -> Settings:
    """The settings that an environment leads to; a secret's file is one that is there. Raises UserError."""
    secret, file = folder / "secret", folder / "driftline.yaml"
    secret.write_text("0123456789abcdef0123456789abcdef")
    file.write_text(config)
    own = {name: value for name, value in env.items() if name.startswith("DRIFTLINE_") and name != "DRIFTLINE_CONFIG"}  # fmt: skip
    return load_settings(
        file, {n: str(secret) if n.endswith("_FILE") else v for n, v in own.items()}
    )
