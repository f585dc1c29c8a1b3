"""The core: one resource's state and one record in, its next state and what to say out. Pure.

Time comes from the records. The worker, `scan` and `replay` all fold these functions, and those of `heard`."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from pipeline import baselines, exceptions, lifecycle, settle
from pipeline.differences import NO_HINTS, Hints, for_rules
from pipeline.drift import explain
from pipeline.drift.expected import Expected
from pipeline.exceptions import Book
from pipeline.model import Snapshot, from_micros, micros
from pipeline.normalise import merge, unread
from pipeline.risk import criticality
from pipeline.rulebook import Rulebook, RuleSet
from pipeline.rulebook.standing import STANDING_IDS
from pipeline.state import ASKED, NEVER, Body, Drifted, Hidden, Life, Position, State
from pipeline.statement import say

HOUR = 3_600_000_000
RESTATE_AFTER = 12 * HOUR
"""Kibana's Findings page shows 26 h: every still-true result is said again within 12."""
SPREAD = HOUR
"""Restatements are spread over the hour before, by resource, so that a sweep's do not come at once."""
STALE_AFTER = 24 * HOUR
"""A restatement stands on a reading no older than this: a dead collector must not look healthy."""


@dataclass(frozen=True)
class Options:
    """What people set about assessing, and what the types' rows say."""

    criticality: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tag -> value -> level (lower case)."""
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """By resource type: what is a set, what changes by itself."""
    expected: Sequence[Expected] = ()
    """Changes that are a matter of course."""
    exceptions: Book = field(default_factory=Book)
    """The risks that are accepted."""

    def level(self, resource: Mapping[str, Any]) -> str:
        """What a resource is worth."""
        return criticality(resource["tags"], self.criticality)


class Step(NamedTuple):
    state: State
    findings: list[dict[str, Any]]
    """Findings as JSON-ready documents, by rule id."""
    applied: bool
    """False where the record was older than what is known, or known: the state is as before."""
    drifts: list[dict[str, Any]] = []  # noqa: RUF012 - a tuple's default, never changed
    reads: list[dict[str, Any]] = []  # noqa: RUF012
    """Wishes to read it again."""
    sessions: list[str] = []  # noqa: RUF012
    """Sessions whose past is asked for."""


def apply(
    state: State | None, snapshot: Snapshot, digest: bytes, rulebook: Rulebook, options: Options,
    events: int | None = None,
) -> Step:  # fmt: skip
    """One snapshot. `digest` is what an unchanged next one will be recognised by (wire.Peek.digest); `events`: until
    when every change event has come (micros), None where none come at all."""
    at = micros(snapshot.captured_at)
    before = state.body if state and not state.body.unseen else None
    known = state
    if state and (state.due <= at or ruled_otherwise(state, rulebook)):
        known = _passed(state, at, rulebook, options)
    merged = merge(known.head if known else None, known.body if known else None, snapshot,
                   options.hints.get(snapshot.type, NO_HINTS))  # fmt: skip
    if not merged.applied and state is not None:
        return Step(state, [], False)
    reads: list[dict[str, Any]] = []
    drifts: list[Drifted] = []
    if state is not None and known is not None:
        reading = settle.judge(known.body, merged, at, deleted=snapshot.deleted, informed=bool(snapshot.parts))  # fmt: skip
        if reading.again_at is not None:
            reads.append(
                _again(
                    snapshot, max(known.body.changed_at, known.body.replaced_at), reading.again_at
                )
            )
        if not reading.believed:
            return _unbelieved(state, reading, reads)
        merged.body.changed_at, merged.body.agreed_at = reading.changed_at, reading.agreed_at
        drifts = explain.found(known, merged, at, snapshot.source, deleted=snapshot.deleted)
        if merged.differences:
            merged.body.before, merged.body.replaced_at = settle.digest(known.body.config), at
    head, body = merged.head, merged.body
    new = State(head, body, position=state.position if state else Position())
    if merged.differences and rulebook.uses_previous(snapshot.type):
        body.previous = before.config if before else None
        body.changes = for_rules(c for one in merged.differences for c in one.changes)
    if merged.new and before is not None:
        exceptions.made_anew(body, options.exceptions)
        baselines.made_anew(body)
    if body.deleted_at is not None:
        _delete(body, at, rulebook.of(body.resource))
        _name_drifts(known.body if known else None, new, drifts, rulebook)
    else:
        _grow_stale(new, at)
        _judge(new, at, rulebook, options)
        _name_drifts(known.body if known else None, new, drifts, rulebook)
    body.drifts = explain.kept([*body.drifts, *drifts], at)
    told = explain.told(body, at, events) if body.drifts else []
    # The next reading may only be compared with one that left nothing open: not with a late one, nor
    # while a part is hidden that it did not itself call unread, nor while a change is still to be shown.
    settled = body.hidden.keys() <= {item.part for item in snapshot.unread} and not body.changed_at
    head.digest = digest if head.seen_at == at and settled else b""
    restate = before is not None and body.deleted_at is None and at >= _restate_at(new)
    if restate or before is None:
        head.said_at = at
    findings = said(before, new, at, rulebook, options, restate=restate)
    new.due = _due(new, rulebook, options)
    return Step(new, findings, True, told, reads, explain.sessions(told))


def tick(
    state: State, at: int, rulebook: Rulebook, options: Options, events: int | None = None
) -> Step:
    """Time has come to `at`: waits that ran out, events that will not come, and everything said again when it is due."""
    if state.due > at:
        return Step(state, [], False)
    if state.due == ASKED:  # people's word is about what is known, however far time has come
        at = max(at, state.head.seen_at, state.head.said_at)
    new = _passed(state, at, rulebook, options)
    restate = at >= _restate_at(new) and not _over(new.body)
    if restate:
        _judge(new, at, rulebook, options)
        new.head.said_at = at
    told = explain.told(new.body, at, events) if explain.waiting(new.body) else []
    findings = said(state.body, new, at, rulebook, options, restate=restate)
    new.due = _due(new, rulebook, options, at)
    return Step(new, findings, True, told, [], explain.sessions(told))


def judged_anew(state: State, rulebook: Rulebook, options: Options) -> Step:
    """A state that people's word has changed: judged by what is known of it. `state.body` is another than before."""
    at = max(state.head.seen_at, state.head.said_at)
    before, new = state.body, _passed(state, at, rulebook, options)
    _judge(new, at, rulebook, options)
    findings = said(before, new, at, rulebook, options, restate=False)
    new.due = _due(new, rulebook, options)
    return Step(new, findings, True)


