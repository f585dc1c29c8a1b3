"""Attributes each place of a drift to the changes that may have caused it; never a guess. Pure; times in microseconds since 1970.

A place is one of the differing paths. What its values (before and after) have in common with a request determines whether
the request may have caused it. If several people may have caused a place, nobody is named."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.compare.paths import unescaped
from driftline.pipeline.compare.scalars import scalars
from driftline.pipeline.people.identity import NOBODY_MAPPED, People
from driftline.pipeline.providers.installed import provider
from driftline.pipeline.providers.provider import Verbs
from driftline.pipeline.state.resource import ChangeEvidence

SKEW = MINUTE
"""Tolerance for clocks and response lag of services."""
ANY_PART, THIS_PART, BY_VALUE = 0.5, 0.7, 0.3
"""Confidence levels: a change that may affect any part; one that affects this part; one whose request contains the new values."""
Attribution = Literal["attributed", "ambiguous", "unattributed", "pending"]
TAG = "/tags/"
NO, OMITS, MAYBE, YES = 0, 1, 2, 3
"""How much a change explains of a place: nothing; it may have removed the value by writing the whole without it;
values cannot tell; its request contains part of it."""


class Place(NamedTuple):
    """A differing path, with the hashes of its scalars."""

    values: frozenset[int]
    """Before and after; empty if nothing can be compared (a switch, a secret, a value that is too long)."""
    new: frozenset[int]
    """Only after; for a removal, the removed value."""
    since: int
    at: int
    given: bool = True
    """`new` was added, not removed."""


class Made(NamedTuple):
    """The cause of one place."""

    attribution: Attribution
    by: ChangeEvidence | None = None
    """The change that caused it, if known."""


class Cause(NamedTuple):
    attribution: Attribution
    candidates: Sequence[tuple[ChangeEvidence, float]]
    """Candidates with confidence, most likely first."""
    places: Sequence[Made]
    """The cause of each place, in the given order."""


def place(change: Mapping[str, Any], since: int, at: int, own: frozenset[int]) -> Place:
    """A place of a drift. `own`: hashes of the resource's own identifiers (id, account, …), which are in every request."""
    before, after = scalars(change.get("before")) - own, scalars(change.get("after")) - own
    if change["op"] == "remove" and change["path"].startswith(TAG):  # a tag is removed by its key
        before |= scalars(unescaped(change["path"].removeprefix(TAG)))
    if _hidden(change.get("before")) or _hidden(change.get("after")):
        return Place(frozenset(), frozenset(), since, at)
    given = after - before
    return Place(before | after, given or (before - after), since, at, bool(given))


def _hidden(value: Any) -> bool:
    """Whether a drift shows only the value's size."""
    return isinstance(value, dict) and value.keys() == {"omitted", "size"}


def naming(resource: Mapping[str, Any]) -> frozenset[int]:
    """Hashes of a resource's identifiers."""
    uid = resource["uid"]
    return scalars([uid, uid.rsplit("/", 1)[-1], uid.rsplit(":", 1)[-1], resource["account"], resource["region"], resource["name"]])  # fmt: skip


