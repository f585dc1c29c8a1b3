"""Checks that records arrive without gaps: for each topic and partition it knows the next offset, and exits if Faust
skipped a record or no longer delivers any."""

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
"""Consecutive checks without progress, although there are records, after which a partition counts as stalled."""


def exit_now(why: str, code: int = EXIT_RESTART, **facts: Any) -> NoReturn:
    """Exits at once, without committing. The supervisor starts the worker again from the committed offsets."""
    log.critical(why, extra=facts)
    logging.shutdown()
    os._exit(code)


class OffsetGuard:
    """Tracks the offsets of all partitions assigned to this worker."""

    def __init__(
        self, kafka: Kafka, group: str, session: float, generation: Callable[[], int]
    ) -> None:
        self.next: dict[Slot, int] = {}
        self.closed: int | None = None
        """The group generation whose partitions were last revoked."""
        self.broken: int | None = None
        """The exit code, once this process is shutting down because of a gap or a stall."""
        self._waiting: dict[Slot, tuple[int, int]] = {}
        """The next offset of a slot at the last check, and for how many checks it has not moved."""
        self._session, self._generation = session, generation
        self._client = consumer(kafka, group)  # only queries offsets, never joins the group

    def first(self, topic: str, partition: int) -> int:
        """The offset at which a partition is to be read: the committed one, or else the earliest. Exits if those records are
        gone."""
        tp = TopicPartition(topic, partition)
        committed = self._client.committed([tp], TIMEOUT)[0]
        low, high = self._ends(tp, committed.offset)
        if committed.error:
            raise KafkaException(committed.error)
        if 0 <= committed.offset < low:
            exit_now(
                "retention deleted records before they were processed: choose a longer retention, then"
                " reset the group to the earliest offset and run a full sweep",
                4, topic=topic, partition=partition, committed=committed.offset, oldest=low,
            )  # fmt: skip
        if committed.offset > high:
            exit_now(
                f"{topic} ends before the committed offset: it was recreated, or brokers have lost records. If that is"
                " intended, reset the group to the earliest offset and run a full sweep",
                EXIT_OTHER_TOPIC, topic=topic, partition=partition, committed=committed.offset, newest=high,
            )  # fmt: skip
        return int(low if committed.offset < 0 else committed.offset)

    def _ends(self, tp: TopicPartition, wanted: int) -> tuple[int, int]:
        """The earliest and the next offset of a partition. Waits for a new leader that does not know the latest ones yet."""
        end = time.monotonic() + TIMEOUT
        while True:
            low, high = self._client.get_watermark_offsets(tp, TIMEOUT)
            if high >= wanted or time.monotonic() > end:
                return low, high
            time.sleep(LOOK)

    async def admit(self, events: list[Any]) -> list[Any]:
        """Returns the events to process, once it is certain that no record before them is missing."""
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
                continue  # buffered by Faust before a rebalance
            if slot not in self.next:
                self.next[slot] = await asyncio.to_thread(self.first, *slot)
            if message.offset > self.next[slot]:
                self.leave_group("records were skipped", topic=slot[0], partition=slot[1],
                           expected=self.next[slot], got=message.offset)  # fmt: skip
                continue
            self.next[slot] = max(self.next[slot], message.offset + 1)
            ours.append(event)
        return ours

    async def check_stalled(self, held: list[Slot], facts: Callable[[], Mapping[str, Any]]) -> None:
        """Leaves the group if an assigned partition has records but none has arrived for several checks. `facts` is logged
        then. (A gap at the end of a partition is noticed only when another record follows, which may be hours later.)"""
        behind = await asyncio.to_thread(self._behind, held)
        before, self._waiting = self._waiting, {}
        for slot, at in behind.items():
            was, looks = before.get(slot, (at, 0))
            self._waiting[slot] = (at, looks + 1 if was == at else 1)
            if self._waiting[slot][1] > STALLED and self.broken is None:
                self.leave_group("no records arrive although there are some", topic=slot[0], partition=slot[1],
                           expected=at, **facts())  # fmt: skip

    def _behind(self, held: list[Slot]) -> dict[Slot, int]:
        """The slots with records that have not arrived yet, each with its next offset."""
        out = {}
        for slot in held:
            at = self.next.get(slot)
            at = self.first(*slot) if at is None else at
            if self._client.get_watermark_offsets(TopicPartition(*slot), TIMEOUT)[1] > at:
                out[slot] = at
        return out

    def leave_group(self, why: str, code: int = EXIT_RESTART, **facts: Any) -> None:
        """Stops processing, leaves the group (so that other members need not wait for the session timeout), and exits."""
        log.critical(why, extra=facts)
        self.broken = code
        os.kill(os.getpid(), signal.SIGTERM)
        timer = threading.Timer(self._session, os._exit, [code])
        timer.daemon = True
        timer.start()

    def revoked(self) -> None:
        """Forgets all offsets: the partitions are no longer assigned."""
        self.closed = self._generation()
        self.next.clear()
        self._waiting.clear()
