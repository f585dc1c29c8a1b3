"""What a group has not had before: a new network of an actor, a new region of an account. Pure; times in microseconds.

A group remembers when it last had each value. What may still change (later than the floor) is kept as times. A value
that was away for the timespan counts as new again, and a group that was, begins to learn again."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec
from driftline.pipeline.detections.windows import Hit, Spec, values
from driftline.pipeline.state.rows import NEVER

MOST_VALUES = 1000
"""Of a group; one that has more has no habits, and nothing is new to it."""
SHARDS = 32
"""Rows that the values of a group are spread over."""


class Memory(msgspec.Struct, array_like=True, frozen=True):
    """What a group of the last release remembers, in one row with all else."""

    since: int = 0
    """Since when it learns; 0: nothing is final yet."""
    until: int = 0
    """Its last hit of those that are final."""
    last: dict[str, int] = {}
    """When each value came last, of those that are final."""
    times: dict[str, list[int]] = {}
    """When each came since, as far as it matters."""
    every: list[int] = []
    """When any came since."""


class ValueUpdate(NamedTuple):
    """What a hit has changed."""

    new: list[Hit]
    """Hits that are new to the group, as far as is known."""
    old: list[Hit]
    """Hits that are so no more."""
    again: bool = False
    """It began to learn at another time than was thought: all is to be judged anew."""
    full: bool = False
    """The group has too many values."""


class KnownValues:
    """What a group remembers."""

    def __init__(self, spec: Spec, memory: Memory | None = None, forget: int = NEVER) -> None:
        memory = memory or Memory()
        self._spec = spec
        self.since, self.until, self.every = memory.since, memory.until, list(memory.every)
        self.last = dict(memory.last)
        self.times = {name: list(own) for name, own in memory.times.items()}
        self.forget = forget
        """No value is forgotten before the floor has passed this."""
        self._shards: dict[int, set[str]] = {}
        for name in [*self.last, *self.times]:
            self._shards.setdefault(shard(name), set()).add(name)
        self.moved = set(self._shards)
        """Shards that are not as their rows are."""
        self._new: dict[str, list[Hit]] = {}
        """By value: the hits that are new by it."""
        self._reasons: Counter[tuple[str, str]] = Counter()
        """By event and rule: by how many values it is new."""

    def __bool__(self) -> bool:
        return bool(self.last or self.times)

    def restore(self, hits: Iterable[Hit]) -> None:
        """Hits that are new, read again."""
        for hit in sorted(hits, key=lambda one: one.place):
            for name in sorted(set(values(hit.value))):
                twins = self._new.get(name, ())
                if self._is_new(name, hit) and all(other.at != hit.at for other in twins):
                    self._put(name, hit)

    def take(self, hit: Hit) -> ValueUpdate:
        """One more hit of the group, in whatever order they come."""
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
        """Whether a hit of this moment changes since when the group learns, as of later ones: it stands in a gap."""
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
        """Whether it was not new before."""
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
        """Since when the group learns, as of a moment, and when it came last."""
        since, last = self.since, self.until
        for at in self.every[: bisect_right(self.every, until)]:
            if not since or at - last > self._spec.timespan:
                since = at
            last = at
        return since, last

    def fold(self, floor: int, dropped: Sequence[Hit]) -> None:
        """What is before the floor becomes final; values that were away for too long are forgotten. `dropped`: new hits
        that are so."""
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
        """New hits that are held no more."""
        for hit in hits:
            for name in set(values(hit.value)):
                for other in [o for o in self._new.get(name, ()) if o.place == hit.place]:
                    self._out(name, other, [])

    def due(self) -> int:
        """Once this is final there is something to do."""
        return min([self.forget, *self.every[:1]])

    def shards(self) -> dict[int, dict[str, tuple[int, list[int]]]]:
        """The values of the shards that have moved: when each came last, finally, and when since."""
        out: dict[int, dict[str, tuple[int, list[int]]]] = {}
        for number in sorted(self.moved):
            names = {n for n in self._shards.pop(number, ()) if n in self.last or n in self.times}
            if names:
                self._shards[number] = names
            out[number] = {n: (self.last.get(n, -1), self.times.get(n, [])) for n in sorted(names)}
        self.moved = set()
        return out


def shard(name: str) -> int:
    """The row that a value is kept in."""
    return crc32(name.encode()) % SHARDS


def _with(times: Sequence[int], new: int, timespan: int) -> list[int]:
    """Times with one more. One that lies between two others no further apart than the timespan says nothing."""
    out = list(times)
    at = bisect_left(out, new)
    if out[at : at + 1] == [new]:
        return out
    out.insert(at, new)
    for middle in (at + 1, at, at - 1):
        if 0 < middle < len(out) - 1 and out[middle + 1] - out[middle - 1] <= timespan:
            del out[middle]
    return out
