"""`driftline topics`: creates or compares the topics."""

import click

from driftline.pipeline.cli._options import Commands
from driftline.pipeline.settings.blocks import load_settings


@click.group(name="topics", cls=Commands)
def command() -> None:
    """Create the topics, or check them."""


@command.command()
def create() -> int:
    """Create missing topics, and report differences of the others. Exit 2: there are differences."""
    from driftline.pipeline.kafka import topics_admin

    settings = load_settings()
    every = topics_admin.create(settings.kafka, *settings.app_ids)
    for made in every:
        click.echo(f"{made.name}: {made.text}")
    return 0 if all(made.right for made in every) else 2


@command.command()
def check() -> int:
    """Compare the topics. Exit 2: one differs."""
    from driftline.pipeline.kafka import topics_admin

    settings = load_settings()
    differences = topics_admin.check(settings.kafka, None, *settings.app_ids)
    for app_id in settings.app_ids:
        differences += topics_admin.remade(
            settings.kafka, settings.worker.state_dir / app_id, settings.worker.accepted_topics
        )
    for line in differences:
        click.echo(line)
    if not differences:
        click.echo("all topics are as expected")
    return 2 if differences else 0
