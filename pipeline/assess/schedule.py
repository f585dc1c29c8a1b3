"""Schedules states: when time next affects one, and what is due then. Pure; times in microseconds since 1970."""

import hashlib

from driftline.pipeline.assess import transitions
from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.decisions import baselines, risk_exceptions
from driftline.pipeline.assess.drift.pending import CHECK, has_pending
from driftline.pipeline.assess.merge import unread
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.rulebook import Rulebook, RuleSet
from driftline.pipeline.state.resource import Body, State
from driftline.pipeline.state.rows import NEVER

RESTATE_AFTER = 12 * HOUR
"""Kibana's Findings page shows 26 h: every current finding is restated within 12. Each resource has its own
time in that interval, so that restatements are evenly distributed."""
WHOLE_EVERY = 14
"""One in this many restatements writes complete documents (every seventh day), which restores documents that were lost
or aged out of a view."""
STALE_AFTER = 24 * HOUR
"""Maximum age of the reading for a restatement: a dead collector must not look healthy."""


def schedule(work: Assessment, now: int | None = None) -> None:
    """Sets when the state is due next. `now`: default the newest reading."""
    work.state.due = _due_at(work.state, work.rulebook, work.options, now)


def schedule_check(work: Assessment) -> None:
    """Evidence may have made a drift's cause uncertain until every event has arrived: then it is checked again."""
    if has_pending(work.body):
        work.state.due = min(work.state.due, work.at + CHECK)


def schedule_forgetting(work: Assessment) -> None:
    """Of a resource that was never read."""
    work.state.due = forget_at(work.state, work.options)


def plan_restatement(work: Assessment) -> None:
    """Decides whether every finding is written again: at the first reading, and when the resource's time comes."""
    first, at = work.stated is None, work.at
    work.restate = not first and not work.ending and at >= restate_at(work.state)
    work.whole = work.restate and whole_is_due(work.state, at)
    if first or work.restate:
        work.head.said_at = at


def forget_findings(work: Assessment) -> None:
    """Deletes findings that ended long ago."""
    work.forgotten = [
        rule
        for rule, life in work.body.lives.items()
        if life.retired and life.updated_at + work.options.forget <= work.at
    ]
    for rule in work.forgotten:
        del work.body.lives[rule]


def restate_at(state: State) -> int:
    """The resource's next time after the last complete write."""
    place, _ = _place(state.body.resource["uid"])
    said_at = state.head.said_at
    return said_at + RESTATE_AFTER - (said_at - place) % RESTATE_AFTER


def whole_is_due(state: State, at: int) -> bool:
    """Whether one of the restatements due between the last one and `at` is a complete one."""
    place, turn = _place(state.body.resource["uid"])
    before, now = ((time - place) // RESTATE_AFTER + turn for time in (state.head.said_at, at))
    return before // WHOLE_EVERY != now // WHOLE_EVERY


def _place(uid: str) -> tuple[int, int]:
    """Derived from the resource's name: its time in the interval, and which of its restatements are complete."""
    number = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big")
    return (number >> 16) % RESTATE_AFTER, (number & 0xFFFF) % WHOLE_EVERY


def is_final(body: Body) -> bool:
    """Whether time alone cannot change anything."""
    return all(life.retired for life in body.lives.values())


def stale_at(state: State) -> dict[str, int]:
    """When each known part becomes stale; none for a deleted resource."""
    if state.body.deleted_at is not None:
        return {}
    parts = state.head.parts
    hidden = unread(state.body, parts)
    return {name: at + STALE_AFTER for name, at in parts.items() if name not in hidden}


def next_change_at(state: State, rules: RuleSet, options: AssessOptions) -> int:
    """When time alone next changes a finding: a wait expires, a reading becomes stale, an exception ends. NEVER for a
    final state."""
    body = state.body
    if is_final(body):
        return NEVER
    waits = [
        transitions.due(life, bound) for bound in rules.every if (life := body.lives.get(bound.id))
    ]
    return min(
        NEVER,
        *waits,
        *stale_at(state).values(),
        risk_exceptions.until(body, options.exceptions),
        baselines.quiet_until(body),
    )


def forget_at(state: State, options: AssessOptions) -> int:
    """When the state is deleted: after its resource has ended and nothing more is written about it, or
    after the last change or baseline of a resource that was never read. NEVER for an existing resource."""
    body = state.body
    if body.deleted_at is not None and is_final(body):
        ended = (life.updated_at for life in body.lives.values())
        return max(body.deleted_at, *ended, 0) + options.forget
    if body.unseen:
        heard = [seen.at for seen in body.history]
        said = [one.at for one in body.baselines.values()]
        return max(state.head.seen_at, *heard, *said) + options.forget
    return NEVER


def _due_at(
    state: State, rulebook: Rulebook, options: AssessOptions, now: int | None = None
) -> int:
    body = state.body
    look = (now or state.head.seen_at) + CHECK if has_pending(body) else NEVER
    ends = [life.updated_at + options.forget for life in body.lives.values() if life.retired]
    if body.deleted_at is not None or body.unseen:
        ends = [forget_at(state, options)]
    look = min(look, *ends, NEVER)
    if is_final(body):
        return look
    return min(look, restate_at(state), next_change_at(state, rulebook.of(body.resource), options))
