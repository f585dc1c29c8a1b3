"""Values that are new to a group: a new network of an actor, a new region of an account. Pure; times in
microseconds.

A group remembers when each value last occurred. Occurrences after the floor may still change and are kept as times. A
value that was absent for the timespan counts as new again, and a group that was absent begins a new learning period.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec

from driftline.pipeline.detections.windows import Hit, Spec, values
from driftline.pipeline.state.rows import NEVER

MOST_VALUES = 1000
"""Maximum number of values per group; above it nothing is new to the group."""
SHARDS = 32
"""Number of rows over which the values of a group are spread."""


class Memory(msgspec.Struct, array_like=True, frozen=True):
    """Values of a group as written by state version 3, in a single row."""

    since: int = 0
    """When the learning period began; 0 if nothing is final yet."""
    until: int = 0
    """Time of the last final hit."""
    last: dict[str, int] = {}
    """Last final occurrence of each value."""
    times: dict[str, list[int]] = {}
    """Later occurrences of each value, as far as they matter."""
    every: list[int] = []
    """Later occurrences of any value."""


class ValueUpdate(NamedTuple):
    """What a hit has changed."""

    new: list[Hit]
    """Hits that are new to the group, as far as is known."""
    old: list[Hit]
    """Hits that are no longer new."""
    again: bool = False
    """The learning period began at another time than assumed: every hit must be evaluated again."""
    full: bool = False
    """The group has too many values."""


class KnownValues:
    """The values that a group has seen."""

    def __init__(self, spec: Spec, memory: Memory | None = None, forget: int = NEVER) -> None:
        memory = memory or Memory()
        self._spec = spec
        self.since, self.until, self.every = memory.since, memory.until, list(memory.every)
        self.last = dict(memory.last)
        self.times = {name: list(own) for name, own in memory.times.items()}
        self.forget = forget
        """No value is forgotten before the floor passes this time."""
        self._shards: dict[int, set[str]] = {}
        for name in [*self.last, *self.times]:
            self._shards.setdefault(shard(name), set()).add(name)
        self.moved = set(self._shards)
        """Shards that differ from their rows."""
        self._new: dict[str, list[Hit]] = {}
        """By value: the hits for which it is new."""
        self._reasons: Counter[tuple[str, str]] = Counter()
        """By event and rule: the number of its values that are new."""

    def __bool__(self) -> bool:
        return bool(self.last or self.times)

    def restore(self, hits: Iterable[Hit]) -> None:
        """Restores the hits that were new."""
        for hit in sorted(hits, key=lambda one: one.place):
            for name in sorted(set(values(hit.value))):
                twins = self._new.get(name, ())
                if self._is_new(name, hit) and all(other.at != hit.at for other in twins):
                    self._put(name, hit)

    def take(self, hit: Hit) -> ValueUpdate:
        """Adds a hit; hits may arrive in any order."""
        new, old, again, full = list[Hit](), list[Hit](), False, False
        for name in sorted(set(values(hit.value))):
            if name not in self.last and name not in self.times and self._full():
                full = True
                continue
            again = again or self._changes_learning(hit.at)
            self.every = _with(self.every, hit.at, self._spec.timespan)
            self.times[name] = _with(self.times.get(name, []), hit.at, self._spec.timespan)
            self.moved.add(number := shard(name))
            self._shards.setdefault(number, set()).add(name)
            for other in list(self._new.get(name, ())):
                if not self._is_new(name, other):
                    self._out(name, other, old)
            twin = next((other for other in self._new.get(name, ()) if other.at == hit.at), None)
            if self._is_new(name, hit) and (twin is None or hit.place < twin.place):
                if twin is not None:
                    self._out(name, twin, old)
                if self._put(name, hit):
                    new.append(hit)
        return ValueUpdate(new, old, again, full)

    def _changes_learning(self, at: int) -> bool:
        """Returns whether a hit at this time changes the learning period of later ones: it lies in a gap."""
        place = bisect_left(self.every, at)
        if place == len(self.every) or self.every[place] == at:
            return False
        before = self.every[place - 1] if place else self.until if self.since else None
        return before is None or self.every[place] - before > self._spec.timespan

    def _full(self) -> bool:
        if len(self.last) + len(self.times) < MOST_VALUES:
            return False
        return len(self.last.keys() | self.times.keys()) >= MOST_VALUES

    def _put(self, name: str, hit: Hit) -> bool:
        """Returns whether the hit was not new before."""
        self._new.setdefault(name, []).append(hit)
        self._reasons[hit.id, hit.rule] += 1
        return self._reasons[hit.id, hit.rule] == 1

    def _out(self, name: str, hit: Hit, gone: list[Hit]) -> None:
        left = [other for other in self._new[name] if other is not hit]
        if left:
            self._new[name] = left
        else:
            del self._new[name]
        self._reasons[hit.id, hit.rule] -= 1
        if not self._reasons[hit.id, hit.rule]:
            del self._reasons[hit.id, hit.rule]
            gone.append(hit)

    def _is_new(self, name: str, hit: Hit) -> bool:
        times = self.times.get(name, [])
        place = bisect_left(times, hit.at)
        before = times[place - 1] if place else self.last.get(name)
        return before is None or hit.at - before > self._spec.timespan

    def learning_since(self, until: int) -> tuple[int, int]:
        """Returns when the learning period of a given time began, and the last occurrence up to then."""
        since, last = self.since, self.until
        for at in self.every[: bisect_right(self.every, until)]:
            if not since or at - last > self._spec.timespan:
                since = at
            last = at
        return since, last

    def fold(self, floor: int, dropped: Sequence[Hit]) -> None:
        """Finalizes occurrences before the floor, and forgets values that were absent for too long. `dropped`: new
        hits before the floor."""
        self.drop_hits(dropped)
        if self.every and self.every[0] < floor:
            self.since, self.until = self.learning_since(floor - 1)
            self.every = self.every[bisect_left(self.every, floor) :]
        for name, own in list(self.times.items()):
            if own[0] >= floor:
                continue
            final = bisect_left(own, floor)
            self.last[name] = own[final - 1]
            self.forget = min(self.forget, own[final - 1] + self._spec.timespan)
            self.moved.add(shard(name))
            if own[final:]:
                self.times[name] = own[final:]
            else:
                del self.times[name]
        if self.forget < floor:
            for name, at in list(self.last.items()):
                if at + self._spec.timespan < floor:
                    del self.last[name]
                    self.moved.add(shard(name))
            self.forget = min((at + self._spec.timespan for at in self.last.values()), default=NEVER)  # fmt: skip
        if not self:
            self.since, self.until, self.every = 0, 0, []

    def drop_hits(self, hits: Sequence[Hit]) -> None:
        """Forgets new hits that are no longer held."""
        for hit in hits:
            for name in set(values(hit.value)):
                for other in [o for o in self._new.get(name, ()) if o.place == hit.place]:
                    self._out(name, other, [])

    def due(self) -> int:
        """Returns the time that must become final before there is something to do."""
        return min([self.forget, *self.every[:1]])

    def shards(self) -> dict[int, dict[str, tuple[int, list[int]]]]:
        """Returns the values of every changed shard: the last final occurrence, and the later ones."""
        out: dict[int, dict[str, tuple[int, list[int]]]] = {}
        for number in sorted(self.moved):
            names = {n for n in self._shards.pop(number, ()) if n in self.last or n in self.times}
            if names:
                self._shards[number] = names
            out[number] = {n: (self.last.get(n, -1), self.times.get(n, [])) for n in sorted(names)}
        self.moved = set()
        return out


def shard(name: str) -> int:
    """Returns the row in which a value is stored."""
    return crc32(name.encode()) % SHARDS


def _with(times: Sequence[int], new: int, timespan: int) -> list[int]:
    """Returns the times with one more. A time between two others no further apart than the timespan is redundant."""
    out = list(times)
    at = bisect_left(out, new)
    if out[at : at + 1] == [new]:
        return out
    out.insert(at, new)
    for middle in (at + 1, at, at - 1):
        if 0 < middle < len(out) - 1 and out[middle + 1] - out[middle - 1] <= timespan:
            del out[middle]
    return out
