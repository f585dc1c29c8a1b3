"""A group as rows: a head with what is small and new, and blocks of hits, names and habits, which are written once, or
only where they have changed. One more hit writes the head. Pure.

Beside `h` and the group's name (its head): `b`, the name, a line feed, and `h` (hits), `n` (digests of names) or `v` (when
values came last) with a number. A head of the last release (state version 3) has everything in it; it is read, and
written anew."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from driftline.pipeline.correlate.alerts.names import DIGEST, AlertNames
from driftline.pipeline.correlate.alerts.span import Run
from driftline.pipeline.correlate.conditions.first_seen import SHARDS, KnownValues, Memory
from driftline.pipeline.correlate.group import CompiledCorrelation, Group, ReportedAlert, pack
from driftline.pipeline.correlate.hit_log import HitLog
from driftline.pipeline.detections.windows import Hit, Place
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import BODY, NEVER, Position

LAZY_HITS = 16
"""A group of no more hits is not judged when it is read, but with the hit or the time for which it is read."""
FIXARRAY = 0x90
"""What msgpack begins a list with, of less than 16."""
NAMES_IN_BLOCK = 128
"""Digests in a row."""
LAST_SINGLE_ROW_VERSION = 3
"""The last state version that had a group in one row."""
Get = Callable[[bytes], bytes | None]
Put = Callable[[bytes, bytes | None], None]


class GroupHead(msgspec.Struct, array_like=True):
    """What is always read and written."""

    floor: int
    cut: int
    late: int
    capped: bool
    seen: int
    reported: dict[str, ReportedAlert]
    before: Run | None
    first: int
    next: int
    """Blocks of hits."""
    recent: list[msgspec.Raw]
    """Hits in no block yet."""
    named: int = 0
    """Blocks of names."""
    names: bytes = b""
    """Digests in no block yet."""
    fresh: int = 0
    since: int = 0
    dirty: Place | None = None
    """How many hits wait to be judged, since which watermark, and from where on."""
    known_values: tuple[int, int, list[int], int, int] | None = None
    """Of first_seen: since, until, every; when a value is forgotten next; which shards there are, as bits."""


class GroupVersion3(msgspec.Struct, array_like=True):
    """A group of the last release."""

    hits: list[Hit] = []
    before: Run | None = None
    reported: dict[str, ReportedAlert] = {}
    floor: int = 0
    late: int = 0
    capped: bool = False
    seen: int = 0
    memory: Memory = Memory()


_head = msgspec.msgpack.Decoder(GroupHead)
_older = msgspec.msgpack.Decoder(GroupVersion3)
_hits = msgspec.msgpack.Decoder(list[Hit])
_names = msgspec.msgpack.Decoder(bytes)
_shard = msgspec.msgpack.Decoder(dict[str, tuple[int, list[int]]])


class StoredGroup:
    """A group, and what of it has rows."""

    __slots__ = (
        "_named",
        "_names",
        "_run",
        "_shards",
        "behind",
        "due",
        "fresh",
        "group",
        "moved",
        "name",
        "position",
        "since",
        "weight",
    )

    def __init__(self, name: str, group: Group, position: Position, due: int = NEVER) -> None:
        self.name, self.group, self.position, self.due = name, group, position, due
        self.fresh, self.since = 0, 0
        """Hits that have come since it was judged, and the watermark when the first of them came."""
        self.behind = False
        """What it has read is not judged yet."""
        self.moved = False
        """It is not as `due` says."""
        self._named, self._names, self._run = 0, b"", ""
        """Blocks of names, what is in none yet, and the run that they are of."""
        self._shards = 0

        self.weight = 0
        """Hits that it holds, as last weighed."""

    def weigh(self) -> int:
        """By how much it has become heavier."""
        before, self.weight = self.weight, len(self.group.held)
        return self.weight - before

    @property
    def light(self) -> bool:
        """It is read at once: all of it stands in its head."""
        group = self.group
        return (
            len(group.held) <= LAZY_HITS
            and group.log.first == group.log.next
            and group.known_values is None
        )

    def catch_up(self, watermark: int) -> None:
        """Judges what it has read, as it was judged before."""
        self.group.scan.scan(watermark - self.group.correlation.lateness)
        self.behind = False

    def _key(self, kind: str, number: int) -> bytes:
        return block_key(self.name, kind, number)

    @classmethod
    def load(cls, get: Get, correlation: CompiledCorrelation, name: str, row: bytes | None, watermark: int) -> "StoredGroup":  # fmt: skip
        own = name.partition("\n")[2]
        if row is None:
            return cls(name, Group(correlation, own), Position())
        due, position = rows.prefix(row)
        if (rows.version(row) or 0) <= LAST_SINGLE_ROW_VERSION:
            return cls(name, _migrated(correlation, own, row), position, due)
        head = _head.decode(rows.content(row))
        names = _final_names(get, name, head, head.before) if head.before else None
        memory = _memory(get, name, head) if head.known_values is not None else None
        log = HitLog(head.first, head.next)
        group = Group(correlation, own, head.floor, head.before, names, memory, log)
        if group.known_values is not None and head.known_values is not None:
            group.known_values.forget = head.known_values[3]
            group.known_values.moved = set()
        group.late, group.capped, group.seen = head.late, head.capped, head.seen
        group.reported, group.cut = head.reported, head.cut
        for number in range(head.first, head.next):
            if (block := get(block_key(name, "h", number))) is not None:
                for hit in _hits.decode(rows.content(block)):
                    group.read(hit, number)
                log.read_all(number)
        recent = _hits.decode(b"".join((bytes([FIXARRAY | len(head.recent)]), *head.recent)))
        log.recent, log.times = head.recent, [hit.at for hit in recent]
        if head.first == head.next and recent:
            group.read_few(recent, head.next)
        else:
            for hit in recent:
                group.read(hit, head.next)
        if group.known_values is not None:
            group.known_values.restore(hit for hit, _ in group.held.values())
        kept = cls(name, group, position, due)
        kept.fresh, kept.since = head.fresh, head.since
        if head.fresh or len(group.held) > LAZY_HITS:
            kept.catch_up(watermark)
            group.scan.restore_dirty(head.dirty)
        else:
            kept.behind = True
        kept._named, kept._names = head.named, head.names
        kept._run = head.before.id if head.before else ""
        kept._shards = head.known_values[4] if head.known_values else 0
        return kept

    def save(self, put: Put) -> None:
        """Its rows as far as they have changed. A group that may be forgotten has none."""
        group, due = self.group, self.due
        if due == NEVER:
            self._forget(put)
            return
        for number, raws in group.log.full.items():
            put(self._key("h", number), self._row(raws))
        for number in group.log.gone:
            put(self._key("h", number), None)
        group.log.full, group.log.gone = {}, []
        self._save_names(put)
        if (known_values := group.known_values) is not None:
            self._save_shards(known_values, put)
        final = group.scan.runs[0].final if group.scan.runs else None
        head = GroupHead(
            group.floor, group.cut, group.late, group.capped, group.seen, group.reported,
            final if final and final.count else None, group.log.first, group.log.next,
            group.log.recent, self._named, self._names, self.fresh, self.since, group.scan.dirty if self.fresh else None,
            (known_values.since, known_values.until, known_values.every, known_values.forget, self._shards) if known_values is not None else None,
        )  # fmt: skip
        put(rows.head_key(self.name), rows.encode(head, due, self.position))

    def _row(self, content: Any) -> bytes:
        return rows.encode(content, NEVER, self.position)

    def _save_names(self, put: Put) -> None:
        first = self.group.scan.runs[0] if self.group.scan.runs else None
        run = first.id if first is not None and first.final.count else ""
        if run != self._run:
            for number in range(self._named):
                put(self._key("n", number), None)
            self._named, self._names, self._run = 0, b"", run
        if first is None or not first.finalized:
            return
        self._names += b"".join(first.finalized)
        first.finalized = []
        size = NAMES_IN_BLOCK * (DIGEST + 1)
        while len(self._names) >= size:
            put(self._key("n", self._named), self._row(self._names[:size]))
            self._named, self._names = self._named + 1, self._names[size:]

    def _save_shards(self, known_values: KnownValues, put: Put) -> None:
        for number, found in known_values.shards().items():
            put(self._key("v", number), self._row(found) if found else None)
            self._shards = self._shards | 1 << number if found else self._shards & ~(1 << number)

    def _forget(self, put: Put) -> None:
        log = self.group.log
        for number in [*log.blocks, *log.gone]:
            put(self._key("h", number), None)
        for number in range(self._named):
            put(self._key("n", number), None)
        for number in range(SHARDS):
            if self._shards >> number & 1:
                put(self._key("v", number), None)
        put(rows.head_key(self.name), None)


def block_key(name: str, kind: str, number: int) -> bytes:
    """Of a group's row beside its head."""
    return BODY + f"{name}\n{kind}{number}".encode()


