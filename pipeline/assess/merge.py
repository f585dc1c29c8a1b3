"""Merges a snapshot into the state of its resource, part by part. Pure; times in microseconds."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from driftline.pipeline.assess.assessment import Assessment, Difference, Merged
from driftline.pipeline.compare.diff import NO_HINTS, Hints, diff, for_rules
from driftline.pipeline.model import Part, Snapshot, micros
from driftline.pipeline.state.resource import Body, Head, State, UnreadPart

EVERYTHING = "*"
TAGS = "tags"


def newer(read_at: int, provided: int | None, known_at: int, known_provided: int | None) -> bool:
    """Whether a reading of a part is newer than the known one: by the provider's own times if both have one (a lagging
    listing is read later but is older), else by the reading times."""
    if provided is not None and known_provided is not None and provided != known_provided:
        return provided > known_provided
    return read_at > known_at


def merge(work: Assessment, snapshot: Snapshot) -> None:
    """Merges a snapshot. Parts that it does not cover are kept, never treated as absent."""
    work.snapshot = snapshot
    if work.before is not None and work.before.body.unseen:
        work.stated = None
    work.merged = merge_into(
        work.state, snapshot, work.options.hints_of(snapshot.type, snapshot.provider)
    )
    if snapshot.deleted:
        work.ending = "resource_deleted"
    if work.merged.differences and work.rulebook.uses_previous(snapshot.type):
        work.body.previous = work.stated.config if work.stated else None
        work.body.changes = for_rules(c for one in work.merged.differences for c in one.changes)


def merge_into(state: State, snapshot: Snapshot, hints: Hints = NO_HINTS) -> Merged:
    """Updates a state with a snapshot. If the result is not `applied`, the state must not be used."""
    head, body, at = state.head, state.body, micros(snapshot.captured_at)
    newest = at >= head.seen_at
    denied_only = not snapshot.parts and not snapshot.deleted
    if (
        at <= body.not_before
        or (snapshot.deleted and not newest)
        or (
            denied_only and body.deleted_at is not None
        )  # a denied reading does not show that the resource exists again
    ):
        return Merged([], False)
    head.digest = b""
    if snapshot.deleted:
        head.seen_at, head.parts, head.provided = at, {}, {}
        clear(body, at)
        body.not_before, body.ended = at, ""
        return Merged([], True)
    remade = _remade(body, snapshot)
    if remade and (not newest or _lags(head, snapshot)):
        return Merged([], False)
    back = body.deleted_at is not None or remade
    new, last_read = back or body.unseen, head.seen_at
    if back:
        _forget_incarnation(state)
    if remade:
        body.not_before = at - 1
    parts = _merge_parts(state, snapshot, hints, newest=newest)
    if parts.late and parts.late == len(snapshot.parts):
        newest = False  # a lagging listing has outdated tags too
    differences, proven = parts.differences, parts.proven
    if newest and not new and (changes := _retagged(body, snapshot)):
        differences.append(Difference(TAGS, last_read, changes))
        proven = False
    if newest:
        body.resource = _described(body, snapshot, unread=denied_only)
        if snapshot.containers or not denied_only:
            body.containers = [one.model_dump() for one in snapshot.containers or ()]
        if snapshot.related or not snapshot.unread:
            body.related = [one.model_dump(exclude_none=True) for one in snapshot.related]
    body.hidden = _hidden(body.hidden, snapshot, at, head.parts)
    body.incarnation = snapshot.incarnation or body.incarnation
    body.deleted_at, body.unseen, body.ended = None, False, ""
    applied = parts.applied or at >= last_read
    head.seen_at = max(at, last_read)
    return Merged(differences, applied, new, bool(parts.late), proven)


class _Parts(NamedTuple):
    differences: list[Difference]
    applied: bool
    late: int
    """The number of parts that were older than the known ones."""
    proven: bool


def _merge_parts(state: State, snapshot: Snapshot, hints: Hints, *, newest: bool) -> _Parts:
    """Takes over the parts that are newer than the known ones."""
    head, body = state.head, state.body
    times, provided, config = head.parts, head.provided, dict(body.config)
    differences: list[Difference] = []
    applied, late, proven = False, set[str](), True
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
            differences.append(Difference(part.name, before, changes))
            proven = proven and said is not None and said > provided.get(part.name, said)
        config[part.name], times[part.name], applied = after, max(read_at, before), True
        provided.pop(part.name, None)
        if said is not None:
            provided[part.name] = said
    body.config = config
    return _Parts(differences, applied, len(late), proven)


def clear(body: Body, at: int) -> None:
    """Drops the configuration of a resource that ended at a time."""
    body.config, body.hidden, body.previous, body.changes, body.related = {}, {}, None, [], []
    body.deleted_at, body.unseen = at, False


def end_by_notice(work: Assessment, reason: str) -> None:
    """Ends a resource that is no longer read, for a reason other than deletion, and drops its declaration."""
    body, head, at = work.body, work.head, work.at
    clear(body, at)
    body.baselines, body.not_before, body.changed_at, body.agreed_at = {}, at - 1, 0, 0
    body.ended = work.ending = reason
    head.digest, head.seen_at, head.parts, head.provided, head.told = b"", at, {}, {}, b""


def _forget_incarnation(state: State) -> None:
    """Earlier readings belong to a different resource with the same name."""
    state.head.parts, state.head.provided = {}, {}
    body = state.body
    body.config, body.hidden, body.incarnation, body.previous, body.changes = {}, {}, None, None, []
    body.owner = None


def _lags(head: Head, snapshot: Snapshot) -> bool:
    """According to the provider's own times, it is older than what is known."""
    said = ((_provided(part), head.provided.get(part.name)) for part in snapshot.parts)
    return any(new is not None and old is not None and new < old for new, old in said)


