"""The fold of signals of one partition: signals and time in; alerts, signals of alerts, and state rows out. Independent
of Kafka."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.correlate import group_rows
from driftline.pipeline.correlate.alert_outputs import AlertOutputs
from driftline.pipeline.correlate.codec import IncomingHit, read
from driftline.pipeline.correlate.compiled import CompiledCorrelation
from driftline.pipeline.correlate.group_rows import StoredGroup
from driftline.pipeline.correlate.late_hits import LATE_KEY, DeferredGroups, should_defer
from driftline.pipeline.correlate.levels import extra_delay, levels, max_deferrals
from driftline.pipeline.correlate.live_groups import GroupCache
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Mark, micros
from driftline.pipeline.records.counts import Counts, Outcome
from driftline.pipeline.records.outputs import Dead, Work
from driftline.pipeline.records.topics import PARTITIONS
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position
from driftline.pipeline.state.shard import EarliestDueTimes, Shard

AT_HAND = 8
"""Number of groups written only at the end of a batch, if they fit in their heads."""


class Correlating:
    """The fold of one partition. `get` reads a row that was taken (and made durable) before; `lateness`: how far behind
    the watermark a signal may arrive (microseconds); `sources`: partitions of the worker, all of which must have
    reported their progress; `budget`: alerts per rule and hour that are not held back, 0: unlimited; `tickets`: how alerts become tickets, None: disabled."""

    def __init__(
        self,
        number: int,
        get: Callable[[bytes], bytes | None],
        content: DetectionEngine,
        lateness: int,
        sources: int = PARTITIONS,
        budget: int = 0,
        tickets: TicketOptions | None = None,
    ) -> None:
        self.shard = Shard(number, get)
        self._by_id = {
            id: CompiledCorrelation(id, one.spec(), lateness)
            for id, one in content.correlations.items()
        }
        self._watch = content
        self._deferral = max_deferrals(content)
        self._levels, self._behind = levels(content), extra_delay(content)
        self._top = max(self._levels.values(), default=1)
        self._due = {level: EarliestDueTimes() for level in range(1, self._top + 1)}
        self._live = GroupCache()
        self._touched: dict[str, StoredGroup] = {}
        """The last groups that differ from their rows."""
        self._heavy: dict[str, StoredGroup] = {}
        """Other changed groups, which do not fit in their heads."""
        self._marks: dict[int, int] = {}
        self._marked, self._sources = 0, sources
        self._until: dict[int, int] = {}
        """By level: `_known`, until the next mark."""
        self._applied = 0
        self._late = DeferredGroups(get(LATE_KEY))
        self._alerts = AlertOutputs(self.shard, content, budget, tickets)

    @property
    def counts(self) -> Counts:
        """What has happened since the counts were last exported."""
        return self.shard.counts

    @property
    def watermark(self) -> int:
        """The time up to which all signals of the worker have arrived, microseconds."""
        return self._known(1)

    def _known(self, level: int) -> int:
        """The time up to which all signals for correlations of a level have arrived, including those of lower levels."""
        if level not in self._until:
            time = self.shard.time
            self._until[level] = min(time.least(f"{n}.", self._sources) for n in range(level))
        return self._until[level]

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Rebuilds the list of due groups from the rows of the store. Raises NewerState."""
        self.shard.restore(stored)
        while self.shard.restore_some(1000, lambda due, name, _: self._wait(due, name)):
            pass

    def _wait(self, due: int, name: str) -> None:
        """Schedules a group for a time, or earlier; then it reports its actual due time."""
        self._due[self._levels.get(name.partition("\n")[0], 1)].add(due, name)

    def dated(self, topic: str) -> int:  # noqa: ARG002 - there is one
        """Nothing to wait for: time arrives on the same topic."""
        return 0

    def apply(self, topic: str, value: bytes, offset: int, broker_time: int | None = None) -> None:  # noqa: ARG002 - there is one
        """Processes one record of `signals`. Malformed records are dead-lettered; raises only NewerState and MemoryError.
        `broker_time`: when the broker received it, microseconds; None: not known."""
        self.shard.begin(broker_time)
        self._applied = offset + 1
        try:
            record = read(value)
            if isinstance(record, Mark):
                self._mark(record, offset + 1)
            else:
                self._signal(record, offset + 1)
        except Exception as why:
            self.shard.failed(-1, why, value)

    def _mark(self, record: Mark, offset: int) -> None:
        if not (0 <= record.mark < PARTITIONS and 0 <= record.level < PARTITIONS):
            raise Malformed(
                f"a mark of partition {record.mark}, level {record.level}: there is none"
            )
        if micros(record.until) > self.shard.latest:
            raise Malformed(f"a mark of {record.until}: ahead of the broker's clock")
        self._marked = offset
        self.shard.counts[Outcome.MARKS] += 1
        source = f"{record.level}.{record.mark}"
        self.shard.time.tick(source, micros(record.until), self.shard.latest)
        self._until = {}
        self.shard.put_watermarks(offset)
        self._judge_late()

    def _signal(self, record: IncomingHit, offset: int) -> None:
        new, one = record.hit, self._by_id.get(record.correlation)
        if one is None or new.rule not in one.spec.rules:
            self.shard.counts[Outcome.UNKNOWN] += 1  # its rule is gone from the content
            return
        if new.state and not one.concerns(new.rule, state=True):
            raise Malformed(f"state: {new.rule} does not stand in correlation {one.id} (its `standing` does not name it)")  # fmt: skip
        name = f"{record.correlation}\n{record.group}"
        kept = self._group(name, one)
        if kept.position.offset >= offset:
            self.shard.counts[Outcome.DUPLICATES] += 1
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
        self.shard.counts[Outcome.LATE if came == "late" else Outcome.SIGNALS] += 1

    def _judge_or_wait(self, name: str, kept: StoredGroup, watermark: int) -> None:
        """Evaluates a hit; a late hit that would require re-evaluating many others waits for more of its
        group, or for a while. The timing depends only on the records, so that the output after a kill is the same."""
        kept.since = kept.since if kept.fresh else watermark
        kept.fresh += 1
        scan, deferral = kept.group.scan, self._deferral[kept.group.correlation.id]
        if deferral and should_defer(scan.hits_from(scan.dirty), kept.fresh):
            self._late.wait(name, kept.since + deferral)
        else:
            self._judge(name, kept, watermark)

    def _judge_late(self) -> None:
        """Late hits that have waited long enough."""
        for name, until in self._late.items():
            one = self._by_id.get(name.partition("\n")[0])
            if one is None:
                self._late.end(name)
            elif (known := self._known(self._levels[one.id])) >= until:
                self._late.end(name)
                self._judge_in_time(name, one, known)

    def advance(self, limit: int | None = None, most: int = 1000) -> bool:
        """Advances up to `most` groups that are due at their
        watermark (or `limit`, if that is lower), lower levels first, and reports progress to the correlations
        above.

        Returns whether more are left."""
        done = 0
        for level, due in self._due.items():
            known = self._known(level)
            until = known if limit is None else min(known, limit)
            passed, more = due.run(until, most - done, partial(self._pass, until))
            done += passed
            if more:
                return True
            if level < self._top and until > self._marks.get(level, 0):
                self._marks[level] = until
                self.shard.send_marks(level, max(0, until - self._behind.get(level, 0)))
        return False

    def _judge(self, name: str, kept: StoredGroup, watermark: int) -> None:
        kept.fresh, kept.behind, kept.moved = 0, False, True
        self._late.end(name)
        self._emit(name, kept, kept.group.evaluate(watermark))

    def _judge_in_time(self, name: str, one: CompiledCorrelation, watermark: int) -> None:
        """Advances a group. Its errors must not affect the others."""
        try:
            kept = self._group(name, one)
            control = max(self._marked, kept.position.control)
            kept.position = Position(kept.position.offset, 0, control)
            self._touch(name, kept)
            self._judge(name, kept, watermark)
        except Exception as why:
            self.shard.failed(-1, why, name.encode())

    def _pass(self, until: int, _: int, name: str) -> bool:
        """Advances a group, unless it is no longer due."""
        kept = self._live.get(name)
        row = None if kept else self.shard.row(rows.head_key(name))
        now = kept.due if kept else rows.prefix(row)[0] if row is not None else NEVER
        if now > until:
            if now != NEVER:
                self._wait(now, name)
            return False
        one = self._by_id.get(name.partition("\n")[0])
        if one is None:
            if row is not None:
                group_rows.forget(self.shard.row, self.shard.put, name, row)
            return False
        self._judge_in_time(name, one, until)
        return True

    @property
    def pending(self) -> bool:
        """Whether there is any output."""
        return bool(self.shard.pending or self._touched or self._heavy)

    def take_dead(self) -> list[Dead]:
        """Dead letters since the last take."""
        return self.shard.take_dead()

    def take(self) -> Work:
        """The output since the last take, which the caller must make durable."""
        for name, kept in [*self._heavy.items(), *self._touched.items()]:
            self._save(name, kept)
        self._heavy, self._touched = {}, {}
        self._late.save(self.shard.put, self._applied)
        self._live.shrink()
        return self.shard.take()

    def _touch(self, name: str, kept: StoredGroup) -> None:
        """Marks a group as changed. Of those that fit in their heads, only the last few wait for the end of the
        batch: the others are written and freed while they are in the processor's cache."""
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
            kept.save(self.shard.put)
        except Exception as why:
            self._live.leave(name)
            self.shard.failed(-1, why, name.encode())
            return
        if kept.due != NEVER:
            self._wait(kept.due, name)
        if kept.due == NEVER or kept.light:
            self._live.leave(name)
        else:
            self._live.weigh(kept)

    def _group(self, name: str, one: CompiledCorrelation) -> StoredGroup:
        """Loads a group from memory or its rows."""
        kept = self._live.used(name)
        if kept is None:
            row, watermark = self.shard.row(rows.head_key(name)), self._known(self._levels[one.id])
            kept = StoredGroup.load(self.shard.row, one, name, row, watermark)
            self._live.add(name, kept)
        return kept

    def _emit(self, name: str, kept: StoredGroup, words: list[dict[str, Any]]) -> None:
        kept.due, kept.moved = kept.group.due(), False
        if kept.due != NEVER:
            self._wait(kept.due, name)
        if words:
            self._alerts.send(name, words, kept.position)
