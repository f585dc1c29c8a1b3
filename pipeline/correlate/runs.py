"""Matches become alerts: an alert is a run of matches without a gap longer than the timespan. Pure.

Its id is made from its earliest match, so that the same events give the same alerts in whatever order they come. Times
in microseconds."""

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.correlate.novelty import Memory, firsts, whole
from pipeline.correlate.windows import Hit, Match, Spec, matches
from pipeline.model.finding import NAMESPACE
from pipeline.state import NEVER

MOST = 1000
"""An alert that has more hits is continued by another."""


class Run(msgspec.Struct, array_like=True):
    """One alert's stretch of time."""

    id: str
    begins: int
    """The earliest hit of its first window."""
    at: int
    """Its first match."""
    last: int
    """Its last match."""
    count: int
    """Hits from the beginning to the last match."""
    end: tuple[int, str, str] = (0, "", "")
    """The place of the hit that ends the last match."""
    continues: str | None = None
    """The alert that it goes on from."""
    briefs: list[dict[str, Any]] = []
    """What is shown: the first hits, and the last."""


SHOWN = 50
"""Hits that an alert shows."""


def alert_id(correlation: str, group: str, at: int, continues: str | None = None) -> str:
    """The one id of a group's alert whose first match is of that moment. Which of the hits of one moment is heard first
    does not matter: CloudTrail's times are whole seconds."""
    return str(uuid.uuid5(NAMESPACE, f"alert\n{correlation}\n{group}\n{at}\n{continues or ''}"))


def runs(
    spec: Spec, correlation: str, group: str, hits: Sequence[Hit], known_until: int, before: Run | None = None,
    floor: int = 0, ceiling: int = NEVER, memory: Memory | None = None,
) -> list[Run]:  # fmt: skip
    """The alerts that these hits make, of matches before `ceiling`. Those earlier than `floor` are final: `before` is
    the last run of them. `memory`: of first_seen; None: the hits
    are all there are."""
    if spec.kind == "first_seen":  # what is not new is no part of an alert
        if memory is None:
            memory, hits = whole(spec, hits)
        hits = list(firsts(spec, memory, hits))
        found = [Match(hit.at, hit.at, number, number) for number, hit in enumerate(hits)]
    else:
        found = list(matches(spec, hits, known_until))
    out: list[Run] = [before] if before else []
    done = _until(hits, before.end) if before else 0
    """Hits before this one are counted."""
    for match in sorted(found, key=lambda m: (m.at, m.last)):
        if not floor <= match.at < ceiling:
            continue  # judged when all its hits were still there
        run = out[-1] if out else None
        if run is None or match.at - run.last > spec.gap:
            out.append(_begun(spec, correlation, group, hits, match.first, match.last, None))
        elif match.at - run.at > spec.longest or run.count >= MOST:
            out.append(_begun(spec, correlation, group, hits, done, match.last, run.id))
        else:
            out[-1] = _longer(run, _events(spec, hits[done : match.last + 1]), hits[match.last])
        done = match.last + 1
    return out


def _until(hits: Sequence[Hit], end: tuple[int, str, str]) -> int:
    return next((number for number, hit in enumerate(hits) if hit.place > end), len(hits))


def _events(spec: Spec, hits: Sequence[Hit]) -> Sequence[Hit]:
    """Without what only stands, or ends that."""
    if not spec.standing:
        return hits
    ends = set(spec.standing.values())
    return [hit for hit in hits if not hit.state and hit.rule not in ends]


def _with_standing(spec: Spec, hits: Sequence[Hit]) -> Sequence[Hit]:
    """Of what is only said again, the last word each."""
    if not spec.standing:
        return hits
    last = {(hit.rule, hit.value): hit for hit in hits if hit.rule in spec.standing}
    shown = [*_events(spec, hits), *(hit for hit in last.values() if hit.state)]
    return sorted(shown, key=lambda hit: hit.place)


def _begun(
    spec: Spec, correlation: str, group: str, hits: Sequence[Hit], first: int, last: int, continues: str | None
) -> Run:  # fmt: skip
    inside = _with_standing(spec, hits[first : last + 1])
    at = hits[last].at
    id = alert_id(correlation, group, at, continues)
    shown = [hit.brief for hit in inside][:SHOWN]
    return Run(id, inside[0].at, at, at, len(inside), hits[last].place, continues, shown)


def _longer(run: Run, new: Sequence[Hit], last: Hit) -> Run:
    shown = run.briefs + [hit.brief for hit in new]
    if len(shown) > SHOWN:  # the beginning tells how it came about, the end what goes on
        half = SHOWN // 2
        shown = shown[:half] + shown[-(SHOWN - half) :]
    return msgspec.structs.replace(
        run, last=last.at, end=last.place, count=run.count + len(new), briefs=shown
    )
