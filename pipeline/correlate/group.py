"""One group of one correlation in memory: takes hits and time, returns updates of its alerts. Pure; times in
microseconds.

Anything later than the watermark minus the allowed lateness may still change. Anything earlier is final: it is folded
into the last run and forgotten."""

from typing import Any

import msgspec

from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.correlate.alerts.names import AlertNames
from driftline.pipeline.correlate.alerts.span import OpenRun, Run
from driftline.pipeline.correlate.compiled import CompiledCorrelation
from driftline.pipeline.correlate.conditions.first_seen import KnownValues, Memory
from driftline.pipeline.correlate.hit_log import HitLog
from driftline.pipeline.correlate.reports import (
    MAX_IMMEDIATE,
    ReportedAlert,
    report,
    revision,
    superseded,
)
from driftline.pipeline.correlate.runs import RunScanner
from driftline.pipeline.detections.windows import Hit
from driftline.pipeline.state.rows import NEVER

MAX_HITS = 131_072
"""Maximum number of hits held per group. Above it the oldest become final early, and the alert is marked as capped."""


class Group:
    """One group. Only `take`, `gone` and `evaluate` change it; driftline.pipeline.correlate.group_rows reads and
    writes it."""

    __slots__ = (
        "capped",
        "correlation",
        "cut",
        "floor",
        "held",
        "known_values",
        "late",
        "log",
        "reported",
        "scan",
        "seen",
    )

    def __init__(self, correlation: CompiledCorrelation, name: str, floor: int = 0, before: Run | None = None, names: AlertNames | None = None, memory: Memory | None = None, log: HitLog | None = None) -> None:  # fmt: skip
        spec = correlation.spec
        self.correlation, self.floor = correlation, floor
        self.known_values = KnownValues(spec, memory) if spec.kind == "first_seen" else None
        self.scan = RunScanner(spec, correlation.id, name, floor, before, names, self.known_values)
        self.reported: dict[str, ReportedAlert] = {}
        """Alerts that may still continue or change."""
        self.late = self.seen = self.cut = 0
        """Hits that arrived too late and were only counted; hits taken; the time before which no hits are held."""
        self.capped = False
        self.log = log or HitLog()
        self.held: dict[tuple[str, str], tuple[Hit, int]] = {}
        """By event and rule: each hit, and the block of its log entry."""

    # Hits

    def take(self, new: Hit, watermark: int) -> str:
        """Adds a hit. Returns `taken`, `duplicate` (of a hit with at least as much content), `known` (not new to
        first_seen), or `late` (counted only)."""
        old = self.held.get((new.id, new.rule))
        if new.at < max(self.floor, watermark - self.correlation.lateness):
            self.late += old is None
            return "late" if old is None else "duplicate"
        if self.known_values is not None:
            return self._take_value(new, self.known_values)
        if old is not None:
            if old[0].at < self.floor or _fullness(new) <= _fullness(old[0]):
                return "duplicate"
            self._release(old[0])
        self._hold(new)
        self.seen += 1
        return "taken"

    def gone(self, old: Hit, watermark: int) -> str:
        """Withdraws a hit. What is final does not change."""
        there, floor = self.held.get((old.id, old.rule)), watermark - self.correlation.undecided
        if there is None or there[0].at < max(self.floor, floor):
            return "duplicate"
        self._release(there[0])
        if self.known_values is not None:
            self.known_values.drop_hits([there[0]])
        self.seen += 1
        return "taken"

    def undo(self, new: Hit) -> None:
        """Undoes `take` after an error, as if the hit had not arrived."""
        there = self.held.get((new.id, new.rule))
        if there is not None and there[0] is new:
            self._release(new)
            if self.known_values is not None:
                self.known_values.drop_hits([new])

    def _take_value(self, new: Hit, known_values: KnownValues) -> str:
        moved = known_values.take(new)
        again = moved.again or (moved.full and not self.capped)
        self.capped = self.capped or moved.full
        for hit in moved.new:
            self._hold(hit)
        for hit in moved.old:
            self._release(hit)
        if moved.again:
            self.scan.reevaluate_all()
        if not (moved.new or moved.old or again):
            return "known"
        self.seen += 1
        return "taken"

    def _hold(self, hit: Hit) -> None:
        self.held[hit.id, hit.rule] = (hit, self.log.append(hit, pack(hit)))
        self.scan.insert(hit)

    def _release(self, hit: Hit) -> None:
        _, block = self.held.pop((hit.id, hit.rule))
        self.log.forget(block)
        undone = msgspec.structs.replace(hit, gone=True, brief={}, value=None)
        self.log.append(undone, pack(undone))
        self.scan.remove(hit)

    def read(self, hit: Hit, block: int) -> None:
        """Restores a hit from the log, in log order. Hits of rules that the correlation no longer names are ignored."""
        if hit.at < self.cut or not self.correlation.concerns(hit.rule, state=hit.state):
            return
        self.log.read(hit, block)
        old = self.held.pop((hit.id, hit.rule), None)
        if old is not None:
            self.log.forget(old[1])
            self.scan.remove(old[0])
        if not hit.gone:
            self.held[hit.id, hit.rule] = (hit, block)
            self.scan.insert(hit)

    def read_few(self, hits: list[Hit], block: int) -> None:
        """Restores all hits of a small group."""
        events = self.correlation.spec.events
        held = {
            (hit.id, hit.rule): (hit, block)
            for hit in hits
            if hit.at >= self.cut and hit.rule in events and not (hit.gone or hit.state)
        }
        if len(held) != len(hits):
            for hit in hits:
                self.read(hit, block)
            return
        self.held = held
        self.log.read_few(block, len(hits))
        self.scan.fill(hits)

    # Evaluation

    def evaluate(self, watermark: int) -> list[dict[str, Any]]:
        """Evaluates what has arrived. Returns the updates of alerts to report: id, state, revision, and the run or
        the alert it was merged into."""
        spec, scan = self.correlation.spec, self.scan
        scan.scan(watermark - self.correlation.lateness)
        floor = max(self.floor, watermark - self.correlation.undecided)
        told, words = dict[str, ReportedAlert](), list[dict[str, Any]]()
        for number, run in enumerate(scan.runs):
            last = run.end[0]
            over = last + spec.gap < floor or (last < floor and number < len(scan.runs) - 1)
            state = "ended" if over else "active"
            told[run.id], says = self._report(run, state, watermark)
            if says:
                words.append(self._alert_update(run, state) | {"told": told[run.id], "new": run.id not in self.reported})  # fmt: skip
        words += superseded(self.reported, told, scan.runs)
        self.reported = told
        for word in words:
            word["revision"] = revision(word, self.seen)
        if floor > self.floor and (
            floor >= self.floor + min(MINUTE, spec.timespan // 8)
            or any(one.last + spec.gap < floor for one in told.values())
            or self.due() <= watermark
        ):
            self._finalize(floor)
        if len(scan.line) > MAX_HITS:
            self._finalize_older_half()
        return words

    def _report(self, run: OpenRun, state: str, watermark: int) -> tuple[ReportedAlert, bool]:
        """Returns the alert to remember, and whether to report it."""
        capped = self.capped or (run.names is not None and run.names.full)
        size, old = self.scan.size(run), self.reported.get(run.id)
        return report(old, run, state, size, watermark, capped=capped)

    def _alert_update(self, run: OpenRun, state: str) -> dict[str, Any]:
        names = self.scan.names(run)
        capped = self.capped or names.full
        return {"id": run.id, "state": state, "run": self.scan.as_run(run), "names": names, "capped": capped}  # fmt: skip

    def _finalize(self, floor: int) -> None:
        """Finalizes everything before the floor: drops hits that no open window needs, and runs that are over."""
        self.floor = floor
        for run in self.scan.finalize(floor):
            self.reported.pop(run.id, None)
        self._drop_before(floor - self.correlation.spec.window)

    def _finalize_older_half(self) -> None:
        """Finalizes the older half, because the group holds too many hits."""
        order = self.scan.line.order
        middle = order[len(order) // 2][0]
        self.capped = True
        self._finalize(max(self.floor, middle if order[0][0] < middle else middle + 1))
        if len(order) > MAX_HITS:
            self._drop_before(self.floor)

    def _drop_before(self, cut: int) -> None:
        if cut <= self.cut:
            return
        self.cut = cut
        dropped = self.scan.drop(cut)
        for hit in dropped:
            self.log.forget(self.held.pop((hit.id, hit.rule))[1])
        self.log.cut(cut)
        if self.known_values is not None:
            self.known_values.fold(self.floor, dropped)

    def due(self) -> int:
        """Returns the watermark at which time next matters: an absence can be evaluated, a run ends, or a hit can be
        dropped. NEVER: the group can be forgotten."""
        spec, scan, late = self.correlation.spec, self.scan, self.correlation.undecided + 1
        soon = spec.window + late + min(MINUTE, spec.timespan // 8)  # forgetting is not urgent
        due = NEVER
        for line in (scan.line, scan.context):
            if line.order:
                due = min(due, line.order[0][0] + soon)
        if (
            undone := self.log.earliest_undo
        ) is not None:  # a withdrawn alert may return, and then needs a higher revision
            due = min(due, undone + soon)
        for one in self.reported.values():
            due = min(due, one.last + spec.gap + late)
        if self.known_values is not None and (matters := self.known_values.due()) != NEVER:
            due = min(due, matters + late)
        if (waits := scan.waits()) is not None:
            due = min(due, waits + self.correlation.lateness)
        for run in scan.runs:  # new names are collected for a minute
            told = self.reported.get(run.id)
            if (
                told is not None
                and told.immediate >= MAX_IMMEDIATE
                and scan.size(run)[1] > told.named
            ):
                due = min(due, told.reported_watermark + MINUTE)
        return due


def _fullness(hit: Hit) -> tuple[int, int, bytes]:
    """Of two versions of one event, the one with more content wins, whatever the order of arrival. A name that the
    request gives is less than the resource."""
    return len(hit.brief.keys() - {"named"}), -hit.at, pack(hit)


pack = msgspec.msgpack.Encoder().encode
