"""Hits in order of time, whatever the order of arrival. Pure."""

from bisect import bisect_left, bisect_right, insort
from itertools import pairwise
from operator import attrgetter

from driftline.pipeline.detections.windows import Hit, Place

AFTER = "\U0010ffff"
"""Sorts after every id."""
PLACE = attrgetter("at", "id", "rule")


class HitTimeline:
    """Hits ordered by place, with an index of the gaps longer than `gap`, so that the end of a continuous stretch is
    found in logarithmic time."""

    __slots__ = ("_gap", "_gaps", "hits", "order", "version")

    def __init__(self, gap: int) -> None:
        self.order: list[Place] = []
        self.hits: list[Hit] = []
        self._gaps: list[Place] = []
        """Places that are followed by a gap."""
        self._gap = gap
        self.version = 0
        """Changes whenever anything but the end has changed."""

    def __len__(self) -> int:
        return len(self.order)

    def fill(self, hits: list[Hit]) -> None:
        """Sets the initial hits, in any order."""
        order = list(map(PLACE, hits))
        self.order = sorted(order)
        self.hits = hits.copy() if self.order == order else sorted(hits, key=PLACE)
        order = self.order
        if order and order[-1][0] - order[0][0] > self._gap:
            self._gaps = [a for a, b in pairwise(order) if b[0] - a[0] > self._gap]

    def insert(self, hit: Hit) -> int:
        """Inserts a hit and returns its index."""
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
        """Removes a hit and returns its former index."""
        index = bisect_left(self.order, place)
        self.version += 1
        del self.order[index], self.hits[index]
        self._remove_gap(place)
        if index:
            self._remove_gap(self.order[index - 1])
            self._add_gap_after(index - 1)
        return index

    def drop(self, count: int) -> list[Hit]:
        """Removes and returns the first hits."""
        dropped = self.hits[:count]
        del self.order[:count], self.hits[:count]
        del self._gaps[: bisect_left(self._gaps, self.order[0]) if self.order else None]
        return dropped

    def index(self, place: tuple[int] | Place) -> int:
        """Returns the index of the first hit at or after a place."""
        return bisect_left(self.order, place)

    def after(self, place: Place) -> int:
        """Returns the index of the first hit after a place."""
        return bisect_right(self.order, place)

    def reach(self, start: Place, until: int) -> int:
        """Returns the index of the last hit that follows `start` without a gap and is not later than `until`."""
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
