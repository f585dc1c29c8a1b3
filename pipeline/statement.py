"""What is said out of a state: findings as whole documents. Pure."""

from typing import Any

import msgspec

from pipeline.exception_book import Book
from pipeline.model import finding_id, from_micros, rule_uuid
from pipeline.risk import NONE, risk
from pipeline.rulebook import BoundRule, RuleSet
from pipeline.state import Body, Life, State

_CHANGED = ("evaluation", "status", "reason", "detail", "evidence", "retired", "rule", "severity",
            "opened_at", "resolved_at", "reopened", "suppressed", "lifted", "exception", "approved_at")  # fmt: skip
_NAMED = ("drift", "actor", "attribution")
"""Who caused it may be known later than that it is so: said at once, but no change of the finding."""


def say(
    before: Body | None,
    state: State,
    at: int,
    rules: RuleSet,
    level: str,
    *,
    restate: bool,
    scan: bool = False,
    exceptions: Book,
) -> list[dict[str, Any]]:
    """The findings that differ from before, or all that stand if it is time to restate them. `level`: what the
    resource is worth."""
    body, out = state.body, []
    moved = before is not None and before.resource != body.resource
    bounds = {bound.id: bound for bound in rules.every}
    for rule in sorted(body.lives):
        life, old = body.lives[rule], before.lives.get(rule) if before else None
        changed = old is None or any(getattr(life, k) != getattr(old, k) for k in _CHANGED)
        named = old is not None and any(getattr(life, k) != getattr(old, k) for k in _NAMED)
        if not (changed or named) and (life.retired or not (restate or moved)):
            continue
        life = body.lives[rule] = msgspec.structs.replace(life)
        if changed:
            life.updated_at = at
        since = life.updated_at if named and not (changed or restate or moved) else at
        life.revision = max(life.revision + 1, since // 1000 + life.known)  # see explain._known
        about = bounds.get(rule) or _Gone(rule, life)
        restated = not (changed or named)
        finding = _finding(body.resource, about, life, level, at, restated=restated, scan=scan)
        if (life.suppressed or life.lifted) and (entry := exceptions.get(life.exception)):
            finding["exception"] = entry.told()
        out.append(finding)
    return out


def _reason(life: Life) -> str:
    if life.evaluation != "failed":
        return life.reason
    return "accepted" if life.suppressed else life.lifted or life.reason


class _Gone:
    """What is left to say of a rule that is in the rulebook no more."""

    exposure = privilege = "none"
    for_seconds = 0

    def __init__(self, rule: str, life: Life) -> None:
        self.id, self.severity, self.remediation = rule, life.severity, dict[str, Any]()
        self.ref: dict[str, Any] = {
            "id": rule, "uuid": rule_uuid(rule), "version": life.rule, "title": rule,
            "severity": life.severity, "section": "removed",
        }  # fmt: skip


def _finding(
    resource: dict[str, Any], bound: BoundRule | _Gone, life: Life, level: str, at: int, *, restated: bool,
    scan: bool,
) -> dict[str, Any]:  # fmt: skip
    """The whole statement, as the Finding model has it, without its empty optional fields."""
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
        "links": [],
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
