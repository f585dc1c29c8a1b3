"""The worker's rows: read from and written to the RocksDB files that Faust manages, past Faust's own table.

Inside noack_take a table cannot be written, and Faust's changelog producer gives no order of durability. The private
names used here are why faust-streaming is pinned."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from faust.stores.rocksdb import Store
from rocksdict import WriteBatch

from pipeline.state import head_key, newest

OFFSET_KEY: bytes = Store.offset_key
HEADS = head_key("")


class Rows:
    """The table's files, one database a partition."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.heal: dict[tuple[int, bytes], bytes] = {}
        """Rows that a late writer overwrote in the changelog: said again with the next batch."""

    def database(self, partition: int) -> Any:
        return self._table.data._db_for_partition(partition)  # noqa: SLF001 - see above

    def getter(self, partition: int) -> Callable[[bytes], bytes | None]:
        database = self.database(partition)
        get: Callable[[bytes], bytes | None] = database.get
        return get

    def heads(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Every head's row. Keys are in order: the bodies, by far the most bytes, are not read."""
        for key, value in self.database(partition).items(from_key=HEADS):
            if not key.startswith(HEADS):
                return
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
        """In place of Faust's: of a key's entries the one furthest along wins, not the last. Nothing of ours deletes
        a row; where an operator did, it is gone (an error here would be tried again for ever)."""
        writes: dict[int, tuple[dict[bytes, bytes | None], int]] = {}
        for message in (event.message for event in batch):
            rows = writes.get(message.partition, ({}, -1))[0]
            key, value = message.key, message.value
            have = rows[key] if key in rows else self.database(message.partition).get(key)
            if (
                have is not None
                and value is not None
                and newest(have, value) is have
                and have != value
            ):
                self.heal[message.partition, key] = have
            else:
                rows[key] = value
                self.heal.pop((message.partition, key), None)
            writes[message.partition] = (rows, message.offset)
        for partition, (rows, offset) in writes.items():
            self.write(partition, rows, offset)