def ruled_otherwise(state: State, rulebook: Rulebook) -> bool:
    """Whether the state was judged last by other rules than those of now."""
    body = state.body
    if body.unseen or body.deleted_at is not None:
        return False
    return body.rules != rulebook.type_hash(body.resource["type"])


def ruled_anew(state: State, rulebook: Rulebook, options: Options) -> Step:
    """What is known of a resource, judged by a new rulebook."""
    if not ruled_otherwise(state, rulebook):
        return Step(state, [], False)
    at = max(state.head.seen_at, state.head.said_at)
    new = _passed(state, at, rulebook, options)
    findings = said(state.body, new, at, rulebook, options, restate=False)
    new.due = _due(new, rulebook, options)
    return Step(new, findings, True)


def _again(snapshot: Snapshot, since: int, again_at: int) -> dict[str, Any]:
    """A Read's document."""
    return {
        "uid": snapshot.uid, "type": snapshot.type, "account": snapshot.account, "region": snapshot.region,
        "reason": "unsettled", "after": from_micros(since), "not_before": from_micros(again_at),
    }  # fmt: skip


def _unbelieved(state: State, reading: settle.Reading, reads: list[dict[str, Any]]) -> Step:
    """Nothing but that it was read, and when it shall be again; what is due comes with the next tick."""
    body = msgspec.structs.replace(state.body, agreed_at=reading.agreed_at)
    head = msgspec.structs.replace(state.head, digest=b"")
    return Step(State(head, body, state.due, state.position), [], True, [], reads)


