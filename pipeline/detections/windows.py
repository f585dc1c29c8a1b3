"""The specification of a correlation, and the measures over a window of hits. Pure.

Times and durations in microseconds. A window of length T covers what is at most T before its end."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import msgspec

from driftline.pipeline.common.durations import DAY, HOUR

Kind = Literal["event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg",
               "value_percentile", "value_median", "first_seen"]  # fmt: skip
Place = tuple[int, str, str]
"""Position of a hit in time order: time, event, rule."""
Found = list[tuple[Place, Place]]
"""Windows in which the condition holds: the place where each begins, and that of the hit that ends it."""
STANDS = 26 * HOUR
"""Standing findings are restated every 12 hours; one that has not been for this long no longer stands."""
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b, "neq": lambda a, b: a != b,
}  # fmt: skip
GROWING = ("gt", "gte")
"""Comparisons of a count that further hits cannot undo."""


class Hit(msgspec.Struct, array_like=True, gc=False):
    """One match of a rule, as stored in a group."""

    at: int
    id: str
    """Id of the change, transition or drift: it counts once, however many resources it touches."""
    rule: str
    value: Any = None
    """Values of the field that value_* conditions count or aggregate; a list has several."""
    brief: dict[str, Any] = {}
    """What an alert shows of it."""
    state: bool = False
    """Not an event, but a report that something still stands: it can contribute to a match, never cause one."""
    gone: bool = False
    """In a group's log: this hit was withdrawn."""

    @property
    def place(self) -> Place:
        """Its position in time order."""
        return self.at, self.id, self.rule


@dataclass(frozen=True)
class Spec:
    """What to look for."""

    kind: Kind
    rules: tuple[str, ...]
    """Ordered, for temporal_ordered."""
    timespan: int
    conditions: tuple[tuple[str, float], ...] = ()
    """Operators and numbers; all must hold."""
    percentile: float = 50
    holds: Callable[[frozenset[str]], bool] | None = None
    """For temporal: whether a set of rules is a match; None if all rules are required."""
    absent: frozenset[str] = frozenset()
    """For temporal: rules that must not follow within the timespan."""
    learning: int = 0
    """For first_seen: the learning period of a group."""
    standing: Mapping[str, str] = field(default_factory=dict)
    """For temporal: rules that hold from their hit on, as long as they are restated, until a hit of another rule with
    the same value."""
    longest: int = DAY
    """A longer alert is continued by another one."""

    @cached_property
    def comparisons(self) -> list[tuple[Callable[[float, float], bool], float]]:
        """The conditions as comparison functions."""
        return [(COMPARE[op], wanted) for op, wanted in self.conditions]

    @cached_property
    def gap(self) -> int:
        """Matches no further apart than this belong to one alert."""
        return HOUR if self.kind == "first_seen" else self.timespan

    @cached_property
    def window(self) -> int:
        """How long before a match its hits may be."""
        if self.kind == "first_seen":
            return 0
        return max(self.timespan, STANDS) if self.standing else self.timespan

    @cached_property
    def numeric(self) -> bool:
        """Whether it compares numbers."""
        return self.kind in ("value_sum", "value_avg", "value_median", "value_percentile")

    @cached_property
    def aside(self) -> frozenset[str]:
        """Rules whose hits are not events of an alert, but affect it."""
        return frozenset(self.standing.values()) | self.absent

    @cached_property
    def events(self) -> frozenset[str]:
        """Rules whose hits are events of an alert."""
        return frozenset(self.rules) - self.aside

    @cached_property
    def growing(self) -> bool:
        """Whether further hits can only add matches, never undo one."""
        if self.absent or self.standing:
            return False
        if self.kind in ("event_count", "value_count"):
            return all(op in GROWING for op, _ in self.conditions)
        return self.kind in ("temporal", "temporal_ordered")


def values(found: Any) -> Iterator[str]:
    """Returns the values of a hit as text; every element of a list counts."""
    if isinstance(found, list):
        for one in found:
            if one is not None:
                yield str(one)
    elif found is not None:
        yield str(found)


