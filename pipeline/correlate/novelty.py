"""What a group has not had before: a new network of an actor, a new region of an account. Pure; times in microseconds.

A group remembers when it last had each value. What may still change (later than the floor) is kept as times, and only a
hit that is new, as far as is known, as a hit. A value that was away for the timespan counts as new again, and a group
that was, begins to learn again."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from pipeline.correlate.windows import Hit, Spec

MOST_VALUES = 1000
"""Of a group; one that has more has no habits, and nothing is new to it."""


class Memory(msgspec.Struct, array_like=True, frozen=True):
    """What a group remembers."""

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


class Taken(NamedTuple):
    memory: Memory
    hits: list[Hit]
    moved: bool
    """All is to be judged anew."""
    full: bool = False
    """The group has too many values."""


def taken(spec: Spec, memory: Memory, hits: Sequence[Hit], new: Hit) -> Taken:
    """One more hit of a group, in whatever order they come."""
    if new.value is None:
        return Taken(memory, list(hits), moved=False)
    name = str(new.value)
    known = name in memory.last or name in memory.times
    if not known and len(memory.last.keys() | memory.times.keys()) >= MOST_VALUES:
        return Taken(memory, list(hits), moved=False, full=True)
    every = _with(memory.every, new.at, spec.timespan)
    moved = every[0] == new.at and every != memory.every  # it may have begun to learn earlier
    times = _with(memory.times.get(name, []), new.at, spec.timespan)
    memory = msgspec.structs.replace(memory, every=every, times=memory.times | {name: times})
    kept = [hit for hit in hits if str(hit.value) != name or _is_new(spec, memory, hit)]
    moved = moved or len(kept) != len(hits)
    twin = next((hit for hit in kept if (str(hit.value), hit.at) == (name, new.at)), None)
    if _is_new(spec, memory, new) and (twin is None or new.place < twin.place):
        if twin is not None:
            kept.remove(twin)
        insort(kept, new, key=lambda one: one.place)
        moved = True
    return Taken(memory, kept, moved)


def whole(spec: Spec, hits: Sequence[Hit]) -> tuple[Memory, list[Hit]]:
    """Of all the hits that a group has ever had."""
    memory, kept = Memory(), list[Hit]()
    for hit in hits:
        memory, kept, *_ = taken(spec, memory, kept, hit)
    return memory, kept


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


def _is_new(spec: Spec, memory: Memory, hit: Hit) -> bool:
    name = str(hit.value)
    times = memory.times.get(name, [])
    place = bisect_left(times, hit.at)
    before = times[place - 1] if place else memory.last.get(name)
    return before is None or hit.at - before > spec.timespan


def firsts(spec: Spec, memory: Memory, hits: Sequence[Hit]) -> Iterator[Hit]:
    """The hits that come once the group has been known for long enough."""
    for hit in hits:
        if hit.at - _learns(spec, memory, hit.at)[0] >= spec.learning:
            yield hit


def _learns(spec: Spec, memory: Memory, until: int) -> tuple[int, int]:
    """Since when the group learns, as of a moment, and when it came last."""
    since, last = memory.since, memory.until
    for at in memory.every[: bisect_right(memory.every, until)]:
        if not since or at - last > spec.timespan:
            since = at
        last = at
    return since, last


def folded(spec: Spec, memory: Memory, hits: Sequence[Hit], floor: int) -> tuple[Memory, list[Hit]]:
    """What is before the floor becomes final; values that were away for too long are forgotten."""
    since, until = _learns(spec, memory, floor - 1)
    last, times = dict(memory.last), dict[str, list[int]]()
    for name, own in memory.times.items():
        final = bisect_left(own, floor)
        if final:
            last[name] = own[final - 1]
        if own[final:]:
            times[name] = own[final:]
    last = {name: at for name, at in last.items() if at + spec.timespan >= floor}
    every = memory.every[bisect_left(memory.every, floor) :]
    there = last or times
    return Memory(since, until, last, times, every) if there else Memory(), [h for h in hits if h.at >= floor]  # fmt: skip


def matters(spec: Spec, memory: Memory) -> Iterator[int]:
    """Once these are final there is something to do: they themselves, and the value that was away longest."""
    yield from memory.every[:1]
    if memory.last:
        yield min(memory.last.values()) + spec.timespan
