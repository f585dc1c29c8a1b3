"""The state of one resource: a small head under one key, a body under another.

An unchanged snapshot writes only the head. Row layout, both: due (8 bytes, big endian, head only used),
snapshot offset (8), place in its micro-batch (4), control offset (8), version (1), change offset (8), place in its
micro-batch (4), msgpack. Version 1 had no place for changes, version 2 no exceptions, version 3 no provider times and
no scopes in heads."""

import struct
from collections.abc import Mapping
from typing import Any

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


class Head(msgspec.Struct, array_like=True):
    """What the short cut needs. Times in microseconds since 1970."""

    digest: bytes = b""
    seen_at: int = 0
    """The newest `captured_at` applied."""
    said_at: int = 0
    """When every finding was last said."""
    parts: dict[str, int] = {}
    """When each part was last read."""
    provided: dict[str, int] = {}
    """The provider's own time of each part, where it gave one."""
    scope: bytes = b""
    """Where its resource belongs (pipeline.retiring.marks)."""
    told: bytes = b""
    """Digest of what the findings said when all of them were said last (pipeline.statement)."""
    again_at: int = 0
    """`last_seen` of the newest Restatement; 0: none yet. Later revisions are above it, in milliseconds."""


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
    drift: str = ""
    """Id of the drift that it opened with, where it did."""
    actor: dict[str, Any] | None = None
    attribution: str = ""
    known: int = 0
    """How much is known of the actor; part of the revision."""
    exception: str = ""
    """Id of the exception in whose scope it is."""
    approved_at: int = 0
    """When that was said last."""
    accepted: list[list[Any]] = []
    """What was wrong then: paths and their values (pipeline.exceptions)."""
    suppressed: bool = False
    lifted: str = ""
    """Why it is open in spite of an exception, or since one ended."""
    refused: str = ""
    """Id of an exception that was about an earlier resource of this name."""
    because: str = ""
    """Why it stands as it does, where the resource is not the reason: rule_added, rule_changed."""
    causes: list[list[Any]] = []
    """The drifts that it opened with, and their places that it goes back to: [drift id, [numbers of its changes]]."""
    suspects: list[str] = []
    """Names of all who may have caused it, or made it worse, lower case."""
    worsened: list[list[Any]] = []
    """As `causes`: what has made it worse since it began."""
    as_found: bool = False
    """It has not held since the resource was first read (or judged by the rule), and nothing says when that began: it may
    have been so for long."""


class Seen(msgspec.Struct, array_like=True):
    """A successful change of this resource: evidence for what is found different."""

    id: str
    at: int
    action: str
    kind: str
    actor: dict[str, Any]
    parts: list[str] = []
    """What it may have touched; empty: any part."""
    values: list[int] = []
    """Hashes of the scalars in its request."""
    shared: str | None = None
    deployment: str | None = None
    units: list[list[int]] = []
    """The same hashes by what belongs together in the request: an element of a list, the fields of a map."""
    opaque: bool = False
    """Not all of the request's scalars are known."""
    differs: bool = False
    """The event came more than once with different contents; this is the fullest."""
    earlier: bool = False
    """It stands for earlier changes of the same actor too, of whose requests nothing is kept: there were too many."""


class Drifted(msgspec.Struct, array_like=True):
    """A drift that was told, and may yet be completed by an event that comes late."""

    id: str
    part: str
    at: int
    since: int
    changes: list[dict[str, Any]]
    values: list[int]
    found_by: str
    attribution: str = ""
    revision: int = 0
    told: bytes = b""
    """Digest of what was said of its cause."""
    signals: list[list[str]] = []
    """Those that stand of it: correlation, group and rule of each, and a mark of its fields (pipeline.saying)."""


