"""`driftline worker`: the stream processor."""

import sys

import click

from driftline.pipeline.settings.blocks import load_settings


@click.command(name="worker")
@click.option("--supervise", is_flag=True, help="Restart it whenever it dies or requests it.")
def command(supervise: bool) -> int:
    """Evaluate snapshots as they arrive.

    SIGHUP reloads settings, rules and detections, and re-evaluates all known resources; if there is an error in them,
    the old ones stay in use.

    Exit 75: restart it. 4: too many bad records, or retention deleted unread records; 5: the state was written by a
    newer version; 6: a topic was recreated, or belongs to another cluster. For 4 to 6 a restart does not help: see
    the log for the next step."""
    return start("worker", "assess", supervise=supervise)


def start(command: str, stage: str, *, supervise: bool) -> int:
    """Runs a stage of the stream (driftline.pipeline.worker.stages), or supervises a command that does."""
    settings = load_settings()
    from driftline.pipeline.worker import run, stages

    if supervise:
        return run.supervise([sys.executable, "-m", "driftline.pipeline", command])
    run.run(settings, stages.STAGES[stage], command)
    return 0
