"""What a correlation looks for, and the measures of a window of hits. Pure.

Times and lengths in microseconds. A window of length T holds what is at most T before its end."""

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
"""Where a hit stands in the order of time: time, event, rule."""
Found = list[tuple[Place, Place]]
"""Windows in which the condition holds: the place where each begins, and of the hit that ends it."""
STANDS = 26 * HOUR
"""What stands is said again every 12 hours; what is not said for so long stands no more."""
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b, "neq": lambda a, b: a != b,
}  # fmt: skip
GROWING = ("gt", "gte")
"""Comparisons of a count that further hits cannot undo."""


class Hit(msgspec.Struct, array_like=True, gc=False):
    """One match of a rule, as a group keeps it."""

    at: int
    id: str
    """Of the change, transition or drift: the same one counts once, however many resources it touches."""
    rule: str
    value: Any = None
    """Of the field that value_* conditions count or add up; a list has several."""
    brief: dict[str, Any] = {}
    """What an alert shows of it."""
    state: bool = False
    """No event, only that something still stands: with what happens it makes a match, by itself never."""
    gone: bool = False
    """In the log of a group: this hit was none after all."""

    @property
    def place(self) -> Place:
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

    @cached_property
    def comparisons(self) -> list[tuple[Callable[[float, float], bool], float]]:
        """The conditions, as they are compared."""
        return [(COMPARE[op], wanted) for op, wanted in self.conditions]

    @cached_property
    def gap(self) -> int:
        """Matches no further apart than this are one alert."""
        return HOUR if self.kind == "first_seen" else self.timespan

    @cached_property
    def window(self) -> int:
        """How long before a match its hits may lie."""
        if self.kind == "first_seen":
            return 0
        return max(self.timespan, STANDS) if self.standing else self.timespan

    @cached_property
    def numeric(self) -> bool:
        """Whether it looks at numbers."""
        return self.kind in ("value_sum", "value_avg", "value_median", "value_percentile")

    @cached_property
    def aside(self) -> frozenset[str]:
        """Rules whose hits are no events of an alert, but bear on it."""
        return frozenset(self.standing.values()) | self.absent

    @cached_property
    def events(self) -> frozenset[str]:
        """Rules whose hits are events of an alert."""
        return frozenset(self.rules) - self.aside

    @cached_property
    def growing(self) -> bool:
        """Whether further hits can only add matches, and never undo one."""
        if self.absent or self.standing:
            return False
        if self.kind in ("event_count", "value_count"):
            return all(op in GROWING for op, _ in self.conditions)
        return self.kind in ("temporal", "temporal_ordered")


def values(found: Any) -> Iterator[str]:
    """The values of a hit, each as text: every element of a list counts."""
    if isinstance(found, list):
        for one in found:
            if one is not None:
                yield str(one)
    elif found is not None:
        yield str(found)


class Measure(Protocol):
    """A figure of the values in a window. Numbers are floats already (`number`)."""

    def fill(self, found: list[Any]) -> None:
        """Into an empty window."""

    def add(self, value: Any) -> None: ...
    def drop(self, value: Any) -> None: ...
    def value(self) -> float | None: ...


class EventCount:
    """How many hits."""

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
    """How many different values."""

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
"""Every float is a whole number of 2^-1074."""


class SumOrMean:
    """The exact sum of the numbers, or their mean: the same whatever was added and dropped before."""

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
    """The number at a percentile (by the nearest rank), or the median."""

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
    """What sums and percentiles look at; None: it is no number."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if -1e300 < found < 1e300 else None


def measure(spec: Spec) -> Measure:
    """What a counting correlation compares, of an empty window."""
    if spec.kind == "event_count":
        return EventCount()
    if spec.kind == "value_count":
        return DistinctCount()
    if spec.kind in ("value_sum", "value_avg"):
        return SumOrMean(mean=spec.kind == "value_avg")
    return Percentile(spec.percentile if spec.kind == "value_percentile" else None)
