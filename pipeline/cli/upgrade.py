"""`driftline upgrade`: upgrades an installation to this version."""

import click

from driftline.pipeline.settings.blocks import load_settings

EXIT_LEFT = 2


@click.command()
@click.option("--check", "looks", is_flag=True, help="List what has to be done and change nothing. Exit 2: there is something to do.")  # fmt: skip
@click.option("--apply", "applies", is_flag=True, help="Do it, while all programs keep running. Exit 2: something remains to be done.")  # fmt: skip
def command(*, looks: bool, applies: bool) -> int:
    """Upgrade topics, state and templates to this version.

    Upgrade in this order: `driftline upgrade --apply`, then sinks, workers and correlators, then collectors and
    the clock. States are converted one by one as they change; a worker of the old version refuses states written by
    the new one, with exit code 5."""
    from driftline.pipeline.report.totals import plain
    from driftline.pipeline.tasks import upgrade

    if looks == applies:
        raise click.UsageError("use either --check or --apply")
    settings = load_settings()
    if looks:
        steps = upgrade.check(settings)
    else:
        steps = upgrade.apply(settings, lambda line: click.echo(plain(line)))
    for step in steps:
        click.echo(f"{step.mark:<8} {step.what}: {plain(step.text)}")
    left = any(step.mark != "current" for step in steps)
    if not left:
        click.echo("everything is up to date")
    elif looks and all(step.mark != "blocked" for step in steps):
        click.echo("next: driftline upgrade --apply")
    return EXIT_LEFT if left else 0
