"""Hits in the order of time, however they came. Pure."""

from bisect import bisect_left, bisect_right, insort
from itertools import pairwise
from operator import attrgetter

from driftline.pipeline.detections.windows import Hit, Place

AFTER = "\U0010ffff"
"""Behind every id."""
PLACE = attrgetter("at", "id", "rule")


class HitTimeline:
    """Hits by their place. It also knows where there are gaps longer than `gap`, so that a stretch without one is found
    at once."""

    __slots__ = ("_gap", "_gaps", "hits", "order", "version")

    def __init__(self, gap: int) -> None:
        self.order: list[Place] = []
        self.hits: list[Hit] = []
        self._gaps: list[Place] = []
        """Places that the next one follows after a longer time."""
        self._gap = gap
        self.version = 0
        """Another whenever something else than the end has changed."""

    def __len__(self) -> int:
        return len(self.order)

    def fill(self, hits: list[Hit]) -> None:
        """The first hits of all, in any order."""
        order = list(map(PLACE, hits))
        self.order = sorted(order)
        self.hits = hits.copy() if self.order == order else sorted(hits, key=PLACE)
        order = self.order
        if order and order[-1][0] - order[0][0] > self._gap:
            self._gaps = [a for a, b in pairwise(order) if b[0] - a[0] > self._gap]

    def insert(self, hit: Hit) -> int:
        """Its index."""
        place, order = hit.place, self.order
        index = len(order) if not order or order[-1] < place else bisect_left(order, place)
        self.version += index < len(order)
        order.insert(index, place)
        self.hits.insert(index, hit)
        if index and index + 1 < len(order):
            before, after = order[index - 1], order[index + 1]
            if after[0] - before[0] > self._gap:
                if place[0] - before[0] <= self._gap:
                    self._remove_gap(before)
                if after[0] - place[0] > self._gap:
                    insort(self._gaps, place)
        elif index:
            self._add_gap_after(index - 1)
        else:
            self._add_gap_after(0)
        return index

    def remove(self, place: Place) -> int:
        """The index where it was."""
        index = bisect_left(self.order, place)
        self.version += 1
        del self.order[index], self.hits[index]
        self._remove_gap(place)
        if index:
            self._remove_gap(self.order[index - 1])
            self._add_gap_after(index - 1)
        return index

    def drop(self, count: int) -> list[Hit]:
        """Forgets the first ones."""
        dropped = self.hits[:count]
        del self.order[:count], self.hits[:count]
        del self._gaps[: bisect_left(self._gaps, self.order[0]) if self.order else None]
        return dropped

    def index(self, place: tuple[int] | Place) -> int:
        """Of the first hit at this place or after it."""
        return bisect_left(self.order, place)

    def after(self, place: Place) -> int:
        """Of the first hit after this place."""
        return bisect_right(self.order, place)

    def reach(self, start: Place, until: int) -> int:
        """The index of the last hit that is reached from one that is there without a gap, and not after a time."""
        gap = bisect_left(self._gaps, start)
        end = self.index(self._gaps[gap]) if gap < len(self._gaps) else len(self.order) - 1
        return min(end, bisect_right(self.order, (until, AFTER, AFTER)) - 1)

    def _add_gap_after(self, index: int) -> None:
        if index + 1 < len(self.order) and self.order[index + 1][0] - self.order[index][0] > self._gap:  # fmt: skip
            insort(self._gaps, self.order[index])

    def _remove_gap(self, place: Place) -> None:
        at = bisect_left(self._gaps, place)
        if self._gaps[at : at + 1] == [place]:
            del self._gaps[at]
