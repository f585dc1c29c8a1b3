"""How far each source has come, as ticks to every partition: what is found different afterwards waits no longer for an
event that would have come by now."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.model import Control, Tick
from driftline.pipeline.ops import metrics
from driftline.pipeline.providers import installed
from driftline.pipeline.records.topics import CONTROL
from driftline.pipeline.settings.blocks import Kafka

MOST = 1000
"""Readers on one machine."""


class WatermarkReporter:
    """Writes the ticks of the sources of one process, all of one provider. `until` gives, for a source, the time (seconds since 1970) up to
    which all that was sent is dealt with; 0 where nothing is known yet. `reader`: the name of this process among those
    that read the same sources; a source has come as far as the last of them."""

    def __init__(
        self, kafka: Kafka, provider: str, until: Mapping[str, Callable[[], float]], lateness: Mapping[str, float] | None = None,
        out: Any = None, reader: str = "",
    ) -> None:  # fmt: skip
        self._out, self._delivery = out or producer(kafka), Delivery()
        self._provider, self._until = provider, until
        self._lateness = {**installed.provider(provider).audit.lateness, **(lateness or {})}
        self._said: dict[str, float] = {}
        self._reader = reader

    def tell(self) -> None:
        """A tick for each source that has come further. Raises OSError where Kafka does not take them."""
        for source, until in self._until.items():
            at = until() - self._lateness[source]
            if at <= self._said.get(source, 0.0):
                continue
            self._said[source] = at
            metrics.EVENTS_UNTIL.labels(source).set(at)
            self._tick(source, at)
        flush(self._out, self._delivery, 30)

    def end(self) -> None:
        """This reader stops: the others of its sources need not wait for it. Raises OSError as tell()."""
        for source, at in self._said.items():
            self._tick(source, at, ended=True)
        flush(self._out, self._delivery, 30)

    def _tick(self, source: str, at: float, *, ended: bool = False) -> None:
        watermark = datetime.fromtimestamp(at, UTC)
        tick = Tick(
            source=f"{self._provider}.{source}",
            watermark=watermark,
            reader=self._reader,
            ended=ended,
        )
        value = Control(tick=tick).encode()
        for number in range(CONTROL.partitions):
            produce(self._out, self._delivery, CONTROL.name, value, partition=number)


def drained(*queues: Any) -> Callable[[], float]:
    """Of several queues: how far the slowest has come."""
    return lambda: min((queue.until for queue in queues), default=0.0)


@contextmanager
def reader_name(folder: Path | None = None) -> Iterator[str]:
    """A name for this process among the readers of this machine, which the one that comes after it gets again, however
    this one ends: the first that no other holds."""
    folder, host = folder or Path(tempfile.gettempdir()), socket.gethostname()
    held, name = -1, f"{host}-p{os.getpid()}"
    for number in range(MOST):
        path = folder / f"driftline-events-{os.getuid()}-{number}.lock"
        try:
            held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)  # only the lock blocks
            held = -1
        except OSError:
            break  # nothing may be written here: a name of its own
        else:
            name = f"{host}-{number}"
            break
    try:
        yield name
    finally:
        if held >= 0:
            os.close(held)
