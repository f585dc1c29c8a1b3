"""`driftline demo`: the whole way on one machine, with real Kafka and real Elasticsearch."""

import signal
import time
from pathlib import Path

import click

STEPS = 8


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
    """Start everything, change things, and watch findings come and go. Exit 0 only if every step was seen."""
    from rich.console import Console

    from pipeline.demo.show import Show
    from pipeline.demo.stage import Stage

    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    began = time.monotonic()
    stage = Stage(
        lambda text: console.print(f"{time.monotonic() - began:5.1f} s  {text}", highlight=False)
    )
    try:
        stage.start()
        show = Show(stage, console, began + duration)
        ok = show.play(STEPS)
        console.print(show.table())
        console.print(
            f"{'every step was seen' if ok else 'not every step was seen'}, {time.monotonic() - began:.0f} s"
        )
        if json_file:
            show.save(json_file, ok, time.monotonic() - began)
        if keep:
            _keep(stage, console)
        return 0 if ok else 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end is not to be interrupted
        stage.stop()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _keep(stage: object, console: object) -> None:
    from rich.console import Console

    from pipeline.demo.stage import ALIAS, HISTORY, Stage

    assert isinstance(stage, Stage)  # noqa: S101 - for the type checker
    assert isinstance(console, Console)  # noqa: S101
    console.print(
        f"""
It goes on: a sweep every two seconds. Press Ctrl-C to stop it all.
  Elasticsearch  {stage.elastic.url}
    latest       curl '{stage.elastic.url}/{ALIAS}/_search?q=driftline.status:open&pretty'
    history      curl '{stage.elastic.url}/{HISTORY}/_search?sort=event.ingested:desc&pretty'
  Kafka          {stage.kafka.bootstrap}
  AWS            {stage.estate.url} (simulated)
  settings       DRIFTLINE_CONFIG={stage.folder}/driftline.yaml
  Kibana 9       elasticsearch.hosts: ["{stage.elastic.url}"]; then Security, Findings""",
        highlight=False,
        soft_wrap=True,
    )
    while stage.died() is None:
        time.sleep(1)
