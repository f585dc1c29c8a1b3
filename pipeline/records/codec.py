"""Encodes and decodes records, with the limits that make hostile records harmless."""

import hashlib
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson
from pydantic import ValidationError

from driftline.pipeline.common import limits
from driftline.pipeline.common.errors import Malformed, RestartWanted, UserError
from driftline.pipeline.model import Chain, Change, Control, Snapshot

MAX_DEPTH = 64
"""CEL's runtime crashes on documents nested several thousand levels deep; no cloud answer has 64."""
WRAPPED = 4
"""Extra depth around a part of a configuration: the snapshot and its `config`, a batch, a tape's line."""
MAX_BYTES = limits.RECORD
MAX_ELEMENTS = 50_000
"""Maximum number of elements per micro-batch: 4 MB of the smallest snapshots are fewer. More would only produce a
flood of dead letters."""
MAX_MARKS = 1_000_000


HERE = str(Path(__file__).parents[2])


@contextmanager
def one_record(what: str) -> Iterator[None]:
    """Context manager (or decorator) around the code that handles one record: any error inside is attributed to the
    record and becomes Malformed with its kind and place. Errors unrelated to the record pass: those of other
    systems, and of memory.

    The reason repeats no value of the record, which may be a secret."""
    try:
        yield
    except (Malformed, UserError, RestartWanted, MemoryError):
        raise
    except ValidationError as error:
        raise Malformed(f"{what}: {problems(error, 1)}") from None
    except Exception as error:
        raise Malformed(f"{what}: {_place(error)}") from None


def _place(error: Exception) -> str:
    """Returns an error's kind, and the innermost line of our own code in its traceback."""
    if isinstance(error, KeyError) and error.args and re.fullmatch(r"\w{1,60}", str(error.args[0])):
        return f"no {error.args[0]!r}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(HERE)]
    frame = frames[-1]
    return f"{type(error).__name__} in {frame.filename[len(HERE) + 1 :]}:{frame.lineno}"


class PeekPart(msgspec.Struct):
    name: str
    captured_at: str
    provided_at: str = ""


class Peek(msgspec.Struct, rename={"class_": "class"}):
    """The fields of a snapshot that the fast path for unchanged readings needs; the rest stays unparsed bytes."""

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
    cloud_account: msgspec.Raw = msgspec.Raw(b"")
    class_: msgspec.Raw = msgspec.Raw(b"")
    region: msgspec.Raw = msgspec.Raw(b"")
    name: msgspec.Raw = msgspec.Raw(b"")
    incarnation: msgspec.Raw = msgspec.Raw(b"")
    deleted: msgspec.Raw = msgspec.Raw(b"")
    containers: msgspec.Raw = msgspec.Raw(b"")

    def digest(self, rules: bytes) -> bytes:
        """Returns 16 bytes that differ if anything differs that a verdict or a finding may depend on.

        Times and the sweep's id are left out: they change with every reading."""
        parts = "\n".join([part.name for part in self.parts]).encode()
        return hashlib.sha256(
            b"\0".join(
                (
                    rules, self.config, parts, self.tags, self.unread, self.related, self.provider,
                    self.organization, self.account, self.cloud_account, self.class_, self.region, self.name, self.incarnation,
                    self.deleted, self.type.encode(), *((self.containers,) if self.containers else ()),
                )
            )
        ).digest()[:16]  # fmt: skip


_BATCH = msgspec.json.Decoder(list[Peek])
_ONE = msgspec.json.Decoder(Peek)
_SPLIT = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()
_pack = msgspec.msgpack.Encoder().encode
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{},"]', re.DOTALL)
"""The tokens that decide where an element ends: texts, brackets, commas; a lone quotation mark is an unterminated
text."""


def decode(data: bytes, most: int = MAX_BYTES) -> Any:
    """Decodes JSON. Raises Malformed for invalid JSON, more than 64 levels, a lone surrogate, an integer that does
    not fit in 64 bits, or more than 4 MB."""
    if len(data) > most:
        raise Malformed(f"{len(data)} bytes: more than {most}")
    if not data:
        raise Malformed("not JSON: empty")
    try:
        value = _ANY.decode(data)
    except _ERRORS as error:
        raise Malformed(f"not JSON: {error}") from None
    _check(value, data)
    return value


_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def depth(data: bytes) -> int:
    """Returns the depth of valid JSON; counting stops beyond MAX_DEPTH. (Walking the values would cost ten times as
    much.)"""
    # without a backslash every second quotation mark ends a text
    outside = _TEXTS.sub(b"", data) if b"\\" in data else b"".join(data.split(b'"')[::2])
    brackets = outside.translate(_ONE_KIND, _NO_BRACKETS)
    levels = 0
    while brackets and levels <= MAX_DEPTH:
        brackets, levels = brackets.replace(b"[]", b""), levels + 1
    return levels


