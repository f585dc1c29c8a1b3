"""Decodes records of `driftline.signals`. Pure."""

from typing import Any, NamedTuple, TypeVar

import msgspec
from pydantic import ValidationError

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.detections.windows import Hit
from driftline.pipeline.model import Mark, Signal, micros, to_micros
from driftline.pipeline.records import codec

LAST = 32_503_680_000_000_000
"""The year 3000. Later times are left to the model, which reports what is wrong with them."""


class IncomingHit(NamedTuple):
    """A hit, with its correlation and group."""

    correlation: str
    group: str
    hit: Hit
    gone: bool


class _Plain(msgspec.Struct, gc=False):
    """A signal as the worker writes it."""

    id: str
    detection: str
    correlation: str
    group: str
    event: str
    at: str
    value: Any = None
    fields: dict[str, Any] = {}
    state: bool = False
    gone: bool = False
    mark: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_plain = msgspec.json.Decoder(_Plain)
_pack = msgspec.msgpack.Encoder().encode


def read(value: bytes) -> IncomingHit | Mark:
    """Decodes one record: signals as the worker writes them on a fast path, everything else by its model. Raises
    Malformed."""
    try:
        plain = _plain.decode(value)
        _pack((plain.value, plain.fields))  # rejects numbers that do not fit in 64 bits
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError):
        return _by_model(value)
    at = to_micros(plain.at)
    if at is None or not 0 <= at < LAST or len(value) > codec.MAX_BYTES:
        return _by_model(value)
    if plain.mark is not msgspec.UNSET:  # a mark with unexpected fields
        return _by_model(value)
    codec.check_depth(value)
    hit = Hit(at, plain.event, plain.detection, plain.value, plain.fields, plain.state)
    return IncomingHit(plain.correlation, plain.group, hit, plain.gone)


def _by_model(value: bytes) -> IncomingHit | Mark:
    document = codec.decode(value)
    if isinstance(document, dict) and "mark" in document:
        return _valid(Mark, document)
    one = _valid(Signal, document)
    hit = Hit(micros(one.at), one.event, one.detection, one.value, one.fields, one.state)
    return IncomingHit(one.correlation, one.group, hit, one.gone)


R = TypeVar("R", Signal, Mark)


def _valid(kind: type[R], document: Any) -> R:
    try:
        return kind.model_validate(document)
    except ValidationError as why:
        raise Malformed(f"invalid signal: {codec.problems(why, 1)}") from None
