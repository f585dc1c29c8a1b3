"""`driftline clock`: ticks."""

import click

from pipeline.settings import load_settings


@click.command(name="clock")
@click.option("--interval", metavar="DURATION", help="Between ticks [default: clock.interval].")
@click.option("--once", is_flag=True, help="One tick, then end.")
def command(interval: str | None, once: bool) -> None:
    """Write the time to the stream: waits, restatements and staleness go by it. One is enough."""
    from pipeline import clock
    from pipeline.settings import Clock

    settings = load_settings()
    if interval:
        settings.clock = Clock.model_validate(settings.clock.model_dump() | {"interval": interval})
    clock.run(settings, once=once)
