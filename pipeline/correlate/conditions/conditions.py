"""Evaluates a correlation's condition, hit by hit. Pure.

A condition is positioned before a hit of the timeline (`rebuild`), consumes it (`step`), and is then positioned
before the next, so that one more hit costs what it changes and not what is held. `side` holds hits that are not
events of an alert but affect it: open findings and their ends, and hits of rules that must be absent."""

from bisect import bisect_left
from typing import Any, Protocol

from driftline.pipeline.correlate.conditions.first_seen import KnownValues
from driftline.pipeline.correlate.conditions.ordered import OrderedCondition
from driftline.pipeline.correlate.conditions.timeline import HitTimeline
from driftline.pipeline.detections.windows import STANDS, Found, Hit, Place, Spec, measure, values


class Condition(Protocol):
    def rebuild(self, index: int) -> int:
        """Positions the condition before a hit. Returns the index of that hit, or of an earlier one of the same
        moment."""

    def step(self, index: int, known: int, few: bool) -> tuple[int, Found]:
        """Consumes hits until a match is found or none are left. Returns how many were consumed, and the matches. 0:
        the hit cannot be evaluated before `waits`. `few`: it may continue and return more matches."""

    def inserted(self, index: int, before: int) -> bool:
        """Notes that a hit was inserted among those consumed; the condition is positioned before the index `before`.
        Returns whether its position is still valid."""

    def dropped(self, count: int) -> bool:
        """Notes that the first hits were dropped. Returns whether its position is still valid."""

    waits: int | None
    """The watermark at which the hit that could not be evaluated can be."""


class AggregateCondition:
    """Compares the number of events, distinct values, or a numeric measure within a window."""

    __slots__ = ("_conditions", "_first", "_line", "_measure", "_spec", "waits")

    def __init__(self, spec: Spec, line: HitTimeline) -> None:
        self._spec, self._line, self._first = spec, line, 0
        self._measure = measure(spec)
        self._conditions = spec.comparisons
        self.waits: int | None = None

    def rebuild(self, index: int) -> int:
        order, hits = self._line.order, self._line.hits
        self._measure = measure(self._spec)
        self._first = bisect_left(order, (order[index][0] - self._spec.timespan,), 0, index)
        self._measure.fill([hit.value for hit in hits[self._first : index]])
        return index

    def step(self, index: int, known: int, few: bool) -> tuple[int, Found]:  # noqa: ARG002
        order, hits, first, span = self._line.order, self._line.hits, self._first, self._spec.timespan  # fmt: skip
        add, drop, figure = self._measure.add, self._measure.drop, self._measure.value
        found = Found()
        for number in range(index, len(order)):
            place = order[number]
            add(hits[number].value)
            begin = place[0] - span
            while order[first][0] < begin:
                drop(hits[first].value)
                first += 1
            value = figure()
            if value is None:
                continue
            for holds, wanted in self._conditions:
                if not holds(value, wanted):
                    break
            else:
                found.append((order[first], place))
                if not few:
                    self._first = first
                    return number + 1 - index, found
        self._first = first
        return len(order) - index, found

    def inserted(self, index: int, before: int) -> bool:
        order = self._line.order
        inside = order[index][0] >= order[before - 1][0] - self._spec.timespan
        if index < self._first or (index == self._first and not inside):
            self._first += 1
        else:
            self._measure.add(self._line.hits[index].value)
        return True

    def dropped(self, count: int) -> bool:
        self._first -= count
        return self._first >= 0


class TemporalCondition:
    """Matches when all required rules occur within one window, in any order, and none of the absent ones does within
    a timespan of its beginning. Absence is evaluated once that time is final."""

    def __init__(self, spec: Spec, line: HitTimeline, side: HitTimeline) -> None:
        self._spec, self._line, self._side = spec, line, side
        self._needed = frozenset(spec.rules) - spec.absent
        self._latest: dict[str, Place] = {}
        self.waits: int | None = None

    def rebuild(self, index: int) -> int:
        order, hits = self._line.order, self._line.hits
        self._latest = {}
        oldest = order[index][0] - self._spec.timespan
        for number in range(index - 1, -1, -1):
            if order[number][0] < oldest or len(self._latest) == len(self._needed):
                break
            self._latest.setdefault(hits[number].rule, order[number])
        return index

    def step(self, index: int, known: int, few: bool) -> tuple[int, Found]:  # noqa: ARG002
        order, latest, span = self._line.order, self._latest, self._spec.timespan
        for number in range(index, len(order)):
            place = order[number]
            before = latest.get(place[2])
            latest[place[2]] = place
            oldest = place[0] - span
            begin = narrowest(self._spec, self._needed, [at for at in latest.values() if at[0] >= oldest])  # fmt: skip
            if begin is None:
                continue
            if not self._spec.absent:
                return number + 1 - index, [(begin, place)]
            end = begin[0] + span
            if end >= known:
                self.waits = end + 1
                self._undo(place[2], before)
                return number - index, []
            after = self._side.index((begin[0],))
            if after == len(self._side) or self._side.order[after][0] > end:
                return number + 1 - index, [(begin, place)]
        return len(order) - index, []

    def _undo(self, rule: str, before: Place | None) -> None:
        """Moves back before a hit: hits that arrive in between must not be evaluated with it."""
        if before is None:
            del self._latest[rule]
        else:
            self._latest[rule] = before

    def inserted(self, index: int, before: int) -> bool:  # noqa: ARG002
        place = self._line.order[index]
        self._latest[place[2]] = max(place, self._latest.get(place[2], place))
        return True

    def dropped(self, count: int) -> bool:  # noqa: ARG002
        return True


