"""The core: one resource's state and one record in, its next state and what to say out. Pure.

Time comes from the records. The worker, `scan` and `replay` all fold these two functions."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from pipeline import lifecycle
from pipeline.model import Snapshot, finding_id, from_micros, micros, rule_uuid
from pipeline.normalise import merge, unread
from pipeline.risk import NONE, criticality, risk
from pipeline.rulebook import BoundRule, Rulebook, RuleSet
from pipeline.state import NEVER, Body, Hidden, Life, Position, State

HOUR = 3_600_000_000
RESTATE_AFTER = 12 * HOUR
"""Kibana's Findings page shows 26 h: every still-true result is said again within 12."""
SPREAD = HOUR
"""Restatements are spread over the hour before, by resource, so that a sweep's do not come at once."""
STALE_AFTER = 24 * HOUR
"""A restatement stands on a reading no older than this: a dead collector must not look healthy."""


@dataclass(frozen=True)
class Options:
    """What people set about assessing. `criticality`: tag -> value -> level (lower case)."""

    criticality: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Step(NamedTuple):
    state: State
    findings: list[dict[str, Any]]
    """Findings as JSON-ready documents, by rule id."""
    applied: bool
    """False where the record was older than what is known: the state is as before."""


def apply(
    state: State | None, snapshot: Snapshot, digest: bytes, rulebook: Rulebook, options: Options
) -> Step:
    """One snapshot. `digest` is what an unchanged next one will be recognised by (wire.Peek.digest)."""
    at = micros(snapshot.captured_at)
    before = state.body if state else None
    known = _passed(state, at, rulebook) if state and state.due <= at else state
    merged = merge(known.head if known else None, known.body if known else None, snapshot)
    if not merged.applied and state is not None:
        return Step(state, [], False)
    head, body = merged.head, merged.body
    new = State(head, body, position=state.position if state else Position())
    if merged.changes and rulebook.uses_previous(snapshot.type):
        body.previous, body.changes = (before.config if before else None), merged.changes
    if body.deleted_at is not None:
        _delete(body, at, _select(body, rulebook))
    else:
        _grow_stale(new, at)
        _judge(new, at, rulebook)
    # The next reading may only be compared with one that left nothing open: not with a late one, nor
    # while a part is hidden that it did not itself call unread.
    settled = body.hidden.keys() <= {item.part for item in snapshot.unread}
    head.digest = digest if head.seen_at == at and settled else b""
    restate = state is not None and body.deleted_at is None and at >= _restate_at(new)
    if restate or state is None:
        head.said_at = at
    new.due = _due(new, rulebook)
    return Step(new, _say(before, new, at, rulebook, options, restate=restate), True)


def tick(state: State, at: int, rulebook: Rulebook, options: Options) -> Step:
    """Time has come to `at`: waits that ran out, and everything said again when it is due."""
    if state.due > at:
        return Step(state, [], False)
    new = _passed(state, at, rulebook)
    restate = at >= _restate_at(new) and new.body.deleted_at is None
    if restate:
        _judge(new, at, rulebook)
        new.head.said_at = at
    new.due = _due(new, rulebook)
    return Step(new, _say(state.body, new, at, rulebook, options, restate=restate), True)


def open_pending(state: State, rulebook: Rulebook, options: Options) -> Step:
    """For a one-shot scan: what waits for its `for` opens at once, marked `pending_for`."""
    lives = {
        rule: lifecycle.opened_at_once(life) if life.pending_since is not None else life
        for rule, life in state.body.lives.items()
    }
    body = msgspec.structs.replace(state.body, lives=lives)
    new = State(state.head, body, position=state.position)
    at = state.head.seen_at
    return Step(new, _say(state.body, new, at, rulebook, options, restate=False, scan=True), True)


def _select(body: Body, rulebook: Rulebook) -> RuleSet:
    resource = body.resource
    return rulebook.select(resource["type"], resource["account"], resource["tags"])


def _passed(state: State, until: int, rulebook: Rulebook) -> State:
    """The state after what time alone does until then, each thing at its own time: whether a tick or a reading
    comes first must make no difference."""
    head, old = state.head, state.body
    body = msgspec.structs.replace(old, lives=dict(old.lives), hidden=dict(old.hidden))
    new = State(msgspec.structs.replace(head), body, position=state.position)
    rules = _select(body, rulebook)
    while (at := _changes_at(new, rules)) <= until:
        _elapse(body, at, rules)
        if _grow_stale(new, at):
            _judge(new, at, rulebook)
    return new


