"""Builds the published document of a drift: places, candidates and cause. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from driftline.pipeline.assess.drift.attribute import Cause, Made
from driftline.pipeline.model import from_micros
from driftline.pipeline.people.identity import UNKNOWN, People
from driftline.pipeline.state.resource import Body, ChangeEvidence, KnownDrift


def document(
    body: Body, drift: KnownDrift, cause: Cause, people: People, at: int
) -> dict[str, Any]:
    """The drift in the form of its model."""
    out: dict[str, Any] = {
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
            {"change": seen.id, "action": seen.action, "at": from_micros(seen.at), "actor": actor_of(seen, people),
             "confidence": confidence} | ({"differs": True} if seen.differs else {})
            for seen, confidence in cause.candidates
        ],
        "attribution": drift.attribution,
        "baseline": "previous",
        "found_by": drift.found_by,
        "revision": drift.revision,
    }  # fmt: skip
    if drift.owner is not None:
        out["owner"] = drift.owner
    by = [made.by for made in cause.places if made.by]
    if cause.attribution == "attributed" and by:
        likeliest = max(by, key=newest)
        actor = out["actor"] = actor_of(likeliest, people)
        out["change_set"] = likeliest.deployment or _set_of(actor)
    return out


def _changed(change: Mapping[str, Any], made: Made, people: People) -> dict[str, Any]:
    """A place with its cause."""
    out = {**change, "attribution": made.attribution}
    if made.by is not None:
        out |= {"change": made.by.id, "person": people.person(made.by.actor)}
    return out


def _set_of(actor: Mapping[str, Any]) -> str:
    """The key that groups drifts of one task: the person, whatever sessions were used; for a program, the session."""
    person = actor["person"]
    if person["kind"] in ("user", "directory_user", "root"):
        return str(person["id"])
    return str(actor.get("session") or person["id"])


def actor_of(seen: ChangeEvidence, people: People) -> dict[str, Any]:
    """An actor as published, including the person behind it."""
    return seen.actor | {"person": people.person(seen.actor)}


def newest(seen: ChangeEvidence) -> tuple[int, str]:
    """Sort key: the newest change is the greatest."""
    return seen.at, seen.id


def sessions(documents: Sequence[dict[str, Any]]) -> list[str]:
    """Sessions whose origin must be queried: those of unknown persons who may have caused the published drifts."""
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
