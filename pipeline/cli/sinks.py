"""`driftline sinks`: new. For developers of this repository."""

import click

from driftline.pipeline.cli._options import Commands


@click.group(name="sinks", cls=Commands)
def command() -> None:
    """Begin sinks of a new kind.

    For developers of this repository: needs a checkout. `driftline sink` runs them."""


@command.command()
@click.argument("name")
def new(name: str) -> None:
    """Begin a kind of sink. For example acme_hook.

    Writes into this checkout a module that posts findings by HTTP, a test that runs it through the conformance suite (and passes), and the
    entry point. Replace in both what is not so at your destination."""
    from driftline.pipeline.tasks import sink_files

    root = sink_files.checkout()
    for path in sink_files.begin(name, root):
        click.echo(f"{path.relative_to(root)}")
    click.echo(f"Edit them, then run: .venv/bin/python -m pytest -q tests/sinks/test_{name}.py; the command `driftline sink {name}` is there after: make venv")  # fmt: skip
