"""Knows, per topic and partition, which record must come next. One beyond it means that Faust skipped some."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from confluent_kafka import KafkaException, TopicPartition
from driftline.pipeline.common.exit_codes import EXIT_OTHER_TOPIC, EXIT_RESTART
from driftline.pipeline.kafka.client import LOOK, TIMEOUT, consumer
from driftline.pipeline.settings.blocks import Kafka

log = logging.getLogger("driftline.worker")
Slot = tuple[str, int]
"""Topic and partition."""
STALLED = 3
"""So many looks in a row without a record where there are some, and a partition counts as stalled."""


def die(why: str, code: int = EXIT_RESTART, **facts: Any) -> NoReturn:
    """Leaves at once, without committing: the supervisor starts us again from the committed offsets."""
    log.critical(why, extra=facts)
    logging.shutdown()
    os._exit(code)


class Guard:
    """One worker's guard over all its partitions."""

    def __init__(
        self, kafka: Kafka, group: str, session: float, generation: Callable[[], int]
    ) -> None:
        self.next: dict[Slot, int] = {}
        self.closed: int | None = None
        """The generation that was given up last."""
        self.broken: int | None = None
        """The exit code, once this process must end."""
        self._waiting: dict[Slot, tuple[int, int]] = {}
        """Where a slot stood at the last look, and for how many looks."""
        self._session, self._generation = session, generation
        self._asking = consumer(kafka, group)  # asks, never joins

    def first(self, topic: str, partition: int) -> int:
        tp = TopicPartition(topic, partition)
        committed = self._asking.committed([tp], TIMEOUT)[0]
        low, high = self._ends(tp, committed.offset)
        if committed.error:
            raise KafkaException(committed.error)
        if 0 <= committed.offset < low:
            die(
                "records were deleted by retention before they were processed: choose a longer retention, then"
                " move the group to the oldest offset and run a full sweep",
                4, topic=topic, partition=partition, committed=committed.offset, oldest=low,
            )  # fmt: skip
        if committed.offset > high:
            die(
                f"{topic} holds fewer records than were processed of it: it was made anew, or brokers have lost some. If that"
                " is as it should be, move the group to its oldest offset, and run a full sweep",
                EXIT_OTHER_TOPIC, topic=topic, partition=partition, committed=committed.offset, newest=high,
            )  # fmt: skip
        return int(low if committed.offset < 0 else committed.offset)

    def _ends(self, tp: TopicPartition, wanted: int) -> tuple[int, int]:
        """Oldest and next offset of a partition. A broker that has just begun to lead may not know the newest at once."""
        end = time.monotonic() + TIMEOUT
        while True:
            low, high = self._asking.get_watermark_offsets(tp, TIMEOUT)
            if high >= wanted or time.monotonic() > end:
                return low, high
            time.sleep(LOOK)

    async def admit(self, events: list[Any]) -> list[Any]:
        """The events that are ours to process, after proof that none is missing before them."""
        ours = []
        for event in events:
            message = event.message
            slot = (message.topic, message.partition)
            generation = message.generation_id
            if (
                self.broken is not None
                or generation == self.closed
                or generation != self._generation()
            ):
                continue  # left over in Faust's buffers from before a rebalance
            if slot not in self.next:
                self.next[slot] = await asyncio.to_thread(self.first, *slot)
            if message.offset > self.next[slot]:
                self.leave("records were skipped", topic=slot[0], partition=slot[1],
                           expected=self.next[slot], got=message.offset)  # fmt: skip
                continue
            self.next[slot] = max(self.next[slot], message.offset + 1)
            ours.append(event)
        return ours

    async def look(self, held: list[Slot], facts: Callable[[], Mapping[str, Any]]) -> None:
        """Leaves when a held partition has records and none came for several looks: a gap that is at the end of a
        partition shows only when another record follows, which may be hours later."""
        behind = await asyncio.to_thread(self._behind, held)
        before, self._waiting = self._waiting, {}
        for slot, at in behind.items():
            was, looks = before.get(slot, (at, 0))
            self._waiting[slot] = (at, looks + 1 if was == at else 1)
            if self._waiting[slot][1] > STALLED and self.broken is None:
                self.leave("records are there and do not come", topic=slot[0], partition=slot[1],
                           expected=at, **facts())  # fmt: skip

    def _behind(self, held: list[Slot]) -> dict[Slot, int]:
        """The slots that have records not taken yet, each with the offset that comes next."""
        out = {}
        for slot in held:
            at = self.next.get(slot)
            at = self.first(*slot) if at is None else at
            if self._asking.get_watermark_offsets(TopicPartition(*slot), TIMEOUT)[1] > at:
                out[slot] = at
        return out

    def leave(self, why: str, code: int = EXIT_RESTART, **facts: Any) -> None:
        """Takes nothing more, leaves the group properly (the others need not wait for the session's end), then exits."""
        log.critical(why, extra=facts)
        self.broken = code
        os.kill(os.getpid(), signal.SIGTERM)
        timer = threading.Timer(self._session, os._exit, [code])
        timer.daemon = True
        timer.start()

    def revoked(self) -> None:
        self.closed = self._generation()
        self.next.clear()
        self._waiting.clear()
