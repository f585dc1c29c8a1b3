"""How far each source has come, as ticks to every partition: what is found different afterwards waits no longer for an
event that would have come by now."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline import metrics
from pipeline.kafka import Delivery, flush, produce, producer
from pipeline.model import Control, Tick
from pipeline.settings import Kafka
from pipeline.topics import CONTROL

LATENESS = {"eventbridge": 120.0, "log": 1200.0, "lookup": 1200.0, "config": 1200.0}
"""Seconds after which an event of a source has come (design 4.16): S3's log files and lookups have no promise, AWS says
about five and fifteen minutes."""


class Teller:
    """Writes the ticks of the sources of one process. `until` gives, for a source, the time (seconds since 1970) up to
    which all that was sent is dealt with; 0 where nothing is known yet."""

    def __init__(
        self, kafka: Kafka, until: Mapping[str, Callable[[], float]], lateness: Mapping[str, float] | None = None,
        out: Any = None,
    ) -> None:  # fmt: skip
        self._out, self._delivery = out or producer(kafka), Delivery()
        self._until, self._lateness = until, {**LATENESS, **(lateness or {})}
        self._said: dict[str, float] = {}

    def tell(self) -> None:
        """A tick for each source that has come further. Raises OSError where Kafka does not take them."""
        for source, until in self._until.items():
            at = until() - self._lateness[source]
            if at <= self._said.get(source, 0.0):
                continue
            self._said[source] = at
            metrics.EVENTS_UNTIL.labels(source).set(at)
            tick = Tick(source=f"aws.{source}", watermark=datetime.fromtimestamp(at, UTC))
            value = Control(tick=tick).encode()
            for number in range(CONTROL.partitions):
                produce(self._out, self._delivery, CONTROL.name, value, partition=number)
        flush(self._out, self._delivery, 30)


def drained(*queues: Any) -> Callable[[], float]:
    """Of several queues: how far the slowest has come."""
    return lambda: min((queue.until for queue in queues), default=0.0)


def always(now: Callable[[], float] = time.time) -> Callable[[], float]:
    """Of a source that is asked, and answers whole."""
    return now
