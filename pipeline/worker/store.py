"""The worker's rows: read from and written to the RocksDB files that Faust manages, past Faust's own table.

Inside noack_take a table cannot be written, and Faust's changelog producer gives no order of durability. The private
names used here are why faust-streaming is pinned."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from faust.stores.rocksdb import Store
from rocksdict import WriteBatch

from pipeline.kafka import read_all
from pipeline.settings import Kafka
from pipeline.state import head_key, newest

OFFSET_KEY: bytes = Store.offset_key
HEADS = head_key("")
AT_ONCE = 10_000
"""Rows read before they are written."""


class Rows:
    """The table's files, one database a partition."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.heal: dict[tuple[int, bytes], bytes] = {}
        """Rows that a late writer overwrote in the changelog: said again with the next batch."""
        self.under_way: dict[int, dict[bytes, bytes | None]] = {}
        """By partition, rows of the slice that is being made durable: not in the files yet."""

    def database(self, partition: int) -> Any:
        return self._table.data._db_for_partition(partition)  # noqa: SLF001 - see above

    def getter(self, partition: int) -> Callable[[bytes], bytes | None]:
        """Reads a row: one that is under way, or else the file's."""
        get: Callable[[bytes], bytes | None] = self.database(partition).get

        def newest_row(key: bytes) -> bytes | None:
            new = self.under_way.get(partition)
            return get(key) if new is None or key not in new else new[key]

        return newest_row

    def heads(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Every head's row, those that are under way with them. Keys are in order: the bodies, by far the most bytes,
        are not read."""
        new = {k: v for k, v in self.under_way.get(partition, {}).items() if k.startswith(HEADS)}
        yield from ((key, value) for key, value in new.items() if value is not None)
        for key, value in self.database(partition).items(from_key=HEADS):
            if not key.startswith(HEADS):
                return
            if key not in new:
                yield key, value

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

    def learn(self, entries: Iterable[tuple[int, int, bytes, bytes | None]]) -> None:
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
                and newest(have, value) is have
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
    with closing(read_all(kafka, changelog, start)) as messages:
        while not stopped.is_set() and (batch := list(islice(messages, AT_ONCE))):
            rows.learn(
                (m.partition(), m.offset(), m.key(), m.value())
                for m in batch
                if m.offset() >= start[m.partition()]  # a topic made anew is Faust's to refuse
            )
