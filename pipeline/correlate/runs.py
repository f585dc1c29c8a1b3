"""Combines matches into alerts: an alert is a run of matches without a gap longer than the timespan. Pure.

Its id is derived from its earliest match, so that the same events give the same alerts in any order of arrival. A run
with 1,000 hits is frozen: its condition is no longer evaluated, and it continues as long as hits follow each other
without such a gap. Times in microseconds."""

from bisect import bisect_left
from collections.abc import Sequence

from driftline.pipeline.correlate.alerts.names import AlertNames
from driftline.pipeline.correlate.alerts.span import BEGIN, OpenRun, Run, alert_id
from driftline.pipeline.correlate.conditions.conditions import condition_of
from driftline.pipeline.correlate.conditions.first_seen import KnownValues, ValueUpdate
from driftline.pipeline.correlate.run_hits import RunHits
from driftline.pipeline.detections.windows import Found, Hit, Place, Spec, number

MAX_EVALUATED = 1000
"""Maximum number of hits of an alert for which the condition is evaluated."""


class RunScanner(RunHits):
    """The runs of one group. Hits may arrive in any order; `scan` evaluates those that arrived since, and what they
    affect.

    `before`: the final part of the last run, with its `names`. Nothing before `floor` is evaluated again."""

    __slots__ = ("_begins", "_condition", "_condition_at", "_context_rules", "_correlation", "_dirty", "_floor", "_group",
                 "_growing", "_known", "_next", "_skipped", "runs")  # fmt: skip

    def __init__(
        self, spec: Spec, correlation: str, group: str, floor: int = 0, before: Run | None = None,
        names: AlertNames | None = None, known_values: KnownValues | None = None,
    ) -> None:  # fmt: skip
        super().__init__(spec)
        self._correlation, self._group, self._floor = correlation, group, floor
        self._condition = condition_of(spec, self.line, self.context, known_values)
        self._context_rules, self._growing = spec.aside, spec.growing
        self._next = 0
        """Index of the first hit that is not evaluated."""
        self._condition_at: int | None = 0
        """Index before which the condition is positioned; None if its position is lost."""
        self._dirty: Place | None = None
        """Everything from here on must be evaluated again."""
        self._skipped: Place | None = None
        """From here on late hits were added to a run without evaluation: whether a match ends with one does not
        matter until the end of the run is reverted."""
        self._known = 0
        """Time until which absence is known."""
        self._begins: tuple[OpenRun | None, int] = (None, 0)
        """Index of the first hit of the last run, valid while no hits are inserted."""
        self.runs: list[OpenRun] = []
        if before is not None:
            self.runs.append(OpenRun.final_only(before, names or AlertNames()))

    def is_context(self, hit: Hit) -> bool:
        """Returns whether a hit is not an event of an alert but affects it."""
        return hit.state or hit.rule in self._context_rules

    def fill(self, hits: list[Hit]) -> None:
        """Sets the initial hits; none of them may be context."""
        if self.spec.numeric:
            for hit in hits:
                hit.value = number(hit.value)
        self.line.fill(hits)

    def insert(self, hit: Hit) -> None:
        """Inserts a hit."""
        if self.spec.numeric:
            hit.value = number(hit.value)
        if self.is_context(hit):
            self._insert_context(hit)
            return
        place, index = hit.place, self.line.insert(hit)
        judged = index < self._next
        if self.spec.kind == "temporal_ordered":  # a moment is evaluated as a whole
            place = (hit.at, "", "")
            judged = judged or (index > 0 and self.line.order[index - 1] > place)
        if not judged:
            return
        self._next += index < self._next
        run = next((run for run in reversed(self.runs) if run.first < place), None)
        if run is None or hit.place > run.end:
            goes_on = run is not None and run.frozen is not None and run.frozen < place
            if index < self._next or run is None or not (goes_on and self._in_reach(run, hit.at)):
                self._mark_dirty(place)
            return
        if run.names is not None and run.named is not None and hit.place <= run.named:
            run.names.add([hit])
        if self._dirty is not None and self._dirty <= place:
            return  # the run is evaluated again from an earlier place; until then it may end with a withdrawn hit
        if not (run.frozen is not None and run.frozen < place):
            if not (self._growing and run.at < place[0]):
                self._mark_dirty(place)
                return
            self._skipped = place if self._skipped is None else min(place, self._skipped)
        self._advance_condition(index)
        self._check_following(run, hit)

    def _check_following(self, run: OpenRun, hit: Hit) -> None:
        """Handles what follows a run that has grown by a hit: it may now match, or belong to the run."""
        after = self.line.after(run.end)
        if run.frozen is None and len(self.line) + run.final.count >= MAX_EVALUATED and self.count(run) >= MAX_EVALUATED:  # fmt: skip
            run.frozen = run.end
        elif after == self._next or self.line.order[after][0] > hit.at + self.spec.timespan:
            return
        if after < self._next:
            self._mark_dirty(self.line.order[after])

    def _insert_context(self, hit: Hit) -> None:
        self.context.insert(hit)
        if not self.spec.standing:
            if hit.at <= self._known:
                self._mark_dirty((hit.at - self.spec.timespan, "", ""))
        elif self._next and hit.place < self.line.order[self._next - 1]:
            self._mark_dirty(hit.place)

    def _advance_condition(self, index: int) -> None:
        """Keeps the position of the condition after an insertion that does not change any match."""
        if self._condition_at is not None:
            self._condition_at += 1
            if not self._condition.inserted(index, self._condition_at):
                self._condition_at = None

    def _mark_dirty(self, place: Place) -> None:
        self._dirty = place if self._dirty is None else min(place, self._dirty)
        self._condition_at = None

    def remove(self, hit: Hit) -> None:
        """Removes a hit. Everything that is not final is evaluated again."""
        if self.is_context(hit):
            self.context.remove(hit.place)
        elif self.line.remove(hit.place) < self._next:
            self._next -= 1
        self.reevaluate_all()

    def reevaluate_all(self) -> None:
        """Evaluates everything again that is not final."""
        self._mark_dirty(BEGIN)
        for run in self.runs:
            run.named = None

    def scan(self, known: int) -> None:
        """Evaluates what has arrived. Absence is evaluated up to `known`."""
        self._known, self._begins = max(self._known, known), (None, 0)
        if self._dirty is not None:
            self._rewind(max(self._dirty, (self._floor, "", "")))
        line = self.line
        if self._next < len(line) and line.order[self._next][0] < self._floor:
            self._next, self._condition_at = line.index((self._floor,)), None
        few = 2 * (len(line) + len(self.context)) + (self.runs[0].final.count if self.runs else 0) < MAX_EVALUATED  # fmt: skip
        while self._next < len(line):
            run = self.runs[-1] if self.runs else None
            if run is not None and run.frozen is not None and self._extend_frozen(run):
                continue
            if self._condition_at != self._next:
                self._next = self._condition.rebuild(self._next)
            taken, found = self._condition.step(self._next, known, few)
            self._next += taken
            self._condition_at = self._next
            if not taken:
                break
            if few:
                self._add_matches(found)
                continue
            for begin, end in found:
                self._add_match(begin, end)
                if self._is_full_at(end):
                    break
        for run in self.runs:
            if run.named is not None and run.named != run.end:
                self.names(run)

    @property
    def dirty(self) -> Place | None:
        """Everything from here on must be evaluated again."""
        return self._dirty

    def hits_from(self, place: Place | None) -> int:
        """Returns the number of hits from a place on."""
        return len(self.line) - self.line.index(place) if place is not None else 0

    def restore_dirty(self, dirty: Place | None) -> None:
        """Restores the state after loading: everything was evaluated, except from `dirty` on."""
        if dirty is not None:
            self._mark_dirty(dirty)

    def waits(self) -> int | None:
        """Returns the time until which absence must be known for the next match to be decided."""
        return self._condition.waits if self._next < len(self.line) else None

    def _rewind(self, place: Place) -> None:
        self._dirty, self._condition_at = None, None
        if self._skipped is not None and self._skipped >= place:
            self._skipped = None
        while self.runs and not self.runs[-1].final.count and self.runs[-1].first >= place:
            self.runs.pop()
        self._next = min(self._next, self.line.index(place))
        if not self.runs:
            return
        run = self.runs[-1]
        if run.frozen is not None and run.frozen < place:
            run.end = run.frozen
            self._next = min(self._next, self.line.after(run.frozen))
        else:
            del run.ends[bisect_left(run.ends, place) :]
            run.frozen, run.end = None, run.ends[-1] if run.ends else run.final.end

    def _extend_frozen(self, run: OpenRun) -> bool:
        """Lets a frozen run take the hits that follow."""
        place = self.line.order[self._next]
        if not self._in_reach(run, place[0]):
            return False
        index = self.line.reach(place, run.at + self.spec.longest)
        run.end, self._next, self._condition_at = self.line.order[index], index + 1, None
        return True

    def _in_reach(self, run: OpenRun, at: int) -> bool:
        return at - run.end[0] <= self.spec.gap and at - run.at <= self.spec.longest

    def _add_matches(self, found: Found) -> None:
        """Adds matches where there are too few hits for a run to be full."""
        gap, longest = self.spec.gap, self.spec.longest
        run = self.runs[-1] if self.runs else None
        for begin, end in found:
            if run is None or end[0] - run.end[0] > gap or end[0] - run.at > longest:
                run = self._next_run(run, begin, end)
            elif end > run.end:
                run.end = end
                run.ends.append(end)

    def _add_match(self, begin: Place, end: Place) -> None:
        self._add_matches([(begin, end)])
        run = self.runs[-1]
        if self._begins[0] is not run:
            self._begins = (run, self.hits(run)[0])
        most = run.final.count + len(run.extra) + self._next - self._begins[1]
        if run.frozen is None and most >= MAX_EVALUATED and self.count(run) >= MAX_EVALUATED:
            run.frozen = run.end

    def _next_run(self, before: OpenRun | None, begin: Place, end: Place) -> OpenRun:
        """Starts a run, because a match is too far from the last one, or because that one has lasted too long."""
        if before is None or end[0] - before.end[0] > self.spec.gap:
            return self._start_run(begin, end, None)
        return self._start_run(self.line.order[self.line.after(before.end)], end, before)

    def _is_full_at(self, end: Place) -> bool:
        """Returns whether a run is frozen since this match. Hits that the condition consumed beyond it (it consumes a
        moment as a whole) are returned."""
        if self.runs[-1].frozen != end:
            return False
        after = self.line.after(end)
        if after < self._next:
            self._next, self._condition_at = after, None
        return True

    def _start_run(self, begin: Place, end: Place, before: OpenRun | None) -> OpenRun:
        """Starts a run. `before`: the run that it continues."""
        continues = before.id if before is not None else None
        extra = self.standing_hits(begin, end, before) if self.spec.standing else []
        id = alert_id(self._correlation, self._group, end[0], continues)
        first = self.line.order[self.line.index(begin)]
        begins = min([first[0], *(hit.at for hit in extra)]) if extra else first[0]
        run = OpenRun(id, begins, end[0], continues, first, end)
        run.extra = extra
        self.runs.append(run)
        return run

    def finalize(self, floor: int) -> list[OpenRun]:
        """Finalizes what is before the floor. Returns the runs that are over."""
        if self._skipped is not None and self._skipped[0] < floor:
            self._mark_dirty(self._skipped)
            self.scan(self._known)
        self._floor = floor
        below = [run for run in self.runs if run.first[0] < floor]
        if not below:
            return []
        over, last = below[:-1], below[-1]
        self.finalize_run(last, floor)
        if last.final.last + self.spec.gap < floor:
            over.append(last)
        self.runs = [run for run in self.runs if run not in over]
        return over

    def drop(self, cut: int) -> list[Hit]:
        """Drops and returns the hits before a time."""
        count = self.line.index((cut,))
        dropped = self.line.drop(count) if count else []
        self._next = max(0, self._next - count)
        if self._condition_at is not None:
            self._condition_at -= count
            if not self._condition.dropped(count) or self._condition_at < 0:
                self._condition_at = None
        if aside := self.context.index((cut,)):
            dropped += self.context.drop(aside)
            if self.spec.standing:
                self._condition_at = None
        return dropped


def runs(spec: Spec, correlation: str, group: str, hits: Sequence[Hit], known_until: int) -> list[Run]:  # fmt: skip
    """Returns the alerts of these hits, if there are no others. Absence is evaluated up to `known_until`."""
    known_values = KnownValues(spec) if spec.kind == "first_seen" else None
    scan = RunScanner(spec, correlation, group, known_values=known_values)
    for hit in hits:
        moved = known_values.take(hit) if known_values is not None else ValueUpdate([hit], [])
        for new in moved.new:
            scan.insert(new)
        for old in moved.old:
            scan.remove(old)
        if moved.again:
            scan.reevaluate_all()
    scan.scan(known_until)
    return [scan.as_run(run) for run in scan.runs]
