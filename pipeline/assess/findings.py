"""Builds the findings of a state: complete documents, or restatements. Pure."""

import hashlib
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import msgspec
import orjson

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.decisions.baselines import declared
from driftline.pipeline.assess.ownership.step import (
    hand_over,
    handed_over,
    owned_otherwise,
    owner_of,
)
from driftline.pipeline.assess.risk import NONE, risk
from driftline.pipeline.assess.wording.consoles import NO_ROW
from driftline.pipeline.assess.wording.sentences import NO_GRANTS, Teller
from driftline.pipeline.model import finding_id, from_micros, rule_uuid
from driftline.pipeline.rulebook import BoundRule
from driftline.pipeline.state.resource import Body, FindingState, Head, State

_changed = attrgetter(
    "evaluation", "status", "reason", "detail", "evidence", "retired", "rule", "severity",
    "opened_at", "resolved_at", "reopened", "suppressed", "lifted", "exception", "approved_at",
)  # fmt: skip
"""Fields whose change is a change of the finding."""
_named = attrgetter("drift", "actor", "attribution")
"""The cause may become known later: it is published immediately, but is not a change of the finding."""
_MOVING = {"last_seen", "evaluated_at", "revision", "restated"}
"""Time-related fields, which may differ if a restatement is sufficient."""


def changed_findings(work: Assessment) -> None:
    """Writes the findings that changed, and all current ones if a restatement is due; as complete documents
    if `work.whole` is set, or if anything in them differs from the last complete write."""
    body, head, before, at = work.body, work.head, work.stated, work.at
    level = work.options.level(body.resource)
    whole: list[dict[str, Any]] = []
    again: list[dict[str, Any]] = []
    moved = before is not None and _described_otherwise(before, body)
    extra = {"owner": owner_of(body), "declared": declared(body)}
    extra = {name: value for name, value in extra.items() if value is not None}
    other, handed = handed_over(before, body), set[str]()
    bounds = {bound.id: bound for bound in work.rules.every}
    for rule in sorted(body.lives):
        life, old = body.lives[rule], before.lives.get(rule) if before else None
        changed = old is None or _changed(life) != _changed(old)
        named = old is not None and _named(life) != _named(old)
        if not (changed or named) and (life.retired or not (work.restate or moved)):
            continue
        if changed or named or moved:
            life = body.lives[rule] = msgspec.structs.replace(life)
            if changed:
                life.updated_at = at
            since = life.updated_at if named and not (changed or work.restate or moved) else at
            life.revision = _revision(life, head, since)
        bound = bounds.get(rule) or _Gone(rule, life)
        seen = at if life.retired else _last_seen(head, at)
        handed_on = other and life.status == "open" and not (changed or life.retired)
        if handed_on:
            handed.add(rule)
        restated = not (changed or named or handed_on)
        finding = (
            _finding(body.resource, bound, life, level, seen, restated=restated, scan=work.scan)
            | extra
        )
        if (life.suppressed or life.lifted) and (
            entry := work.options.exceptions.get(life.exception)
        ):
            finding["exception"] = entry.told()
        (whole if changed or named or moved else again).append(finding)
    if work.restate or before is None:
        whole, again = _restated(work, whole, again)
    if whole:  # last, so that the wording never affects what is written
        teller = teller_of(work)
        work.findings = [teller.whole(one, bounds.get(_rule(one))) for one in whole]
    if handed and before is not None:
        work.findings = [hand_over(one, before, body) if _rule(one) in handed else one for one in work.findings]  # fmt: skip
    work.restatements = again
    if again and before is not None and _same(before, body):
        work.state.body = before  # so that no state is written


