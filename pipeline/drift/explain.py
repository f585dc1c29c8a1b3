"""What a state tells of its drifts: who caused them, as far as the changes seen so far say. Pure."""

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from pipeline.drift.attribute import SKEW, Cause, attribute
from pipeline.drift.history import LONGEST, scalars
from pipeline.model import from_micros
from pipeline.model.finding import NAMESPACE
from pipeline.normalise import Merged
from pipeline.state import Body, Drifted, Seen, State

KEPT, MOST_BYTES = 16, 200_000
"""Drifts that a late event may still complete, and what they may weigh together."""
WHOLE = "*"
"""The part of a drift that is a resource's coming or going."""
CHECK = 60_000_000
"""How often a drift whose event may still come looks again."""


def found(state: State, merged: Merged, at: int, source: str, *, deleted: bool) -> list[Drifted]:
    """The drifts that a reading of `at` shows. `state`: what was known before it."""
    body = state.body
    out = [
        _drifted(body, one.part, one.since, at, one.changes, source) for one in merged.differences
    ]
    if deleted and body.deleted_at is None and not body.unseen:
        out.append(_drifted(body, WHOLE, _read_at(state, at), at, [{"op": "remove", "path": ""}], source))  # fmt: skip
    elif merged.new and (
        body.deleted_at is not None or any(s.kind == "create" for s in body.history)
    ):
        out.append(_drifted(body, WHOLE, _read_at(state, at), at, [{"op": "add", "path": ""}], source))  # fmt: skip
    return out


def _read_at(state: State, at: int) -> int:
    """When it was last read as there, or as gone."""
    gone = state.head.seen_at if state.body.deleted_at is not None else 0
    return max(at - LONGEST, gone, *state.head.parts.values())


def _drifted(
    body: Body, part: str, since: int, at: int, changes: list[dict[str, Any]], source: str
) -> Drifted:
    uid = body.resource["uid"]
    values = scalars([[change.get("before"), change.get("after")] for change in changes])
    id = str(uuid.uuid5(NAMESPACE, f"drift\n{uid}\n{part}\n{from_micros(at)}"))
    return Drifted(id, part, at, since, changes, sorted(values), source)


def kept(drifts: Sequence[Drifted], now: int) -> list[Drifted]:
    """The newest, as far as there is room."""
    out: list[Drifted] = []
    room = MOST_BYTES
    for one in reversed(drifts[-KEPT:]):
        room -= len(msgspec.msgpack.encode(one.changes))
        if room < 0 or one.at <= now - LONGEST:
            break
        out.append(one)
    return out[::-1]


def told(body: Body, at: int, events: int | None, *, heard: bool = False) -> list[dict[str, Any]]:
    """Judges the drifts anew that have no cause yet (`heard`: something was, so all of them), and returns the documents of those of which something else is to be said now.

    `events`: until when every event has come (micros); None where no events come at all. Changes `body.drifts` and
    the actors of the findings that opened with them."""
    out, drifts = [], []
    for old in body.drifts:
        if not heard and old.attribution not in ("", "pending"):
            drifts.append(old)
            continue
        fitting = [seen for seen in body.history if _fits(old, seen)]
        shown = frozenset(seen.id for seen in fitting if _shown(seen, old, body.drifts))
        cause = attribute(fitting, old.part, old.since, old.at, frozenset(old.values), shown)
        attribution = cause.attribution
        if attribution == "none":
            waiting = events is not None and events < old.at + SKEW
            attribution = "pending" if waiting else "unattributed"
        actor = cause.candidates[0][0].actor if attribution == "attributed" else None
        said = orjson.dumps([attribution, [[c.id, n, c.actor] for c, n in cause.candidates]])
        digest = hashlib.sha256(said).digest()[:8]
        if digest != old.told:
            known = _known(attribution, cause)
            revision = max(old.revision + 1, old.at // 1000 + known)
            new = msgspec.structs.replace(
                old, attribution=attribution, revision=revision, told=digest
            )
            out.append(_document(body, new, cause, actor, at))
            _name(body, new, actor, known)
        else:
            new = old
        drifts.append(new)
    body.drifts = drifts
    return out


def _known(attribution: str, cause: Cause) -> int:
    """How much is known of a cause, below 1000: what is heard later only adds to it.

    The revision is the reading's time in ms and this, never the time of hearing: a worker that was killed may have
    said more than it kept, and the one after it hears the events in another order. The word that knows most stands."""
    of_each = [seen.actor for seen, _ in cause.candidates]
    links = sum(2 * len(actor.get("chain") or ()) + bool(actor.get("chain_broken")) for actor in of_each)  # fmt: skip
    return min((attribution != "pending") + 4 * len(of_each) + links, 999)


def _fits(drift: Drifted, seen: Seen) -> bool:
    """What made or ended a resource has changed no part of it, and the other way round."""
    if drift.part != WHOLE:
        return seen.kind not in ("create", "delete")
    return seen.kind == ("create" if drift.changes[0]["op"] == "add" else "delete")


def _shown(seen: Seen, drift: Drifted, drifts: Sequence[Drifted]) -> bool:
    """Whether an earlier drift shows what the change did."""
    return any(
        one.since < seen.at <= one.at < drift.at and (not seen.parts or one.part in seen.parts)
        for one in drifts
    )


def _name(body: Body, drift: Drifted, actor: dict[str, Any] | None, known: int) -> None:
    for rule, life in body.lives.items():
        if life.drift == drift.id:
            body.lives[rule] = msgspec.structs.replace(
                life, actor=actor, attribution=drift.attribution, known=known
            )


def waiting(body: Body) -> bool:
    """Whether a drift's event may still come."""
    return any(drift.attribution == "pending" for drift in body.drifts)


def sessions(documents: Sequence[dict[str, Any]]) -> list[str]:
    """Sessions whose past is to be asked for: of the actors just named."""
    out = []
    for document in documents:
        actor = document.get("actor") or {}
        if (
            (session := actor.get("session"))
            and not actor.get("chain")
            and not actor.get("chain_broken")
        ):
            out.append(session)
    return sorted(set(out))


def _document(
    body: Body, drift: Drifted, cause: Cause, actor: dict[str, Any] | None, at: int
) -> dict[str, Any]:
    """The drift as its model has it."""
    document: dict[str, Any] = {
        "id": drift.id,
        "uid": body.resource["uid"],
        "part": drift.part,
        "resource": body.resource,
        "at": from_micros(drift.at),
        "since": from_micros(drift.since),
        "updated_at": from_micros(max(at, drift.at)),
        "changes": drift.changes,
        "candidates": [
            {"change": seen.id, "action": seen.action, "at": from_micros(seen.at), "actor": seen.actor,
             "confidence": confidence}
            for seen, confidence in cause.candidates
        ],
        "attribution": drift.attribution,
        "baseline": "previous",
        "found_by": drift.found_by,
        "revision": drift.revision,
    }  # fmt: skip
    if actor is not None:
        likeliest, _ = cause.candidates[0]
        document["actor"] = actor
        document["change_set"] = likeliest.deployment or actor.get("session") or actor["id"]
    return document
