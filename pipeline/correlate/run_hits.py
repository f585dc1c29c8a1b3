"""The hits of one group's runs: which they are, how many, what they name, and those that an alert shows. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from driftline.pipeline.correlate.alerts.names import AlertNames, count_reported
from driftline.pipeline.correlate.alerts.span import MAX_SHOWN, OpenRun, Run
from driftline.pipeline.correlate.conditions.timeline import PLACE, HitTimeline
from driftline.pipeline.detections.windows import Hit, Place, Spec

HALF = MAX_SHOWN // 2
COUNT_ON_DEMAND = 16
"""For at most this many hits, names are counted on demand."""


class RunHits:
    """The hits that are held, and those that only affect matches (`context`)."""

    __slots__ = ("context", "line", "spec")

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.line, self.context = HitTimeline(spec.gap), HitTimeline(spec.gap)

    def standing_hits(self, begin: Place, end: Place, before: OpenRun | None) -> list[Hit]:
        """Returns, of the hits that only report that something holds, the latest one each; for a run that continues
        another, only those since the end of that."""
        last: dict[tuple[str, str], Hit] = {}
        for line in (self.context, self.line):
            first = line.after(before.end) if before is not None else line.index(begin)
            for hit in line.hits[first : line.after(end)]:
                key = (hit.rule, str(hit.value))
                if hit.rule in self.spec.standing and (key not in last or last[key].place < hit.place):  # fmt: skip
                    last[key] = hit
        return sorted((hit for hit in last.values() if hit.state), key=PLACE)

    def hits(self, run: OpenRun) -> tuple[int, int]:
        """Returns the indices of its hits that are not final: first, and one past the last."""
        begin = self.line.after(run.begin) if run.final.count else self.line.index(run.begin)
        return begin, max(begin, self.line.after(run.end))

    def count(self, run: OpenRun) -> int:
        """Returns the number of its hits."""
        begin, end = self.hits(run)
        return run.final.count + len(run.extra) + end - begin

    def names(self, run: OpenRun) -> AlertNames:
        """Returns the names of its hits, including those added since the last call."""
        if run.names is None:
            run.names = AlertNames()
        if run.named == run.end:
            return run.names
        begin, end = self.hits(run)
        if run.named is None or run.named > run.end:
            run.names.reopen()
            run.names.add(run.extra)
        else:
            begin = max(begin, self.line.after(run.named))
        run.names.add(self.line.hits[begin:end])
        run.named = run.end
        return run.names

    def size(self, run: OpenRun) -> tuple[int, int]:
        """Returns the number of its hits, and of names for which a new one is reported."""
        begin, end = self.hits(run)
        count = run.final.count + len(run.extra) + end - begin
        if run.named is None and count <= COUNT_ON_DEMAND and not run.final.count:
            return count, count_reported([*run.extra, *self.line.hits[begin:end]])
        return count, self.names(run).reported

    def as_run(self, run: OpenRun) -> Run:
        """Returns the run as it is now."""
        begin, end = self.hits(run)
        count = run.final.count + len(run.extra) + end - begin
        return Run(
            run.id, run.begins, run.at, run.end[0], count, run.end, run.continues, self._shown_hits(run, begin, end, count),
            run.frozen is not None,
        )  # fmt: skip

    def _shown_hits(self, run: OpenRun, begin: int, end: int, count: int) -> list[dict[str, Any]]:
        """Returns the hits to show: the first ones tell the cause, the last ones what is going on."""
        first, hits = run.final.briefs, self.line.hits
        if count <= MAX_SHOWN:
            return first + [hit.brief for hit in _with(run.extra, hits[begin:end])]
        last = first
        if run.final.count > MAX_SHOWN:
            first, last = first[:HALF], last[HALF:]
        else:
            early = _with(run.extra, hits[begin : min(end, begin + MAX_SHOWN)])
            first = (first + [hit.brief for hit in early])[:HALF]
        late = _with(run.extra, hits[max(begin, end - MAX_SHOWN) : end])
        return first + (last + [hit.brief for hit in late])[-HALF:]

    def finalize_run(self, run: OpenRun, floor: int) -> None:
        """Makes the part of a run that is before the floor final."""
        frozen = run.frozen is not None and run.frozen[0] < floor
        if frozen:
            index = self.line.index((floor,)) - 1
            end = min(run.end, self.line.order[index]) if index >= 0 else run.final.end
        else:
            ends = bisect_left(run.ends, (floor,))
            end = run.ends[ends - 1] if ends else run.final.end
        del run.ends[: bisect_left(run.ends, (floor,))]
        if end <= run.final.end:
            return
        names, goes_on = self.names(run), run.end
        run.end = end
        begin, until = self.hits(run)
        run.finalized += names.finalize([*run.extra, *self.line.hits[begin:until]])
        final = self.as_run(run)
        final.frozen, final.listed, final.overflow = frozen, names.finalized, names.overflow
        run.final, run.begin, run.extra, run.end = final, end, (), goes_on
        if frozen:
            run.frozen = end


def _with(extra: Sequence[Hit], hits: list[Hit]) -> list[Hit]:
    """Merges by time; `hits` is sorted."""
    return sorted([*extra, *hits], key=PLACE) if extra else hits
