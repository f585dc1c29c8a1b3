"""Commits a slice in a fixed order: produce its outputs and flush; write its rows to the changelog and flush; write them to the
files; acknowledge its records. After a crash outputs may be produced twice, with the same ids, but a state never skips a
record whose outputs were lost.

A slice is committed while the next one is being processed (a flush mostly waits), but never two at the same time."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from driftline.pipeline.common.environment_errors import describe_state_error
from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.kafka.dead_letters import Origin, letter
from driftline.pipeline.ops import metrics
from driftline.pipeline.records.outputs import Work
from driftline.pipeline.records.truncate import MOST
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.state.rows import in_order
from driftline.pipeline.worker.offsets import exit_now
from driftline.pipeline.worker.store import Rows

log = logging.getLogger("driftline.worker")
Acknowledge = Callable[[], Awaitable[None]]


class CommitPipeline:
    """`session`: the group's session timeout in seconds. A slice that takes more than half of it ends the process, because its
    partitions may be assigned to another member by then. `folder`: where the files are."""

    def __init__(
        self, kafka: Kafka, rows: Rows, changelog: str, session: float, stage: str, folder: Path
    ) -> None:
        self._folder = folder
        self._producer = producer(kafka, message_timeout_ms=int(session * 500))
        self._delivery = Delivery()
        self._rows, self._changelog, self._session, self._stage = rows, changelog, session, stage
        self._logged: dict[int, list[int]] = {}
        """By partition, the changelog offsets of this slice's rows."""
        self._task: asyncio.Task[None] | None = None
        self.took: float | None = None
        """Seconds from the start of the last slice until it was durable."""

    def send(self, topic: str, value: bytes | None, **more: Any) -> None:
        produce(self._producer, self._delivered, topic, value, **more)

    def flush_now(self) -> None:
        """Flushes synchronously, blocking the event loop: for use right before the process exits."""
        flush(self._producer, self._delivery, self._session)

    async def write(
        self, take: Callable[[], Mapping[int, Work]], began: float, then: Acknowledge | None
    ) -> None:
        """Waits until the last slice is durable, then starts to commit what `take` returns, by partition. `then` acknowledges
        the slice's records. `began`: monotonic time in seconds at which the slice started."""
        await self.drain()
        self._check_in_time(began)
        works = take()
        self._rows.under_way = {n: work.rows for n, work in works.items() if work.rows}
        self._task = asyncio.create_task(self._write(works, began, then))

    async def drain(self) -> None:
        """Waits until no commit is in progress."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _write(
        self, works: Mapping[int, Work], began: float, then: Acknowledge | None
    ) -> None:
        try:
            await self._commit_in_order(works, began)
            if then:
                await then()
        except Exception as why:
            if told := describe_state_error(why, self._folder):
                exit_now(told)
            log.exception("a slice could not be committed")
            exit_now("a slice could not be committed", error=repr(why))

    async def _commit_in_order(self, works: Mapping[int, Work], began: float) -> None:
        self._logged.clear()
        for number, work in works.items():
            for output in work.outputs:
                if len(output.value) > MOST:
                    self._too_large(number, output.value)
                else:
                    self.send(output.topic, output.value or None, key=output.key)
        await self._flush()  # 1. outputs: before any state by which their records would be skipped
        self._check_in_time(began)
        rows: dict[int, dict[bytes, bytes | None]] = {
            number: dict(work.rows) for number, work in works.items() if work.rows
        }
        for (number, key), row in self._rows.repair.items():
            rows.setdefault(number, {}).setdefault(key, row)
        self._rows.repair.clear()
        rows = {number: in_order(news) for number, news in rows.items()}
        for number, news in rows.items():
            for key, new in news.items():
                self.send(self._changelog, new, key=key, partition=number)
        await (
            self._flush()
        )  # 2. changelog: before the files, which would hide a gap in it from recovery
        for number, news in rows.items():
            self._check_changelog_gap(number, len(news))
            self._rows.write(number, news, max(self._logged[number]))  # 3. files
        self._rows.under_way = {}
        self.took = time.monotonic() - began
        metrics.BATCH.observe(self.took)

    def _too_large(self, number: int, value: bytes) -> None:
        metrics.DEAD.labels(self._stage).inc()
        origin = Origin(self._stage, number, -1, -1)
        self.send(
            **letter(self._stage, "an output is larger than the maximum record size", origin, value)
        )

    async def _flush(self) -> None:
        try:
            await asyncio.to_thread(flush, self._producer, self._delivery, self._session)
        except OSError as why:
            exit_now("outputs could not be delivered", error=str(why))

    def _delivered(self, error: Any, message: Any) -> None:
        self._delivery(error, message)
        if error is None and message.topic() == self._changelog:
            self._logged.setdefault(message.partition(), []).append(message.offset())

    def _check_in_time(self, began: float) -> None:
        if time.monotonic() - began > self._session / 2:
            exit_now(
                "a slice took too long: its partitions may be assigned to another member by now"
            )

    def _check_changelog_gap(self, number: int, count: int) -> None:
        """Exits if another worker has written to the changelog since: the stored offset means that the file is complete up to
        it, so the offsets of this slice must follow without a gap."""
        known, offsets = self._rows.known(number), self._logged.get(number, [])
        if (min(offsets), max(offsets)) != (known + 1, known + count):
            exit_now("another worker has written to this partition's changelog", partition=number, knew=known,
                wrote=f"{min(offsets)}-{max(offsets)}")  # fmt: skip
