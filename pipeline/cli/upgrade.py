"""`driftline upgrade`: brings an installation to this version."""

import click

from driftline.pipeline.settings.blocks import load_settings

EXIT_LEFT = 2


@click.command()
@click.option("--check", "looks", is_flag=True, help="List what has to be done, and change nothing. Exit 2 if anything has to be done.")  # fmt: skip
@click.option("--apply", "applies", is_flag=True, help="Do it. All programs can keep running. Exit 2 if anything is left to be done.")  # fmt: skip
def command(*, looks: bool, applies: bool) -> int:
    """Upgrade topics, state and templates. Brings those of an older version to this one.

    Upgrade in this order: `driftline upgrade --apply`, then sinks, workers and correlators, then collectors and
    the clock. States are converted one by one as they change; a worker of the old version refuses what the new
    one has written, and ends with exit code 5."""
    from driftline.pipeline.report.totals import plain
    from driftline.pipeline.tasks import upgrade

    if looks == applies:
        raise click.UsageError("write one of --check and --apply")
    settings = load_settings()
    if looks:
        steps = upgrade.check(settings)
    else:
        steps = upgrade.apply(settings, lambda line: click.echo(plain(line)))
    for step in steps:
        click.echo(f"{step.mark:<8} {step.what}: {plain(step.text)}")
    left = any(step.mark != "current" for step in steps)
    if not left:
        click.echo("everything is of this version")
    elif looks and all(step.mark != "blocked" for step in steps):
        click.echo("next: driftline upgrade --apply")
    return EXIT_LEFT if left else 0
