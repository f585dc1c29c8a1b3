"""Bytes in and out: the one way into every shell, with the limits that keep a hostile record harmless."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
from pydantic import ValidationError

from pipeline.errors import Malformed
from pipeline.model import Control, Snapshot

MAX_DEPTH = 64
"""CEL's runtime crashes on documents nested some thousand levels deep; no cloud answer has 64."""
MAX_BYTES = 4_000_000
INT_MIN, INT_MAX = -(2**63), 2**64 - 1


class PeekPart(msgspec.Struct):
    name: str
    captured_at: str


class Peek(msgspec.Struct):
    """What the short cut for the unchanged needs of a snapshot; the rest stays unparsed bytes."""

    uid: str
    type: str
    captured_at: str
    config: msgspec.Raw = msgspec.Raw(b"{}")
    parts: list[PeekPart] = []
    tags: msgspec.Raw = msgspec.Raw(b"{}")
    unread: msgspec.Raw = msgspec.Raw(b"[]")
    related: msgspec.Raw = msgspec.Raw(b"[]")
    provider: msgspec.Raw = msgspec.Raw(b"")
    organization: msgspec.Raw = msgspec.Raw(b"")
    account: msgspec.Raw = msgspec.Raw(b"")
    region: msgspec.Raw = msgspec.Raw(b"")
    name: msgspec.Raw = msgspec.Raw(b"")
    incarnation: msgspec.Raw = msgspec.Raw(b"")
    deleted: msgspec.Raw = msgspec.Raw(b"")

    def digest(self, rules: bytes) -> bytes:
        """16 bytes that differ when anything differs that a verdict or a finding may depend on.

        Times and the sweep's id are left out: they change at every reading."""
        parts = "\n".join([part.name for part in self.parts]).encode()
        return hashlib.sha256(
            b"\0".join(
                (
                    rules, self.config, parts, self.tags, self.unread, self.related, self.provider,
                    self.organization, self.account, self.region, self.name, self.incarnation,
                    self.deleted, self.type.encode(),
                )
            )
        ).digest()[:16]  # fmt: skip


_BATCH = msgspec.json.Decoder(list[Peek])
_ONE = msgspec.json.Decoder(Peek)
_SPLIT = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


def decode(data: bytes, most: int = MAX_BYTES) -> Any:
    """JSON to Python values. Raises Malformed for what is not JSON, nests deeper than 64, holds a lone
    surrogate, an integer beyond 64 bit or more than 4 MB."""
    if len(data) > most:
        raise Malformed(f"{len(data)} bytes: more than {most}")
    try:
        value = _ANY.decode(data)
    except _ERRORS as error:
        raise Malformed(f"not JSON: {error}") from None
    _check(value)
    return value


def _check(value: Any) -> None:
    stack = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, dict):
            children = list(item.values())
        elif isinstance(item, list):
            children = item
        else:
            if type(item) is int and not INT_MIN <= item <= INT_MAX:
                raise Malformed("an integer beyond 64 bit")
            continue
        if depth > MAX_DEPTH:
            raise Malformed(f"nested deeper than {MAX_DEPTH}")
        stack.extend((child, depth + 1) for child in children)


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(step) for step in problem['loc']) or 'record'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)[:5]
    )


def snapshot(data: bytes) -> Snapshot:
    """One snapshot from its JSON. Raises Malformed with every reason."""
    try:
        return Snapshot.model_validate(decode(data))
    except ValidationError as error:
        raise Malformed(_problems(error)) from None


def control(data: bytes) -> Control:
    """One control record from its JSON. Raises Malformed with every reason."""
    try:
        return Control.model_validate(decode(data))
    except ValidationError as error:
        raise Malformed(_problems(error)) from None


def split(value: bytes) -> list[bytes]:
    """The elements of a micro-batch as bytes; a bare object is a batch of one. Raises Malformed."""
    if len(value) > MAX_BYTES:
        raise Malformed(f"{len(value)} bytes: more than {MAX_BYTES}")
    if value.lstrip()[:1] == b"{":
        return [value]
    try:
        return [bytes(raw) for raw in _SPLIT.decode(value)]
    except _ERRORS as error:
        raise Malformed(f"not a JSON array: {error}") from None


def peek(value: bytes) -> list[Peek | None]:
    """A look at each element of a micro-batch; None where that element is not even a snapshot's outline.

    Raises Malformed where the record as a whole cannot be split into elements."""
    try:
        if value[:1] == b"[" and len(value) <= MAX_BYTES:
            return list(_BATCH.decode(value))
    except _ERRORS:
        pass  # one bad element must not bury its batch: each alone, below
    return [_peek_one(element) for element in split(value)]


def _peek_one(element: bytes) -> Peek | None:
    try:
        return _ONE.decode(element)
    except _ERRORS:
        return None


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Canonical JSON: keys sorted, so that an unchanged resource has unchanged bytes."""
    return orjson.dumps(
        snapshot.model_dump(mode="json", exclude_none=True) | {"config": snapshot.config},
        option=orjson.OPT_SORT_KEYS,
    )


def join(elements: Sequence[bytes]) -> bytes:
    """A micro-batch from the JSON of its elements."""
    return b"[" + b",".join(elements) + b"]"
