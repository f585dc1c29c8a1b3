"""The worker's rows: read from and written to the RocksDB files that Faust manages, past Faust's own table.

Inside noack_take a table cannot be written, and Faust's changelog producer gives no order of durability."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from driftline.pipeline.common.environment_errors import describe_state_error
from driftline.pipeline.kafka.client import read_all
from driftline.pipeline.settings.blocks import Kafka
from driftline.pipeline.state.rows import (
    WHOLE_KEY,
    batch_size,
    ends_with_mark,
    furthest,
    head_key,
    session_key,
)
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker.faust_seam import OFFSET_KEY
from driftline.pipeline.worker.offsets import die
from rocksdict import WriteBatch

HEADS, SESSIONS = head_key(""), session_key("")
PAGE = 1000
"""Heads read in one go."""
AT_ONCE = 10_000
"""Rows read before they are written."""
MOST_BATCH = 64 << 20
"""Bytes of a batch in one partition: more than a slice can bring."""
Entry = tuple[int, int, bytes, bytes | None]
"""Of a changelog: partition, offset, key, row."""
log = logging.getLogger("driftline.worker")


def opening_failed(folder: Path, partition: int, why: Exception) -> None:
    """What the disk refuses ends the process with one line (nothing is lost); a file that another process holds is waited
    for by Faust, and told meanwhile."""
    told = describe_state_error(why, folder)
    if told is None:
        return
    if "lock" not in str(why).lower():
        die(told)
    log.warning(
        "another process holds this state: give each worker its own worker.state_dir",
        extra={"folder": str(folder), "partition": partition},
    )


class Rows:
    """The table's files, one database a partition."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.heal: dict[tuple[int, bytes], bytes] = {}
        """Rows that a late writer overwrote in the changelog: said again with the next batch."""
        self.under_way: dict[int, dict[bytes, bytes | None]] = {}
        """By partition, rows of the slice that is being made durable: not in the files yet."""

    def database(self, partition: int) -> Any:
        return faust_seam.database(self._table, partition)

    def getter(self, partition: int) -> Callable[[bytes], bytes | None]:
        """Reads a row: one that is under way, or else the file's."""
        get: Callable[[bytes], bytes | None] = self.database(partition).get

        def newest_row(key: bytes) -> bytes | None:
            new = self.under_way.get(partition)
            return get(key) if new is None or key not in new else new[key]

        return newest_row

    def heads(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Every head's and session's row, those that are under way with them, by key; the bodies, by far the most bytes,
        are not read. It may be left for long between two rows: nothing of the files is held open, and a row that is
        written meanwhile is as it is then."""
        for prefix in (HEADS, SESSIONS):
            last = prefix
            while page := self._page(partition, prefix, last):
                yield from page
                last = page[-1][0]

    def _page(self, partition: int, prefix: bytes, last: bytes) -> list[tuple[bytes, bytes]]:
        """The next rows after a key, in order."""
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
        """The changelog offset up to which the files know everything; -1 for none."""
        return int(self.database(partition).get(OFFSET_KEY) or -1)

    def write(self, partition: int, rows: Mapping[bytes, bytes | None], offset: int) -> None:
        """Rows (None: gone) and the changelog offset that they stand for, in one atomic write."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(OFFSET_KEY, str(offset).encode())
        self.database(partition).write(batch)

    def recover(self, batch: Any, **_: Any) -> None:
        """In place of Faust's."""
        messages = (event.message for event in batch)
        self.learn((m.partition, m.offset, m.key, m.value) for m in messages)

    def learn(self, entries: Iterable[Entry]) -> None:
        """Entries of the changelog (partition, offset, key, row): of a key's rows the one furthest along wins, not the
        last. A deletion (of a session that is over, or an operator's) always does."""
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
                self.heal[partition, key] = have
            else:
                rows[key] = value
                self.heal.pop((partition, key), None)
            writes[partition] = (rows, offset)
        for partition, (rows, offset) in writes.items():
            self.write(partition, rows, offset)


def catch_up(
    rows: Rows, kafka: Kafka, changelog: str, partitions: Iterable[int], stopped: threading.Event
) -> None:
    """Reads what the files do not know yet of their changelog, up to its end as it is now, or until stopped."""
    start = {number: rows.known(number) + 1 for number in partitions}
    tail = Tail(rows.learn)
    with closing(read_all(kafka, changelog, start)) as messages:
        while not stopped.is_set() and (batch := list(islice(messages, AT_ONCE))):
            tail.take(
                (m.partition(), m.offset(), m.key(), m.value())
                for m in batch
                if m.offset() >= start[m.partition()]  # a topic made anew is Faust's to refuse
            )
    if not stopped.is_set():
        for number, offset, count in tail.end():
            log.warning("a batch was cut short: its records come again", extra={"partition": number, "rows": count})  # fmt: skip
            rows.write(number, {}, offset)


class Tail:
    """Entries of changelogs on their way into the files: a batch goes there as a whole, or not at all. Its worker may
    have died in the midst of it; then the records that it came from were not acknowledged, and come again.

    What is cut short is the same whenever it is read, also long after others have written more: the entries right before
    a batch, without a gap. (Before a batch that was whole there is its predecessor's mark, or, where the topic was
    compacted, the gap that this mark has left.)"""

    def __init__(self, learn: Callable[[list[Entry]], None]) -> None:
        self._learn = learn
        self._waiting: dict[int, list[Entry]] = {}
        self._bytes: Counter[int] = Counter()

    def take(self, entries: Iterable[Entry]) -> None:
        """Some more, each partition's in order."""
        ready: list[Entry] = []
        for entry in entries:
            number, offset, key, row = entry
            waiting = self._waiting.setdefault(number, [])
            self._bytes[number] += len(row or b"")
            if key == WHOLE_KEY and row is not None:
                ready += _before(waiting, offset - batch_size(row))
            waiting.append(entry)
            if key == WHOLE_KEY or self._bytes[number] > MOST_BATCH:
                ready += waiting
                waiting.clear()
                self._bytes[number] = 0
        if ready:
            self._learn(ready)

    def end(self) -> list[tuple[int, int, int]]:
        """There are no more. What was cut short is forgotten: partition, last offset, and how many entries."""
        lost = []
        for number, waiting in self._waiting.items():
            good = _unmarked(waiting)
            if good:
                self._learn(waiting[:good])
            if waiting[good:]:
                lost.append((number, waiting[-1][1], len(waiting) - good))
        return lost


def _before(waiting: list[Entry], begin: int) -> list[Entry]:
    """Takes out what stands before a batch that begins at an offset; returns what of it counts."""
    first = next((n for n, entry in enumerate(waiting) if entry[1] >= begin), len(waiting))
    run = first
    while run and waiting[run - 1][1] == begin - (first - run) - 1:
        run -= 1
    good = waiting[: run + _unmarked(waiting[run:first])]
    del waiting[:first]
    return good


def _unmarked(entries: Sequence[Entry]) -> int:
    """How many of the first entries are of a version that marked no ends: these count alone."""
    return next((n for n, entry in enumerate(entries) if ends_with_mark(entry[3])), len(entries))
