"""Stores a group as rows: a head with everything small or recent, and blocks of hits, names and values that are
rewritten only when they change. One more hit writes only the head. Pure.

The key of the head is `h` and the group's name. The keys of blocks are `b`, the name, a line feed, a letter (`h`
hits, `n` digests of names, `v` times of values) and a number. A head of state version 3 contains the whole group; it
is read, and written in the current form."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from driftline.pipeline.correlate.alerts.names import DIGEST, AlertNames
from driftline.pipeline.correlate.alerts.span import Run
from driftline.pipeline.correlate.compiled import CompiledCorrelation
from driftline.pipeline.correlate.conditions.first_seen import SHARDS, KnownValues, Memory
from driftline.pipeline.correlate.group import Group
from driftline.pipeline.correlate.group_version3 import LAST_SINGLE_ROW_VERSION, migrated
from driftline.pipeline.correlate.hit_log import HitLog
from driftline.pipeline.correlate.reports import ReportedAlert
from driftline.pipeline.detections.windows import Hit, Place
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import BODY, NEVER, Position

LAZY_HITS = 16
"""Groups with at most this many hits are not evaluated when loaded, but together with the hit or tick for which they
were loaded."""
FIXARRAY = 0x90
"""First byte of a msgpack array with fewer than 16 elements."""
NAMES_IN_BLOCK = 128
"""Digests per row."""
Get = Callable[[bytes], bytes | None]
Put = Callable[[bytes, bytes | None], None]


class GroupHead(msgspec.Struct, array_like=True):
    """The part that is read and written every time."""

    floor: int
    cut: int
    late: int
    capped: bool
    seen: int
    reported: dict[str, ReportedAlert]
    before: Run | None
    first: int
    next: int
    """Numbers of the hit blocks."""
    recent: list[msgspec.Raw]
    """Packed hits that are not in a block yet."""
    named: int = 0
    """Number of name blocks."""
    names: bytes = b""
    """Digests that are not in a block yet."""
    fresh: int = 0
    since: int = 0
    dirty: Place | None = None
    """Number of hits not evaluated yet, the watermark when the first of them arrived, and the place from which to
    evaluate."""
    known_values: tuple[int, int, list[int], int, int] | None = None
    """For first_seen: since, until, every, the time when the next value is forgotten, and a bit set of existing
    shards."""


_head = msgspec.msgpack.Decoder(GroupHead)
_hits = msgspec.msgpack.Decoder(list[Hit])
_names = msgspec.msgpack.Decoder(bytes)
_shard = msgspec.msgpack.Decoder(dict[str, tuple[int, list[int]]])


class StoredGroup:
    """A group together with what is stored of it."""

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
        """Number of hits that arrived since the last evaluation, and the watermark when the first of them did."""
        self.behind = False
        """The restored hits have not been evaluated."""
        self.moved = False
        """`due` is out of date."""
        self._named, self._names, self._run = 0, b"", ""
        """Number of name blocks, digests that are in none yet, and the run to which they belong."""
        self._shards = 0

        self.weight = 0
        """Number of held hits when last weighed."""

    def weigh(self) -> int:
        """Updates the weight. Returns by how much it grew."""
        before, self.weight = self.weight, len(self.group.held)
        return self.weight - before

    @property
    def light(self) -> bool:
        """Whether the group is cheap to load: everything is in its head."""
        group = self.group
        return (
            len(group.held) <= LAZY_HITS
            and group.log.first == group.log.next
            and group.known_values is None
        )

    def catch_up(self, watermark: int) -> None:
        """Evaluates the restored hits, as before they were stored."""
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
            return cls(name, migrated(correlation, own, row), position, due)
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
        """Writes the rows that have changed. A group that can be forgotten has no rows."""
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
    """Returns the key of a block."""
    return BODY + f"{name}\n{kind}{number}".encode()


def forget(get: Get, put: Put, name: str, row: bytes) -> None:
    """Deletes all rows of a group whose correlation no longer exists."""
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