def _restated(
    work: Assessment, whole: list[dict[str, Any]], again: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Complete documents, and those of which only a restatement is sent."""
    head = work.head
    told, head.told = head.told, _digest([*whole, *again])
    seen = _last_seen(head, work.at)
    if again and not work.whole and told == head.told and _above(again, seen):
        head.again_at = seen
        return whole, again
    return sorted([*whole, *_whole(again, work.state, work.at)], key=_rule), []


def teller_of(work: Assessment) -> Teller:
    """Creates the sentences of this step's findings."""
    options, type = work.options, work.body.resource["type"]
    return Teller(
        work.state,
        work.at,
        options.grants.get(type, NO_GRANTS),
        options.consoles.get(type, NO_ROW),
    )


def _same(before: Body, body: Body) -> bool:
    """Whether nothing has changed except the reading time."""
    lives = {
        rule: msgspec.structs.replace(life, evaluated_at=old.evaluated_at)
        for rule, life in body.lives.items()
        if (old := before.lives.get(rule))
    }
    return len(lives) == len(body.lives) and msgspec.structs.replace(body, lives=lives) == before


def _described_otherwise(before: Body, body: Body) -> bool:
    """Whether documents differ in the resource, its declaration, or its owner."""
    if before.resource != body.resource or owned_otherwise(before, body):
        return True
    return _declared_elsewhere(before, body)


def _declared_elsewhere(before: Body, body: Body) -> bool:
    """Whether its declaration in code has changed or ended."""
    return before.baselines is not body.baselines and declared(before) != declared(body)


def _last_seen(head: Head, at: int) -> int:
    """The time up to which a finding of `at` is valid: late records do not move back later readings or writes."""
    return max(at, head.said_at, head.seen_at)


def _revision(life: FindingState, head: Head, since: int) -> int:
    """The next revision, above every restatement's version (model.Restatement)."""
    return max(
        life.revision + 1, since // 1000 + life.known, head.again_at // 1000 + 1
    )  # see drift.pending._known


def _above(again: Iterable[dict[str, Any]], at: int) -> bool:
    """Whether restatements now have versions above the revisions they belong to, which a fast clock may have prevented."""
    return all(finding["revision"] < at // 1000 for finding in again)


def _whole(again: Iterable[dict[str, Any]], state: State, at: int) -> Iterable[dict[str, Any]]:
    for finding in again:
        rule = _rule(finding)
        life = state.body.lives[rule] = msgspec.structs.replace(state.body.lives[rule])
        life.revision = _revision(life, state.head, at)
        yield finding | {"revision": life.revision}


def _rule(finding: dict[str, Any]) -> str:
    return str(finding["rule"]["id"])


def _digest(findings: Iterable[dict[str, Any]]) -> bytes:
    """Digest of findings without purely time-related values. (A risk's age in days is one, its points are not.)"""
    said = [
        {name: value for name, value in finding.items() if name not in _MOVING}
        | {"risk": finding["risk"]["score"]}
        for finding in sorted(findings, key=_rule)
        if not finding["retired"]
    ]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()[:8]


def _reason(life: FindingState) -> str:
    if life.evaluation != "failed":
        return life.reason
    return "accepted" if life.suppressed else life.lifted or life.reason


class _Gone:
    """Stands in for a rule that is no longer in the rulebook."""

    exposure = privilege = "none"
    for_seconds = 0

    def __init__(self, rule: str, life: FindingState) -> None:
        self.id, self.severity, self.remediation = rule, life.severity, dict[str, Any]()
        self.ref: dict[str, Any] = {
            "id": rule, "uuid": rule_uuid(rule), "version": life.rule, "title": rule,
            "severity": life.severity, "section": "removed",
        }  # fmt: skip


def _finding(
    resource: dict[str, Any], bound: BoundRule | _Gone, life: FindingState, level: str, at: int, *, restated: bool,
    scan: bool,
) -> dict[str, Any]:  # fmt: skip
    """The complete document in the form of the Finding model, without empty optional fields."""
    failing = life.status == "open" or life.pending_since is not None
    finding: dict[str, Any] = {
        "id": finding_id(bound.id, resource["uid"]),
        "rule": bound.ref,
        "resource": resource,
        "evaluation": life.evaluation,
        "status": "suppressed" if life.suppressed else life.status,
        "reason": _reason(life),
        "cause": life.detail,
        "evidence": life.evidence,
        "first_seen": from_micros(life.first_seen),
        "last_seen": from_micros(at),
        "reopened": life.reopened,
        "risk": risk(bound.severity, bound.exposure, bound.privilege, level, life.opened_at, at)
        if failing
        else NONE,
        "remediation": bound.remediation,
        "updated_at": from_micros(life.updated_at),
        "revision": life.revision,
        "restated": restated,
        "retired": life.retired,
    }
    if life.drift:
        finding |= {"drift": life.drift, "attribution": life.attribution}
        if life.actor:
            finding["actor"] = life.actor
    for name in ("evaluated_at", "opened_at", "resolved_at"):
        if (time := getattr(life, name)) is not None:
            finding[name] = from_micros(time)
    if life.pending_since is not None or (scan and bound.for_seconds and life.status == "open"):
        finding["pending_for"] = bound.for_seconds
    return finding


def restatement(finding: dict[str, Any]) -> bytes:
    """A Restatement of a document as JSON."""
    return orjson.dumps({name: finding[name] for name in ("id", "last_seen", "revision")})
