"""Reads and writes the worker's state rows directly in the RocksDB files that Faust manages, bypassing Faust's table: inside
`noack_take` a table cannot be written, and Faust's changelog producer guarantees no order of durability."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from rocksdict import WriteBatch

from driftline.pipeline.common.environment_errors import describe_state_error
from driftline.pipeline.kafka.client import read_all
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.state.rows import (
    furthest,
    head_key,
    session_key,
)
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker.changelog import ChangelogBatcher, Entry
from driftline.pipeline.worker.faust_seam import OFFSET_KEY
from driftline.pipeline.worker.offsets import exit_now

HEADS, SESSIONS = head_key(""), session_key("")
PAGE = 1000
"""Rows read per page when all heads are read."""
AT_ONCE = 10_000
"""Changelog entries read before they are written to the files."""
log = logging.getLogger("driftline.worker")


def opening_failed(folder: Path, partition: int, why: Exception) -> None:
    """Exits with one line if the disk is at fault (nothing is lost). If another process has the file open, Faust retries, and
    a warning is logged meanwhile."""
    told = describe_state_error(why, folder)
    if told is None:
        return
    if "lock" not in str(why).lower():
        exit_now(told)
    log.warning(
        "another process has this state open: give each worker its own worker.state_dir",
        extra={"folder": str(folder), "partition": partition},
    )


class Rows:
    """The rows of all partitions: one RocksDB database each."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.repair: dict[tuple[int, bytes], bytes] = {}
        """Rows that a worker without these partitions overwrote in the changelog, by partition and key: written again with the next
        batch."""
        self.under_way: dict[int, dict[bytes, bytes | None]] = {}
        """By partition, the rows of the slice that is being committed, and is not in the files yet."""

    def database(self, partition: int) -> Any:
        return faust_seam.database(self._table, partition)

    def getter(self, partition: int) -> Callable[[bytes], bytes | None]:
        """Returns a function that reads a row: of the slice that is being committed, or else of the file."""
        get: Callable[[bytes], bytes | None] = self.database(partition).get

        def newest_row(key: bytes) -> bytes | None:
            new = self.under_way.get(partition)
            return get(key) if new is None or key not in new else new[key]

        return newest_row

    def heads(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Yields the rows of all heads and sessions in order of their keys, including those that are being committed. Bodies,
        by far the most bytes, are not read. The iterator may be paused for long: it keeps no file iterator open, and sees
        rows as they are when it reaches them."""
        for prefix in (HEADS, SESSIONS):
            last = prefix
            while page := self._page(partition, prefix, last):
                yield from page
                last = page[-1][0]

    def _page(self, partition: int, prefix: bytes, last: bytes) -> list[tuple[bytes, bytes]]:
        """The next rows after the key `last`, in order."""
        new = self.under_way.get(partition, {})
        page: list[tuple[bytes, bytes]] = []
        for key, value in self.database(partition).items(from_key=last):
            if not key.startswith(prefix):
                break
            if key > last and key not in new:
                page.append((key, value))
                if len(page) == PAGE:
                    break
        end = page[-1][0] if len(page) == PAGE else None
        page += [
            (key, row)
            for key, row in new.items()
            if row is not None
            and key.startswith(prefix)
            and key > last
            and (end is None or key <= end)
        ]
        return sorted(page)

    def known(self, partition: int) -> int:
        """The changelog offset up to which the file is complete; -1: none."""
        return int(self.database(partition).get(OFFSET_KEY) or -1)

    def write(self, partition: int, rows: Mapping[bytes, bytes | None], offset: int) -> None:
        """Writes rows (None: deleted) and the changelog offset that the file then stands for, atomically."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(OFFSET_KEY, str(offset).encode())
        self.database(partition).write(batch)

    def recover(self, batch: Any, **_: Any) -> None:
        """Applies recovered changelog events, in place of Faust's own method."""
        messages = (event.message for event in batch)
        self.apply((m.partition, m.offset, m.key, m.value) for m in messages)

    def apply(self, entries: Iterable[Entry]) -> None:
        """Writes changelog entries to the files. Of two rows of a key the one with the higher position wins, not the later
        one: a worker that had lost its partitions may have written late. A deletion (of an expired session, or by an
        operator) always wins."""
        writes: dict[int, tuple[dict[bytes, bytes | None], int]] = {}
        getters = {}
        for partition, offset, key, value in entries:
            if partition not in writes:
                writes[partition], getters[partition] = ({}, -1), self.database(partition).get
            rows = writes[partition][0]
            have = rows[key] if key in rows else getters[partition](key)
            if (
                have is not None
                and value is not None
                and furthest(have, value) is have
                and have != value
            ):
                self.repair[partition, key] = have
            else:
                rows[key] = value
                self.repair.pop((partition, key), None)
            writes[partition] = (rows, offset)
        for partition, (rows, offset) in writes.items():
            self.write(partition, rows, offset)


def catch_up(
    rows: Rows, kafka: Kafka, changelog: str, partitions: Iterable[int], stopped: threading.Event
) -> None:
    """Brings the files of `partitions` up to the current end of their changelog, or until `stopped` is set."""
    start = {number: rows.known(number) + 1 for number in partitions}
    batcher = ChangelogBatcher(rows.apply)
    with closing(read_all(kafka, changelog, start)) as messages:
        while not stopped.is_set() and (batch := list(islice(messages, AT_ONCE))):
            batcher.add(
                (m.partition(), m.offset(), m.key(), m.value())
                for m in batch
                if m.offset()
                >= start[m.partition()]  # Faust itself refuses a topic that was recreated
            )
    if not stopped.is_set():
        for number, offset, count in batcher.finish():
            log.warning("an incomplete batch was discarded: its records will be delivered again", extra={"partition": number, "rows": count})  # fmt: skip
            rows.write(number, {}, offset)
