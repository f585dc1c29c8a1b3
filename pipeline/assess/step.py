"""The core: one resource's state and one record in, its next state and what to say out. Pure.

Time comes from the records. The worker, `scan` and `replay` all fold these functions, and those of `heard`."""

from typing import Any, NamedTuple

import msgspec
from driftline.pipeline.assess import evaluate as judging
from driftline.pipeline.assess import lifecycle
from driftline.pipeline.assess import trust as settle
from driftline.pipeline.assess.decisions import baselines
from driftline.pipeline.assess.decisions import risk_exceptions as exceptions
from driftline.pipeline.assess.drift import explain, roots
from driftline.pipeline.assess.evaluate import Options
from driftline.pipeline.assess.findings import Said, say
from driftline.pipeline.assess.merge import merge
from driftline.pipeline.assess.wording.consoles import NO_ROW
from driftline.pipeline.assess.wording.sentences import NO_GRANTS, Teller
from driftline.pipeline.compare.diff import NO_HINTS, Hints, for_rules
from driftline.pipeline.model import Snapshot, from_micros, micros
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.rulebook.baseline_rules import STANDING_IDS
from driftline.pipeline.state.resource import ASKED, Body, Drifted, State
from driftline.pipeline.state.rows import Position


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
    again: list[dict[str, Any]] = []  # noqa: RUF012
    """Findings that still stand as they were said last; as documents, but only that is told."""
    ended: list[str] = []  # noqa: RUF012
    """Rules whose findings are forgotten."""


def apply(
    state: State | None, snapshot: Snapshot, digest: bytes, rulebook: Rulebook, options: Options,
    events: int | None = None,
) -> Step:  # fmt: skip
    """One snapshot. `digest` is what an unchanged next one will be recognised by (wire.Peek.digest); `events`: until
    when every change event has come (micros), None where none come at all."""
    at = micros(snapshot.captured_at)
    before = state.body if state and not state.body.unseen else None
    known = state
    if state and (state.due <= at or judging.ruled_otherwise(state, rulebook)):
        known = judging.passed(state, at, rulebook, options)
    hints = options.hints.get(snapshot.type, NO_HINTS)
    merged = merge(known.head if known else None, known.body if known else None, snapshot, hints)
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
    if known is not None:
        head.told, head.again_at = known.head.told, known.head.again_at
    new = State(head, body, position=state.position if state else Position())
    if merged.differences and rulebook.uses_previous(snapshot.type):
        body.previous = before.config if before else None
        body.changes = for_rules(c for one in merged.differences for c in one.changes)
    if merged.new and before is not None:
        exceptions.made_anew(body, options.exceptions)
        baselines.made_anew(body)
    if body.deleted_at is not None:
        judging.delete(body, at, rulebook.of(body.resource))
    else:
        judging.grow_stale(new, at)
        judging.judge(new, at, rulebook, options)
    dated = snapshot.appeared or bool(state and state.body.history)
    _mark_as_found(before, body, dated=dated)
    _name_drifts(known.body if known else None, body, drifts, rulebook, hints, at)
    body.drifts = explain.kept([*body.drifts, *drifts], at)
    # what came next at a place says more of what came before
    more = bool(drifts) and len(body.drifts) > len(drifts)
    told = explain.told(body, at, events, heard=more, people=options.people) if body.drifts else []
    # The next reading may only be compared with one that left nothing open: not with a late one, nor
    # while a part is hidden that it did not itself call unread, nor while a change is still to be shown, nor with one of
    # which a part was left out.
    shown = body.hidden.keys() <= {item.part for item in snapshot.unread}
    settled = shown and not body.changed_at and not merged.stale
    head.digest = digest if head.seen_at == at and settled else b""
    restate = before is not None and body.deleted_at is None and at >= judging.restate_at(new)
    whole = restate and judging.restated_whole(new, at)
    if restate or before is None:
        head.said_at = at
    findings, again = said(before, new, at, rulebook, options, restate=restate, whole=whole)
    new.due = judging.due_at(new, rulebook, options)
    return Step(new, findings, True, told, reads, explain.sessions(told), again)


def tick(
    state: State, at: int, rulebook: Rulebook, options: Options, events: int | None = None
) -> Step:
    """Time has come to `at`: waits that ran out, events that will not come, and everything said again when it is due."""
    if state.due > at:
        return Step(state, [], False)
    if state.due == ASKED:  # people's word is about what is known, however far time has come
        at = max(at, state.head.seen_at, state.head.said_at)
    new = judging.passed(state, at, rulebook, options)
    restate = at >= judging.restate_at(new) and not judging.over(new.body)
    whole = restate and judging.restated_whole(new, at)
    if restate:
        judging.judge(new, at, rulebook, options)
        new.head.said_at = at
    told = (
        explain.told(new.body, at, events, people=options.people)
        if explain.waiting(new.body)
        else []
    )
    ended = judging.forgotten(new.body, at, options)
    for rule in ended:
        del new.body.lives[rule]
    findings, again = said(state.body, new, at, rulebook, options, restate=restate, whole=whole)
    new.due = judging.due_at(new, rulebook, options, at)
    return Step(new, findings, True, told, [], explain.sessions(told), again, ended)


def judged_anew(
    state: State, rulebook: Rulebook, options: Options, before: Body | None = None
) -> Step:
    """A state that people's word has changed: judged by what is known of it. `state.body` is another than `before`."""
    at = max(state.head.seen_at, state.head.said_at)
    new = judging.passed(state, at, rulebook, options)
    judging.judge(new, at, rulebook, options)
    return _moved(before or state.body, new, at, rulebook, options)


