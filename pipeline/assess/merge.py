"""Merges a snapshot into what is known of its resource, part by part. Pure; times in microseconds."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from driftline.pipeline.compare.diff import NO_HINTS, Hints, diff
from driftline.pipeline.model import Part, Snapshot, micros
from driftline.pipeline.state.resource import Body, Head, Hidden

EVERYTHING = "*"
TAGS = "tags"


class Difference(NamedTuple):
    """What a reading found different in one part."""

    part: str
    since: int
    """When the old value was read last."""
    changes: list[dict[str, Any]]
    """As driftline.pipeline.compare.diff tells them."""


class Merged(NamedTuple):
    head: Head
    body: Body
    differences: list[Difference]
    applied: bool
    """False where the snapshot was older than all that is known."""
    new: bool = False
    """Nothing was known of this incarnation: the resource is new to us, back, or made anew."""
    stale: bool = False
    """Some part of the snapshot was older than what is known, and was left out."""
    proven: bool = False
    """By the provider's own times every difference is newer than what was known."""


def newer(read_at: int, provided: int | None, known_at: int, known_provided: int | None) -> bool:
    """Whether a reading of a part is newer than the known one: by the provider's own times where both have one (a listing
    that lags behind is read later, and is older), else by when they were read."""
    if provided is not None and known_provided is not None and provided != known_provided:
        return provided > known_provided
    return read_at > known_at


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
            unseen=False, ended="",
        )  # fmt: skip
        return Merged(Head(b"", at, head.said_at, {}), gone, [], True)
    remade = _remade(body, snapshot)
    if remade and (not newest or _lags(head, snapshot)):
        return Merged(head, body, [], False)
    back = body.deleted_at is not None or remade
    new = back or body.unseen
    known = {} if back else head.parts
    times, config = dict(known), {} if back else dict(body.config)
    provided = {} if back else dict(head.provided)
    found: list[Difference] = []
    applied, late, proven = newest, set[str](), True
    for part in snapshot.parts:
        if part.name not in snapshot.config:
            continue
        read_at, said = micros(part.captured_at), _provided(part)
        before = times.get(part.name, -1)
        if not newer(read_at, said, before - newest, provided.get(part.name)):
            late.add(part.name)
            continue
        after = snapshot.config[part.name]
        if part.name in config and (changes := diff(part.name, config[part.name], after, hints)):
            found.append(Difference(part.name, before, changes))
            proven = proven and said is not None and said > provided.get(part.name, said)
        config[part.name], times[part.name], applied = after, max(read_at, before), True
        provided.pop(part.name, None)
        if said is not None:
            provided[part.name] = said
    if late and len(late) == len(snapshot.parts):
        newest = False  # the listing lags behind: its tags do too
    if newest and not new and (changes := _retagged(body, snapshot)):
        found.append(Difference(TAGS, head.seen_at, changes))
        proven = False
    hidden = _hidden({} if back else body.hidden, snapshot, at, times)
    merged = msgspec.structs.replace(
        body,
        resource=_described(body, snapshot, unread=denied_only) if newest else body.resource,
        config=config,
        hidden=hidden,
        incarnation=snapshot.incarnation or (None if back else body.incarnation),
        deleted_at=None,
        unseen=False,
        ended="",
        previous=None if back else body.previous,
        changes=[] if back else body.changes,
        related=[related.model_dump(exclude_none=True) for related in snapshot.related]
        if newest and (snapshot.related or not snapshot.unread)
        else body.related,
        not_before=at - 1 if remade else body.not_before,
    )
    return Merged(
        Head(b"", max(at, head.seen_at), head.said_at, times, provided),
        merged,
        found,
        applied,
        new,
        bool(late),
        proven,
    )


def _lags(head: Head, snapshot: Snapshot) -> bool:
    """By the provider's own times it is older than what is known."""
    said = ((_provided(part), head.provided.get(part.name)) for part in snapshot.parts)
    return any(new is not None and old is not None and new < old for new, old in said)


def _provided(part: Part) -> int | None:
    return micros(part.provided_at) if part.provided_at else None


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


def _described(body: Body, snapshot: Snapshot, *, unread: bool) -> dict[str, Any]:
    """What findings say of the resource. A reading that was denied does not know its name and tags."""
    described = _resource(snapshot)
    if unread and not body.unseen:
        described |= {key: body.resource[key] for key in ("name", TAGS)}
    if any(item.part == TAGS for item in snapshot.unread) and not body.unseen:
        described[TAGS] = body.resource[TAGS]
    return described


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
    if snapshot.parts and TAGS in hidden and hidden[TAGS].at < at:
        del hidden[TAGS]  # they come with every reading, and are no part
    return {
        name: item
        for name, item in hidden.items()
        if (
            any(read_at < item.at for read_at in times.values()) or not times
            if name == EVERYTHING
            else times.get(name, -1) < item.at
        )
    }