def _name_drifts(before: Body | None, state: State, drifts: list[Drifted], rulebook: Rulebook) -> None:  # fmt: skip
    """Gives findings that have just begun to fail the drift that they began with."""
    if not drifts:
        return
    needs = {bound.id: bound.needs for bound in rulebook.of(state.body.resource).rules}
    needs |= {
        id: baselines.parts_of(life.evidence)
        for id, life in state.body.lives.items()
        if id in STANDING_IDS
    }
    for rule, life in state.body.lives.items():
        old = before.lives.get(rule) if before else None
        if life.evaluation != "failed" or (old and old.evaluation == "failed"):
            continue
        for drift in drifts:
            if drift.part in needs.get(rule, ()) or drift.part == explain.WHOLE:
                life = state.body.lives[rule] = msgspec.structs.replace(
                    life, drift=drift.id, actor=None, attribution="", known=0
                )
                break
        else:
            if life.drift:
                state.body.lives[rule] = msgspec.structs.replace(
                    life, drift="", actor=None, attribution="", known=0
                )


def open_pending(state: State, rulebook: Rulebook, options: Options) -> Step:
    """For a one-shot scan: what waits for its `for` opens at once, marked `pending_for`."""
    lives = {
        rule: lifecycle.opened_at_once(life) if life.pending_since is not None else life
        for rule, life in state.body.lives.items()
    }
    body = msgspec.structs.replace(state.body, lives=lives)
    new = State(state.head, body, position=state.position)
    at = state.head.seen_at
    return Step(new, said(state.body, new, at, rulebook, options, restate=False, scan=True), True)


def _passed(state: State, until: int, rulebook: Rulebook, options: Options) -> State:
    """The state after what time alone does until then, each thing at its own time: whether a tick or a reading
    comes first must make no difference."""
    head, old = state.head, state.body
    body = msgspec.structs.replace(old, lives=dict(old.lives), hidden=dict(old.hidden))
    new = State(msgspec.structs.replace(head), body, position=state.position)
    if ruled_otherwise(
        state, rulebook
    ):  # before anything else: what it finds is no change of the resource
        _judge(new, max(head.seen_at, head.said_at), rulebook, options, anew=bool(body.rules))
    rules = rulebook.of(body.resource)
    while (at := _changes_at(new, rules, options)) <= until:
        _elapse(body, at, rules)
        if _grow_stale(new, at) or baselines.quiet_until(body) <= at:
            _judge(new, at, rulebook, options)
        _stand(body, at, rules, options)
    return new


def _stand(body: Body, at: int, rules: RuleSet, options: Options) -> None:
    """What is accepted, and what no more."""
    hints = options.hints.get(body.resource["type"], NO_HINTS)
    exceptions.stand(body, at, rules, options.exceptions, hints)


def _grow_stale(state: State, at: int) -> bool:
    """Hides the parts whose last reading is too old; says whether there were any."""
    head, body = state.head, state.body
    if body.deleted_at is not None:
        return False
    old = [name for name in _fresh(state) if head.parts[name] + STALE_AFTER <= at]
    for name in old:
        body.hidden[name] = Hidden("stale", "", head.parts[name] + 1)  # any newer reading lifts it
        head.digest = b""  # and is judged, even if nothing changed
    return bool(old)


def _fresh(state: State) -> list[str]:
    hidden = unread(state.body, state.head.parts)
    return [name for name in state.head.parts if name not in hidden]


