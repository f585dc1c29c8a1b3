"""One group of one correlation: a hit, or time, in; alerts out. Pure; times in microseconds.

Everything later than the watermark less the allowed lateness may still change, and is judged anew with every hit. What
is earlier is final: it is folded into the last run, and forgotten."""

import hashlib
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import orjson

from pipeline.correlate import novelty
from pipeline.correlate.novelty import Memory
from pipeline.correlate.runs import Run, runs
from pipeline.correlate.windows import Hit, Spec
from pipeline.state import NEVER

RANK = {"active": 0, "ended": 1, "merged": 2, "withdrawn": 2}
"""Of two words after the same hits the higher one stands."""
MOST_KNOWN = 4096
"""More than the hits of any alert."""
MOST_HITS = 1000
"""Of a group; of more only the newest are looked at, and the alert says so."""


class Told(msgspec.Struct, array_like=True):
    """An alert as it was said last."""

    begins: int
    last: int
    digest: bytes
    held: bool = False
    """It was beyond its rule's budget."""


class Group(msgspec.Struct, array_like=True):
    """What is kept."""

    hits: list[Hit] = []
    """By place."""
    before: Run | None = None
    """The last run as far as it is final."""
    told: dict[str, Told] = {}
    """Alerts that may still go on, or change."""
    floor: int = 0
    """What is earlier is final."""
    late: int = 0
    """Hits that came too late, and were only counted."""
    capped: bool = False
    seen: int = 0
    """Hits that were taken in."""
    memory: Memory = Memory()
    """Of first_seen: what the group has had before."""


class Step(NamedTuple):
    group: Group
    alerts: list[dict[str, Any]]
    """What is to be said of each: id, state, revision, and its run or what it was merged into."""
    due: int
    """The watermark at which time next matters; NEVER: the group may be forgotten."""


@dataclass(frozen=True)
class Correlation:
    """What every group of one correlation is judged by. `lateness`: how much later than the watermark a hit may be."""

    id: str
    spec: Spec
    lateness: int

    @property
    def undecided(self) -> int:
        """How far behind the watermark a match may still come to be known."""
        return self.lateness + (self.spec.timespan if self.spec.absent else 0)


def hit(correlation: Correlation, name: str, group: Group, new: Hit, watermark: int) -> Step:
    """One hit of the group `name`. A duplicate changes nothing; one that comes too late is only counted."""
    if new.at < max(group.floor, watermark - correlation.lateness):
        if any(_same(old, new) for old in group.hits):
            return Step(group, [], _due(correlation, group))
        late = msgspec.structs.replace(group, late=group.late + 1)
        return Step(late, [], _due(correlation, late))
    if any(_same(old, new) for old in group.hits):
        return Step(group, [], _due(correlation, group))
    if correlation.spec.kind == "first_seen":
        return _maybe_new(correlation, name, group, new, watermark)
    hits = list(group.hits)
    insort(hits, new, key=lambda one: one.place)
    group = msgspec.structs.replace(group, hits=hits, seen=group.seen + 1)
    return _judged(correlation, name, group, watermark)


def _maybe_new(correlation: Correlation, name: str, group: Group, new: Hit, watermark: int) -> Step:  # fmt: skip
    taken = novelty.taken(correlation.spec, group.memory, group.hits, new)
    group = msgspec.structs.replace(
        group, memory=taken.memory, hits=taken.hits, capped=group.capped or taken.full
    )
    if not taken.moved:
        return Step(group, [], _due(correlation, group))
    group = msgspec.structs.replace(group, seen=group.seen + 1)
    return _judged(correlation, name, group, watermark)


def gone(correlation: Correlation, name: str, group: Group, old: Hit, watermark: int) -> Step:
    """A hit was none after all. What is final stays as it was."""
    hits = [one for one in group.hits if not _same(one, old) or one.at < group.floor]
    if len(hits) == len(group.hits):
        return Step(group, [], _due(correlation, group))
    group = msgspec.structs.replace(group, hits=hits, seen=group.seen + 1)
    return _judged(correlation, name, group, watermark)


def pass_time(correlation: Correlation, name: str, group: Group, watermark: int) -> Step:
    """The watermark has moved: absences are judged, runs end, what is final is forgotten."""
    return _judged(correlation, name, group, watermark)


