"""What is durable when: outputs, flush; changelog, flush; files; acknowledgement. Outputs may come twice, their ids are
the same; a state never hides a record whose outputs were lost.

A slice's writing runs beside the judging of the next one, never beside the writing of another: a flush mostly waits."""

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
from driftline.pipeline.worker.offsets import die
from driftline.pipeline.worker.store import Rows

log = logging.getLogger("driftline.worker")
Then = Callable[[], Awaitable[None]]


class Ledger:
    """`session`: seconds after which our partitions may be another's; what takes half of them ends the process. `folder`:
    where the files are."""

    def __init__(
        self, kafka: Kafka, rows: Rows, changelog: str, session: float, stage: str, folder: Path
    ) -> None:
        self._folder = folder
        self._producer = producer(kafka, message_timeout_ms=int(session * 500))
        self._delivery = Delivery()
        self._rows, self._changelog, self._session, self._stage = rows, changelog, session, stage
        self._logged: dict[int, list[int]] = {}
        """Partition to the changelog offsets that this slice's rows were given."""
        self._task: asyncio.Task[None] | None = None
        self.took: float | None = None
        """Seconds from the beginning of the last slice until it was durable."""

    def send(self, topic: str, value: bytes | None, **more: Any) -> None:
        produce(self._producer, self._delivered, topic, value, **more)

    def flush_now(self) -> None:
        """Waits, and the loop with it: for a last word before the end."""
        flush(self._producer, self._delivery, self._session)

    async def write(
        self, take: Callable[[], Mapping[int, Work]], began: float, then: Then | None
    ) -> None:
        """Waits until the last slice is durable, takes this one's works (by partition) and begins to make them so;
        `then` acknowledges them. `began`: monotonic seconds at which the slice began."""
        await self.settled()
        self._in_time(began)
        works = take()
        self._rows.under_way = {n: work.rows for n, work in works.items() if work.rows}
        self._task = asyncio.create_task(self._write(works, began, then))

    async def settled(self) -> None:
        """Returns once nothing is under way."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _write(self, works: Mapping[int, Work], began: float, then: Then | None) -> None:
        try:
            await self._in_order(works, began)
            if then:
                await then()
        except Exception as why:
            if told := describe_state_error(why, self._folder):
                die(told)
            log.exception("a slice was not written")
            die("a slice was not written", error=repr(why))

    async def _in_order(self, works: Mapping[int, Work], began: float) -> None:
        self._logged.clear()
        for number, work in works.items():
            for output in work.outputs:
                if len(output.value) > MOST:
                    self._too_large(number, output.value)
                else:
                    self.send(output.topic, output.value or None, key=output.key)
        await self._flush()  # 1. outputs, before any state that would let their records be skipped
        self._in_time(began)
        rows: dict[int, dict[bytes, bytes | None]] = {
            number: dict(work.rows) for number, work in works.items() if work.rows
        }
        for (number, key), row in self._rows.heal.items():
            rows.setdefault(number, {}).setdefault(key, row)
        self._rows.heal.clear()
        rows = {number: in_order(news) for number, news in rows.items()}
        for number, news in rows.items():
            for key, new in news.items():
                self.send(self._changelog, new, key=key, partition=number)
        await self._flush()  # 2. changelog, before files that would hide a hole in it from recovery
        for number, news in rows.items():
            self._fence(number, len(news))
            self._rows.write(number, news, max(self._logged[number]))  # 3. files
        self._rows.under_way = {}
        self.took = time.monotonic() - began
        metrics.BATCH.observe(self.took)

    def _too_large(self, number: int, value: bytes) -> None:
        metrics.DEAD.labels(self._stage).inc()
        origin = Origin(self._stage, number, -1, -1)
        self.send(**letter(self._stage, "an output larger than a record may be", origin, value))

    async def _flush(self) -> None:
        try:
            await asyncio.to_thread(flush, self._producer, self._delivery, self._session)
        except OSError as why:
            die("outputs were not delivered", error=str(why))

    def _delivered(self, error: Any, message: Any) -> None:
        self._delivery(error, message)
        if error is None and message.topic() == self._changelog:
            self._logged.setdefault(message.partition(), []).append(message.offset())

    def _in_time(self, began: float) -> None:
        if time.monotonic() - began > self._session / 2:
            die("a batch took too long: its partitions may be another's by now")

    def _fence(self, number: int, count: int) -> None:
        """The stored offset means "I know all before it": a hole is another worker's writing."""
        known, offsets = self._rows.known(number), self._logged.get(number, [])
        if (min(offsets), max(offsets)) != (known + 1, known + count):
            die("another worker has written to our changelog", partition=number, knew=known,
                wrote=f"{min(offsets)}-{max(offsets)}")  # fmt: skip
