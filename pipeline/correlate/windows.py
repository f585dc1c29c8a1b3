"""Where a correlation's condition holds: over the hits of one group, in event time, windows ending at each hit. Pure.

Times and lengths in microseconds. A window of length T holds what is at most T before its end."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median
from typing import Any, Literal, NamedTuple

import msgspec

Kind = Literal["event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg",
               "value_percentile", "value_median", "first_seen"]  # fmt: skip
HOUR = 3_600_000_000
DAY = 24 * HOUR
STANDS = 26 * HOUR
"""What stands is said again every 12 hours; what is not said for so long stands no more."""
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b, "neq": lambda a, b: a != b,
}  # fmt: skip


class Hit(msgspec.Struct, array_like=True):
    """One match of a rule, as a group keeps it."""

    at: int
    id: str
    """Of the change, transition or drift: the same one counts once, however many resources it touches."""
    rule: str
    value: Any = None
    """Of the field that value_* conditions count or add up."""
    brief: dict[str, Any] = {}
    """What an alert shows of it."""
    state: bool = False
    """No event, only that something still stands: with what happens it makes a match, by itself never."""

    @property
    def place(self) -> tuple[int, str, str]:
        """Its place in the order of time."""
        return self.at, self.id, self.rule


@dataclass(frozen=True)
class Spec:
    """What is looked for."""

    kind: Kind
    rules: tuple[str, ...]
    """In order, for temporal_ordered."""
    timespan: int
    conditions: tuple[tuple[str, float], ...] = ()
    """Operators and numbers, all of which must hold."""
    percentile: float = 50
    holds: Callable[[frozenset[str]], bool] | None = None
    """Of temporal: whether these rules together are a match; None: all of them are needed."""
    absent: frozenset[str] = frozenset()
    """Of temporal: rules that must not follow within the timespan."""
    learning: int = 0
    """Of first_seen: so long a group only learns."""
    standing: Mapping[str, str] = field(default_factory=dict)
    """Of temporal: rules that hold from their hit on, for as long as they are said again, until a hit of another rule
    with the same value."""
    longest: int = DAY
    """An alert that goes on longer is continued by another."""

    @property
    def gap(self) -> int:
        """Matches no further apart than this are one alert."""
        return HOUR if self.kind == "first_seen" else self.timespan

    @property
    def window(self) -> int:
        """How long before a match its hits may lie."""
        if self.kind == "first_seen":
            return 0
        return max(self.timespan, STANDS) if self.standing else self.timespan


class Match(NamedTuple):
    """A window in which the condition holds."""

    begins: int
    at: int
    first: int
    """Index of the hit that begins the window."""
    last: int
    """Index of the hit that ends it."""


def matches(spec: Spec, hits: Sequence[Hit], known_until: int) -> Iterator[Match]:
    """The windows in which it holds. `hits` by place; `known_until`: absence is judged only up to there."""
    if spec.kind == "temporal_ordered":
        return _ordered(spec, hits)
    if spec.standing:
        return _beside_standing(spec, hits)
    if spec.kind == "temporal":
        return _together(spec, hits, known_until)
    return _counted(spec, hits)


def _windows(spec: Spec, hits: Sequence[Hit]) -> Iterator[tuple[int, int]]:
    """(first, last) of each window."""
    first = 0
    for last, hit in enumerate(hits):
        while hit.at - hits[first].at > spec.timespan:
            first += 1
        yield first, last


def _counted(spec: Spec, hits: Sequence[Hit]) -> Iterator[Match]:
    measure = _MEASURES[spec.kind](spec)
    out = 0
    for first, last in _windows(spec, hits):
        measure.add(hits[last].value)
        while out < first:
            measure.drop(hits[out].value)
            out += 1
        value = measure.value()
        if value is not None and all(COMPARE[op](value, wanted) for op, wanted in spec.conditions):
            yield Match(hits[first].at, hits[last].at, first, last)


def _together(spec: Spec, hits: Sequence[Hit], known_until: int) -> Iterator[Match]:
    """Needed rules within one window, in any order; then none of the absent ones until a timespan after its beginning."""
    needed = frozenset(spec.rules) - spec.absent
    holds = spec.holds or needed.issubset
    present = [number for number, hit in enumerate(hits) if hit.rule not in spec.absent]
    forbidden = [hit.at for hit in hits if hit.rule in spec.absent]
    seen: Counter[str] = Counter()
    first = 0
    for place, last in enumerate(present):
        seen[hits[last].rule] += 1
        while hits[last].at - hits[present[first]].at > spec.timespan:
            seen[hits[present[first]].rule] -= 1
            first += 1
        if not holds(frozenset(rule for rule, count in seen.items() if count)):
            continue
        begins = _narrowest(hits, present[first : place + 1], holds)
        if spec.absent:
            ends = hits[begins].at + spec.timespan
            at = bisect_left(forbidden, hits[begins].at)
            if ends > known_until or (at < len(forbidden) and forbidden[at] <= ends):
                continue
        yield Match(hits[begins].at, hits[last].at, begins, last)


def _beside_standing(spec: Spec, hits: Sequence[Hit]) -> Iterator[Match]:
    """Needed rules together, some of which stand: those count for as long as they do, the others within the timespan."""
    ends = {end: rule for rule, end in spec.standing.items()}
    holds = spec.holds or (frozenset(spec.rules) - ends.keys()).issubset
    for last, hit in enumerate(hits):
        if hit.state or hit.rule in ends:
            continue
        over = set[tuple[str, Any]]()
        seen: dict[str, int] = {}
        for number in range(last, -1, -1):
            other = hits[number]
            age = hit.at - other.at
            if age > spec.window:
                break
            if other.rule in ends:
                over.add((ends[other.rule], other.value))
            elif age <= (STANDS if other.rule in spec.standing else spec.timespan) and (other.rule, other.value) not in over:  # fmt: skip
                seen.setdefault(other.rule, number)
            if holds(frozenset(seen)):
                yield Match(hits[number].at, hit.at, number, last)
                break


def _narrowest(
    hits: Sequence[Hit], window: Sequence[int], holds: Callable[[frozenset[str]], bool]
) -> int:
    """Where the shortest window that ends with the same hit, and still holds, begins."""
    rules: set[str] = set()
    for number in reversed(window):
        rules.add(hits[number].rule)
        if holds(frozenset(rules)):
            return number
    return window[0]


def _ordered(spec: Spec, hits: Sequence[Hit]) -> Iterator[Match]:
    """One rule after the other, each by another event. Of each beginning of the sequence the latest start is kept: it
    is the best. Events of one moment (audit logs know whole seconds) count as being in order."""
    chains: list[tuple[int, str] | None] = [None] * len(spec.rules)
    """By step: where the sequence so far began, and the event that it ends with."""
    ends = len(spec.rules) - 1
    for _, same in groupby(range(len(hits)), lambda number: hits[number].at):
        moment = list(same)
        for step, rule in enumerate(spec.rules):
            for number in moment:
                hit, before = hits[number], chains[step - 1] if step else None
                if hit.rule != rule or (step and (before is None or before[1] == hit.id)):
                    continue
                start = before[0] if before else number
                if hit.at - hits[start].at > spec.timespan:
                    continue
                if step == ends:
                    if hits[start].at == hit.at:  # all of one moment, in whatever order they stand
                        yield Match(hit.at, hit.at, moment[0], moment[-1])
                    else:
                        yield Match(hits[start].at, hit.at, start, number)
                known = chains[step]
                if known is None or start >= known[0]:
                    chains[step] = (start, hit.id)


class _Count:
    def __init__(self, spec: Spec) -> None:  # noqa: ARG002 - all measures are made alike
        self._n = 0

    def add(self, value: Any) -> None:  # noqa: ARG002
        self._n += 1

    def drop(self, value: Any) -> None:  # noqa: ARG002
        self._n -= 1

    def value(self) -> float | None:
        return self._n


class _Distinct:
    def __init__(self, spec: Spec) -> None:  # noqa: ARG002
        self._seen: Counter[str] = Counter()

    def add(self, value: Any) -> None:
        if value is not None:
            self._seen[str(value)] += 1

    def drop(self, value: Any) -> None:
        if value is not None:
            self._seen[str(value)] -= 1
            if not self._seen[str(value)]:
                del self._seen[str(value)]

    def value(self) -> float | None:
        return len(self._seen)


class _Numbers:
    """The numbers in a window, in order of size; what is none is passed over."""

    def __init__(self, spec: Spec) -> None:
        self._numbers: list[float] = []
        self._kind, self._percentile = spec.kind, spec.percentile

    def add(self, value: Any) -> None:
        if (number := _number(value)) is not None:
            insort(self._numbers, number)

    def drop(self, value: Any) -> None:
        if (number := _number(value)) is not None:
            del self._numbers[bisect_left(self._numbers, number)]

    def value(self) -> float | None:
        numbers = self._numbers
        if not numbers:
            return None
        if self._kind == "value_sum":
            return sum(numbers)
        if self._kind == "value_avg":
            return sum(numbers) / len(numbers)
        if self._kind == "value_median":
            return float(median(numbers))
        rank = max(1, -(-len(numbers) * self._percentile // 100))  # nearest rank
        return numbers[int(rank) - 1]


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e300 else None


_MEASURES: Mapping[str, Any] = {
    "event_count": _Count, "value_count": _Distinct, "value_sum": _Numbers, "value_avg": _Numbers,
    "value_median": _Numbers, "value_percentile": _Numbers,
}  # fmt: skip
