"""`driftline cases`: the third stream processor."""

import click

from driftline.pipeline.cli.worker import start


@click.command(name="cases")
@click.option("--supervise", is_flag=True, help="Start it again whenever it dies or asks for it.")
def command(supervise: bool) -> int:
    """Collect findings and alerts into tickets. Sinks of tickets deliver them.

    Exit 75: start it again. 4: too many bad records, or retention has passed what was not read; 5: the state is of a
    newer version; 6: a topic was made anew, or is another cluster's. Another start does not mend these: the log says
    what to do."""
    return start("cases", "cases", supervise=supervise)
