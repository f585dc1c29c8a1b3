"""`driftline demo`: the whole way on one machine, with real Kafka and real Elasticsearch."""

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.demo.stage import Stage

STOP_TAKES = 2.0
"""Seconds of --duration kept for the end."""


class Patience:
    """Asked while something is waited for: raises KeyboardInterrupt once we were told to stop, TimeoutError when
    time is up. The signal itself raises nothing: it may come at any moment, also while we end."""

    def __init__(self, until: float) -> None:
        self.until, self.stopped = until, False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self.stopped = True

    def __call__(self, what: str) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        if time.monotonic() > self.until:
            raise TimeoutError(f"not seen in time: {what}")


@click.command(name="demo")
@click.option(
    "--duration",
    type=click.FloatRange(1),
    default=240,
    show_default=True,
    help="At most so many seconds; it ends when every step was seen.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was seen here.",
)
@click.option("--keep", is_flag=True, help="Leave it running at the end, until Ctrl-C.")
def command(duration: float, json_file: Path | None, keep: bool) -> int:
    """Start everything locally and watch findings. Makes changes in a simulated AWS; findings come and go. Exit 0 only if every step was seen."""
    began = time.monotonic()
    patience = Patience(began + max(duration - STOP_TAKES, duration / 2))
    from rich.console import Console

    from pipeline.demo.stage import Stage, needed, own_environment

    needed()
    env = own_environment(dict(os.environ))
    os.environ.clear()
    os.environ.update(env)
    console = Console()
    if not console.is_terminal:
        console = Console(width=100)
    stage = Stage(
        lambda text: console.print(
            f"{time.monotonic() - began:5.1f} s  {text}", highlight=False, soft_wrap=True
        )
    )
    gently = False
    try:
        ok = _play(stage, console, patience, began, json_file)
        if keep and ok:
            _keep(stage, console, patience)
        gently = ok  # else there may be no time left
        return 0 if ok else 1
    finally:
        stage.stop(gently=gently)


def _play(
    stage: "Stage", console: "Console", patience: Patience, began: float, json_file: Path | None
) -> bool:
    """Starts and plays; whether every step was seen. Shows and writes what was seen in any case."""
    from pipeline.demo.show import Show, table

    show = Show(stage, console, patience, began)
    try:
        stage.start(patience)
        ok = show.play()
    except (TimeoutError, RuntimeError) as why:  # before the first step
        ok, show.error = False, f"the demo did not start: {why}"
    took = time.monotonic() - began
    console.print()
    console.print(table(show.steps))
    show.error = show.error or next((s.detail for s in show.steps if s.seconds and not s.seen), "")
    if show.error:
        console.print(f"\n{show.error}", highlight=False, soft_wrap=True, markup=False)
    said = "every step was seen" if ok else "not every step was seen"
    console.print(f"\n{said}, {took:.0f} s", highlight=False)
    if json_file:
        show.save(json_file, ok, took)
    return ok


def _keep(stage: "Stage", console: "Console", patience: Patience) -> None:
    """Says how to look, then waits for a signal, or for a program that dies. Raises KeyboardInterrupt at the signal."""
    from pipeline.demo.look import how_to_look

    patience.until = float("inf")
    console.print(how_to_look(stage), highlight=False, soft_wrap=True, markup=False)
    while (died := stage.died()) is None:
        patience("the end")
        time.sleep(0.2)
    raise RuntimeError(died)
