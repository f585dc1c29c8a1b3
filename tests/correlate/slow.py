"""The slow way: every window looked at again, over all hits of a group at once. What the correlator does hit by hit is
held against it."""

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import msgspec

from driftline.pipeline.correlate.alerts.span import MAX_SHOWN, Run, alert_id
from driftline.pipeline.detections.windows import COMPARE, STANDS, Hit, Spec


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
    """One rule after the other, each by another event than the one before; every choice is tried. The latest start is the
    best. Events of one moment (audit logs know whole seconds) count as being in order."""
    starts: list[dict[int, int]] = [{} for _ in spec.rules]
    """By step: the hits that it may be taken by, and the latest start of a sequence so far."""
    for step, rule in enumerate(spec.rules):
        for number, hit in enumerate(hits):
            if hit.rule != rule:
                continue
            before = [number] if not step else [
                start for other, start in starts[step - 1].items()
                if hits[other].at <= hit.at and hits[other].id != hit.id and hit.at - hits[start].at <= spec.timespan
            ]  # fmt: skip
            if before:
                starts[step][number] = max(before)
    for number, start in starts[-1].items():
        at = hits[number].at
        moment = [n for n, hit in enumerate(hits) if hit.at == at]
        if hits[start].at == at:  # all of one moment, in whatever order they stand
            yield Match(at, at, moment[0], moment[-1])
        else:
            yield Match(hits[start].at, at, start, number)


class _Count:
    def __init__(self, spec: Spec) -> None:
        self._n = 0

    def add(self, value: Any) -> None:
        self._n += 1

    def drop(self, value: Any) -> None:
        self._n -= 1

    def value(self) -> float | None:
        return self._n


class _Distinct:
    def __init__(self, spec: Spec) -> None:
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
            return math.fsum(numbers)
        if self._kind == "value_avg":
            return math.fsum(numbers) / len(numbers)
        if self._kind == "value_median":
            return float(median(numbers))
        rank = max(1, -(-len(numbers) * self._percentile // 100))  # nearest rank
        return numbers[int(rank) - 1]


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e300 else None


_MEASURES: Mapping[str, Any] = {
    "event_count": _Count, "value_count": _Distinct, "value_sum": _Numbers, "value_avg": _Numbers,
    "value_median": _Numbers, "value_percentile": _Numbers,
}  # fmt: skip


def runs(
    spec: Spec, correlation: str, group: str, hits: Sequence[Hit], known_until: int, most: int
) -> list[Run]:
    """The alerts that these hits (by place) make. `most`: MOST of driftline.pipeline.correlate.runs."""
    out: list[Run] = []
    done = 0
    """Hits before this one are counted."""
    events = {hit.place for hit in _events(spec, hits)}
    found = sorted(matches(spec, hits, known_until), key=lambda m: (m.at, m.last))
    for match in found:
        if match.last < done:
            continue
        run = out[-1] if out else None
        if run is None or match.at - run.last > spec.gap:
            out.append(_begun(spec, correlation, group, hits, match.first, match.last, None))
        elif match.at - run.at > spec.longest:
            out.append(_begun(spec, correlation, group, hits, done, match.last, run.id))
        else:
            out[-1] = _longer(run, _events(spec, hits[done : match.last + 1]), hits[match.last])
        done, run = match.last + 1, out[-1]
        if run.count < most:
            continue
        for number in range(done, len(hits)):
            if hits[number].place not in events:
                continue
            if hits[number].at - run.last > spec.gap or hits[number].at - run.at > spec.longest:
                break
            run = _longer(run, _events(spec, hits[done : number + 1]), hits[number])
            done = number + 1
        out[-1] = run
    return out


def _events(spec: Spec, hits: Sequence[Hit]) -> Sequence[Hit]:
    """Without what only stands, or ends that, and what must not follow."""
    ends = {*spec.standing.values(), *spec.absent}
    return [hit for hit in hits if not hit.state and hit.rule not in ends]


def _with_standing(spec: Spec, hits: Sequence[Hit]) -> Sequence[Hit]:
    """Of what is only said again, the last word each."""
    if not spec.standing:
        return _events(spec, hits)
    last = {(hit.rule, hit.value): hit for hit in hits if hit.rule in spec.standing}
    shown = [*_events(spec, hits), *(hit for hit in last.values() if hit.state)]
    return sorted(shown, key=lambda hit: hit.place)


def _begun(
    spec: Spec, correlation: str, group: str, hits: Sequence[Hit], first: int, last: int, continues: str | None
) -> Run:  # fmt: skip
    inside = _with_standing(spec, hits[first : last + 1])
    at = hits[last].at
    id = alert_id(correlation, group, at, continues)
    shown = [hit.brief for hit in inside][:MAX_SHOWN]
    return Run(id, inside[0].at, at, at, len(inside), hits[last].place, continues, shown)


def _longer(run: Run, new: Sequence[Hit], last: Hit) -> Run:
    shown = run.briefs + [hit.brief for hit in new]
    if len(shown) > MAX_SHOWN:  # the beginning tells how it came about, the end what goes on
        half = MAX_SHOWN // 2
        shown = shown[:half] + shown[-(MAX_SHOWN - half) :]
    return msgspec.structs.replace(
        run, last=last.at, end=last.place, count=run.count + len(new), briefs=shown
    )
