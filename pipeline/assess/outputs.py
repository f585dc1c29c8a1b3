"""Builds the output records of a step: findings, drifts, re-read requests, and signals. Pure."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from driftline.pipeline.assess.assessment import Step
from driftline.pipeline.assess.findings import restatement
from driftline.pipeline.assess.ownership.step import CHANGED as OWNER_CHANGED
from driftline.pipeline.model import finding_id, from_micros
from driftline.pipeline.records.counts import Counts, DriftCount, FindingCount
from driftline.pipeline.records.outputs import Output
from driftline.pipeline.records.topics import DRIFT, FINDINGS, MEMBERS, READS, RESTATEMENTS
from driftline.pipeline.records.truncate import truncate
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state.resource import Body

if TYPE_CHECKING:  # who watches nothing need not wait for pySigma
    from driftline.pipeline.detections.engine import DetectionEngine


def records(uid: str, step: Step) -> list[Output]:
    """All records except signals, in the order of sending."""
    said = [
        Output(FINDINGS.name, finding["id"].encode(), truncate(finding))
        for finding in step.findings
    ]
    said += [
        Output(RESTATEMENTS.name, finding["id"].encode(), restatement(finding))
        for finding in step.again
    ]
    said += tombstones(uid, step.ended)
    said += [
        Output(MEMBERS.name, record["group"].encode(), orjson.dumps(record))
        for record in step.members
    ]
    said += [Output(DRIFT.name, uid.encode(), truncate(drift)) for drift in step.drifts]
    said += [Output(READS.name, uid.encode(), orjson.dumps(read)) for read in step.reads]
    return said


def tombstones(uid: str, rules: Iterable[str]) -> list[Output]:
    """Tombstones for deleted findings, so that the compacted topic drops them."""
    return [Output(FINDINGS.name, finding_id(rule, uid).encode(), b"") for rule in sorted(rules)]


Keyed = tuple[bytes, dict[str, Any]]


def signals(
    before: Body | None, step: Step, watch: "DetectionEngine", rulebook: Rulebook, *, planned: bool
) -> Iterator[Keyed]:
    """Signals of transitions and drifts; a restatement only signals a standing state. Signals of the same transition or
    drift that no longer hold, because more is known of its cause, are retracted; therefore `step.state` keeps the signals of
    drifts. `before`: the state before. `planned`: expected changes are configured, and a drift is a signal only if
    it is known to be unexpected."""
    body = step.state.body
    for finding in (*step.findings, *step.again):
        if finding["restated"] or finding["reason"] == OWNER_CHANGED:
            yield from watch.state_signals(finding, body)
            continue
        rule = finding["rule"]["id"]
        told = list(watch.finding(finding, body, first_reading=_as_found(body, rule)))
        if before is not None and (old := _as_told(finding, before)) is not None:
            now = {signal["id"]: signal["fields"] for _, signal in told}
            yield from (
                (key, signal | {"gone": True})
                for key, signal in watch.finding(old, before, first_reading=_as_found(before, rule))
                if not _outdoes(now.get(signal["id"]), signal["fields"])
            )
        yield from told
    for drift in step.drifts:
        course = planned and drift.get("expected") is not False
        # if it is expected, or not known yet, another record will follow
        told = [] if course else list(watch.drift(drift, body, rulebook.of(body.resource)))
        yield from _taken_back(drift, body, watch, told)
        yield from told


def _as_found(body: Body, rule: str) -> bool:
    """Whether a finding may have existed when the resource was first read."""
    return (life := body.lives.get(rule)) is not None and life.as_found


def _as_told(finding: dict[str, Any], before: Body) -> dict[str, Any] | None:
    """The previous document of the same transition; None if this is the first."""
    life = before.lives.get(finding["rule"]["id"])
    if life is None or from_micros(life.updated_at) != finding["updated_at"]:
        return None
    if ("suppressed" if life.suppressed else life.status) != finding["status"]:
        return None
    old = {key: finding[key] for key in finding if key not in ("drift", "attribution", "actor")}
    cause = {"drift": life.drift, "attribution": life.attribution, "actor": life.actor}
    return old | {key: value for key, value in cause.items() if life.drift and value is not None}


def _outdoes(new: dict[str, Any] | None, old: dict[str, Any]) -> bool:
    """Whether one signal of a match replaces another by itself, in any order: the more complete one counts."""
    return new is not None and (new == old or len(new) > len(old))


def _taken_back(
    drift: dict[str, Any], body: Body, watch: "DetectionEngine", told: list[Keyed]
) -> Iterator[Keyed]:
    """Signals of a drift that no longer hold, or have changed; valid ones are stored with it."""
    now = {(one["correlation"], one["group"], one["detection"]): one["fields"] for _, one in told}
    for number, kept in enumerate(body.drifts):
        if kept.id != drift["id"]:
            continue
        stands = [[*names, *_mark(fields)] for names, fields in now.items()]
        body.drifts[number] = msgspec.structs.replace(kept, signals=stands)
        for correlation, group, rule, size, digest in kept.signals:
            fields = now.get((correlation, group, rule))
            if fields is None or (_mark(fields)[1] != digest and len(fields) <= int(size)):
                yield from watch.withdrawal(correlation, group, rule, drift["id"], kept.at)


def _mark(fields: dict[str, Any]) -> tuple[str, str]:
    """Identifies a signal's fields: their number, and a digest."""
    data = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    return str(len(fields)), hashlib.blake2b(data, digest_size=4).hexdigest()


def count(step: Step, counts: Counts) -> None:
    """The counts of a step for metrics."""
    for finding in step.findings:
        counts[FindingCount("restated" if finding["restated"] else finding["reason"])] += 1
    if step.again:
        counts[FindingCount("restated")] += len(step.again)
    for drift in step.drifts:
        counts[DriftCount(drift["attribution"], drift["found_by"])] += 1
