"""Decides whether a reading can be trusted: after a change, a cloud may return the old state for a while. Pure.

A reading after a change is unsettled until it differs from the state before the change, or two readings some
seconds apart agree, or the provider's maximum response lag has passed (Settling). Times in
microseconds since 1970."""

import hashlib
from typing import Any, NamedTuple

import orjson

from driftline.pipeline.assess.assessment import Assessment, Merged, copied
from driftline.pipeline.common.durations import SECOND
from driftline.pipeline.model import Snapshot, from_micros
from driftline.pipeline.providers.installed import provider
from driftline.pipeline.providers.provider import Settling
from driftline.pipeline.state.resource import Body


class ReadingTrust(NamedTuple):
    """How far a reading can be trusted."""

    trusted: bool
    """If false, it opens, closes and deletes nothing."""
    changed_at: int
    """The change that no reading shows yet; 0: none."""
    agreed_at: int
    again_at: int | None
    """When to read it again."""


def trust_reading(work: Assessment) -> None:
    """Decides whether the merged reading is trusted. If not, the working state is reset to the previous one, noting that a reading
    disagreed; due work is done with the next tick."""
    if work.before is None or work.snapshot is None:
        return
    known, at, snapshot, merged = work.before.body, work.at, work.snapshot, work.merged
    found = _trust(
        known, work.body, merged, at, provider(snapshot.provider).settling,
        deleted=snapshot.deleted, informed=bool(snapshot.parts),
    )  # fmt: skip
    if found.again_at is not None:
        since = max(known.changed_at, known.replaced_at)
        work.reads.append(_read_again(snapshot, since, found.again_at))
    work.trusted = found.trusted
    if not found.trusted:
        work.state = copied(work.before)
        work.body.agreed_at, work.head.digest = found.agreed_at, b""
        return
    work.body.changed_at, work.body.agreed_at = found.changed_at, found.agreed_at
    if merged.differences:
        work.body.before, work.body.replaced_at = digest(known.config), at


def _read_again(snapshot: Snapshot, since: int, again_at: int) -> dict[str, Any]:
    """A Read's document."""
    return {
        "provider": snapshot.provider, "scope": False, "uid": snapshot.uid, "type": snapshot.type, "account": snapshot.account, "region": snapshot.region,
        "reason": "unsettled", "after": from_micros(since), "not_before": from_micros(again_at),
    }  # fmt: skip


def digest(config: Any) -> bytes:
    """16 bytes of a configuration."""
    return hashlib.sha256(orjson.dumps(config, option=orjson.OPT_SORT_KEYS)).digest()[:16]


def _trust(
    body: Body, new: Body, merged: Merged, at: int, lags: Settling, *, deleted: bool, informed: bool
) -> ReadingTrust:
    """For a reading of `at` that turned `body` into `new`. `informed`: it read some part."""
    since = body.changed_at
    if at <= since or not (informed or deleted):
        return ReadingTrust(True, since, body.agreed_at, None)  # it was taken before the change
    if deleted:
        ended = any(seen.kind == "delete" and seen.at <= at for seen in body.history[-8:])
        if not since or ended or at >= since + lags.max_lag:
            return ReadingTrust(True, 0, 0, None)
        return _again(since, body.agreed_at or at, at, lags, trusted=False)
    if merged.differences and not merged.proven and _as_before(body, new, at, lags):
        # The state before the last difference, without an event that restored it: most likely a response
        # of a lagging server.
        if body.agreed_at and at - body.agreed_at >= lags.min_gap:
            return ReadingTrust(True, 0, 0, None)
        return _again(body.replaced_at, body.agreed_at or at, at, lags, trusted=False)
    if not since or merged.differences or merged.new or at >= since + lags.max_lag:
        resolution = lags.event_resolution
        early = since and at < since + resolution  # it may show a different change
        return ReadingTrust(True, 0, 0, since + resolution + resolution // 2 if early else None)
    if body.agreed_at and at - body.agreed_at >= lags.min_gap:
        return ReadingTrust(True, 0, 0, None)
    return _again(since, body.agreed_at or at, at, lags, trusted=True)


def _as_before(body: Body, new: Body, at: int, lags: Settling) -> bool:
    return (
        bool(body.before)
        and body.changed_at + lags.event_resolution <= body.replaced_at
        and at < body.replaced_at + lags.max_lag
        and digest(new.config) == body.before
    )


def _again(since: int, agreed_at: int, at: int, lags: Settling, *, trusted: bool) -> ReadingTrust:
    """Re-reads after the time that has passed since the change, at least a second, and once more when responses no longer lag."""
    wait = max(SECOND, at - since)
    return ReadingTrust(
        trusted, since, agreed_at, min(at + wait, max(at + SECOND, since + lags.max_lag))
    )
