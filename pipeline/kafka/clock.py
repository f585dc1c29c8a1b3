"""The clock: writes the time as records to every partition of `control`."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from confluent_kafka import Producer

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka.client import Delivery, explained, flush, produce, producer, read_all
from driftline.pipeline.kafka.exception_store import stored, tell
from driftline.pipeline.model import Control, Tick, rfc3339
from driftline.pipeline.model.base import EPOCH
from driftline.pipeline.records.topics import CONTROL
from driftline.pipeline.settings.blocks import Settings

log = logging.getLogger("driftline.clock")
SOURCE = "sweep"
TAIL = 30.0
AGAIN = timedelta(hours=24)
"""How often the exceptions in force are sent again, for workers that have lost their state."""
AHEAD = timedelta(hours=1)
"""More than the clocks of two machines may differ by."""
ASKED = Control(tick=Tick(source="clock", watermark=EPOCH)).encode()
"""A tick without content: its record timestamp is the broker's time."""


def last_tick(settings: Settings) -> datetime | None:
    """The newest watermark written so far, by any clock: time never goes backwards."""
    newest = None
    with explained(settings.kafka):
        for message in read_all(settings.kafka, CONTROL.name, {0: 0}):
            try:
                record = Control.model_validate_json(message.value())
            except (ValueError, TypeError):
                continue  # not a tick; the worker reports it
            if record.tick and record.tick.source == SOURCE:
                newest = max(newest or record.tick.watermark, record.tick.watermark)
    return newest


def brokers_time(out: Producer, delivery: Delivery) -> datetime | None:
    """The brokers' current time; None if the records of `control` do not carry it. Raises OSError."""
    delivery.broker_ms = None
    produce(out, delivery, CONTROL.name, ASKED, partition=0)
    flush(out, delivery, TAIL)
    at = delivery.broker_ms
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC)


def run(
    settings: Settings,
    *,
    once: bool,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Writes a tick now, then at every interval, never ahead of the brokers' clock. Raises OSError if Kafka does not
    accept it, and UserError if the newest tick is so far ahead that time would silently stand still (not possible
    if `control` carries the brokers' time: the worker rejects such a tick, and it is ignored here)."""
    newest = last_tick(settings)
    out, delivery = producer(settings.kafka), Delivery()
    late = timedelta(seconds=settings.clock.lateness)
    told = None
    while True:
        moment, theirs = now(), brokers_time(out, delivery)
        if theirs is not None:
            if moment - theirs > late:
                log.warning("this machine's clock is ahead of the brokers' clock", extra={"seconds": round((moment - theirs).total_seconds())})  # fmt: skip
            moment = min(moment, theirs)
            if newest is not None and newest > moment + AHEAD:
                log.warning("skipped a tick written by a wrong clock", extra={"tick": rfc3339(newest)})  # fmt: skip
                newest = None
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
                f"the newest tick is {rfc3339(newest)}, this clock would write {rfc3339(watermark)}: "
                "time cannot go back",
                fix="check this machine's clock. If the newest tick is wrong, wait, or start with empty "
                "topics",
            )
        if once:
            return
        pause(settings.clock.interval)
