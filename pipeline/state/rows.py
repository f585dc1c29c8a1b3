"""The storage format of state: rows of the changelog, each a prefix and msgpack.

Row layout: due (8 bytes, big endian, used in heads only), snapshot offset (8), place in its micro-batch (4), control
offset (8), version (1), change offset (8), place in its micro-batch (4), msgpack. Version 1 had no place for changes,
version 2 no exceptions, version 3 no provider times and no scopes in heads."""

import struct
from collections.abc import Mapping

import msgspec

STATE_VERSION = 4
NEVER = 2**64 - 1
_PREFIX = struct.Struct(">QQIQB")
_CHANGE = struct.Struct(">QI")
_FIRST = _PREFIX.size
_REST = _PREFIX.size + _CHANGE.size


class NewerState(Exception):
    """A row was written by a newer version, and this one must not modify it."""


class Position(msgspec.Struct, array_like=True, frozen=True, order=True):
    """The last records applied, as offsets plus one: a redelivered record at or below is skipped."""

    offset: int = 0
    place: int = 0
    control: int = 0
    change: int = 0
    change_place: int = 0


class BatchEnd(msgspec.Struct, array_like=True):
    """The end of a batch."""

    rows: int
    """The number of changelog entries right before this one that form the batch."""


_pack = msgspec.msgpack.Encoder().encode
_whole = msgspec.msgpack.Decoder(BatchEnd)
BODY = b"b"
SOURCES_KEY = b"w"
EXCEPTIONS_KEY = b"x"
RULES_KEY = b"r"
ORIGINS_KEY = b"t"
"""The topics from which the partition was built (driftline.pipeline.worker.origins)."""
TOLD = b"g"
"""Prefix of the keys of reports on scopes, accounts and regions that are not fully processed."""
WHOLE_KEY = b"c"
"""The last row of a batch; the batch is complete."""
FIRST_VERSION_WITH_BATCH_END = 3
"""Since this version every batch has an end row."""


def head_key(uid: str) -> bytes:
    return b"h" + uid.encode()


def body_key(uid: str) -> bytes:
    return BODY + uid.encode()


def told_key(number: int) -> bytes:
    return TOLD + str(number).encode()


def session_key(uid: str) -> bytes:
    return b"s" + uid.encode()


def encode(part: msgspec.Struct, due: int, position: Position) -> bytes:
    """Encodes one row."""
    return (
        _PREFIX.pack(due, position.offset, position.place, position.control, STATE_VERSION)
        + _CHANGE.pack(position.change, position.change_place)
        + _pack(part)
    )


def prefix(row: bytes) -> tuple[int, Position]:
    """Returns the due time and the position of a row. Raises NewerState."""
    version = row[_FIRST - 1]
    if version > STATE_VERSION:
        raise NewerState(
            f"the state was written by a newer Driftline (state version {version}, this one knows"
            f" {STATE_VERSION}): start the newer version, or begin with an empty state folder and app id"
        )
    return int.from_bytes(row[:8], "big"), _position(row)


def version(row: bytes) -> int | None:
    """Returns the state version of a row; None if it is not a row."""
    return row[_FIRST - 1] if len(row) >= _FIRST else None


def _position(row: bytes) -> Position:
    _, offset, place, control, version = _PREFIX.unpack_from(row)
    change = (0, 0) if version == 1 else _CHANGE.unpack_from(row, _FIRST)
    return Position(offset, place, control, *change)


def content(row: bytes) -> memoryview:
    """Returns the msgpack of a row."""
    return memoryview(row)[_FIRST if row[_FIRST - 1] == 1 else _REST :]


def batch_end(count: int) -> bytes:
    """Returns the end row of a batch with this many other rows."""
    return encode(BatchEnd(count), NEVER, Position())


def batch_size(row: bytes) -> int:
    """Returns the number of rows in the batch that this row ends."""
    return _whole.decode(content(row)).rows


def ends_with_mark(row: bytes | None) -> bool:
    """Returns whether a row is of a version whose batches have an end row. (A deletion has no version.)"""
    return row is not None and row[_FIRST - 1] >= FIRST_VERSION_WITH_BATCH_END


def in_order(found: Mapping[bytes, bytes | None]) -> dict[bytes, bytes | None]:
    """Orders the rows of a batch for writing, so that an incomplete batch never claims something that was not done:
    bodies before the heads that hold their position, deleted bodies after them, and the partition's own rows last."""

    def rank(pair: tuple[bytes, bytes | None]) -> int:
        key, row = pair
        if key[:1] == BODY:
            return 0 if row is not None else 2
        beside = key in (SOURCES_KEY, EXCEPTIONS_KEY, RULES_KEY, ORIGINS_KEY) or key[:1] == TOLD
        return 3 if beside else 1

    rows = dict(sorted(found.items(), key=rank))
    return rows | {WHOLE_KEY: batch_end(len(rows))}


def furthest(old: bytes, new: bytes) -> bytes:
    """Returns the row with the higher position of two rows with the same key. A worker that was paused while it lost
    its partitions may have written late, so the last row is not always the best. (No field of a position ever
    decreases, so their lexicographic order is the order of the rows.)"""
    return old if _position(old) > _position(new) else new
