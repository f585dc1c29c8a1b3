"""One partition's fold of signals: signals and time in; alerts, signals of alerts, and state rows out. Every shell
drives this; it knows no Kafka."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.correlate import group_rows as keep
from driftline.pipeline.correlate.alerts import document as alert
from driftline.pipeline.correlate.codec import IncomingHit, read
from driftline.pipeline.correlate.group import CompiledCorrelation
from driftline.pipeline.correlate.group_rows import StoredGroup
from driftline.pipeline.correlate.late_hits import LATE_KEY, DeferredGroups, should_defer
from driftline.pipeline.correlate.levels import extra_delay, levels, max_deferrals
from driftline.pipeline.correlate.live_groups import GroupCache
from driftline.pipeline.correlate.rate_limit import AlertBudget
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Mark, micros
from driftline.pipeline.records.outputs import Dead, Output, Work, marks
from driftline.pipeline.records.topics import ALERTS, PARTITIONS, SIGNALS
from driftline.pipeline.state import clock_skew as arrival
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, NewerState, Position
from driftline.pipeline.state.watermarks import Watermarks

AT_HAND = 8
"""Groups that are written only at the end of a batch, if they stand in their heads."""


class Correlating:
    """The fold of one partition. `get` reads a row that was taken (and made durable) before; `lateness`: how much later
    than the watermark a signal may come (microseconds); `sources`: partitions of the worker, all of which must have
    told how far they are; `budget`: alerts of a rule within an hour that are not held back, 0: all."""

    def __init__(
        self,
        number: int,
        get: Callable[[bytes], bytes | None],
        content: DetectionEngine,
        lateness: int,
        sources: int = PARTITIONS,
        budget: int = 0,
    ) -> None:
        self.number = number
        self.counts: Counter[str] = Counter()
        self._get = get
        self._by_id = {
            id: CompiledCorrelation(id, one.spec(), lateness)
            for id, one in content.correlations.items()
        }
        self._watch = content
        self._deferral = max_deferrals(content)
        self._levels, self._behind = levels(content), extra_delay(content)
        self._top = max(self._levels.values(), default=1)
        self._due: dict[int, list[tuple[int, str]]] = {n: [] for n in range(1, self._top + 1)}
        self._waiting: dict[str, int] = {}
        """Of each group that waits: its one entry."""
        self._live = GroupCache()
        self._touched: dict[str, StoredGroup] = {}
        """The last groups that are not as their rows are."""
        self._heavy: dict[str, StoredGroup] = {}
        """Others that are not, and do not stand in their heads."""
        self._marks: dict[int, int] = {}
        self._outputs: list[Output] = []
        self._rows: dict[bytes, bytes | None] = {}
        self._dead: list[Dead] = []
        self._marked, self._sources = 0, sources
        self._latest = NEVER
        self._time = Watermarks(self._get)
        self._until: dict[int, int] = {}
        """By level: `_known`, until the next mark."""
        self._applied = 0
        self._late = DeferredGroups(self._get(LATE_KEY))
        self._budget = AlertBudget(self._row, self._rows_put, budget)

    @property
    def watermark(self) -> int:
        """Until when every signal of the worker has come, microseconds."""
        return self._known(1)

    def _known(self, level: int) -> int:
        """Until when every signal for correlations of a level has come: those of the levels below included."""
        if level not in self._until:
            self._until[level] = min(self._time.least(f"{n}.", self._sources) for n in range(level))
        return self._until[level]

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Rebuilds the list of due groups from the rows of the store. Raises NewerState."""
        for key, row in stored:
            if (due := rows.prefix(row)[0]) != NEVER:
                self._wait(due, key[1:].decode())

    def _wait(self, due: int, name: str) -> None:
        """Wakes a group at a time, or before: then it says when indeed."""
        if due < self._waiting.get(name, NEVER):
            self._waiting[name] = due
            level = self._levels.get(name.partition("\n")[0], 1)
            heapq.heappush(self._due[level], (due, name))

    def dated(self, topic: str) -> int:  # noqa: ARG002 - there is one
        """Nothing waits for these: time comes by the same topic."""
        return 0

    def apply(self, topic: str, value: bytes, offset: int, broker_time: int | None = None) -> None:  # noqa: ARG002 - there is one
        """One record of `signals`. What is malformed goes to the dead; raises only NewerState. `broker_time`: when the
        broker took it, microseconds; None: not known."""
        self._latest, self._applied = arrival.latest(broker_time), offset + 1
        try:
            record = read(value)
            if isinstance(record, Mark):
                self._mark(record, offset + 1)
            else:
                self._signal(record, offset + 1)
        except Malformed as why:
            self._bury(str(why), value)
        except (NewerState, MemoryError):
            raise
        except Exception as why:  # whatever one record raises is that record's
            self._bury(_describe(why), value)

    def _mark(self, record: Mark, offset: int) -> None:
        if not (0 <= record.mark < PARTITIONS and 0 <= record.level < PARTITIONS):
            raise Malformed(
                f"a mark of partition {record.mark}, level {record.level}: there is none"
            )
        if micros(record.until) > self._latest:
            raise Malformed(f"a mark of {record.until}: ahead of the broker's clock")
        self._marked = offset
        self.counts["marks"] += 1
        self._time.tick(f"{record.level}.{record.mark}", micros(record.until), self._latest)
        self._until = {}
        self._rows[rows.SOURCES_KEY] = self._time.row(offset)
        self._judge_late()

    def _signal(self, record: IncomingHit, offset: int) -> None:
        new, one = record.hit, self._by_id.get(record.correlation)
        if one is None or new.rule not in one.spec.rules:
            self.counts["unknown"] += 1  # its rule is gone from the content
            return
        if new.state and not one.concerns(new.rule, state=True):
            raise Malformed(f"state: {new.rule} does not stand in correlation {one.id} (its `standing` does not name it)")  # fmt: skip
        name = f"{record.correlation}\n{record.group}"
        kept = self._group(name, one)
        if kept.position.offset >= offset:
            self.counts["duplicates"] += 1
            return
        kept.position, kept.moved = Position(offset, 0, self._marked), True
        self._touch(name, kept)
        watermark = self._known(self._levels[one.id])
        try:
            came = kept.group.gone(new, watermark) if record.gone else kept.group.take(new, watermark)  # fmt: skip
            if came == "taken":
                self._judge_or_wait(name, kept, watermark)
            elif kept.behind:
                kept.catch_up(watermark)
        except Exception:
            kept.group.undo(new)
            raise
        self.counts["late" if came == "late" else "signals"] += 1

    def _judge_or_wait(self, name: str, kept: StoredGroup, watermark: int) -> None:
        """A hit that came is judged; a late one, by which many others are to be judged again, waits until more of the
        group have come, or for a while. When, is decided by the records alone: after a kill the same is said again."""
        kept.since = kept.since if kept.fresh else watermark
        kept.fresh += 1
        scan, deferral = kept.group.scan, self._deferral[kept.group.correlation.id]
        if deferral and should_defer(scan.hits_from(scan.dirty), kept.fresh):
            self._late.wait(name, kept.since + deferral)
        else:
            self._judge(name, kept, watermark)

    def _judge_late(self) -> None:
        """Those that have waited long enough."""
        for name, until in self._late.items():
            one = self._by_id.get(name.partition("\n")[0])
            if one is None:
                self._late.end(name)
            elif (known := self._known(self._levels[one.id])) >= until:
                self._late.end(name)
                self._judge_in_time(name, one, known)

    def advance(self, limit: int | None = None, most: int = 1000) -> bool:
        """Lets time pass in up to `most` groups that are due at their
        watermark (or `limit`, if that is lower), the lower levels first, and tells the correlations above how far they
        are.

        Says whether more are left."""
        done = 0
        for level, due in self._due.items():
            known = self._known(level)
            until = known if limit is None else min(known, limit)
            while due and due[0][0] <= until:
                if done == most:
                    return True
                done += self._pass(*heapq.heappop(due), until)
            if level < self._top and until > self._marks.get(level, 0):
                self._marks[level] = until
                self.counts["mark"] += 1
                self._outputs += marks(
                    self.number, level, max(0, until - self._behind.get(level, 0))
                )
        return False

    def _judge(self, name: str, kept: StoredGroup, watermark: int) -> None:
        kept.fresh, kept.behind, kept.moved = 0, False, True
        self._late.end(name)
        self._emit(name, kept, kept.group.evaluate(watermark))

    def _judge_in_time(self, name: str, one: CompiledCorrelation, watermark: int) -> None:
        """Lets time pass in a group. Its trouble must not stop the others."""
        try:
            kept = self._group(name, one)
            control = max(self._marked, kept.position.control)
            kept.position = Position(kept.position.offset, 0, control)
            self._touch(name, kept)
            self._judge(name, kept, watermark)
        except (NewerState, MemoryError):
            raise
        except Exception as why:
            self._bury(_describe(why), name.encode())

    def _pass(self, due: int, name: str, until: int) -> bool:
        """Lets time pass in a group, unless it has moved on since."""
        if self._waiting.get(name) != due:
            return False
        del self._waiting[name]
        kept = self._live.get(name)
        row = None if kept else self._row(rows.head_key(name))
        now = kept.due if kept else rows.prefix(row)[0] if row is not None else NEVER
        if now > until:
            if now != NEVER:
                self._wait(now, name)
            return False
        one = self._by_id.get(name.partition("\n")[0])
        if one is None:
            if row is not None:
                keep.forget(self._row, self._rows_put, name, row)
            return False
        self._judge_in_time(name, one, until)
        return True

    def take_dead(self) -> list[Dead]:
        """What was bad since the last take."""
        dead, self._dead = self._dead, []
        return dead

    def take(self) -> Work:
        """What has gathered since the last take, now the caller's to make durable."""
        for name, kept in [*self._heavy.items(), *self._touched.items()]:
            self._save(name, kept)
        self._heavy, self._touched = {}, {}
        self._late.save(self._rows_put, self._applied)
        self._live.shrink()
        work = Work(self._outputs, self._rows, self._dead)
        self._outputs, self._rows, self._dead = [], {}, []
        return work

    def _touch(self, name: str, kept: StoredGroup) -> None:
        """A group is not as its rows are. Of those that stand in their heads only the last few wait for the end of the
        batch: the others are written, and freed, while they are in the processor's cache."""
        self._heavy.pop(name, None)
        self._touched.pop(name, None)
        self._touched[name] = kept
        if len(self._touched) > AT_HAND:
            oldest = next(iter(self._touched))
            kept = self._touched.pop(oldest)
            if kept.light:
                self._save(oldest, kept)
            else:
                self._heavy[oldest] = kept

    def _save(self, name: str, kept: StoredGroup) -> None:
        try:
            if kept.moved:
                kept.due, kept.moved = kept.group.due(), False
            kept.save(self._rows_put)
        except MemoryError:
            raise
        except Exception as why:  # one group's trouble must not stop the others
            self._live.leave(name)
            self._bury(_describe(why), name.encode())
            return
        if kept.due != NEVER:
            self._wait(kept.due, name)
        if kept.due == NEVER or kept.light:
            self._live.leave(name)
        else:
            self._live.weigh(kept)

    def _row(self, key: bytes) -> bytes | None:
        return self._rows[key] if key in self._rows else self._get(key)

    def _rows_put(self, key: bytes, row: bytes | None) -> None:
        self._rows[key] = row

    def _group(self, name: str, one: CompiledCorrelation) -> StoredGroup:
        """From memory, or its rows."""
        kept = self._live.used(name)
        if kept is None:
            row, watermark = self._row(rows.head_key(name)), self._known(self._levels[one.id])
            kept = StoredGroup.load(self._row, one, name, row, watermark)
            self._live.add(name, kept)
        return kept

    def _hold_back(self, name: str, words: list[dict[str, Any]], position: Position) -> None:
        """Marks alerts that are beyond their rule's budget, for as long as they are told. One that another has become,
        because an earlier hit came late, is held back as that was."""
        correlation, _, own = name.partition("\n")
        became = {word["merged_into"]: word["told"].held for word in words if word.get("merged_into")}  # fmt: skip
        for word in words:
            if word["new"]:
                held = became.get(word["id"])
                if held is None:
                    held = not self._budget.spend(correlation, own, word["run"].at, position)
                word["told"].held = held
                self.counts["held"] += held
            word["held_back"] = word["told"].held

    def _emit(self, name: str, kept: StoredGroup, words: list[dict[str, Any]]) -> None:
        kept.due, kept.moved = kept.group.due(), False
        if kept.due != NEVER:
            self._wait(kept.due, name)
        if not words:
            return
        correlation, _, own = name.partition("\n")
        one = self._watch.correlations[correlation]
        self._hold_back(name, words, kept.position)
        for word in words:
            document = alert.document(one, own, word)
            if one.id not in self._watch.parts:
                self.counts[f"alert {document['state']} {document['severity']}"] += 1
                self._outputs.append(Output(ALERTS.name, document["id"].encode(), orjson.dumps(document)))  # fmt: skip
            for key, signal in self._watch.above(document):
                self._outputs.append(Output(SIGNALS.name, key, orjson.dumps(signal)))

    def _bury(self, reason: str, value: bytes) -> None:
        self.counts["bad"] += 1
        self._dead.append(Dead(-1, reason[:500], value))


def _describe(why: Exception) -> str:
    return f"{type(why).__name__}: {why}"