class StandingCondition:
    """Matches when all required rules hold together. Standing rules count while they hold, the others within the
    timespan."""

    waits: int | None = None

    def __init__(self, spec: Spec, line: HitTimeline, side: HitTimeline) -> None:
        self._spec, self._line, self._side = spec, line, side
        self._ends = {end: rule for rule, end in spec.standing.items()}
        self._needed = frozenset(spec.rules) - self._ends.keys()
        self._latest: dict[str, Place] = {}
        self._standing: dict[str, dict[Any, Place]] = {rule: {} for rule in spec.standing}
        """By rule and value: the place where it began to hold, most recent last."""
        self._next = 0
        """Index of the first context hit that is not consumed."""

    def rebuild(self, index: int) -> int:
        order = self._line.order
        self._latest, self._standing = {}, {rule: {} for rule in self._spec.standing}
        oldest = order[index][0] - self._spec.window
        self._next = self._side.index((oldest,))
        for number in range(self._line.index((oldest,)), index):
            self._take(self._line.hits[number])
        return index

    def _take(self, hit: Hit) -> None:
        place = hit.place
        while self._next < len(self._side) and self._side.order[self._next] < place:
            self._take_side(self._side.hits[self._next])
            self._next += 1
        if hit.rule in self._standing:
            self._add_standing(hit)
        else:
            self._latest[hit.rule] = place

    def _take_side(self, hit: Hit) -> None:
        if hit.rule in self._ends:
            self._standing[self._ends[hit.rule]].pop(_key(hit.value), None)
        else:
            self._add_standing(hit)

    def _add_standing(self, hit: Hit) -> None:
        found, key = self._standing[hit.rule], _key(hit.value)
        found.pop(key, None)
        found[key] = hit.place

    def step(self, index: int, known: int, few: bool) -> tuple[int, Found]:  # noqa: ARG002
        hits, span = self._line.hits, self._spec.timespan
        for number in range(index, len(hits)):
            hit = hits[number]
            self._take(hit)
            alive = [at for at in self._latest.values() if hit.at - at[0] <= span]
            latest = [next(reversed(found.values())) for found in self._standing.values() if found]
            alive += [at for at in latest if hit.at - at[0] <= STANDS]
            begin = narrowest(self._spec, self._needed, alive)
            if begin is not None:
                return number + 1 - index, [(begin, hit.place)]
        return len(hits) - index, []

    def inserted(self, index: int, before: int) -> bool:  # noqa: ARG002
        return False

    def dropped(self, count: int) -> bool:  # noqa: ARG002
        return True


def _key(value: Any) -> str:
    return "\n".join(values(value))


def narrowest(spec: Spec, needed: frozenset[str], alive: list[Place]) -> Place | None:
    """Returns where the shortest matching window begins, given the latest place of each rule; None if there is no
    match."""
    if spec.holds is None:
        return min(alive) if len(alive) == len(needed) else None
    rules: set[str] = set()
    for place in sorted(alive, reverse=True):
        rules.add(place[2])
        if spec.holds(frozenset(rules)):
            return place
    return None


class FirstSeenCondition:
    """Matches values that are new to the group, once its learning period is over."""

    waits: int | None = None

    def __init__(self, spec: Spec, line: HitTimeline, known_values: KnownValues) -> None:
        self._spec, self._line, self._known_values = spec, line, known_values

    def rebuild(self, index: int) -> int:
        return index

    def step(self, index: int, known: int, few: bool) -> tuple[int, Found]:  # noqa: ARG002
        place = self._line.order[index]
        learned = place[0] - self._known_values.learning_since(place[0])[0] >= self._spec.learning
        return 1, [(place, place)] if learned else []

    def inserted(self, index: int, before: int) -> bool:  # noqa: ARG002
        return True

    def dropped(self, count: int) -> bool:  # noqa: ARG002
        return True


def condition_of(
    spec: Spec, line: HitTimeline, side: HitTimeline, known_values: KnownValues | None
) -> Condition:
    if known_values is not None:
        return FirstSeenCondition(spec, line, known_values)
    if spec.kind == "temporal_ordered":
        return OrderedCondition(spec, line)
    if spec.standing:
        return StandingCondition(spec, line, side)
    if spec.kind == "temporal":
        return TemporalCondition(spec, line, side)
    return AggregateCondition(spec, line)
