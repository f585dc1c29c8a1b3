"""The causes of a resource's drifts, each determined once per evaluation. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from driftline.pipeline.assess.drift.attribute import (
    SKEW,
    Cause,
    Made,
    Place,
    attribute,
    may,
    naming,
    nobody,
    place,
)
from driftline.pipeline.common.durations import SECOND
from driftline.pipeline.people.identity import People
from driftline.pipeline.state.resource import Body, ChangeEvidence, KnownDrift

WHOLE = "*"
"""The part of a drift that represents a resource's creation or deletion."""


class Causes:
    """The causes of a body's drifts, each determined once on demand."""

    def __init__(self, body: Body, events: int | None, people: People) -> None:
        self._body, self._events, self._people = body, events, people
        self._drifts, self._own = body.drifts, frozenset[int]()
        self._places: dict[str, list[Place]] = {}
        self._found: dict[str, Cause] = {}

    def of(self, drift: KnownDrift) -> Cause:
        if drift.id not in self._found:
            self._found[drift.id] = self._cause(drift)
        return self._found[drift.id]

    def _cause(self, drift: KnownDrift) -> Cause:
        waiting = self._events is not None and self._events < drift.at + SKEW
        fitting = [
            seen for seen in self._body.history
            if may(seen, drift.part, drift.since, drift.at) and _fits(drift, seen)
        ]  # fmt: skip
        if not fitting:  # most drifts that a sweep finds
            return nobody(len(drift.changes), waiting=waiting)
        self._own = self._own or naming(self._body.resource)
        shown = frozenset(seen.id for seen in fitting if _shown(seen, drift, self._drifts))
        others = [place for one in self._beside(drift) for place in self._of(one)]
        apart = [
            place
            for one in (self._drifts if len(fitting) > 1 else ())
            if one.part != drift.part
            for place in self._of(one)
        ]
        cause = attribute(
            fitting, drift.part, drift.since, drift.at, self._of(drift), others, apart=apart, elsewhere=self._elsewhere(drift, fitting), shown=shown, waiting=waiting, complete=self._events is not None and not waiting, people=self._people,
        )  # fmt: skip
        return _doubted(cause) if forgotten(self._body, drift) else cause

    def _of(self, drift: KnownDrift) -> list[Place]:
        if drift.id not in self._places:
            self._places[drift.id] = [
                place(one, drift.since, drift.at, self._own) for one in drift.changes
            ]
        return self._places[drift.id]

    def beside(self, drift: KnownDrift) -> int:
        """The number of other known drifts of its part, which also affect its cause."""
        return len(self._beside(drift))

    def _beside(self, drift: KnownDrift) -> list[KnownDrift]:
        return [one for one in self._drifts if one.part == drift.part and one.id != drift.id]

    def _elsewhere(
        self, drift: KnownDrift, fitting: Sequence[ChangeEvidence]
    ) -> list[frozenset[str]]:
        """Of each place the changes that another drift of the same place shows: they were made between its readings,
        and are only by the allowance for clocks near to this one's, whose new value they did not ask for. Two values
        one after another take two changes, in this order."""
        near = [s for s in fitting if not (_between(drift, s) or s.earlier)]
        out = [frozenset[str]() for _ in drift.changes]
        if not near or not any(_between(drift, s) for s in fitting):
            return out
        for other in self._beside(drift):
            earlier, later = other.at <= drift.since, other.since >= drift.at
            if not (earlier or later):
                continue
            shown = [s for s in fitting if _between(other, s)]
            # events have a resolution of one second: an event of the last second may be after the reading
            own = [
                s
                for s in near
                if s in shown and (len(shown) == 1 or s.at <= drift.since - SECOND or later)
            ]
            for number, one in enumerate(drift.changes if own else ()):
                if any(
                    _goes_on(two, one) if earlier else _goes_on(one, two) for two in other.changes
                ):
                    new = self._of(drift)[number].new
                    out[number] |= {s.id for s in own if new.isdisjoint(s.values)}
        return out


def _between(drift: KnownDrift, seen: ChangeEvidence) -> bool:
    """Whether a change was made between the two readings of a drift."""
    return drift.since < seen.at <= drift.at


def _goes_on(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether a second change of a place starts from the value that the first one left."""
    if "after" not in one or "before" not in two or one["after"] != two["before"]:
        return False
    (above, _, last), (below, _, end) = one["path"].rpartition("/"), two["path"].rpartition("/")
    return bool(above == below and (last == end or (last.isdigit() and end.isdigit())))


def forgotten(body: Body, drift: KnownDrift) -> bool:
    """Whether changes of its time have been forgotten."""
    return drift.since - SKEW < body.forgotten


def _doubted(cause: Cause) -> Cause:
    """Someone else may have caused it, of whom nothing is remembered."""
    places = [Made("ambiguous") if one.attribution == "attributed" else one for one in cause.places]
    said = "ambiguous" if cause.attribution == "attributed" else cause.attribution
    return Cause(said, cause.candidates, places)


def _fits(drift: KnownDrift, seen: ChangeEvidence) -> bool:
    """A change that created or deleted a resource changed no part of it, and vice versa."""
    if drift.part != WHOLE:
        return seen.kind not in ("create", "delete")
    return seen.kind == ("create" if drift.changes[0]["op"] == "add" else "delete")


def _shown(seen: ChangeEvidence, drift: KnownDrift, drifts: Sequence[KnownDrift]) -> bool:
    """Whether an earlier drift shows the effect of the change."""
    return any(
        one.since < seen.at <= one.at < drift.at and (not seen.parts or one.part in seen.parts)
        for one in drifts
    )
