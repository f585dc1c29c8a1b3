"""What is known of one resource, judged; and what time alone does to that. Pure; times in microseconds since 1970."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from driftline.pipeline.assess import lifecycle
from driftline.pipeline.assess.decisions import baselines
from driftline.pipeline.assess.decisions import risk_exceptions as exceptions
from driftline.pipeline.assess.decisions.exception_index import Book
from driftline.pipeline.assess.drift import explain
from driftline.pipeline.assess.drift.expected import Expected
from driftline.pipeline.assess.merge import unread
from driftline.pipeline.assess.risk import criticality
from driftline.pipeline.assess.wording.consoles import Row
from driftline.pipeline.compare.diff import NO_HINTS, Hints
from driftline.pipeline.people.identity import NOBODY_MAPPED, People
from driftline.pipeline.rulebook import Rulebook, RuleSet, Verdict
from driftline.pipeline.rulebook.baseline_rules import STANDING_IDS
from driftline.pipeline.state.resource import Body, Hidden, Life, State
from driftline.pipeline.state.rows import NEVER

HOUR = 3_600_000_000
RESTATE_AFTER = 12 * HOUR
"""Kibana's Findings page shows 26 h: every still-true result is said again within 12. Each resource has its own place in
that interval, so that restatements come evenly."""
WHOLE_EVERY = 14
"""Of so many restatements one is a whole statement (every seventh day): what was lost, or aged out of a view, is there again."""
FORGET_AFTER = 30 * 24 * HOUR
"""What is over is forgotten so long after: every sink has long heard of it."""
STALE_AFTER = 24 * HOUR
"""A restatement stands on a reading no older than this: a dead collector must not look healthy."""


@dataclass(frozen=True)
class Options:
    """What people set about assessing, and what the types' rows say."""

    criticality: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tag -> value -> level (lower case)."""
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """By resource type: what is a set, what changes by itself."""
    grants: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """By resource type and part: the provider's actions that reading it needs."""
    consoles: Mapping[str, Row] = field(default_factory=dict)
    """By resource type: its page in the provider's console, and its names in remediation."""
    expected: Sequence[Expected] = ()
    """Changes that are a matter of course."""
    exceptions: Book = field(default_factory=Book)
    """The risks that are accepted."""
    forget: int = FORGET_AFTER
    """Microseconds from the end of a resource, or of a finding, until nothing is kept of it."""
    people: People = NOBODY_MAPPED
    """The names of one person."""

    def level(self, resource: Mapping[str, Any]) -> str:
        """What a resource is worth."""
        return criticality(resource["tags"], self.criticality)


def ruled_otherwise(state: State, rulebook: Rulebook) -> bool:
    """Whether the state was judged last by other rules than those of now."""
    body = state.body
    if body.unseen or body.deleted_at is not None:
        return False
    return body.rules != rulebook.type_hash(body.resource["type"])


def passed(state: State, until: int, rulebook: Rulebook, options: Options) -> State:
    """The state after what time alone does until then, each thing at its own time: whether a tick or a reading
    comes first must make no difference."""
    head, old = state.head, state.body
    body = msgspec.structs.replace(old, lives=dict(old.lives), hidden=dict(old.hidden))
    new = State(msgspec.structs.replace(head), body, position=state.position)
    if ruled_otherwise(
        state, rulebook
    ):  # before anything else: what it finds is no change of the resource
        judge(new, max(head.seen_at, head.said_at), rulebook, options, anew=bool(body.rules))
    rules = rulebook.of(body.resource)
    while (at := _changes_at(new, rules, options)) <= until:
        _elapse(body, at, rules)
        if grow_stale(new, at) or baselines.quiet_until(body) <= at:
            judge(new, at, rulebook, options)
        stand(body, at, rules, options)
    return new


def stand(body: Body, at: int, rules: RuleSet, options: Options) -> None:
    """What is accepted, and what no more."""
    hints = options.hints.get(body.resource["type"], NO_HINTS)
    exceptions.stand(body, at, rules, options.exceptions, hints, options.people)


def grow_stale(state: State, at: int) -> bool:
    """Hides the parts whose last reading is too old; says whether there were any."""
    head, body = state.head, state.body
    old = [name for name in _fresh(state) if head.parts[name] + STALE_AFTER <= at]
    for name in old:
        body.hidden[name] = Hidden("stale", "", head.parts[name] + 1)  # any newer reading lifts it
        head.digest = b""  # and is judged, even if nothing changed
    return bool(old)


def _fresh(state: State) -> list[str]:
    """The parts that may grow stale: none of what is gone."""
    if state.body.deleted_at is not None:
        return []
    hidden = unread(state.body, state.head.parts)
    return [name for name in state.head.parts if name not in hidden]


