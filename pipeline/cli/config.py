"""`driftline config`: check and show the settings."""

import click

from pipeline.settings import load_settings, shown


@click.group(name="config")
def command() -> None:
    """The settings: driftline.yaml and the environment."""


@command.command()
def check() -> None:
    """Tell every mistake in the settings and in the rules they name."""
    from pipeline.shell import rulebook_and_options

    rulebook, _ = rulebook_and_options(load_settings())
    click.echo(f"the settings are good; {len(rulebook.rules)} rules")


@command.command()
def show() -> None:
    """Print the settings in force, secrets masked."""
    click.echo(shown(load_settings()), nl=False)