def _provided(part: Part) -> int | None:
    return micros(part.provided_at) if part.provided_at else None


def _retagged(body: Body, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Differing tags; none if they could not be read, now or before."""
    if TAGS in body.hidden or any(item.part in (TAGS, EVERYTHING) for item in snapshot.unread):
        return []
    return diff(TAGS, body.resource["tags"], snapshot.tags)


def unread(body: Body, parts: Mapping[str, int]) -> dict[str, UnreadPart]:
    """The parts that are currently unknown: individually, or because the whole resource was denied."""
    out = {name: hidden for name, hidden in body.hidden.items() if name != EVERYTHING}
    if everything := body.hidden.get(EVERYTHING):
        old = {name: everything for name, read_at in parts.items() if read_at < everything.at}
        out |= old
        if not parts or len(old) == len(parts):
            out[EVERYTHING] = everything
    return out


def _remade(body: Body, snapshot: Snapshot) -> bool:
    """Recreated under the same uid: both incarnations are known, and differ."""
    known, new = body.incarnation, snapshot.incarnation
    return known is not None and new is not None and known != new


def _described(body: Body, snapshot: Snapshot, *, unread: bool) -> dict[str, Any]:
    """Updates the resource description in findings. A denied reading does not contain its name and tags."""
    resource = described(snapshot)
    if unread and not body.unseen:
        resource |= {key: body.resource[key] for key in ("name", TAGS)}
    if any(item.part == TAGS for item in snapshot.unread) and not body.unseen:
        resource[TAGS] = body.resource[TAGS]
    return resource


def described(snapshot: Snapshot) -> dict[str, Any]:
    """A resource in the form of findings (ResourceRef), without empty fields."""
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
    before: Mapping[str, UnreadPart], snapshot: Snapshot, at: int, times: Mapping[str, int]
) -> dict[str, UnreadPart]:
    """The parts that stay or become unread; a reading of a part at or after its denial clears it."""
    hidden = dict(before)
    for item in snapshot.unread:
        known = hidden.get(item.part)
        if at >= (known.at if known else 0):
            hidden[item.part] = UnreadPart(item.reason, item.code, at)
    if snapshot.parts and TAGS in hidden and hidden[TAGS].at < at:
        del hidden[TAGS]  # tags come with every reading and are not a part
    return {
        name: item
        for name, item in hidden.items()
        if (
            any(read_at < item.at for read_at in times.values()) or not times
            if name == EVERYTHING
            else times.get(name, -1) < item.at
        )
    }
