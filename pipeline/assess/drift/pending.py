"""Attributes drifts, and the findings that they opened, from the changes seen so far. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import orjson

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.drift.attribute import Cause, Made, nobody, together
from driftline.pipeline.assess.drift.causes import Causes, forgotten
from driftline.pipeline.assess.drift.document import actor_of, document, newest, sessions
from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.people.identity import People, PeopleCache
from driftline.pipeline.state.resource import Body, ChangeEvidence

CHECK = MINUTE
"""How often a drift whose event may still arrive is checked again. Microseconds."""


def has_pending(body: Body) -> bool:
    """Whether a drift's event may still arrive."""
    return any(drift.attribution == "pending" for drift in body.drifts)


def attribute_pending(work: Assessment) -> None:
    """Attributes drifts without a cause (all of them, if there is new evidence), and the findings that they
    opened. Attributions are kept once changes of their time are forgotten."""
    body = work.body
    if not body.drifts:
        return
    drifts = []
    people = PeopleCache(work.options.people.of(body.resource["provider"]))
    causes = Causes(body, work.events, people)
    moved: dict[str, _Known] = {}
    for drift in body.drifts:
        done = drift.attribution not in ("", "pending")
        if done and (not work.new_evidence or forgotten(body, drift)):
            drifts.append(drift)
            continue
        cause = causes.of(drift)
        digest = _digest(cause, people)
        if digest != drift.told:
            known = _known(cause) + causes.beside(drift)
            revision = max(drift.revision + 1, drift.at // 1000 + known)
            drift = msgspec.structs.replace(
                drift, attribution=cause.attribution, revision=revision, told=digest
            )
            moved[drift.id] = _Known(cause, known)
            work.drifts.append(document(body, drift, cause, people, work.at))
        drifts.append(drift)
    body.drifts = drifts
    if moved:
        _attribute_findings(body, moved, causes, people)


def ask_sessions(work: Assessment) -> None:
    """Queries the origin of sessions that may have caused the published drifts."""
    work.sessions = sessions(work.drifts)


def _digest(cause: Cause, people: People) -> bytes:
    """Digest of the published part of a cause."""
    places = len(cause.places)
    if cause is nobody(places, waiting=cause.attribution == "pending"):
        return _digest_of_nobody(places, cause.attribution)
    actors = [people.person(seen.actor) for seen, _ in cause.candidates]
    return _hashed(
        [cause.attribution, [[c.id, n, c.actor, c.differs] for c, n in cause.candidates], actors,
         [[one.attribution, one.by and one.by.id] for one in cause.places]]
    )  # fmt: skip


@lru_cache(1024)
def _digest_of_nobody(places: int, attribution: str) -> bytes:
    """Cached: most drifts that a sweep finds have no candidates, and are looked up repeatedly."""
    return _hashed([attribution, [], [], [[attribution, None]] * places])


def _hashed(published: list[Any]) -> bytes:
    return hashlib.sha256(orjson.dumps(published)).digest()[:8]


def _known(cause: Cause) -> int:
    """How much is known of a cause, below 1000 (with the drifts beside it, of which there are fewer than 20): what is heard later only adds to it.

    The revision consists of the reading's time in ms and this value, never the arrival time: a killed worker may have
    published more than it stored, and its successor may see events in another order. The most complete document wins."""
    of_each = [seen.actor for seen, _ in cause.candidates]
    links = sum(2 * len(actor.get("chain") or ()) + bool(actor.get("chain_broken")) for actor in of_each)  # fmt: skip
    copies = sum(seen.differs for seen, _ in cause.candidates)
    return min((cause.attribution != "pending") + 4 * len(of_each) + links + copies, 980)


class _Known(NamedTuple):
    """The published document of a drift."""

    cause: Cause
    known: int


def _attribute_findings(
    body: Body, moved: Mapping[str, _Known], every: Causes, people: People
) -> None:
    """Sets who caused the findings opened by a drift, from the places that they are linked to."""
    drifts = {drift.id: drift for drift in body.drifts}
    for rule, life in body.lives.items():
        causes = life.causes or ([[life.drift, []]] if life.drift else [])
        if not any(id in moved for id, _ in (*causes, *life.worsened)):
            continue
        made: list[Made] = []
        candidates: list[ChangeEvidence] = []
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
        if life.attribution and any(
            id not in drifts or (id not in moved and forgotten(body, drifts[id]))
            for id, _ in (*causes, *life.worsened)
        ):  # existing attributions are kept; a newly seen actor may also have caused it
            suspects |= {*life.suspects}
            body.lives[rule] = msgspec.structs.replace(life, suspects=sorted(suspects))
            continue
        body.lives[rule] = msgspec.structs.replace(
            life, actor=actor_of(max(by, key=newest), people) if by else None, attribution=attribution, known=known,
            suspects=sorted(suspects),
        )  # fmt: skip


def _may_have(cause: Cause, numbers: Sequence[int]) -> list[ChangeEvidence]:
    """The actors who caused, or may have caused, places of a drift."""
    by = [cause.places[number].by for number in numbers]
    known = [seen for seen in by if seen is not None]
    return known if len(known) == len(by) else [seen for seen, _ in cause.candidates]
