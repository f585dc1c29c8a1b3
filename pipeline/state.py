"""The state of one resource: a small head under one key, a body under another.

An unchanged snapshot writes only the head. Row layout, both: due (8 bytes, big endian, head only used),
snapshot offset (8), place in its micro-batch (4), control offset (8), version (1), msgpack."""

import struct
from typing import Any

import msgspec

STATE_VERSION = 1
NEVER = 2**64 - 1
_PREFIX = struct.Struct(">QQIQB")
_POSITION = slice(8, 28)


class NewerState(Exception):
    """A row was written by a newer version: this one must not touch it."""


class Position(msgspec.Struct, array_like=True, frozen=True, order=True):
    """The last records that were applied: a redelivered one at or below is skipped."""

    offset: int = 0
    place: int = 0
    control: int = 0


class Head(msgspec.Struct, array_like=True):
    """What the short cut needs. Times in microseconds since 1970."""

    digest: bytes = b""
    seen_at: int = 0
    """The newest `captured_at` applied."""
    said_at: int = 0
    """When every finding was last said."""
    parts: dict[str, int] = {}
    """When each part was last read."""


class Hidden(msgspec.Struct, array_like=True):
    """A part that was unread at `at`."""

    reason: str
    code: str
    at: int


class Life(msgspec.Struct, array_like=True):
    """Where one rule stands on this resource."""

    evaluation: str
    status: str
    reason: str
    detail: str
    evidence: list[dict[str, Any]]
    first_seen: int
    updated_at: int
    revision: int = 0
    evaluated_at: int | None = None
    opened_at: int | None = None
    resolved_at: int | None = None
    reopened: int = 0
    pending_since: int | None = None
    passing_since: int | None = None
    retired: bool = False
    rule: int = 0
    """The rule's version when last judged."""
    severity: str = ""


class Body(msgspec.Struct, array_like=True):
    """The whole knowledge about one resource."""

    resource: dict[str, Any]
    """As findings carry it (ResourceRef)."""
    config: dict[str, Any] = {}
    hidden: dict[str, Hidden] = {}
    incarnation: str | None = None
    deleted_at: int | None = None
    lives: dict[str, Life] = {}
    previous: dict[str, Any] | None = None
    changes: list[dict[str, Any]] = []
    related: list[dict[str, Any]] = []
    not_before: int = 0
    """A reading at or before this is of a life that has ended (deleted, or made anew)."""


class State(msgspec.Struct):
    head: Head
    body: Body
    due: int = NEVER
    position: Position = Position()


_pack = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(Head)
_body = msgspec.msgpack.Decoder(Body)


def head_key(uid: str) -> bytes:
    return b"h" + uid.encode()


def body_key(uid: str) -> bytes:
    return b"b" + uid.encode()


def encode(part: Head | Body, due: int, position: Position) -> bytes:
    """One row."""
    return _PREFIX.pack(
        due, position.offset, position.place, position.control, STATE_VERSION
    ) + _pack(part)


def prefix(row: bytes) -> tuple[int, Position]:
    """Due time and position of a row. Raises NewerState."""
    due, offset, place, control, version = _PREFIX.unpack_from(row)
    if version > STATE_VERSION:
        raise NewerState(
            f"the state was written by a newer Driftline (state version {version}, this one knows"
            f" {STATE_VERSION}): start the newer version, or begin with an empty state folder and app id"
        )
    return due, Position(offset, place, control)


def decode_head(row: bytes) -> Head:
    return _head.decode(memoryview(row)[_PREFIX.size :])


def decode_body(row: bytes) -> Body:
    return _body.decode(memoryview(row)[_PREFIX.size :])


def newest(old: bytes, new: bytes) -> bytes:
    """Of two rows of one key the one furthest along. A worker that slept through the loss of its
    partitions may have written late: the last row is not always the best."""
    return old if old[_POSITION] > new[_POSITION] else new