def attribute(
    history: Sequence[ChangeEvidence], part: str, since: int, at: int, places: Sequence[Place], others: Sequence[Place] = (),
    *, apart: Sequence[Place] = (), elsewhere: Sequence[frozenset[str]] = (), shown: frozenset[str] = frozenset(), waiting: bool = False,
    complete: bool = False, people: People = NOBODY_MAPPED,
) -> Cause:  # fmt: skip
    """The causes of a drift in `part` that a reading of `at` shows and the one of `since` did not.

    `others`: places of other drifts of that part; `apart`: those of other parts; `elsewhere`: of each place the ids of changes that another drift
    of it shows; `shown`: ids of changes that an earlier drift shows: less likely here (what no drift shows yet
    may only have been read too early); `waiting`: events of that time may still come; `complete`: they have all come.
    Candidates are the successful changes in (since, at], the skew allowed on both sides, that can touch the part. The
    order in time decides nothing: if two people changed it, either may be the cause. Evidence of one
    cause from two accounts counts once."""
    found, verbs = _candidates(history, part, since, at, people), provider(people.provider).verbs
    values = frozenset().union(*(one.values for one in places))
    ranked = sorted(
        ((seen, _confidence(seen, values, seen.at > at or (seen.at <= since and seen.id in shown))) for seen in found),
        key=lambda pair: (-pair[1], pair[0].at, pair[0].id),
    )  # fmt: skip
    if not ranked:
        return nobody(len(places), waiting=waiting)
    everybody = _by_person(found, people)
    made = list(nobody(len(places), waiting=waiting).places)
    alone: list[int] = []
    for number, one in enumerate(places):
        gone = elsewhere[number] if elsewhere else frozenset()
        own = _by_person([s for s in found if s.id not in gone], people) if gone else everybody
        if len(own) > 1:
            made[number] = _among(own, one, [*places, *others], apart, verbs)
        elif own:
            alone.append(number)
            made[number] = _only(own[0], one, [*places, *others], verbs)
    return Cause(
        together(made := _settled(made, alone, waiting=waiting, complete=complete), people),
        ranked,
        made,
    )


def _by_person(found: Sequence[ChangeEvidence], people: People) -> list[list[ChangeEvidence]]:
    out: dict[str, list[ChangeEvidence]] = {}
    for seen in sorted(found, key=lambda seen: (seen.at, seen.id)):
        out.setdefault(people.key(seen.actor, seen.shared or seen.id), []).append(seen)
    return list(out.values())


def may(seen: ChangeEvidence, part: str, since: int, at: int) -> bool:
    """Whether a change may have taken effect between two readings of a part, judging by times and parts."""
    within = since - SKEW < seen.at and (seen.earlier or seen.at <= at + SKEW)
    return within and (not seen.parts or part in seen.parts)


@lru_cache(1024)
def nobody(places: int, *, waiting: bool) -> Cause:
    """The cause of places that no change can have caused."""
    said: Attribution = "pending" if waiting else "unattributed"
    return Cause(said, (), (Made(said),) * places)


def _candidates(
    history: Sequence[ChangeEvidence], part: str, since: int, at: int, people: People
) -> list[ChangeEvidence]:
    """The changes that may have affected the part in that time; of two accounts' copies of an event, the one that names a person."""
    found: dict[str, ChangeEvidence] = {}
    for seen in history:
        if not may(seen, part, since, at):
            continue
        key = seen.shared or seen.id
        known = found.get(key)
        if known is None or _rank(seen, people) > _rank(known, people):
            found[key] = seen
    return list(found.values())


def _rank(seen: ChangeEvidence, people: People) -> tuple[Any, ...]:
    known = people.person(seen.actor)["kind"] != "unknown"
    return known, bool(seen.actor.get("session")), not seen.opaque, len(seen.values), seen.id


def _confidence(seen: ChangeEvidence, values: frozenset[int], less: bool) -> float:
    confidence = THIS_PART if seen.parts else ANY_PART
    if values:
        confidence += BY_VALUE * len(values.intersection(seen.values)) / len(values)
    return round(confidence - 0.1 * less, 3)


def _only(
    own: Sequence[ChangeEvidence], place: Place, places: Sequence[Place], verbs: Verbs
) -> Made:
    """A place that only one person can have caused; for now without the change if it requested none of its values."""
    much, seen = _best(own, place, places, verbs)
    return Made("attributed" if much > OMITS else "unattributed", seen)


def _settled(
    made: list[Made], alone: Sequence[int], *, waiting: bool, complete: bool
) -> list[Made]:
    """Handles places that only one person can have caused, but whose values were not requested: the event of
    someone else may not have arrived. This is decided once every event has arrived."""
    anything = any(one.attribution == "attributed" for one in made)
    for number in alone:
        if made[number].attribution == "unattributed":
            if complete or not (anything or waiting):
                made[number] = Made("attributed", made[number].by)
            else:
                made[number] = Made("pending" if waiting else "unattributed")
    return made


