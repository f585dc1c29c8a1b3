"""Whether a reading can be believed yet: after a change a cloud may answer with the old state for a while. Pure.

A reading after a change is unsettled until it shows something other than before the change, or two readings some
seconds apart agree, or a minute has passed (design 4.17). Times in microseconds since 1970."""

import hashlib
from typing import Any, NamedTuple

import orjson
from driftline.pipeline.assess.merge import Merged
from driftline.pipeline.state.resource import Body

SECOND = 1_000_000
LONG = 60 * SECOND
"""After that long a reading is believed whatever it shows."""
GRAIN = SECOND
"""An audit event says only in which second it happened: a reading of the same second may be of before it."""
APART = 10 * SECOND
"""Two readings that agree must be so far from each other."""


class Reading(NamedTuple):
    believed: bool
    """False: it opens, closes and deletes nothing."""
    changed_at: int
    """The change that is still to be shown; 0: none."""
    agreed_at: int
    again_at: int | None
    """When it should be read again."""


def digest(config: Any) -> bytes:
    """16 bytes of a configuration."""
    return hashlib.sha256(orjson.dumps(config, option=orjson.OPT_SORT_KEYS)).digest()[:16]


def judge(body: Body, merged: Merged, at: int, *, deleted: bool, informed: bool) -> Reading:
    """What a reading of `at` is worth. `body` is what was known before it; `informed`: it read some part."""
    since = body.changed_at
    if at <= since or not (informed or deleted):
        return Reading(True, since, body.agreed_at, None)  # it is of before the change
    if deleted:
        ended = any(seen.kind == "delete" and seen.at <= at for seen in body.history[-8:])
        if not since or ended or at >= since + LONG:
            return Reading(True, 0, 0, None)
        return _again(since, body.agreed_at or at, at, believed=False)
    if merged.differences and not merged.proven and _as_before(body, merged, at):
        # The state of before the last difference, and no event says that anybody put it back: most likely an answer
        # of a server that lags behind.
        if body.agreed_at and at - body.agreed_at >= APART:
            return Reading(True, 0, 0, None)
        return _again(body.replaced_at, body.agreed_at or at, at, believed=False)
    if not since or merged.differences or merged.new or at >= since + LONG:
        early = since and at < since + GRAIN  # it may show another change than this one
        return Reading(True, 0, 0, since + GRAIN + GRAIN // 2 if early else None)
    if body.agreed_at and at - body.agreed_at >= APART:
        return Reading(True, 0, 0, None)
    return _again(since, body.agreed_at or at, at, believed=True)


def _as_before(body: Body, merged: Merged, at: int) -> bool:
    return (
        bool(body.before)
        and body.changed_at + GRAIN <= body.replaced_at
        and at < body.replaced_at + LONG
        and digest(merged.body.config) == body.before
    )


def _again(since: int, agreed_at: int, at: int, *, believed: bool) -> Reading:
    """Read again after as long as has passed since the change, a second at least, and once more when a minute has."""
    wait = max(SECOND, at - since)
    return Reading(believed, since, agreed_at, min(at + wait, max(at + SECOND, since + LONG)))