def ruled_anew(state: State, rulebook: Rulebook, options: Options) -> Step:
    """A state that was judged by other rules (judging.ruled_otherwise), judged by those of now."""
    at = max(state.head.seen_at, state.head.said_at)
    return _moved(state.body, judging.passed(state, at, rulebook, options), at, rulebook, options)


def _moved(before: Body, new: State, at: int, rulebook: Rulebook, options: Options) -> Step:
    """What is to be said where nothing was read."""
    findings = said(before, new, at, rulebook, options, restate=False).findings
    new.due = judging.due_at(new, rulebook, options)
    return Step(new, findings, True)


def _again(snapshot: Snapshot, since: int, again_at: int) -> dict[str, Any]:
    """A Read's document."""
    return {
        "provider": snapshot.provider, "scope": False, "uid": snapshot.uid, "type": snapshot.type, "account": snapshot.account, "region": snapshot.region,
        "reason": "unsettled", "after": from_micros(since), "not_before": from_micros(again_at),
    }  # fmt: skip


def _mark_as_found(before: Body | None, body: Body, *, dated: bool) -> None:
    """Marks what may have been so for long. `dated`: something says when it began (the resource is new, or was changed)."""
    for rule, life in body.lives.items():
        if before is None:
            life.as_found = not (dated or life.retired or life.evaluation == "passed")
        elif life.as_found and dated and life.evaluation == "failed":
            old = before.lives.get(rule)
            if old is None or old.evaluated_at is None:  # what was unread until now
                body.lives[rule] = msgspec.structs.replace(life, as_found=False)


def _unbelieved(state: State, reading: settle.Reading, reads: list[dict[str, Any]]) -> Step:
    """Nothing but that it was read, and when it shall be again; what is due comes with the next tick."""
    body = msgspec.structs.replace(state.body, agreed_at=reading.agreed_at)
    head = msgspec.structs.replace(state.head, digest=b"")
    return Step(State(head, body, state.due, state.position), [], True, [], reads)


def _name_drifts(
    before: Body | None,
    body: Body,
    drifts: list[Drifted],
    rulebook: Rulebook,
    hints: Hints,
    at: int,
) -> None:
    """Gives findings that have just begun to fail the places of drifts that made them, and others those that have made
    them worse."""
    if not drifts:
        return
    rules = {bound.id: bound for bound in rulebook.of(body.resource).rules}
    for rule, life in body.lives.items():
        old = before.lives.get(rule) if before else None
        if life.evaluation != "failed":
            continue
        goes_on = old is not None and old.evaluation == "failed"
        bound = rules.get(rule)
        if rule in STANDING_IDS:
            found = roots.of_evidence([one["path"] for one in life.evidence], drifts)
        elif bound is None:
            found = []
        elif goes_on:
            found = roots.worsening(bound, body, drifts, hints, at)
        else:
            found = roots.of_rule(bound, body, drifts, at)
        causes: dict[str, list[int]] = {}
        for drift, number in found:
            causes.setdefault(drift.id, []).append(number)
        if goes_on:
            if causes:
                worsened = [*life.worsened, *([id, n] for id, n in causes.items())]
                body.lives[rule] = msgspec.structs.replace(life, worsened=worsened[-explain.KEPT :])
        elif causes or life.drift:
            body.lives[rule] = msgspec.structs.replace(
                life, drift=next(iter(causes), ""), causes=[[id, n] for id, n in causes.items()], actor=None,
                attribution="", known=0, suspects=[], worsened=[],
            )  # fmt: skip


def open_pending(state: State, rulebook: Rulebook, options: Options) -> Step:
    """For a one-shot scan: what waits for its `for` opens at once, marked `pending_for`."""
    lives = {
        rule: lifecycle.opened_at_once(life) if life.pending_since is not None else life
        for rule, life in state.body.lives.items()
    }
    body = msgspec.structs.replace(state.body, lives=lives)
    new = State(state.head, body, position=state.position)
    at = state.head.seen_at
    found = said(state.body, new, at, rulebook, options, restate=False, scan=True)
    return Step(new, found.findings, True)


def said(
    before: Body | None, state: State, at: int, rulebook: Rulebook, options: Options, *, restate: bool,
    whole: bool = False, scan: bool = False,
) -> Said:  # fmt: skip
    """What is to be said now of a state's findings, exceptions considered; `before`: what was known when last said."""
    level, rules = options.level(state.body.resource), rulebook.of(state.body.resource)
    type = state.body.resource["type"]
    judging.stand(state.body, at, rules, options)
    found = say(
        before, state, at, rules, level,
        restate=restate, whole=whole, scan=scan, exceptions=options.exceptions,
        teller=lambda: Teller(state, at, options.grants.get(type, NO_GRANTS), options.consoles.get(type, NO_ROW)),
    )  # fmt: skip
    if found.again and before is not None and _same(before, state.body):
        state.body = before  # so that none is written
    return found


def _same(before: Body, body: Body) -> bool:
    """Whether nothing is known but that it was read once more."""
    lives = {
        rule: msgspec.structs.replace(life, evaluated_at=old.evaluated_at)
        for rule, life in body.lives.items()
        if (old := before.lives.get(rule))
    }
    return len(lives) == len(body.lives) and msgspec.structs.replace(body, lives=lives) == before
