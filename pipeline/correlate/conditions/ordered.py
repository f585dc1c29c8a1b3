"""Evaluates rules that must match in a given order; see driftline.pipeline.correlate.conditions.conditions. Pure."""

from bisect import bisect_left

from driftline.pipeline.correlate.conditions.timeline import HitTimeline
from driftline.pipeline.detections.windows import Found, Place, Spec

Chain = tuple[Place, str]
"""Where a partial sequence began, and the event with which it ends."""
Best = tuple[Chain, ...]
"""The best sequences that end at one step: the one that began last and, because one event cannot be two consecutive
steps, the one that began last among those that end with another event."""


class OrderedCondition:
    """Matches rules in sequence, each by another event than the previous one. For each prefix the latest start is the
    best. Events of one moment count as ordered: audit logs have a resolution of one second."""

    waits: int | None = None

    def __init__(self, spec: Spec, line: HitTimeline) -> None:
        self._spec, self._line = spec, line
        self._steps = {rule: [n for n, own in enumerate(spec.rules) if own == rule] for rule in spec.rules}  # fmt: skip
        self._ends = spec.rules[-1:]
        self._chains: list[Best] = [()] * len(spec.rules)
        """By step."""
        self._before: tuple[int, int, list[Best]] = (-1, 0, [])
        """The last moment consumed, the timeline's version at that time, and the chains before it."""

    def rebuild(self, index: int) -> int:
        order = self._line.order
        at = order[index][0]
        index = bisect_left(order, (at,), 0, index)
        if self._before[:2] == (at, self._line.version):
            self._chains = list(self._before[2])
            return index
        self._chains = [()] * len(self._spec.rules)
        end = self._line.index((at - self._spec.timespan,))
        while end < index:
            begin, moment = end, order[end][0]
            end = bisect_left(order, (moment + 1,), end + 1)
            if end - begin == 1:
                self._alone(order[begin])
            else:
                self._moment(moment, order[begin:end], [])
        self._before = (-1, 0, [])
        return index

    def step(self, index: int, known: int, few: bool) -> tuple[int, Found]:  # noqa: ARG002
        order, end, found = self._line.order, index, Found()
        while end < len(order) and not found:
            begin, at = end, order[end][0]
            end += 1
            if end < len(order) and order[end][0] == at:
                end = bisect_left(order, (at + 1,), end)
            if end == len(order):  # more hits of this moment may arrive
                self._before = (at, self._line.version, list(self._chains))
            if end - begin == 1 and order[begin][2] not in self._ends:
                self._alone(order[begin])
            else:
                self._moment(at, order[begin:end], found)
        if len(found) > 1:
            found.sort(key=lambda pair: pair[1])
        return end - index, found

    def _alone(self, place: Place) -> None:
        """Consumes a moment with a single hit that does not complete the sequence."""
        for step in self._steps.get(place[2], ()):
            self._reach(step, place)

    def _moment(self, at: int, moment: list[Place], found: Found) -> None:
        last = len(self._spec.rules) - 1
        for step, rule in enumerate(self._spec.rules):
            for place in moment:
                start = self._reach(step, place) if place[2] == rule else None
                if start is not None and step == last:
                    # the whole moment, in any order
                    found.append((moment[0], moment[-1]) if start[0] == at else (start, place))

    def _reach(self, step: int, place: Place) -> Place | None:
        """Returns where the best sequence began that takes this step with a hit; None if there is none."""
        at, id, _ = place
        start: Place | None = place
        if step:
            start = next((begun for begun, end in self._chains[step - 1] if end != id), None)
        if start is None or at - start[0] > self._spec.timespan:
            return None
        self._chains[step] = _better(self._chains[step], (start, id))
        return start

    def inserted(self, index: int, before: int) -> bool:  # noqa: ARG002
        return False

    def dropped(self, count: int) -> bool:  # noqa: ARG002
        return True


def _better(best: Best, new: Chain) -> Best:
    """Returns the best sequences, given one more."""
    if not best:
        return (new,)
    first = best[0]
    if new[1] == first[1]:
        return (max(first, new), *best[1:])
    if new[0] >= first[0]:
        return new, first
    return (first, new) if len(best) == 1 or new[0] > best[1][0] else best