def _judge(
    state: State, at: int, rulebook: Rulebook, options: Options, *, anew: bool = False
) -> None:
    """Puts the lives that the rules give into the state's body. `anew`: it is the rules that have changed."""
    head, body = state.head, state.body
    if body.deleted_at is not None:
        body.lives |= _standing(body, at, "baseline_removed")
        return
    hidden = unread(body, head.parts)
    rules = rulebook.of(body.resource)
    document = body.resource | {"config": body.config}
    lives: dict[str, Life] = {}
    verdicts = rules.judge(document, hidden, at, body.previous, body.changes)
    if body.baselines:
        hints = options.hints.get(body.resource["type"], NO_HINTS)
        verdicts += baselines.verdicts(body, hidden, at, hints)
    for verdict in verdicts:
        bound = verdict.rule
        if verdict.evaluation == "unknown" and "stale" in verdict.detail.split():
            verdict.reason = "stale"
        old = body.lives.get(bound.id)
        because = _because(old) if anew else ""
        life = lifecycle.judged(old, verdict, at, head.seen_at, because)
        if life is not None:
            life.rule, life.severity = bound.ref["version"], bound.severity
            lives[bound.id] = life
    for rule, life in body.lives.items():
        if rule not in lives:
            reason = "baseline_removed" if rule in STANDING_IDS else "rule_removed"
            lives[rule] = lifecycle.retired(life, reason, at)
    body.lives, body.rules = lives, rulebook.type_hash(body.resource["type"])


def _because(old: Life | None) -> str:
    """Why a finding changes although the resource does not."""
    if old is None or old.reason == "rule_removed":
        return "rule_added"
    return "rule_changed"


def _elapse(body: Body, at: int, rules: RuleSet) -> None:
    for bound in rules.every:
        if (life := body.lives.get(bound.id)) and not life.retired:
            body.lives[bound.id] = lifecycle.elapsed(life, bound, at)


def _delete(body: Body, at: int, rules: RuleSet) -> None:
    body.lives = dict(body.lives)
    _elapse(body, at, rules)
    lives = {
        rule: lifecycle.retired(life, "resource_deleted", at)
        for rule, life in body.lives.items()
        if rule not in STANDING_IDS
    }
    body.lives = lives | _standing(body, at, "resource_deleted")


def _standing(body: Body, at: int, otherwise: str) -> dict[str, Life]:
    """Of a deleted resource: what code still says of it, and what nobody says any more."""
    out: dict[str, Life] = {}
    for verdict in baselines.verdicts(body, {}, at):
        old, bound = body.lives.get(verdict.rule.id), verdict.rule
        life = lifecycle.judged(old, verdict, at, body.deleted_at or at)
        if life is not None:
            life.rule, life.severity = bound.ref["version"], bound.severity
            out[bound.id] = life
    for rule, life in body.lives.items():
        if rule in STANDING_IDS and rule not in out:
            out[rule] = lifecycle.retired(life, otherwise, at)
    return out


def _restate_at(state: State) -> int:
    spread = int.from_bytes(hashlib.sha256(state.body.resource["uid"].encode()).digest()[:4], "big")
    return state.head.said_at + RESTATE_AFTER - spread * SPREAD // 2**32


def _over(body: Body) -> bool:
    """Nothing can come of time alone any more."""
    return all(life.retired for life in body.lives.values())


def _changes_at(state: State, rules: RuleSet, options: Options) -> int:
    """When time alone next changes a finding: a wait runs out, a reading becomes too old, an exception ends. NEVER for
    a dead state."""
    body = state.body
    if _over(body):
        return NEVER
    waits = [
        lifecycle.due(life, bound) for bound in rules.every if (life := body.lives.get(bound.id))
    ]
    gone = body.deleted_at is not None
    stale = [] if gone else [state.head.parts[name] + STALE_AFTER for name in _fresh(state)]
    return min([NEVER, *waits, *stale, exceptions.until(body, options.exceptions), baselines.quiet_until(body)])  # fmt: skip


def _due(state: State, rulebook: Rulebook, options: Options, now: int | None = None) -> int:
    """When time next matters. `now`: default the newest reading."""
    body = state.body
    look = (now or state.head.seen_at) + explain.CHECK if explain.waiting(body) else NEVER
    if _over(body):
        return look
    return min(look, _restate_at(state), _changes_at(state, rulebook.of(body.resource), options))


def said(
    before: Body | None, state: State, at: int, rulebook: Rulebook, options: Options, *, restate: bool,
    scan: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """What is to be said now of a state's findings, exceptions considered; `before`: what was known when last said."""
    level, rules = options.level(state.body.resource), rulebook.of(state.body.resource)
    _stand(state.body, at, rules, options)
    return say(
        before, state, at, rules, level, restate=restate, scan=scan, exceptions=options.exceptions
    )