def check_depth(data: bytes, most: int = MAX_DEPTH) -> None:
    """Raises Malformed if valid JSON is nested deeper."""
    if data.count(b"{") + data.count(b"[") > most and depth(data) > most:
        raise Malformed(f"nested deeper than {most}")


def _check(value: Any, data: bytes) -> None:
    check_depth(data)
    try:
        _pack(value)  # the fastest check there is: it rejects what does not fit in 64 bits
    except OverflowError:
        raise Malformed("an integer beyond 64 bit") from None


def fits(part: Any) -> Any:
    """Checks that a part of a configuration can be sent inside a snapshot. Raises Malformed."""
    try:
        data = orjson.dumps(part)
    except TypeError as error:  # a lone surrogate, a huge integer, a thousand levels
        raise Malformed(str(error)) from None
    check_depth(data, MAX_DEPTH - WRAPPED)
    return part


def problems(error: ValidationError, most: int = 5) -> str:
    """Formats a model's validation errors in one line, each with its place."""
    return "; ".join(
        f"{'.'.join(str(step) for step in problem['loc']) or 'record'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)[:most]
    )


def snapshot(data: bytes) -> Snapshot:
    """Decodes one snapshot. Raises Malformed with every reason."""
    try:
        return Snapshot.model_validate(decode(data))
    except ValidationError as error:
        raise Malformed(problems(error)) from None


def change(data: bytes) -> Change | Chain:
    """Decodes one element of `changes`. Raises Malformed with every reason."""
    value = decode(data)
    try:
        if isinstance(value, dict) and "action" not in value and "session" in value:
            return Chain.model_validate(value)
        return Change.model_validate(value)
    except ValidationError as error:
        raise Malformed(problems(error)) from None


def control(data: bytes) -> Control:
    """Decodes one control record. Raises Malformed with every reason."""
    try:
        return Control.model_validate(decode(data))
    except ValidationError as error:
        raise Malformed(problems(error)) from None


def split(value: bytes) -> list[bytes]:
    """Splits a micro-batch into its elements as bytes; a bare object is a batch of one. Raises Malformed."""
    if len(value) > MAX_BYTES:
        raise Malformed(f"{len(value)} bytes: more than {MAX_BYTES}")
    if not value:
        raise Malformed("not a JSON array: empty")
    if value.lstrip()[:1] == b"{":
        return [value]
    try:
        elements = [bytes(raw) for raw in _SPLIT.decode(value)]
    except _ERRORS as error:
        found = _by_brackets(value)
        if found is None:
            raise Malformed(f"not a JSON array: {error}") from None
        elements = found
    if len(elements) > MAX_ELEMENTS:
        raise Malformed(f"more than {MAX_ELEMENTS} elements")
    return elements


def _by_brackets(value: bytes) -> list[bytes] | None:
    """Splits an array of which an element is not JSON (NaN, a lone surrogate, a thousand brackets) by brackets. None
    if the brackets do not match."""
    text = value.strip()
    if text[:1] != b"[" or text[-1:] != b"]":
        return None
    elements: list[bytes] = []
    begin, open_ = 1, bytearray()
    for number, match in enumerate(_MARKS.finditer(text)):
        mark = match[0]
        if number > MAX_MARKS:
            return None
        if mark in b"[{":
            open_ += mark
        elif mark in b"]}":
            if not open_ or open_.pop() != mark[0] - 2:
                return None
            if not open_ and match.end() != len(text):
                return None
        elif mark == b'"':
            return None
        if (mark == b"," and len(open_) == 1) or not open_:
            elements.append(text[begin : match.start()].strip())
            begin = match.end()
            if len(elements) > MAX_ELEMENTS:
                break
    return elements if len(elements) > MAX_ELEMENTS or not open_ else None


def peek(value: bytes) -> list[Peek | None]:
    """Peeks at each element of a micro-batch; None for an element that is not a snapshot.

    Raises Malformed if the record cannot be split into elements."""
    try:
        if value[:1] == b"[" and len(value) <= MAX_BYTES:
            return list(_BATCH.decode(value))
    except _ERRORS:
        pass  # one bad element must not discard its batch: decode each alone
    peeks = [_peek_one(element) for element in split(value)]
    if len(peeks) > 1 and not any(peeks):
        raise Malformed(f"none of its {len(peeks)} elements is a snapshot")
    return peeks


def _peek_one(element: bytes) -> Peek | None:
    try:
        return _ONE.decode(element)
    except _ERRORS:
        return None


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Encodes canonical JSON: keys are sorted, so that an unchanged resource has unchanged bytes."""
    return orjson.dumps(
        snapshot.model_dump(mode="json", exclude_none=True, by_alias=True)
        | {"config": snapshot.config},
        option=orjson.OPT_SORT_KEYS,
    )


def encode_batch(elements: Sequence[bytes]) -> bytes:
    """Joins the JSON of elements to a micro-batch."""
    return b"[" + b",".join(elements) + b"]"
