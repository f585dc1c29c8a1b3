"""`driftline worker`: the stream processor."""

import sys

import click

from driftline.pipeline.settings.blocks import load_settings


@click.command(name="worker")
@click.option("--supervise", is_flag=True, help="Start it again whenever it dies or asks for it.")
def command(supervise: bool) -> int:
    """Judge snapshots as they stream in.

    SIGHUP: settings, rules and detections are read again, and what is known is judged by them; with a mistake in them
    the old ones stay.

    Exit 75: start it again. 4: too many bad records, or retention has passed what was not read; 5: the state is of a
    newer version; 6: a topic was made anew, or is another cluster's. Another start does not mend these: the log says
    what to do."""
    return start("worker", "assess", supervise=supervise)


def start(command: str, stage: str, *, supervise: bool) -> int:
    """Runs a stage of the stream (of driftline.pipeline.worker.stages), or a command that does, again and again."""
    settings = load_settings()
    from driftline.pipeline.worker import run, stages

    if supervise:
        return run.supervise([sys.executable, "-m", "driftline.pipeline", command])
    run.run(settings, stages.STAGES[stage], command)
    return 0