def forget(get: Get, put: Put, name: str, row: bytes) -> None:
    """A group whose correlation is gone from the content: all its rows."""
    put(rows.head_key(name), None)
    if (rows.version(row) or 0) <= LAST_SINGLE_ROW_VERSION:
        return
    head = _head.decode(rows.content(row))
    shards = head.known_values[4] if head.known_values else 0
    for kind, numbers in (
        ("h", range(head.first, head.next)), ("n", range(head.named)),
        ("v", [number for number in range(SHARDS) if shards >> number & 1]),
    ):  # fmt: skip
        for number in numbers:
            if get(block_key(name, kind, number)) is not None:
                put(block_key(name, kind, number), None)


def _final_names(get: Get, name: str, head: GroupHead, before: Run) -> AlertNames:
    digests = b"".join(_names.decode(rows.content(found)) for found in _there(get, name, "n", 0, head.named)) + head.names  # fmt: skip
    width = DIGEST + 1
    final = [digests[at : at + width] for at in range(0, len(digests), width)]
    return AlertNames(final, before.listed, before.overflow)


def _there(get: Get, name: str, kind: str, first: int, end: int) -> Iterator[bytes]:
    for number in range(first, end):
        if (found := get(block_key(name, kind, number))) is not None:
            yield found


def _memory(get: Get, name: str, head: GroupHead) -> Memory | None:
    if head.known_values is None:
        return None
    since, until, every, _, shards = head.known_values
    last, times = dict[str, int](), dict[str, list[int]]()
    for number in range(SHARDS):
        if shards >> number & 1 and (row := get(block_key(name, "v", number))) is not None:
            for value, (final, own) in _shard.decode(rows.content(row)).items():
                if final >= 0:
                    last[value] = final
                if own:
                    times[value] = own
    return Memory(since, until, last, times, every)


def _migrated(correlation: CompiledCorrelation, name: str, row: bytes) -> Group:
    """A group of the last release. What it has told counts as told."""
    old = _older.decode(rows.content(row))
    names = AlertNames()
    shown = names.finalize(Hit(0, "", "", None, brief) for brief in (old.before.briefs if old.before else ()))  # fmt: skip
    if old.before is not None:
        old.before.listed = names.finalized
    group = Group(correlation, name, old.floor, old.before, names, old.memory)
    for run in group.scan.runs:
        run.finalized = shown
    group.late, group.capped, group.seen = old.late, old.capped, old.seen
    if group.known_values is not None:
        group.known_values.forget = 0
    for hit in old.hits:
        block = group.log.append(hit, pack(hit))
        group.held[hit.id, hit.rule] = (hit, block)
        group.scan.insert(hit)
    if group.known_values is not None:
        group.known_values.restore(old.hits)
    group.reported = {
        id: msgspec.structs.replace(told, digest=b"") for id, told in old.reported.items()
    }
    return group
