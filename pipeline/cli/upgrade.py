"""`driftline upgrade`: brings an installation to this version."""

import click

from pipeline.settings import load_settings

EXIT_LEFT = 2


@click.command()
@click.option("--check", "mode", flag_value="check", help="Say what is to be done; exit 2 if anything is.")  # fmt: skip
@click.option("--apply", "mode", flag_value="apply", help="Do it. Everything may go on running.")
def command(mode: str | None) -> int:
    """Topics, state and Elasticsearch templates of an older version, brought to this one.

    Upgrade in this order: `driftline upgrade --apply`, then sinks, workers and correlators, then collectors and
    the clock. States are converted one by one as they change; a worker of the old version refuses what the new
    one has written, and ends with exit code 5."""
    from pipeline import upgrade
    from pipeline.report import plain

    if mode is None:
        raise click.UsageError("say --check or --apply")
    settings = load_settings()
    if mode == "check":
        steps = upgrade.check(settings)
    else:
        steps = upgrade.apply(settings, lambda line: click.echo(plain(line)))
    for step in steps:
        click.echo(f"{step.mark:<8} {step.what}: {plain(step.text)}")
    left = any(step.mark != "current" for step in steps)
    if not left:
        click.echo("everything is of this version")
    elif mode == "check" and all(step.mark != "blocked" for step in steps):
        click.echo("next: driftline upgrade --apply")
    return EXIT_LEFT if left else 0