def judge(
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
    verdicts = rules.judge(document, hidden, at, body.previous, body.changes)
    if body.baselines:
        hints = options.hints.get(body.resource["type"], NO_HINTS)
        verdicts += baselines.verdicts(body, hidden, at, hints)
    for verdict in verdicts:
        if verdict.evaluation == "unknown" and "stale" in verdict.detail.split():
            verdict.reason = "stale"
    lives = _lives(body, verdicts, at, head.seen_at, head.parts, anew=anew)
    for rule, life in body.lives.items():
        if rule not in lives:
            reason = "baseline_removed" if rule in STANDING_IDS else "rule_removed"
            lives[rule] = lifecycle.retired(life, reason, at)
    body.lives, body.rules = lives, rulebook.type_hash(body.resource["type"])


def _lives(
    body: Body, verdicts: Iterable[Verdict], at: int, read_at: int, parts: Mapping[str, int] = {}, *, anew: bool = False,
) -> dict[str, Life]:  # fmt: skip
    """The lives after verdicts that stand on a reading of `read_at`. `parts`: when each part was last read."""
    out: dict[str, Life] = {}
    for verdict in verdicts:
        bound, old = verdict.rule, body.lives.get(verdict.rule.id)
        because = _because(old) if anew else ""
        life = lifecycle.judged(old, verdict, at, read_at, because)
        if life is not None:
            life.rule, life.severity = bound.ref["version"], bound.severity
            life.as_found |= anew and old is None and life.evaluation != "passed"
            if old is not None and old.evaluation != "unknown" == life.evaluation:
                # readings that say the same write no life: the parts know until when there were some
                last = min((parts.get(part, 0) for part in bound.needs), default=0)
                life.evaluated_at = max(old.evaluated_at or 0, last) or None
            out[bound.id] = life
    return out


def _because(old: Life | None) -> str:
    """Why a finding changes although the resource does not."""
    if old is None or old.reason == "rule_removed":
        return "rule_added"
    return "rule_changed"


def _elapse(body: Body, at: int, rules: RuleSet) -> None:
    for bound in rules.every:
        if (life := body.lives.get(bound.id)) and not life.retired:
            body.lives[bound.id] = lifecycle.elapsed(life, bound, at)


def delete(body: Body, at: int, rules: RuleSet) -> None:
    """Ends what is said of a resource that is gone, with `body.ended` as the reason, or because it was deleted."""
    reason = body.ended or "resource_deleted"
    body.lives = dict(body.lives)
    _elapse(body, at, rules)
    lives = {
        rule: lifecycle.retired(life, reason, at)
        for rule, life in body.lives.items()
        if rule not in STANDING_IDS
    }
    body.lives = lives | _standing(body, at, reason)


def _standing(body: Body, at: int, otherwise: str) -> dict[str, Life]:
    """Of a deleted resource: what code still says of it, and what nobody says any more. Of one that is out of what is
    watched nobody says anything."""
    verdicts = [] if body.ended else baselines.verdicts(body, {}, at)
    out = _lives(body, verdicts, at, body.deleted_at or at)
    for rule, life in body.lives.items():
        if rule in STANDING_IDS and rule not in out:
            out[rule] = lifecycle.retired(life, otherwise, at)
    return out


def restate_at(state: State) -> int:
    """The resource's next place in time after everything was said last."""
    place, _ = _place(state.body.resource["uid"])
    said_at = state.head.said_at
    return said_at + RESTATE_AFTER - (said_at - place) % RESTATE_AFTER


def restated_whole(state: State, at: int) -> bool:
    """Whether one of the restatements that are due between the last one and `at` is the whole one."""
    place, turn = _place(state.body.resource["uid"])
    before, now = ((time - place) // RESTATE_AFTER + turn for time in (state.head.said_at, at))
    return before // WHOLE_EVERY != now // WHOLE_EVERY


def _place(uid: str) -> tuple[int, int]:
    """By a resource's name: where in the interval it is restated, and which of its restatements are whole."""
    number = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big")
    return (number >> 16) % RESTATE_AFTER, (number & 0xFFFF) % WHOLE_EVERY


def over(body: Body) -> bool:
    """Nothing can come of time alone any more."""
    return all(life.retired for life in body.lives.values())


def _changes_at(state: State, rules: RuleSet, options: Options) -> int:
    """When time alone next changes a finding: a wait runs out, a reading becomes too old, an exception ends. NEVER for
    a dead state."""
    body = state.body
    if over(body):
        return NEVER
    waits = [
        lifecycle.due(life, bound) for bound in rules.every if (life := body.lives.get(bound.id))
    ]
    stale = [state.head.parts[name] + STALE_AFTER for name in _fresh(state)]
    return min([NEVER, *waits, *stale, exceptions.until(body, options.exceptions), baselines.quiet_until(body)])  # fmt: skip


def forgotten(body: Body, at: int, options: Options) -> list[str]:
    """The rules whose findings ended so long ago that nothing is kept of them."""
    return [
        rule
        for rule, life in body.lives.items()
        if life.retired and life.updated_at + options.forget <= at
    ]


def forget_at(state: State, options: Options) -> int:
    """When the state as a whole is forgotten: so long after its resource has ended and nothing more is said of it, or
    after the last change or baseline of one that was never read. NEVER for what is there."""
    body = state.body
    if body.deleted_at is not None and over(body):
        ended = (life.updated_at for life in body.lives.values())
        return max(body.deleted_at, *ended, 0) + options.forget
    if body.unseen:
        heard = [seen.at for seen in body.history]
        said = [one.at for one in body.baselines.values()]
        return max(state.head.seen_at, *heard, *said) + options.forget
    return NEVER


def due_at(state: State, rulebook: Rulebook, options: Options, now: int | None = None) -> int:
    """When time next matters. `now`: default the newest reading."""
    body = state.body
    look = (now or state.head.seen_at) + explain.CHECK if explain.waiting(body) else NEVER
    ends = [life.updated_at + options.forget for life in body.lives.values() if life.retired]
    if body.deleted_at is not None or body.unseen:
        ends = [forget_at(state, options)]
    look = min(look, *ends, NEVER)
    if over(body):
        return look
    return min(look, restate_at(state), _changes_at(state, rulebook.of(body.resource), options))
