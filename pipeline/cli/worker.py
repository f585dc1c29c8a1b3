"""`driftline worker`: the stream processor."""

import sys

import click

from pipeline.settings import load_settings


@click.command(name="worker")
@click.option("--supervise", is_flag=True, help="Start it again whenever it dies or asks for it.")
def command(supervise: bool) -> int:
    """Judge snapshots as they stream in. Exits with 75 when it wants to be started again."""
    settings = load_settings()
    from pipeline.worker import run

    if supervise:
        return run.supervise([sys.executable, "-m", "pipeline", "worker"])
    run.run(settings)
    return 0