class Measure(Protocol):
    """A measure of the values in a window. Numbers are floats (see `number`)."""

    def fill(self, found: list[Any]) -> None:
        """Initializes an empty window."""

    def add(self, value: Any) -> None: ...
    def drop(self, value: Any) -> None: ...
    def value(self) -> float | None: ...


class EventCount:
    """The number of hits."""

    __slots__ = "_n"

    def __init__(self) -> None:
        self._n = 0

    def fill(self, found: list[Any]) -> None:
        self._n = len(found)

    def add(self, value: Any) -> None:  # noqa: ARG002 - all measures are used alike
        self._n += 1

    def drop(self, value: Any) -> None:  # noqa: ARG002
        self._n -= 1

    def value(self) -> float | None:
        return self._n


class DistinctCount:
    """The number of distinct values."""

    __slots__ = "_seen"

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def fill(self, found: list[Any]) -> None:
        self._seen = dict(Counter(one for value in found for one in values(value)))

    def add(self, value: Any) -> None:
        seen = self._seen
        for one in (value,) if type(value) is str else values(value):
            seen[one] = seen.get(one, 0) + 1

    def drop(self, value: Any) -> None:
        seen = self._seen
        for one in (value,) if type(value) is str else values(value):
            left = seen[one] - 1
            if left:
                seen[one] = left
            else:
                del seen[one]

    def value(self) -> float | None:
        return len(self._seen)


SHIFT = 1074
"""Every float is a multiple of 2^-1074."""


class SumOrMean:
    """The exact sum or mean of the numbers, independent of the order of additions and removals."""

    def __init__(self, mean: bool) -> None:
        self._whole, self._rest, self._n, self._mean = 0, 0, 0, mean

    def fill(self, found: list[Any]) -> None:
        for value in found:
            self.add(value)

    def add(self, value: Any) -> None:
        if value is not None:
            self._n += 1
            if value.is_integer():
                self._whole += int(value)
            else:
                self._rest += _units(value)

    def drop(self, value: Any) -> None:
        if value is not None:
            self._n -= 1
            if value.is_integer():
                self._whole -= int(value)
            else:
                self._rest -= _units(value)

    def value(self) -> float | None:
        if not self._n:
            return None
        n = self._n if self._mean else 1
        try:
            if not self._rest:
                return self._whole / n
            return ((self._whole << SHIFT) + self._rest) / (n << SHIFT)
        except OverflowError:
            return float("inf") if self._whole > 0 else float("-inf")


def _units(number: float) -> int:
    over, under = number.as_integer_ratio()
    return over << (SHIFT + 1 - under.bit_length())


class Percentile:
    """The number at a percentile (nearest rank), or the median."""

    def __init__(self, percentile: float | None) -> None:
        self._numbers: list[float] = []
        self._percentile = percentile

    def fill(self, found: list[Any]) -> None:
        self._numbers = sorted([value for value in found if value is not None])

    def add(self, value: Any) -> None:
        if value is not None:
            insort(self._numbers, value)

    def drop(self, value: Any) -> None:
        if value is not None:
            del self._numbers[bisect_left(self._numbers, value)]

    def value(self) -> float | None:
        numbers, n = self._numbers, len(self._numbers)
        if not n:
            return None
        if self._percentile is None:
            return numbers[n // 2] if n % 2 else (numbers[n // 2 - 1] + numbers[n // 2]) / 2
        return numbers[int(max(1, -(-n * self._percentile // 100))) - 1]


def number(value: Any) -> float | None:
    """Returns the number for sums and percentiles; None if the value is not a number."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if -1e300 < found < 1e300 else None


def measure(spec: Spec) -> Measure:
    """Returns the measure of a correlation, for an empty window."""
    if spec.kind == "event_count":
        return EventCount()
    if spec.kind == "value_count":
        return DistinctCount()
    if spec.kind in ("value_sum", "value_avg"):
        return SumOrMean(mean=spec.kind == "value_avg")
    return Percentile(spec.percentile if spec.kind == "value_percentile" else None)
