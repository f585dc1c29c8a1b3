"""Detects the drifts that a reading shows. Pure; times in microseconds since 1970."""

from collections.abc import Sequence
from typing import Any

import msgspec

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.drift.causes import WHOLE
from driftline.pipeline.assess.drift.history import LONGEST
from driftline.pipeline.assess.ownership.step import owner_of
from driftline.pipeline.compare.scalars import scalars
from driftline.pipeline.model import from_micros
from driftline.pipeline.model.finding import named_uuid
from driftline.pipeline.state.resource import Body, KnownDrift, State

_pack = msgspec.msgpack.Encoder().encode
KEPT, MOST_BYTES = 16, 200_000
"""Maximum number and total size of drifts kept for completion by late events."""


def detect_drift(work: Assessment) -> None:
    """One drift for each differing part, and one if the resource was created or deleted."""
    if work.before is None or work.snapshot is None:
        return
    known, at, source = work.before, work.at, work.snapshot.source
    body = known.body
    work.new_drifts = [
        _drifted(body, one.part, one.since, at, one.changes, source)
        for one in work.merged.differences
    ]
    whole = None
    if work.snapshot.deleted and body.deleted_at is None and not body.unseen:
        whole = "remove"
    elif work.merged.new and (
        body.deleted_at is not None or any(seen.kind == "create" for seen in body.history)
    ):
        whole = "add"
    if whole:
        changes = [{"op": whole, "path": ""}]
        work.new_drifts.append(_drifted(body, WHOLE, _read_at(known, at), at, changes, source))


def remember_drifts(work: Assessment) -> None:
    """Keeps the newest drifts within the limits."""
    for drift in work.new_drifts:
        drift.owner = owner_of(work.body)
    if work.new_drifts or work.body.drifts:
        work.body.drifts = trimmed([*work.body.drifts, *work.new_drifts], work.at)
    # a later difference at the same place adds evidence about an earlier one
    work.new_evidence = 0 < len(work.new_drifts) < len(work.body.drifts)


def trimmed(drifts: Sequence[KnownDrift], now: int) -> list[KnownDrift]:
    """The newest drifts within the limits."""
    newest = list(drifts[-KEPT:])
    if _size([one.changes for one in newest]) <= MOST_BYTES and all(
        one.at > now - LONGEST for one in newest
    ):
        return newest
    out: list[KnownDrift] = []
    room = MOST_BYTES
    for one in reversed(newest):
        room -= _size(one.changes)
        if room < 0 or one.at <= now - LONGEST:
            break
        out.append(one)
    return out[::-1]


def _size(value: Any) -> int:
    return len(_pack(value))


def _read_at(state: State, at: int) -> int:
    """When it was last read as existing, or as deleted."""
    gone = state.head.seen_at if state.body.deleted_at is not None else 0
    return max(at - LONGEST, gone, *state.head.parts.values())


def _drifted(
    body: Body, part: str, since: int, at: int, changes: list[dict[str, Any]], source: str
) -> KnownDrift:
    uid = body.resource["uid"]
    values = scalars([[change.get("before"), change.get("after")] for change in changes])
    id = named_uuid(f"drift\n{uid}\n{part}\n{from_micros(at)}")
    return KnownDrift(id, part, at, since, changes, sorted(values), source)