def _grow_stale(state: State, at: int) -> bool:
    """Hides the parts whose last reading is too old; says whether there were any."""
    head, body = state.head, state.body
    old = [name for name in _fresh(state) if head.parts[name] + STALE_AFTER <= at]
    for name in old:
        body.hidden[name] = Hidden("stale", "", head.parts[name] + 1)  # any newer reading lifts it
        head.digest = b""  # and is judged, even if nothing changed
    return bool(old)


def _fresh(state: State) -> list[str]:
    hidden = unread(state.body, state.head.parts)
    return [name for name in state.head.parts if name not in hidden]


def _judge(state: State, at: int, rulebook: Rulebook) -> None:
    """Puts the lives that the rules give into the state's body."""
    head, body = state.head, state.body
    hidden = unread(body, head.parts)
    rules = _select(body, rulebook)
    document = body.resource | {"config": body.config}
    lives: dict[str, Life] = {}
    verdicts = rules.judge(document, hidden, at, body.previous, body.changes)
    for verdict in verdicts:
        bound = verdict.rule
        if verdict.evaluation == "unknown" and "stale" in verdict.detail.split():
            verdict.reason = "stale"
        life = lifecycle.judged(body.lives.get(bound.id), verdict, at, head.seen_at)
        if life is not None:
            life.rule, life.severity = bound.ref["version"], bound.severity
            lives[bound.id] = life
    for rule, life in body.lives.items():
        if rule not in lives:
            lives[rule] = lifecycle.retired(life, "rule_removed", at)
    body.lives = lives


def _elapse(body: Body, at: int, rules: RuleSet) -> None:
    for bound in rules.rules:
        if (life := body.lives.get(bound.id)) and not life.retired:
            body.lives[bound.id] = lifecycle.elapsed(life, bound, at)


def _delete(body: Body, at: int, rules: RuleSet) -> None:
    body.lives = dict(body.lives)
    _elapse(body, at, rules)
    body.lives = {
        rule: lifecycle.retired(life, "resource_deleted", at) for rule, life in body.lives.items()
    }


def _restate_at(state: State) -> int:
    spread = int.from_bytes(hashlib.sha256(state.body.resource["uid"].encode()).digest()[:4], "big")
    return state.head.said_at + RESTATE_AFTER - spread * SPREAD // 2**32


def _over(body: Body) -> bool:
    """Nothing can come of time alone any more."""
    return body.deleted_at is not None or all(life.retired for life in body.lives.values())


def _changes_at(state: State, rules: RuleSet) -> int:
    """When time alone next changes a verdict: a wait runs out, a reading becomes too old. NEVER for a dead state."""
    body = state.body
    if _over(body):
        return NEVER
    waits = [
        lifecycle.due(life, bound) for bound in rules.rules if (life := body.lives.get(bound.id))
    ]
    stale = [state.head.parts[name] + STALE_AFTER for name in _fresh(state)]
    return min([NEVER, *waits, *stale])


def _due(state: State, rulebook: Rulebook) -> int:
    if _over(state.body):
        return NEVER
    return min(_restate_at(state), _changes_at(state, _select(state.body, rulebook)))


_SHOWN = ("evaluation", "status", "reason", "detail", "evidence", "retired", "rule", "severity",
          "opened_at", "resolved_at", "reopened")  # fmt: skip


def _say(
    before: Body | None,
    state: State,
    at: int,
    rulebook: Rulebook,
    options: Options,
    *,
    restate: bool,
    scan: bool = False,
) -> list[dict[str, Any]]:
    """The findings that differ from before, or all that stand if it is time to restate them."""
    body, out = state.body, []
    moved = before is not None and before.resource != body.resource
    rules = {bound.id: bound for bound in _select(body, rulebook).rules}
    level = criticality(body.resource["tags"], options.criticality)
    for rule in sorted(body.lives):
        life, old = body.lives[rule], before.lives.get(rule) if before else None
        changed = old is None or any(getattr(life, k) != getattr(old, k) for k in _SHOWN)
        if not changed and (life.retired or not (restate or moved)):
            continue
        life = body.lives[rule] = msgspec.structs.replace(life)
        life.revision = max(life.revision + 1, at // 1000)
        if changed:
            life.updated_at = at
        about = rules.get(rule) or _Gone(rule, life)
        out.append(_finding(body.resource, about, life, level, at, restated=not changed, scan=scan))
    return out


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
        "status": life.status,
        "reason": life.reason,
        "detail": life.detail,
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
    for name in ("evaluated_at", "opened_at", "resolved_at"):
        if (time := getattr(life, name)) is not None:
            finding[name] = from_micros(time)
    if life.pending_since is not None or (scan and bound.for_seconds and life.status == "open"):
        finding["pending_for"] = bound.for_seconds
    return finding