def _among(
    persons: Sequence[Sequence[ChangeEvidence]],
    place: Place,
    places: Sequence[Place],
    apart: Sequence[Place],
    verbs: Verbs,
) -> Made:
    """A place that several people may have caused: someone is named only if nobody else explains any of it, and
    either they requested the complete new value, or the values that all others requested are seen elsewhere. (A request may
    change things it does not name: a rule is removed by its id, a policy by its bucket, a grant is given under another
    name.)"""
    found = [_best(own, place, places, verbs) for own in persons]
    explaining = [(much, seen) for much, seen in found if much > OMITS]
    if len(explaining) != 1 or explaining[0][0] != YES:
        return Made("ambiguous")
    seen = explaining[0][1]
    takes = verbs.takes_away(seen.action)
    if place.given is takes or not any(place.new.issubset(unit) for unit in seen.units):
        if any(much != NO for much, other in found if other is not seen):
            return Made("ambiguous")
        everywhere = [one for one in (*places, *apart) if one is not place]
        rest = [own for own in persons if seen not in own]
        if not all(_seen_in(other, everywhere) for own in rest for other in own):
            return Made("ambiguous")
    return Made("attributed", seen) if place.new.intersection(seen.values) else Made("ambiguous")


def _best(
    own: Iterable[ChangeEvidence], place: Place, places: Sequence[Place], verbs: Verbs
) -> tuple[int, ChangeEvidence]:
    """How much one person's changes explain of a place, and the change that explains most (the last of equals)."""
    return max(
        ((_explains(seen, place, places, verbs), seen) for seen in own),
        key=lambda pair: (
            pair[0],
            len(place.new.intersection(pair[1].values)),
            place.since < pair[1].at <= place.at,
            pair[1].at,
            pair[1].id,
        ),
    )


def _explains(seen: ChangeEvidence, place: Place, places: Sequence[Place], verbs: Verbs) -> int:
    if not place.values or not seen.values:
        return MAYBE
    takes = verbs.takes_away(seen.action)
    known = place.given or takes or verbs.adds(seen.action)
    if place.values.isdisjoint(seen.values):
        return MAYBE if seen.opaque else NO if known else OMITS
    if not known:
        return OMITS
    if _meant_elsewhere(seen, place, places):
        return NO
    return YES if place.given or takes else MAYBE


def _seen_in(seen: ChangeEvidence, places: Sequence[Place]) -> bool:
    """Whether any value of a request is seen in differing places."""
    return any(
        not one.values.isdisjoint(seen.values) and one.since - SKEW < seen.at <= one.at + SKEW
        for one in places
    )


def _meant_elsewhere(seen: ChangeEvidence, place: Place, places: Sequence[Place]) -> bool:
    """Whether everything that a request has in common with a place of several values (`tcp`) belongs to something that the
    request describes more completely: another place, of which it has the same values and more."""
    if len(place.new) < 2 or not seen.units:
        return False
    for unit in map(frozenset, seen.units):
        common = unit & place.values
        if common and not any(
            common < (unit & other.new)
            for other in places
            if other is not place
            and len(other.new) > 1
            and other.since - SKEW < seen.at <= other.at + SKEW
        ):
            return False
    return True


def together(made: Sequence[Made], people: People) -> Attribution:
    """The cause of a whole drift: a person only if every place is attributed to them."""
    if all(one.by is not None for one in made):
        keys = {people.key(one.by.actor, one.by.shared or one.by.id) for one in made if one.by}
        return "attributed" if len(keys) == 1 else "ambiguous"
    said = {one.attribution for one in made}
    return (
        "pending"
        if "pending" in said
        else "unattributed"
        if said == {"unattributed"}
        else "ambiguous"
    )
