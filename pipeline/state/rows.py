"""How state is kept: rows of the changelog, each a prefix and msgpack.

Row layout: due (8 bytes, big endian, head only used), snapshot offset (8), place in its micro-batch (4), control offset
(8), version (1), change offset (8), place in its micro-batch (4), msgpack. Version 1 had no place for changes, version 2 no
exceptions, version 3 no provider times and no scopes in heads."""

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
    """A row was written by a newer version: this one must not touch it."""


class Position(msgspec.Struct, array_like=True, frozen=True, order=True):
    """The last records that were applied, offsets plus one: a redelivered one at or below is skipped."""

    offset: int = 0
    place: int = 0
    control: int = 0
    change: int = 0
    change_place: int = 0


class BatchEnd(msgspec.Struct, array_like=True):
    """The end of a batch."""

    rows: int
    """So many entries of the changelog, right before this one, are the batch."""


_pack = msgspec.msgpack.Encoder().encode
_whole = msgspec.msgpack.Decoder(BatchEnd)
BODY = b"b"
SOURCES_KEY = b"w"
EXCEPTIONS_KEY = b"x"
RULES_KEY = b"r"
ORIGINS_KEY = b"t"
"""Which topics the partition was made from (driftline.pipeline.worker.origins)."""
TOLD = b"g"
"""Begins the keys of what is told of scopes, accounts and regions, and not yet followed."""
WHOLE_KEY = b"c"
"""The last row of a batch: all of it is there."""
FIRST_VERSION_WITH_BATCH_END = 3
"""Since this version of a row batches end with one."""


def head_key(uid: str) -> bytes:
    return b"h" + uid.encode()


def body_key(uid: str) -> bytes:
    return BODY + uid.encode()


def told_key(number: int) -> bytes:
    return TOLD + str(number).encode()


def session_key(uid: str) -> bytes:
    return b"s" + uid.encode()


def encode(part: msgspec.Struct, due: int, position: Position) -> bytes:
    """One row."""
    return (
        _PREFIX.pack(due, position.offset, position.place, position.control, STATE_VERSION)
        + _CHANGE.pack(position.change, position.change_place)
        + _pack(part)
    )


def prefix(row: bytes) -> tuple[int, Position]:
    """Due time and position of a row. Raises NewerState."""
    version = row[_FIRST - 1]
    if version > STATE_VERSION:
        raise NewerState(
            f"the state was written by a newer Driftline (state version {version}, this one knows"
            f" {STATE_VERSION}): start the newer version, or begin with an empty state folder and app id"
        )
    return int.from_bytes(row[:8], "big"), _position(row)


def version(row: bytes) -> int | None:
    """The version of the state that a row is of; None for what is no row."""
    return row[_FIRST - 1] if len(row) >= _FIRST else None


def _position(row: bytes) -> Position:
    _, offset, place, control, version = _PREFIX.unpack_from(row)
    change = (0, 0) if version == 1 else _CHANGE.unpack_from(row, _FIRST)
    return Position(offset, place, control, *change)


def content(row: bytes) -> memoryview:
    """The msgpack of a row."""
    return memoryview(row)[_FIRST if row[_FIRST - 1] == 1 else _REST :]


def batch_end(count: int) -> bytes:
    """The row that ends a batch of so many others."""
    return encode(BatchEnd(count), NEVER, Position())


def batch_size(row: bytes) -> int:
    """How many rows the batch has that this one ends."""
    return _whole.decode(content(row)).rows


def ends_with_mark(row: bytes | None) -> bool:
    """Whether a row is of a version whose batches have an end. (A deletion does not say.)"""
    return row is not None and row[_FIRST - 1] >= FIRST_VERSION_WITH_BATCH_END


def in_order(found: Mapping[bytes, bytes | None]) -> dict[bytes, bytes | None]:
    """Rows as they must be written. Of a batch that is cut short nothing may be known that says that something else was
    done: bodies come before the heads that hold their position, those that are gone after them, and last what a partition
    knows beside its states."""

    def rank(pair: tuple[bytes, bytes | None]) -> int:
        key, row = pair
        if key[:1] == BODY:
            return 0 if row is not None else 2
        beside = key in (SOURCES_KEY, EXCEPTIONS_KEY, RULES_KEY, ORIGINS_KEY) or key[:1] == TOLD
        return 3 if beside else 1

    rows = dict(sorted(found.items(), key=rank))
    return rows | {WHOLE_KEY: batch_end(len(rows))}


def furthest(old: bytes, new: bytes) -> bytes:
    """Of two rows of one key the one furthest along. A worker that slept through the loss of its
    partitions may have written late: the last row is not always the best. (No part of a position ever runs back, so
    that their order as a whole is the order of the rows.)"""
    return old if _position(old) > _position(new) else new
