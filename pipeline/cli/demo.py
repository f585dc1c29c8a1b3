"""`driftline demo`: the complete pipeline on one machine, with real Kafka and Elasticsearch."""

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from driftline.pipeline.demo.stage import Stage

BUSY = 1.5
"""Slowdown, compared with an idle machine, above which the demo reports it."""
STOP_TAKES = 2.0
"""Seconds of --duration reserved for shutting down."""


class Told:
    """Checked while waiting: raises KeyboardInterrupt after a stop signal, TimeoutError when
    --duration is over. The signal handler itself does not raise, because it may run at any time, including shutdown."""

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
            raise TimeoutError(f"not seen within --duration: {what}")


@click.command(name="demo")
@click.option("--duration", type=click.FloatRange(1), help="Maximum number of seconds [default: a limit per step, longer on a busy machine].")  # fmt: skip
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results to this file.",
)
@click.option("--keep", is_flag=True, help="Keep everything running at the end, or after a failed step, until Ctrl-C.")  # fmt: skip
def command(duration: float | None, json_file: Path | None, keep: bool) -> int:
    """Run Driftline on a simulated cloud. Starts everything, makes changes, and shows findings open and close. Exit 0 only if every step was seen."""
    began = time.monotonic()
    told = Told(began + max(duration - STOP_TAKES, duration / 2) if duration else float("inf"))
    from rich.console import Console

    from driftline.pipeline.demo.probe import Probe
    from driftline.pipeline.demo.stage import Stage, needed, own_environment

    needed()
    env = own_environment(dict(os.environ))
    os.environ.clear()
    os.environ.update(env)
    console = Console()
    if not console.is_terminal:
        console = Console(width=100)
    probe = Probe()
    stage = Stage(
        lambda text: console.print(
            f"{time.monotonic() - began:5.1f} s  {text}", highlight=False, soft_wrap=True
        ),
        probe,
    )
    gently = False
    try:
        probe.start()
        ok = _play(stage, console, told, began, json_file)
        if keep:
            _keep(stage, console, told, ok=ok)
        elif not ok:
            _say(console, f"logs: {stage.keep_logs()} (use --keep to leave everything running)")  # fmt: skip
        gently = ok  # otherwise there may be no time left
        return 0 if ok else 1
    finally:
        probe.stop()
        stage.stop(gently=gently)


def _say(console: "Console", text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _play(
    stage: "Stage", console: "Console", told: Told, began: float, json_file: Path | None
) -> bool:
    """Starts everything and runs the steps; returns whether every step was seen. Always shows and writes the results."""
    from driftline.pipeline.demo.show import Show, table

    if stage.probe.slower > BUSY:
        stage.tell(f"this machine is busy: {stage.probe.slower:.0f} times slower than an idle one, so limits are longer")  # fmt: skip
    show = Show(stage, console, told, began)
    try:
        stage.start(told)
        ok = show.play()
    except (TimeoutError, RuntimeError) as why:  # before the first step
        ok, show.error = False, f"the demo did not start: {why}"
    took = time.monotonic() - began
    console.print()
    console.print(table(show.steps))
    failed = next((step for step in show.steps if step.run and not step.seen), None)
    if failed is not None:
        show.error = f"{failed.name}: {failed.detail}"
        _say(console, f"\nexpected: {failed.what}\n{failed.detail}")
    elif show.error:
        _say(console, f"\n{show.error}")
    said = "every step was seen" if ok else "not every step was seen"
    _say(console, f"\n{said}, {took:.0f} s")
    if json_file:
        show.save(json_file, ok, took)
    return ok


def _keep(stage: "Stage", console: "Console", told: Told, *, ok: bool) -> None:
    """Prints how to inspect it, then waits for a signal, or (after success) for a program that dies. Raises
    KeyboardInterrupt on the signal."""
    from driftline.pipeline.demo.look import how_to_look

    told.until = float("inf")
    _say(console, f"\neverything is kept in {stage.folder} until Ctrl-C; the output of each program is in *.txt")  # fmt: skip
    if stage.whole:
        _say(console, how_to_look(stage))
    while not ok or (died := stage.died()) is None:
        told("the end")
        time.sleep(0.2)
    raise RuntimeError(died)
