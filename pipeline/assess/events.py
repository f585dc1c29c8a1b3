"""The core, for what is heard and not read: change events, and the past of the sessions that made them. Pure."""

from typing import Any

import msgspec
from driftline.pipeline.assess import evaluate as judging
from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess import trust as settle
from driftline.pipeline.assess.decisions import baselines
from driftline.pipeline.assess.drift import explain
from driftline.pipeline.assess.drift.history import remembered
from driftline.pipeline.assess.evaluate import Options
from driftline.pipeline.assess.step import Step, said
from driftline.pipeline.model import Baseline, Chain, Change, micros
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state.resource import Body, Head, State

MUTATING = ("create", "update", "delete")


def change(
    state: State | None, record: Change, rulebook: Rulebook, options: Options, events: int | None = None
) -> Step:  # fmt: skip
    """One audit event about the resource: evidence for what is, or will be, found different. Only successful changes
    are remembered."""
    at = micros(record.occurred_at)
    old = state or State(Head(), Body(_about(record), unseen=True))
    if record.outcome != "success" or record.kind not in MUTATING:
        return Step(old, [], False)
    history = remembered(old.body.history, old.body.forgotten, record)
    if history is None:
        return Step(old, [], False)
    body = msgspec.structs.replace(
        old.body, history=history.changes, forgotten=history.forgotten, lives=dict(old.body.lives)
    )
    head = msgspec.structs.replace(old.head, digest=old.head.digest)
    shown = any(one.since < at <= one.at - settle.GRAIN for one in body.drifts)
    if not shown and at > max(head.seen_at - settle.LONG, body.changed_at):
        body.changed_at, body.agreed_at, head.digest = at, 0, b""
    new = State(head, body, old.due, old.position)
    now = max(at, head.seen_at, head.said_at)
    told = explain.told(body, now, events, heard=True, people=options.people) if body.drifts else []
    if body.unseen:
        new.due = judging.forget_at(new, options)
        return Step(new, [], True)
    findings = said(old.body, new, now, rulebook, options, restate=False).findings if told else []
    _wait(new, now)
    return Step(new, findings, True, told, [], explain.sessions(told))


def chain(
    state: State, record: Chain, rulebook: Rulebook, options: Options, events: int | None = None
) -> Step:
    """The past of a session that changed this resource."""
    links = [link.model_dump(mode="json", exclude_none=True) for link in record.links]
    past = {"chain": links} | ({"chain_broken": True} if record.broken else {})
    history = [
        msgspec.structs.replace(
            seen, actor={k: v for k, v in seen.actor.items() if not k.startswith("chain")} | past
        )
        if seen.actor.get("session") == record.session
        else seen
        for seen in state.body.history
    ]
    if history == state.body.history:
        return Step(state, [], False)
    body = msgspec.structs.replace(state.body, history=history, lives=dict(state.body.lives))
    new = State(state.head, body, state.due, state.position)
    now = max(state.head.seen_at, state.head.said_at)
    told = explain.told(body, now, events, heard=True, people=options.people)
    findings = said(state.body, new, now, rulebook, options, restate=False).findings if told else []
    _wait(new, now)
    return Step(new, findings, True, told)


def _wait(state: State, now: int) -> None:
    """What was heard may have made a drift's cause uncertain until every event has come: then it is looked at again."""
    if explain.waiting(state.body):
        state.due = min(state.due, now + explain.CHECK)


def baseline(state: State | None, record: Baseline, rulebook: Rulebook, options: Options) -> Step:
    """What the resource ought to be, by somebody's word; it may come before any reading."""
    old = state or State(Head(), Body(_named(record), unseen=True))
    body = baselines.with_(old.body, record)
    if body is None:
        return Step(old, [], False)
    new = State(old.head, body, old.due, old.position)
    if body.unseen:
        new.due = judging.forget_at(new, options)
        return Step(new, [], True)
    return assess.judged_anew(new, rulebook, options, old.body)


def _named(record: Baseline) -> dict[str, Any]:
    """What a baseline alone says of its resource."""
    return {
        "uid": record.uid, "type": record.type or "", "provider": "", "account": "", "region": "", "name": "", "tags": {},
    }  # fmt: skip


def _about(record: Change) -> dict[str, Any]:
    """What a change alone says of its resource."""
    about: dict[str, Any] = {
        "uid": record.uid, "type": record.type or "", "provider": record.provider, "account": record.account,
        "organization": record.organization, "region": record.region, "name": "", "tags": {},
    }  # fmt: skip
    return {key: value for key, value in about.items() if value is not None}