def _same(old: Hit, new: Hit) -> bool:
    return old.id == new.id and old.rule == new.rule


def _judged(correlation: Correlation, name: str, group: Group, watermark: int) -> Step:
    spec, known = correlation.spec, watermark - correlation.lateness
    floor = max(group.floor, watermark - correlation.undecided)
    found = runs(spec, correlation.id, name, group.hits, known, group.before, group.floor, memory=group.memory)  # fmt: skip
    told: dict[str, Told] = {}
    alerts: list[dict[str, Any]] = []
    for number, run in enumerate(found):
        over = run.last + spec.gap < floor or (run.last < floor and number < len(found) - 1)
        state = "ended" if over else "active"
        old = group.told.get(run.id)
        held = old.held if old else False
        new = Told(run.begins, run.last, _digest([_worth(run, state), state, group.capped]), held)
        if old is None or old.digest != new.digest:
            alerts.append({"id": run.id, "state": state, "run": run, "capped": group.capped})
        told[run.id] = new
    alerts += _overtaken(group.told, found)
    for alert in alerts:
        alert["revision"] = _revision(group, alert)
    group = msgspec.structs.replace(group, told=told)
    kept = _folded(correlation, name, group, floor, known)
    return Step(kept, alerts, _due(correlation, kept))


def _revision(group: Group, alert: Mapping[str, Any]) -> int:
    """By the hits that were taken in; of the same hits, by how many of them time has made known to belong to it (with
    absences that is later), and by its state. Not a count of words: a killed worker may have said more than it kept."""
    run: Run | None = alert.get("run")
    known = min(run.count, MOST_KNOWN - 2) if run else MOST_KNOWN - 1
    return 4 * (MOST_KNOWN * group.seen + known) + RANK[alert["state"]]


def _worth(run: Run, state: str) -> list[int]:
    """What makes an alert worth saying again: all of it at its end; before, twice as many hits."""
    return [run.count, run.last] if state == "ended" else [run.count.bit_length()]


def _overtaken(told: Mapping[str, Told], found: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """Alerts that are none any more: a late hit has joined them to another, or (with conditions that more hits can
    undo) taken away their ground."""
    there = {run.id for run in found}
    for id, old in told.items():
        if id not in there:
            into = next(
                (r.id for r in found if r.begins <= old.last and old.begins <= r.last), None
            )
            state = "merged" if into else "withdrawn"
            yield {"id": id, "state": state, "merged_into": into, "begins": old.begins, "last": old.last}  # fmt: skip


def _folded(correlation: Correlation, name: str, group: Group, floor: int, known: int) -> Group:
    """Without what can change no more: hits that are in no window still to be judged, and runs that are over."""
    spec, capped = correlation.spec, group.capped
    if floor == group.floor and len(group.hits) <= MOST_HITS:
        return group
    if len(group.hits) > MOST_HITS:
        floor, capped = max(floor, group.hits[-MOST_HITS].at), True
    done = runs(spec, correlation.id, name, group.hits, known, group.before, group.floor, floor, group.memory)  # fmt: skip
    before = done[-1] if done and done[-1].last + spec.gap >= floor else None
    hits = [one for one in group.hits if one.at >= floor - spec.window][-MOST_HITS:]
    memory = group.memory
    if spec.kind == "first_seen":
        memory, hits = novelty.folded(spec, memory, group.hits, floor)
    over = {run.id for run in done if run is not before}
    told = {id: one for id, one in group.told.items() if id not in over}
    return msgspec.structs.replace(
        group, hits=hits, before=before, told=told, floor=floor, capped=capped, memory=memory
    )


def _due(correlation: Correlation, group: Group) -> int:
    """When the next absence can be judged, the next run ends, or the next hit is forgotten."""
    spec, span = correlation.spec, correlation.spec.timespan
    ends = [one.at + spec.window for one in group.hits[:1]]
    ends += [one.last + spec.gap for one in group.told.values()]
    ends += novelty.matters(spec, group.memory)
    due = min([at + correlation.undecided + 1 for at in ends], default=NEVER)
    waiting = [one.at for one in group.hits if one.at > group.floor]
    if correlation.spec.absent and waiting:
        due = min(due, min(waiting) + span + correlation.lateness)
    return due


def _digest(value: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(value)).digest()[:8]
