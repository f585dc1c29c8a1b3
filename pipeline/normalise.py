"""Merges a snapshot into what is known of its resource, part by part. Pure; times in microseconds."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from pipeline.differences import NO_HINTS, Hints, diff
from pipeline.model import Snapshot, micros
from pipeline.state import Body, Head, Hidden

EVERYTHING = "*"
TAGS = "tags"


class Difference(NamedTuple):
    """What a reading found different in one part."""

    part: str
    since: int
    """When the old value was read last."""
    changes: list[dict[str, Any]]
    """As pipeline.differences tells them."""


class Merged(NamedTuple):
    head: Head
    body: Body
    differences: list[Difference]
    applied: bool
    """False where the snapshot was older than all that is known."""
    new: bool = False
    """Nothing was known of this incarnation: the resource is new to us, back, or made anew."""


def merge(
    head: Head | None, body: Body | None, snapshot: Snapshot, hints: Hints = NO_HINTS
) -> Merged:
    """The knowledge after a snapshot. What it does not cover is kept, never taken as absent."""
    at = micros(snapshot.captured_at)
    if head is None or body is None:
        head, body = Head(), Body(_resource(snapshot))
    newest = at >= head.seen_at
    denied_only = not snapshot.parts and not snapshot.deleted
    if (
        at <= body.not_before
        or (snapshot.deleted and not newest)
        or (denied_only and body.deleted_at is not None)  # a denial brings nothing back
    ):
        return Merged(head, body, [], False)
    if snapshot.deleted:
        gone = msgspec.structs.replace(
            body, config={}, hidden={}, deleted_at=at, previous=None, changes=[], related=[], not_before=at,
            unseen=False,
        )  # fmt: skip
        return Merged(Head(b"", at, head.said_at, {}), gone, [], True)
    remade = _remade(body, snapshot)
    if remade and not newest:
        return Merged(head, body, [], False)
    back = body.deleted_at is not None or remade
    new = back or body.unseen
    known = {} if back else head.parts
    times, config = dict(known), {} if back else dict(body.config)
    found: list[Difference] = []
    applied = newest
    for part in snapshot.parts:
        read_at = micros(part.captured_at)
        if part.name in snapshot.config and read_at > times.get(part.name, -1) - newest:
            after = snapshot.config[part.name]
            if part.name in config and (
                changes := diff(part.name, config[part.name], after, hints)
            ):
                found.append(Difference(part.name, times[part.name], changes))
            config[part.name], times[part.name], applied = after, read_at, True
    if newest and not new and (changes := _retagged(body, snapshot)):
        found.append(Difference(TAGS, head.seen_at, changes))
    hidden = _hidden({} if back else body.hidden, snapshot, at, times)
    merged = msgspec.structs.replace(
        body,
        resource=_resource(snapshot) if newest else body.resource,
        config=config,
        hidden=hidden,
        incarnation=snapshot.incarnation or (None if back else body.incarnation),
        deleted_at=None,
        unseen=False,
        previous=None if back else body.previous,
        changes=[] if back else body.changes,
        related=[related.model_dump(exclude_none=True) for related in snapshot.related]
        if newest and (snapshot.related or not snapshot.unread)
        else body.related,
        not_before=at - 1 if remade else body.not_before,
    )
    return Merged(
        Head(b"", max(at, head.seen_at), head.said_at, times), merged, found, applied, new
    )


def _retagged(body: Body, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Tags that differ; none where they could not be read, now or before."""
    if TAGS in body.hidden or any(item.part in (TAGS, EVERYTHING) for item in snapshot.unread):
        return []
    return diff(TAGS, body.resource["tags"], snapshot.tags)


def unread(body: Body, parts: Mapping[str, int]) -> dict[str, Hidden]:
    """The parts that are not known at present: hidden alone, or by a denial of the whole resource."""
    out = {name: hidden for name, hidden in body.hidden.items() if name != EVERYTHING}
    if everything := body.hidden.get(EVERYTHING):
        old = {name: everything for name, read_at in parts.items() if read_at < everything.at}
        out |= old
        if not parts or len(old) == len(parts):
            out[EVERYTHING] = everything
    return out


def _remade(body: Body, snapshot: Snapshot) -> bool:
    """Made anew under the same uid: both incarnations are known, and differ."""
    known, new = body.incarnation, snapshot.incarnation
    return known is not None and new is not None and known != new


def _resource(snapshot: Snapshot) -> dict[str, Any]:
    resource = {
        "uid": snapshot.uid,
        "type": snapshot.type,
        "provider": snapshot.provider,
        "organization": snapshot.organization,
        "account": snapshot.account,
        "cloud_account": snapshot.cloud_account.model_dump() if snapshot.cloud_account else None,
        "region": snapshot.region,
        "class": snapshot.class_,
        "name": snapshot.name,
        "tags": snapshot.tags,
    }
    return {key: value for key, value in resource.items() if value is not None}


def _hidden(
    before: Mapping[str, Hidden], snapshot: Snapshot, at: int, times: Mapping[str, int]
) -> dict[str, Hidden]:
    """What stays or becomes unread: a reading of a part at or after its denial lifts it."""
    hidden = dict(before)
    for item in snapshot.unread:
        known = hidden.get(item.part)
        if at >= (known.at if known else 0):
            hidden[item.part] = Hidden(item.reason, item.code, at)
    return {
        name: item
        for name, item in hidden.items()
        if (
            any(read_at < item.at for read_at in times.values()) or not times
            if name == EVERYTHING
            else times.get(name, -1) < item.at
        )
    }
