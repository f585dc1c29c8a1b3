"""`driftline topics`: make or compare the topics."""

import click

from pipeline.settings import load_settings


@click.group(name="topics")
def command() -> None:
    """The topics: make them, or compare them with what they should be."""


@command.command()
def create() -> None:
    """Make the topics that are missing."""
    from pipeline import topics_admin

    for line in topics_admin.create(load_settings().kafka):
        click.echo(line)


@command.command()
def check() -> int:
    """Compare the topics; exit 2 where one differs."""
    from pipeline import topics_admin

    differences = topics_admin.check(load_settings().kafka)
    for line in differences:
        click.echo(line)
    if not differences:
        click.echo("every topic is as it should be")
    return 2 if differences else 0
