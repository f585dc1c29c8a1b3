"""What a resource ought to be by somebody's word: approved, declared in code, or recorded in its state. Pure.

A baseline is a few places of the configuration (JSON Pointers) with the value that each ought to have. What differs is
a finding like any other, of a rule that stands in no file."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.merge import EVERYTHING
from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.compare.diff import NO_HINTS, Hints, diff
from driftline.pipeline.compare.equivalence import is_same, parse_document
from driftline.pipeline.compare.paths import escaped, steps, value_at
from driftline.pipeline.model import Baseline, micros
from driftline.pipeline.people.identity import NOBODY_MAPPED, People, vouched_names
from driftline.pipeline.providers.installed import plain_hints
from driftline.pipeline.rulebook import BoundRule, Verdict
from driftline.pipeline.rulebook.baseline_rules import STANDING
from driftline.pipeline.state.resource import Body, KnownBaseline, UnreadPart
from driftline.pipeline.state.rows import NEVER

APPLYING = "applying"
"""The reason of an unknown: an apply may be under way."""
APPLY = 30 * MINUTE
"""So long after its last change of a resource an apply may still go on. Microseconds."""
SHOWN = 20
"""Differences told as evidence; of the others only how many."""


def set_baseline(work: Assessment, record: Baseline) -> bool:
    """Puts a baseline into the body; says whether it is a newer one than is known."""
    known = work.body.baselines.get(record.kind)
    at = micros(record.at)
    if known is not None and known.at >= at:
        return False
    work.body.baselines = work.body.baselines | {record.kind: KnownBaseline(
        at, {} if record.revoked else record.expect, record.by, record.source, record.recreated, record.revoked is not None,
        record.appliers, record.address, record.repository, record.path,
    )}  # fmt: skip
    return True


def declared(body: Body) -> dict[str, str] | None:
    """Where code declares the resource, as findings tell it; None where none does."""
    one = body.baselines.get("declared")
    if one is None or one.revoked:
        return None
    return {
        "workspace": one.source,
        "address": one.address,
        "repository": one.repository,
        "path": one.path,
    }


def drop_approved(work: Assessment) -> None:
    """The resource was recreated: nobody has approved this one."""
    work.body.baselines = {
        kind: one
        for kind, one in work.body.baselines.items()
        if kind != "approved" or one.recreated
    }


def verdicts(
    body: Body, hidden: Mapping[str, UnreadPart], now: int, hints: Hints = NO_HINTS
) -> Iterator[Verdict]:
    """One for each baseline in force, at record time `now`. Of a deleted resource: that code says that it is there."""
    for kind, one in sorted(body.baselines.items()):
        if one.revoked or (bound := STANDING.get(kind)) is None:
            continue
        if body.deleted_at is not None:
            if kind == "approved":
                continue  # nobody said that it must be there
            verdict = Verdict(bound, "failed", "", one.source, [{"path": "", "value": {kind: "there", "now": "gone"}}])  # fmt: skip
        else:
            verdict = _verdict(bound, kind, one, body, hidden, hints)
        if verdict.evaluation == "failed" and now < applying_until(one, body):
            verdict = Verdict(bound, "unknown", APPLYING, one.source)
        yield verdict


def applying_until(one: KnownBaseline, body: Body) -> int:
    """Until when an apply may be under way."""
    if not one.appliers:
        return 0
    people = NOBODY_MAPPED.of(body.resource["provider"])
    at = max((seen.at for seen in body.history if _applied(one.appliers, seen.actor, people)), default=-APPLY)  # fmt: skip
    return at + APPLY


def _applied(appliers: Sequence[str], actor: Mapping[str, Any], people: People) -> bool:
    names = vouched_names(actor, people)
    return any(matches(pattern, name) for pattern in appliers for name in names)


def quiet_until(body: Body) -> int:
    """When a difference that is not told yet, because of an apply, must be looked at again."""
    waits = [
        applying_until(one, body)
        for kind, one in body.baselines.items()
        if (bound := STANDING.get(kind))
        and (life := body.lives.get(bound.id))
        and life.reason == APPLYING
    ]
    return min(waits, default=NEVER)


def _verdict(
    bound: BoundRule, kind: str, one: KnownBaseline, body: Body, hidden: Mapping[str, UnreadPart], hints: Hints
) -> Verdict:  # fmt: skip
    parts = sorted({steps(pointer)[0] for pointer in one.expect})
    missing = [part for part in parts if part not in body.config or _why(part, hidden)]
    known = {where: what for where, what in one.expect.items() if steps(where)[0] not in missing}
    found = list(differences(known, body.config, hints))
    if not found and missing:  # a difference elsewhere is one, whatever they say
        why = _why(missing[0], hidden)
        reason, code = (why.reason, why.code) if why else ("never read", "")
        detail = f"{missing[0]}: {reason} {code}".strip()
        return Verdict(bound, "unknown", "unread" if why else "not_read", detail)
    if not found:
        return Verdict(bound, "passed", "", "", [])
    shown = [
        {"path": change["path"], "value": {kind: change.get("before"), "now": change.get("after")}}
        for change in found[:SHOWN]
    ]
    if rest := found[SHOWN:]:
        digest = hashlib.sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
        shown.append({"path": "…", "value": f"{len(rest)} more ({digest})"})
    return Verdict(bound, "failed", "", one.source, shown)


def _why(part: str, hidden: Mapping[str, UnreadPart]) -> UnreadPart | None:
    """Why a part is not known; None for one that is, or was never read."""
    return hidden.get(part) or hidden.get(EVERYTHING)


def differences(
    expect: Mapping[str, Any], config: Mapping[str, Any], hints: Hints | None = None
) -> Iterator[dict[str, Any]]:
    """Where a configuration is not as expected: as driftline.pipeline.compare.diff tells it, `before` what ought to be."""
    hints = plain_hints("") if hints is None else hints
    for pointer in sorted(expect):
        dotted = ".".join(steps(pointer))
        ought, actual = expect[pointer], value_at(config, steps(pointer))
        if is_same(ought, actual):
            continue
        if isinstance(ought, str) != isinstance(actual, str):
            ought, actual = parse_document(ought), parse_document(actual)
        for change in diff(dotted, ought, actual, hints):
            yield change | {"path": pointer + change["path"].removeprefix(f"/{escaped(dotted)}")}


def parts_of(evidence: list[dict[str, Any]]) -> frozenset[str]:
    """The parts that differ, of a verdict's evidence."""
    return frozenset(steps(one["path"])[0] for one in evidence if one["path"].startswith("/"))