class Expected(msgspec.Struct, array_like=True):
    """What the resource ought to be, by one kind of baseline."""

    at: int
    expect: dict[str, Any]
    by: str = ""
    source: str = ""
    recreated: bool = False
    revoked: bool = False
    appliers: list[str] = []
    """Who makes reality as declared (patterns): while one of them works, it may be half done."""
    address: str = ""
    """Where in the code; with its repository and the folder or file in it, where these were said."""
    repository: str = ""
    path: str = ""


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
    history: list[Seen] = []
    """By time."""
    drifts: list[Drifted] = []
    changed_at: int = 0
    """The newest change that no reading has shown yet; 0: none, readings are settled."""
    agreed_at: int = 0
    """Since when readings after that change have shown what was known before it."""
    before: bytes = b""
    """Digest of the configuration before the last difference."""
    replaced_at: int = 0
    """When that was."""
    unseen: bool = False
    """Only changes are known; no reading has come yet."""
    baselines: dict[str, Expected] = {}
    """By kind."""
    rules: bytes = b""
    """Hash of the rules (of its type) that it was judged by last."""
    ended: str = ""
    """Why it is out of what is watched, where nobody says that it was deleted: account_gone, region_disabled,
    type_removed, forgotten."""
    forgotten: int = 0
    """When the newest change was made of which `history` holds nothing any more, not even the actor."""


class Sources(msgspec.Struct, array_like=True):
    """What a partition knows of time, beside its states."""

    watermarks: dict[str, int] = {}
    """Of each source of change events."""


class Accepted(msgspec.Struct, array_like=True):
    """The exceptions that a partition knows, beside its states."""

    exceptions: list[dict[str, Any]] = []
    """As their model has them, JSON-ready."""
    asking: list[str] = []
    """Patterns of resources whose states are still to be looked at for a new or changed exception."""


class Judged(msgspec.Struct, array_like=True):
    """The rules by which every state of a partition has been judged."""

    rulebook: str


class Whole(msgspec.Struct, array_like=True):
    """The end of a batch."""

    rows: int
    """So many entries of the changelog, right before this one, are the batch."""


class State(msgspec.Struct):
    head: Head
    body: Body
    due: int = NEVER
    position: Position = Position()


_pack = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(Head)
_body = msgspec.msgpack.Decoder(Body)
_sources = msgspec.msgpack.Decoder(Sources)
_accepted = msgspec.msgpack.Decoder(Accepted)
_judged = msgspec.msgpack.Decoder(Judged)
_whole = msgspec.msgpack.Decoder(Whole)
BODY = b"b"
SOURCES_KEY = b"w"
EXCEPTIONS_KEY = b"x"
RULES_KEY = b"r"
ORIGINS_KEY = b"t"
"""Which topics the partition was made from (pipeline.worker.origins)."""
TOLD = b"g"
"""Begins the keys of what is told of scopes, accounts and regions, and not yet followed."""
WHOLE_KEY = b"c"
"""The last row of a batch: all of it is there."""
MARKED = 3
"""Since this version of a row batches end with one."""
ASKED = 0
"""A due time: look at this state again, as soon as there is time."""


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


def decode_head(row: bytes) -> Head:
    return _head.decode(content(row))


def decode_body(row: bytes) -> Body:
    return _body.decode(content(row))


def decode_sources(row: bytes) -> Sources:
    return _sources.decode(content(row))


def decode_accepted(row: bytes) -> Accepted:
    return _accepted.decode(content(row))


def decode_judged(row: bytes) -> Judged:
    return _judged.decode(content(row))


def whole(count: int) -> bytes:
    """The row that ends a batch of so many others."""
    return encode(Whole(count), NEVER, Position())


def batch_size(row: bytes) -> int:
    """How many rows the batch has that this one ends."""
    return _whole.decode(content(row)).rows


def ends_with_mark(row: bytes | None) -> bool:
    """Whether a row is of a version whose batches have an end. (A deletion does not say.)"""
    return row is not None and row[_FIRST - 1] >= MARKED


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
    return rows | {WHOLE_KEY: whole(len(rows))}


def newest(old: bytes, new: bytes) -> bytes:
    """Of two rows of one key the one furthest along. A worker that slept through the loss of its
    partitions may have written late: the last row is not always the best. (No part of a position ever runs back, so
    that their order as a whole is the order of the rows.)"""
    return old if _position(old) > _position(new) else new
