"""The life cycle of a resource's findings. Pure; times in microseconds since 1970."""

from collections.abc import Mapping

import msgspec

from driftline.pipeline.assess import transitions
from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.merge import TAGS
from driftline.pipeline.rulebook.baseline_rules import STANDING_IDS
from driftline.pipeline.state.resource import FindingState
from driftline.pipeline.state.rows import NEVER


def update_life_cycle(work: Assessment) -> None:
    """Every finding after the last verdicts; findings without a verdict end."""
    work.lives_before = work.body.lives
    if work.body.deleted_at is not None:
        _end_resource(work)
        return
    lives = _after_verdicts(work, work.head.seen_at, work.head.parts)
    for rule, life in work.body.lives.items():
        if rule not in lives:
            reason = "baseline_removed" if rule in STANDING_IDS else "rule_removed"
            lives[rule] = transitions.retired(life, reason, work.at)
    work.body.lives = lives


def _after_verdicts(
    work: Assessment, read_at: int, parts: Mapping[str, int]
) -> dict[str, FindingState]:
    """The findings with a verdict based on a reading of `read_at`. `parts`: when each part was last read."""
    out: dict[str, FindingState] = {}
    for verdict in work.verdicts:
        bound, old = verdict.rule, work.body.lives.get(verdict.rule.id)
        because = _rule_change(old) if work.rules_changed else ""
        life = transitions.judged(old, verdict, work.at, read_at, because)
        if life is None:
            continue
        life.rule, life.severity = bound.ref["version"], bound.severity
        life.as_found |= work.rules_changed and old is None and life.evaluation != "passed"
        if old is not None and old.evaluation != "unknown" == life.evaluation:
            # unchanged readings write no state: the parts record the time of the latest
            last = min((parts.get(part, 0) for part in bound.needs), default=0)
            life.evaluated_at = max(old.evaluated_at or 0, last) or None
        out[bound.id] = life
    return out


def run_out_waits(work: Assessment) -> None:
    """Opens and resolves findings whose `for` or `keep_firing_for` has expired."""
    lives = work.body.lives
    for bound in work.rules.every:
        if (life := lives.get(bound.id)) and not life.retired:
            lives[bound.id] = transitions.elapsed(life, bound, work.at)


def _rule_change(old: FindingState | None) -> str:
    """Why a finding changes although the resource has not."""
    if old is None or old.reason == "rule_removed":
        return "rule_added"
    return "rule_changed"


def _end_resource(work: Assessment) -> None:
    """Ends findings without a verdict, with `work.ending` as the reason if the resource ends with this record."""
    body, at = work.body, work.at
    lives = body.lives = dict(body.lives)
    if work.ending:
        run_out_waits(work)
    standing = _after_verdicts(work, body.deleted_at or at, {})
    for rule, life in lives.items():
        if rule in STANDING_IDS and rule not in standing:
            standing[rule] = transitions.retired(life, work.ending or "baseline_removed", at)
    if work.ending:
        lives = {
            rule: transitions.retired(life, work.ending, at)
            for rule, life in lives.items()
            if rule not in STANDING_IDS
        }
    body.lives = lives | standing


def mark_as_found(work: Assessment) -> None:
    """Marks findings that may have existed for a long time, unless it is known when they began (the resource is new, or a part
    that the rule reads was changed)."""
    before, body = work.stated, work.body
    needs = {
        bound.id: bound.needs | {TAGS} if bound.reads_tags else bound.needs
        for bound in work.rules.every
    }
    for rule, life in body.lives.items():
        dated = _dated(work, needs.get(rule, frozenset()))
        if before is None:
            life.as_found = not (dated or life.retired or life.evaluation == "passed")
        elif life.as_found and dated and life.evaluation == "failed":
            old = before.lives.get(rule)
            if old is None or old.evaluated_at is None:  # previously unread
                body.lives[rule] = msgspec.structs.replace(life, as_found=False)


def _dated(work: Assessment, needs: frozenset[str]) -> bool:
    """Whether the resource is new, or an event reports a change of one of these parts (empty: any)."""
    if work.snapshot is not None and work.snapshot.appeared:
        return True
    history = work.before.body.history if work.before else []
    return any(not seen.parts or not needs or not needs.isdisjoint(seen.parts) for seen in history)


def open_at_once(work: Assessment) -> None:
    """For a one-shot scan: findings that wait for their `for` open now, marked accordingly."""
    work.scan, work.state.due = True, NEVER
    work.body.lives = {
        rule: transitions.opened_at_once(life) if life.pending_since is not None else life
        for rule, life in work.body.lives.items()
    }
