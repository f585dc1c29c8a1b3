"""`driftline clock`: writes ticks."""

from contextlib import nullcontext

import click

from driftline.pipeline.settings.blocks import load_settings


@click.command(name="clock")
@click.option("--interval", metavar="DURATION", help="Between ticks [default: clock.interval].")
@click.option("--once", is_flag=True, help="One tick, then end.")
def command(interval: str | None, once: bool) -> None:
    """Write the time to the stream. Waits, restatements and staleness depend on it. One instance is enough."""
    from pydantic import ValidationError

    from driftline.pipeline.common.errors import UserError, exclusive, patient
    from driftline.pipeline.kafka import clock
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.records.topics import CONTROL, EXCEPTIONS
    from driftline.pipeline.settings.blocks import Clock

    exclusive({"--once": once, "--interval": interval})
    settings = load_settings()
    if interval:
        try:
            settings.clock = Clock.model_validate(
                settings.clock.model_dump() | {"interval": interval}
            )
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise UserError(message, place=f"--interval {interval}") from None
    # lost ticks do no harm: later ones contain the same information
    with nullcontext() if once else patient(), explained(settings.kafka):
        there(settings.kafka, (CONTROL, EXCEPTIONS))
        clock.run(settings, once=once)
