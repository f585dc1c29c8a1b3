"""`driftline clock`: ticks."""

import click

from pipeline.settings import load_settings


@click.command(name="clock")
@click.option("--interval", metavar="DURATION", help="Between ticks [default: clock.interval].")
@click.option("--once", is_flag=True, help="One tick, then end.")
def command(interval: str | None, once: bool) -> None:
    """Write the time to the stream. Waits, restatements and staleness go by it. One is enough."""
    from pydantic import ValidationError

    from pipeline import clock
    from pipeline.errors import RestartWanted, UserError, exclusive, patient
    from pipeline.settings import Clock

    exclusive({"--once": once, "--interval": interval})
    settings = load_settings()
    if interval:
        try:
            settings.clock = Clock.model_validate(
                settings.clock.model_dump() | {"interval": interval}
            )
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise UserError(f"--interval {interval}: {message}") from None
    try:
        with patient():
            clock.run(settings, once=once)
    except OSError as why:  # the ticks were not taken; later ones say all that they would have said
        raise RestartWanted(str(why)) from None
