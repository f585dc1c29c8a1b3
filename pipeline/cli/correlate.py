"""`driftline correlate`: the second stream processor."""

import click

from driftline.pipeline.cli.worker import start


@click.command(name="correlate")
@click.option("--supervise", is_flag=True, help="Restart it whenever it dies or requests it.")
def command(supervise: bool) -> int:
    """Correlate signals into alerts.

    Exit 75: restart it. 4: too many bad records, or retention deleted unread records; 5: the state was written by a
    newer version; 6: a topic was recreated, or belongs to another cluster. For 4 to 6 a restart does not help: see
    the log for the next step."""
    return start("correlate", "correlate", supervise=supervise)
