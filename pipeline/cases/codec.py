"""Decodes records of `driftline.members`. Pure."""

from typing import Any, Literal

import msgspec
from pydantic import ValidationError

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import MemberChange, MemberState, Severity, to_micros
from driftline.pipeline.records import codec


class Incoming(msgspec.Struct, gc=False):
    """A MemberChange as the cores write it, with times as microseconds in `at_us` and `read_us`."""

    group: str
    by: str
    values: list[str]
    id: str
    op: Literal["joined", "changed", "left"]
    revision: int
    at: str
    state: MemberState
    reason: str = ""
    read_at: str | None = None
    as_found: bool = False
    severity: Severity = "medium"
    risk: int = 0
    document: dict[str, Any] = {}
    at_us: int = 0
    read_us: int = 0


_plain = msgspec.json.Decoder(Incoming)


def read(value: bytes) -> Incoming:
    """One record. Raises Malformed."""
    codec.check_depth(value)
    try:
        found = _plain.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError):
        found = None
    at = to_micros(found.at) if found else None
    read_at = to_micros(found.read_at) if found and found.read_at else 0
    if found is None or at is None or read_at is None:
        return _by_model(value)
    if not found.group or "\n" in found.group or not found.id or "\n" in found.id:
        raise Malformed("invalid member: group and id must be single lines")
    found.at_us, found.read_us = at, read_at
    return found


def _by_model(value: bytes) -> Incoming:
    """Only to say what is wrong: the model is not laxer."""
    try:
        MemberChange.model_validate(codec.decode(value))
    except ValidationError as why:
        raise Malformed(f"invalid member: {codec.problems(why, 1)}") from None
    raise Malformed("invalid member")
