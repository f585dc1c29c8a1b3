"""What a state tells of its drifts: who caused them, as far as the changes seen so far say. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import orjson
from driftline.pipeline.assess.drift.attribute import Cause, Made, together
from driftline.pipeline.assess.drift.causes import WHOLE as WHOLE
from driftline.pipeline.assess.drift.causes import Causes, forgotten
from driftline.pipeline.assess.drift.history import LONGEST
from driftline.pipeline.assess.merge import Merged
from driftline.pipeline.compare.scalars import scalars
from driftline.pipeline.model import from_micros
from driftline.pipeline.model.finding import named_uuid
from driftline.pipeline.people.identity import NOBODY_MAPPED, UNKNOWN, People, Remembering
from driftline.pipeline.state.resource import Body, Drifted, Seen, State

KEPT, MOST_BYTES = 16, 200_000
"""Drifts that a late event may still complete, and what they may weigh together."""
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
    id = named_uuid(f"drift\n{uid}\n{part}\n{from_micros(at)}")
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


def told(
    body: Body, at: int, events: int | None, *, heard: bool = False, people: People = NOBODY_MAPPED
) -> list[dict[str, Any]]:
    """Judges the drifts anew that have no cause yet (`heard`: something was, so all of them), and returns the documents of those of which something else is to be said now.

    `events`: until when every event has come (micros); None where no events come at all. Changes `body.drifts` and
    the actors of the findings that opened with them. What was found out stands once changes of its time are
    forgotten."""
    out, drifts = [], []
    people = Remembering(people)
    causes = Causes(body, events, people)
    moved: dict[str, Told] = {}
    for old in body.drifts:
        done = old.attribution not in ("", "pending")
        if done and (not heard or forgotten(body, old)):
            drifts.append(old)
            continue
        cause = causes.of(old)
        actors = [people.person(seen.actor) for seen, _ in cause.candidates]
        said = orjson.dumps(
            [cause.attribution, [[c.id, n, c.actor, c.differs] for c, n in cause.candidates], actors,
             [[one.attribution, one.by and one.by.id] for one in cause.places]]
        )  # fmt: skip
        digest = hashlib.sha256(said).digest()[:8]
        if digest != old.told:
            known = _known(cause) + causes.beside(old)
            revision = max(old.revision + 1, old.at // 1000 + known)
            old = msgspec.structs.replace(
                old, attribution=cause.attribution, revision=revision, told=digest
            )
            moved[old.id] = Told(cause, known)
            out.append(_document(body, old, cause, people, at))
        drifts.append(old)
    body.drifts = drifts
    if moved:
        _name(body, moved, causes, people)
    return out


def _known(cause: Cause) -> int:
    """How much is known of a cause, below 1000 (with the drifts beside it, of which there are fewer than 20): what is heard later only adds to it.

    The revision is the reading's time in ms and this, never the time of hearing: a worker that was killed may have
    said more than it kept, and the one after it hears the events in another order. The word that knows most stands."""
    of_each = [seen.actor for seen, _ in cause.candidates]
    links = sum(2 * len(actor.get("chain") or ()) + bool(actor.get("chain_broken")) for actor in of_each)  # fmt: skip
    copies = sum(seen.differs for seen, _ in cause.candidates)
    return min((cause.attribution != "pending") + 4 * len(of_each) + links + copies, 980)


class Told(NamedTuple):
    """What was just said of a drift."""

    cause: Cause
    known: int


def _name(body: Body, moved: Mapping[str, Told], every: Causes, people: People) -> None:
    """Gives the findings that began with a drift who made the places that they go back to."""
    drifts = {drift.id: drift for drift in body.drifts}
    for rule, life in body.lives.items():
        causes = life.causes or ([[life.drift, []]] if life.drift else [])
        if not any(id in moved for id, _ in (*causes, *life.worsened)):
            continue
        made: list[Made] = []
        candidates: list[Seen] = []
        known = 0
        for id, numbers in causes:
            if id not in drifts:
                made.append(Made("unattributed"))
                continue
            told = moved.get(id)
            cause = told.cause if told else every.of(drifts[id])
            known = max(known, told.known if told else _known(cause) + every.beside(drifts[id]))
            made += [cause.places[n] for n in numbers] if numbers else cause.places
            candidates += [seen for seen, _ in cause.candidates]
        attribution = together(made, people)
        by = [one.by for one in made if one.by] if attribution == "attributed" else []
        suspected = by or candidates
        for id, numbers in life.worsened:
            if id in drifts:
                told = moved.get(id)
                suspected = [
                    *suspected,
                    *_may_have(told.cause if told else every.of(drifts[id]), numbers),
                ]
        suspects = set[str]().union(*(people.names(seen.actor) for seen in suspected))
        if (
            life.attribution
            and any(
                id not in drifts or (id not in moved and forgotten(body, drifts[id]))
                for id, _ in (*causes, *life.worsened)
            )
        ):  # what was found out of one of them stands; whoever is heard of now may have caused it too
            suspects |= {*life.suspects}
            body.lives[rule] = msgspec.structs.replace(life, suspects=sorted(suspects))
            continue
        body.lives[rule] = msgspec.structs.replace(
            life, actor=_actor(max(by, key=_when), people) if by else None, attribution=attribution, known=known,
            suspects=sorted(suspects),
        )  # fmt: skip


def _may_have(cause: Cause, numbers: Sequence[int]) -> list[Seen]:
    """Who made places of a drift, or may have."""
    by = [cause.places[number].by for number in numbers]
    known = [seen for seen in by if seen is not None]
    return known if len(known) == len(by) else [seen for seen, _ in cause.candidates]


def _when(seen: Seen) -> tuple[int, str]:
    return seen.at, seen.id


def _actor(seen: Seen, people: People) -> dict[str, Any]:
    """An actor as it is told: with who is behind it."""
    return seen.actor | {"person": people.person(seen.actor)}


def waiting(body: Body) -> bool:
    """Whether a drift's event may still come."""
    return any(drift.attribution == "pending" for drift in body.drifts)


