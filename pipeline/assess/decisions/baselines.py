"""Baselines: the expected configuration of a resource, approved, declared in code, or recorded in a Terraform state. Pure.

A baseline consists of places in the configuration (JSON Pointers) with expected values. A difference is
a finding like any other, of a rule without a file."""

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
"""The reason of an unknown evaluation: an apply may be in progress."""
APPLY = 30 * MINUTE
"""How long after its last change of a resource an apply may still be running. Microseconds."""
SHOWN = 20
"""Maximum number of differences in the evidence; the others are only counted."""


def set_baseline(work: Assessment, record: Baseline) -> bool:
    """Stores a baseline in the body; returns whether it is newer than the known one."""
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
    """Where code declares the resource, as in findings; None if no code does."""
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
    """Drops baselines that do not apply to a recreated resource."""
    work.body.baselines = {
        kind: one
        for kind, one in work.body.baselines.items()
        if kind != "approved" or one.recreated
    }


def verdicts(
    body: Body, hidden: Mapping[str, UnreadPart], now: int, hints: Hints = NO_HINTS
) -> Iterator[Verdict]:
    """One verdict per baseline in force, at record time `now`. For a deleted resource, only that code declares it."""
    for kind, one in sorted(body.baselines.items()):
        if one.revoked or (bound := STANDING.get(kind)) is None:
            continue
        if body.deleted_at is not None:
            if kind == "approved":
                continue  # nobody stated that it must exist
            verdict = Verdict(bound, "failed", "", one.source, [{"path": "", "value": {kind: "there", "now": "gone"}}])  # fmt: skip
        else:
            verdict = _verdict(bound, kind, one, body, hidden, hints)
        if verdict.evaluation == "failed" and now < applying_until(one, body):
            verdict = Verdict(bound, "unknown", APPLYING, one.source)
        yield verdict


def applying_until(one: KnownBaseline, body: Body) -> int:
    """Until when an apply may be in progress."""
    if not one.appliers:
        return 0
    people = NOBODY_MAPPED.of(body.resource["provider"])
    at = max((seen.at for seen in body.history if _applied(one.appliers, seen.actor, people)), default=-APPLY)  # fmt: skip
    return at + APPLY


def _applied(appliers: Sequence[str], actor: Mapping[str, Any], people: People) -> bool:
    names = vouched_names(actor, people)
    return any(matches(pattern, name) for pattern in appliers for name in names)


def quiet_until(body: Body) -> int:
    """When to check again a difference that is not reported yet because of an apply."""
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
    if not found and missing:  # a difference elsewhere counts regardless of them
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
    """Why a part is not known; None if it is known, or was never read."""
    return hidden.get(part) or hidden.get(EVERYTHING)


def differences(
    expect: Mapping[str, Any], config: Mapping[str, Any], hints: Hints | None = None
) -> Iterator[dict[str, Any]]:
    """The differences from the expected configuration, as in driftline.pipeline.compare.diff; `before` is the expected value."""
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
    """The differing parts, from a verdict's evidence."""
    return frozenset(steps(one["path"])[0] for one in evidence if one["path"].startswith("/"))
