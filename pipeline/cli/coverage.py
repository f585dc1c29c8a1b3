"""`driftline coverage`: what was read of every account, region and type and when, and what was not."""

import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from driftline.pipeline.cli._options import formats
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.settings.blocks import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_LACKING = 3
EVERY = 5.0
"""Seconds between two updates of the metrics."""


@click.command(name="coverage")
@formats()
@click.option("--provider", help="Only this provider.")
@click.option("--account", help="Only this account.")
@click.option(
    "--lacking", is_flag=True, help="Only scopes that were not read completely, or not recently."
)
@click.option(
    "--serve",
    metavar="[HOST:]PORT",
    help="Keep running and serve /metrics (Prometheus), /live and /ready at this address [host: 127.0.0.1].",
)
def command(
    form: str, provider: str | None, account: str | None, lacking: bool, serve: str | None
) -> int:
    """Show what was read, when, and what was not. Of every account, region and type: the last complete sweep, its age, what was unread and why.

    Exit 3: a last sweep was incomplete or is older than a day, or nothing was ever read."""
    from driftline.collectors.base import known_from
    from driftline.collectors.coverage import as_json, rows, table
    from driftline.pipeline.kafka.client import explained, read_compacted
    from driftline.pipeline.records.topics import SWEEPS
    from driftline.pipeline.report.table import console
    from driftline.pipeline.report.totals import plain

    settings = load_settings()
    if serve:
        return _serve(settings, *_address(serve))
    with explained(settings.kafka):
        _, headers, problems = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
    for problem in problems:
        click.echo(f"skipped: {plain(problem)}", err=True)
    found = [
        row
        for row in rows(headers.values(), datetime.now(UTC))
        if account in (None, row.account) and provider in (None, row.provider)
    ]
    shown = [row for row in found if not (lacking and row.healthy)]
    if form == "json":
        click.echo(as_json(shown))
    elif shown:
        console(sys.stdout).print(table(shown))
    if not found:
        whose = "".join(f"of {one} " for one in (provider, account) if one)
        click.echo(
            f"nothing {whose}was ever read (run: driftline collect {provider or 'aws'})", err=True
        )
    return 0 if found and all(row.healthy for row in found) else EXIT_LACKING


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise UserError(
            "no address", fix="write for example 9108, or 0.0.0.0:9108", place=f"--serve {text}"
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def _serve(settings: Settings, host: str, port: int) -> int:
    """Follows the sweeps topic until a signal arrives."""
    import signal

    from driftline.collectors.coverage import Gauges
    from driftline.pipeline.common.errors import patient
    from driftline.pipeline.kafka.client import explained
    from driftline.pipeline.kafka.topics_admin import there
    from driftline.pipeline.ops import log, metrics
    from driftline.pipeline.ops.health import listen, serve
    from driftline.pipeline.records.topics import SWEEPS

    log.start()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    serve(listen(host, port, "--serve"))
    gauges = Gauges()
    with patient(), explained(settings.kafka):
        there(settings.kafka, (SWEEPS,))
        for message in _follow(settings, stopping):
            if message is not None:
                gauges.record(message.key(), message.value())
                continue
            gauges.set()
            metrics.READY.set(1)
    return 0


def _follow(settings: Settings, stopping: threading.Event) -> "Iterator[Any]":
    """Yields every record of the sweeps topic; None when all current records have been read, and every few
    seconds after that. Continues while brokers are unavailable, so that ages keep growing."""
    import time

    from confluent_kafka import KafkaError, KafkaException, TopicPartition

    from driftline.pipeline.kafka.client import TIMEOUT, consumer
    from driftline.pipeline.records.topics import SWEEPS, looking

    reader = consumer(settings.kafka, looking(), enable_partition_eof=True)
    told, whole = 0.0, False
    try:
        known = reader.list_topics(SWEEPS.name, TIMEOUT).topics[SWEEPS.name]
        if known.error is not None:
            raise KafkaException(known.error)
        waiting = set(known.partitions)
        reader.assign([TopicPartition(SWEEPS.name, number, 0) for number in waiting])
        while not stopping.is_set():
            for message in reader.consume(1000, 0.5):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    waiting.discard(message.partition())
                elif error.fatal():
                    raise KafkaException(error)
            if not waiting and (not whole or time.monotonic() - told > EVERY):
                told, whole = time.monotonic(), True
                yield None
    finally:
        reader.close()
