"""The clock: time as records, to every partition of `control`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipeline.errors import UserError
from pipeline.exception_store import stored, tell
from pipeline.kafka import Delivery, explained, flush, produce, producer, read_all
from pipeline.model import Control, Tick, rfc3339
from pipeline.settings import Settings
from pipeline.topics import CONTROL

SOURCE = "sweep"
TAIL = 30.0
AGAIN = timedelta(hours=24)
"""How often the exceptions in force are told anew: what has lost its state learns of them."""
AHEAD = timedelta(hours=1)
"""More than two machines' clocks differ by."""


def last_tick(settings: Settings) -> datetime | None:
    """The newest watermark written so far: a clock never runs back, whoever ran it."""
    newest = None
    with explained(settings.kafka):
        for message in read_all(settings.kafka, CONTROL.name, {0: 0}):
            try:
                record = Control.model_validate_json(message.value())
            except (ValueError, TypeError):
                continue  # not a tick; the worker tells of it
            if record.tick and record.tick.source == SOURCE:
                newest = max(newest or record.tick.watermark, record.tick.watermark)
    return newest


def run(
    settings: Settings,
    *,
    once: bool,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Writes a tick now, then at every interval. Raises OSError where Kafka does not take them, and UserError where
    the newest tick lies so far ahead that time would stand still and nobody would know."""
    newest = last_tick(settings)
    out, delivery = producer(settings.kafka), Delivery()
    late = timedelta(seconds=settings.clock.lateness)
    told = None
    while True:
        moment = now()
        if told is None or moment > told + AGAIN:
            told = moment
            known = stored(settings.kafka).values()
            tell(out, delivery, [r for r in known if r.in_force(moment)])
        watermark = moment - late
        if newest is None or watermark > newest:
            newest = watermark
            value = Control(tick=Tick(source=SOURCE, watermark=watermark)).encode()
            for partition in range(CONTROL.partitions):
                produce(out, delivery, CONTROL.name, value, partition=partition)
            flush(out, delivery, TAIL)
        elif newest - watermark > AHEAD:
            raise UserError(
                f"the newest tick is of {rfc3339(newest)}, this clock would say {rfc3339(watermark)}: time never runs back"
                " (is this machine's clock right? If that tick is wrong, wait, or begin with empty topics)"
            )
        if once:
            return
        pause(settings.clock.interval)