def sessions(documents: Sequence[dict[str, Any]]) -> list[str]:
    """Sessions whose past is to be asked for: of all who may have caused the drifts just told, and are not known."""
    return sorted(
        {
            actor["session"]
            for document in documents
            for actor in (one["actor"] for one in document["candidates"])
            if actor.get("session")
            and actor["person"]["kind"] == UNKNOWN
            and not (actor.get("chain") or actor.get("chain_broken"))
        }
    )


def _document(body: Body, drift: Drifted, cause: Cause, people: People, at: int) -> dict[str, Any]:
    """The drift as its model has it."""
    document: dict[str, Any] = {
        "id": drift.id,
        "uid": body.resource["uid"],
        "part": drift.part,
        "resource": body.resource,
        "at": from_micros(drift.at),
        "since": from_micros(drift.since),
        "updated_at": from_micros(max(at, drift.at)),
        "changes": [
            _changed(change, made, people)
            for change, made in zip(drift.changes, cause.places, strict=True)
        ],
        "candidates": [
            {"change": seen.id, "action": seen.action, "at": from_micros(seen.at), "actor": _actor(seen, people),
             "confidence": confidence} | ({"differs": True} if seen.differs else {})
            for seen, confidence in cause.candidates
        ],
        "attribution": drift.attribution,
        "baseline": "previous",
        "found_by": drift.found_by,
        "revision": drift.revision,
    }  # fmt: skip
    by = [made.by for made in cause.places if made.by]
    if cause.attribution == "attributed" and by:
        likeliest = max(by, key=_when)
        actor = document["actor"] = _actor(likeliest, people)
        document["change_set"] = likeliest.deployment or _set_of(actor)
    return document


def _changed(change: Mapping[str, Any], made: Made, people: People) -> dict[str, Any]:
    """A place, and what is known of who made it."""
    out = {**change, "attribution": made.attribution}
    if made.by is not None:
        out |= {"change": made.by.id, "person": people.person(made.by.actor)}
    return out


def _set_of(actor: Mapping[str, Any]) -> str:
    """What drifts of one work have in common: the person, whatever sessions it took; of a program the session."""
    person = actor["person"]
    if person["kind"] in ("user", "directory_user", "root"):
        return str(person["id"])
    return str(actor.get("session") or person["id"])
