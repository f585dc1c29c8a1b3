"""Writes a collector's records to Kafka: snapshots in micro-batches per partition, and a scope's header once
everything is durable."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from driftline.collectors.base import Emitted, PreviousSweep, covers, page_key
from driftline.pipeline.common.errors import NotThere
from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.model import Control, Gone, Snapshot, Sweep, SweepUids, Swept
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS, SWEEPS, partition
from driftline.pipeline.settings.blocks import Settings

MOST_BYTES, OLDEST = 500_000, 0.2
HEADERS, HEADERS_OLDEST = 100, 1.0
"""Headers are written in groups, because each group waits for the brokers twice."""
PATIENCE_MS = 120_000
"""How long Kafka may be unavailable before the sweep is abandoned; the next one starts over."""


class Batches:
    """Call it with each record, call idle() periodically, and close() at the end.

    All of them raise NotThere if Kafka does not accept the records. `known` is the content of the sweeps topic at the
    start: pages that a new header no longer counts are deleted."""

    def __init__(
        self,
        settings: Settings,
        known: Mapping[str, PreviousSweep] | None = None,
        now: Callable[[], float] = time.monotonic,
        out: Any = None,
    ) -> None:
        self._out = out or producer(settings.kafka, delivery_timeout_ms=PATIENCE_MS)
        self._where = settings.kafka.bootstrap_servers
        self._delivery, self._known, self._now = Delivery(), known or {}, now
        self._open: dict[int, list[bytes]] = {}
        self._size: dict[int, int] = {}
        self._since: dict[int, float] = {}
        self._pages: dict[str, list[SweepUids]] = {}
        self._headers: list[Sweep] = []
        self._told: list[Swept | Gone] = []
        self._headers_since = 0.0
        self.snapshots = 0

    def __call__(self, record: Emitted) -> None:
        if isinstance(record, Snapshot):
            self.snapshots += 1
            self._put(partition(record.uid), codec.encode_snapshot(record))
        elif isinstance(record, SweepUids):
            self._pages.setdefault(record.scope.key, []).append(record)
        elif isinstance(record, Swept | Gone):
            self._told.append(record)
        else:
            self._headers_since = self._headers_since if self._headers else self._now()
            self._headers.append(record)
        self.idle()

    def idle(self) -> None:
        """Sends batches that have waited long enough."""
        now = self._now()
        for number in [n for n, since in self._since.items() if now - since >= OLDEST]:
            self._send(number)
        if self._headers and (
            len(self._headers) >= HEADERS or now - self._headers_since >= HEADERS_OLDEST
        ):
            self._write_headers()
        self._out.poll(0)
        if self._delivery.failed:
            self._fail("; ".join(self._delivery.failed[:3]))

    def close(self) -> None:
        """Flushes: everything has been acknowledged afterwards."""
        self._flush()
        if self._headers or self._told:
            self._write_headers()
            self._flush()  # including the deletion of old pages, or resources would be reported as gone again

    def raw(self, topic: str, value: bytes) -> None:
        """Writes a record of a tape unchanged; its elements go to the partitions of their uids."""
        if topic != SNAPSHOTS.name:
            self._flush()  # time advances only after what was read before
            for number in range(SNAPSHOTS.partitions):
                self._produce(topic, value, partition=number)
            return
        for element in codec.split(value):
            peeked = codec.peek(codec.encode_batch([element]))[0]
            self.snapshots += 1
            self._put(partition(peeked.uid if peeked else ""), element)
        self.idle()

    def _put(self, number: int, element: bytes) -> None:
        if self._size.get(number, 0) + len(element) + 2 > MOST_BYTES:
            self._send(number)
        self._open.setdefault(number, []).append(element)
        self._size[number] = self._size.get(number, 0) + len(element) + 1
        self._since.setdefault(number, self._now())

    def _send(self, number: int) -> None:
        elements = self._open.pop(number, [])
        self._size.pop(number, None)
        self._since.pop(number, None)
        if elements:
            self._produce(SNAPSHOTS.name, codec.encode_batch(elements), partition=number)

    def _write_headers(self) -> None:
        """Writes the uids, then the headers, then the report to the stream, each only after everything before is
        durable: a header must not count pages that do not exist, and what a sweep has read must arrive before it
        reports that it did not see the rest."""
        self._flush()
        headers, self._headers = self._headers, []
        told, self._told = self._told, []
        written: dict[str, set[int]] = {}
        for header in headers:
            key = header.scope.key
            pages = self._pages.pop(key, [])
            written[key] = {page.page for page in pages}
            for page in pages:
                self._produce(SWEEPS.name, page.encode(), key=page_key(key, page.page).encode())
        self._flush()
        for header in headers:
            self._produce(SWEEPS.name, header.encode(), key=header.scope.key.encode())
        self._flush()
        self._tell(told)
        for key, pages_now in written.items():
            known = self._known.get(key)
            for old in sorted(known.pages - pages_now) if known else ():
                self._produce(SWEEPS.name, None, key=page_key(key, old).encode())

    def _tell(self, told: Sequence[Swept | Gone]) -> None:
        """Writes to every partition of `control`; the headers of removed scopes are deleted after that."""
        for one in [*together(told), *(one for one in told if isinstance(one, Gone))]:
            word = Control(swept=one) if isinstance(one, Swept) else Control(gone=one)
            for number in range(CONTROL.partitions):
                self._produce(CONTROL.name, word.encode(), partition=number)
        ended = [one for one in told if isinstance(one, Gone)]
        if not ended:
            return
        self._flush()
        for key, known in self._known.items():
            if any(covers(one, key) for one in ended):
                for page in sorted(known.pages):
                    self._produce(SWEEPS.name, None, key=page_key(key, page).encode())
                self._produce(SWEEPS.name, None, key=key.encode())

    def _flush(self) -> None:
        for number in list(self._open):
            self._send(number)
        try:
            flush(self._out, self._delivery, PATIENCE_MS / 1000 + 10)
        except OSError as error:
            self._fail(str(error))

    def _produce(self, topic: str, value: bytes | None, **more: Any) -> None:
        produce(self._out, self._delivery, topic, value, **more)
        self._out.poll(0)

    def _fail(self, why: str) -> None:
        raise NotThere(
            f"{why}",
            fix="the sweep was abandoned, no header counts it; check the brokers and `driftline "
            "topics check`, then start again",
            place=f"Kafka at {self._where}",
        )


def together(told: Iterable[Swept | Gone]) -> list[Swept]:
    """Reports what was swept, one record for each region of an account: an organization has a hundred types in each
    of thousands of regions, and every partition receives all records."""
    by_place: dict[tuple[str, str, str, bool], list[Swept]] = {}
    for one in told:
        if isinstance(one, Swept):
            place = (one.scope.provider, one.scope.account, one.scope.region, one.complete)
            by_place.setdefault(place, []).append(one)
    return [
        Swept(
            scope=words[0].scope.model_copy(update={"type": "*"}),
            started_at=min(one.started_at for one in words),
            complete=complete,
            ended_at=max((one.ended_at for one in words if one.ended_at), default=None),
            types=sorted({one.scope.type for one in words}),
        )
        for (_, _, _, complete), words in by_place.items()
    ]
