"""The transitions of one finding's state: clear, open, resolved, reopened. Pure; times in microseconds since 1970."""

import msgspec

from driftline.pipeline.common.durations import SECOND
from driftline.pipeline.rulebook import BoundRule, Verdict
from driftline.pipeline.state.resource import FindingState
from driftline.pipeline.state.rows import NEVER


def judged(
    life: FindingState | None, verdict: Verdict, at: int, read_at: int, because: str = ""
) -> FindingState | None:
    """The finding state after a verdict at record time `at`, based on a reading of `read_at`. `because`: what has changed, if
    not the resource (rule_added, rule_changed).

    None if there is no finding: the rule does not apply and never did."""
    rule = verdict.rule
    if verdict.evaluation == "not_applicable":
        return None if life is None else retired(life, "not_applicable", at)
    life = elapsed(life, rule, at) if life else None
    new = msgspec.structs.replace(life) if life else FindingState("", "clear", "", "", [], at, at)
    new.evaluation, new.detail, new.evidence = verdict.evaluation, verdict.detail, verdict.evidence
    new.retired = False
    if verdict.evaluation == "unknown":
        # Neither opens nor closes; it is not proven that a running wait has continued.
        new.reason, new.pending_since, new.passing_since = verdict.reason, None, None
        if life:
            new.evidence = life.evidence
        return new
    new.evaluated_at = read_at
    if verdict.evaluation == "failed":
        return _failed(new, rule, at, because)
    return _passed(new, rule, at, because)


def _failed(life: FindingState, rule: BoundRule, at: int, because: str) -> FindingState:
    life.passing_since = None
    if life.status == "open":
        life.reason = _open_reason(life)
        return life
    if life.pending_since is None:
        life.because = because
    if rule.for_seconds:
        life.pending_since = at if life.pending_since is None else life.pending_since
        if at < life.pending_since + rule.for_seconds * SECOND:
            life.reason = "pending"
            return life
        at = life.pending_since + rule.for_seconds * SECOND
    return _open(life, at)


def _passed(life: FindingState, rule: BoundRule, at: int, because: str) -> FindingState:
    life.pending_since, life.as_found = None, False
    if life.status != "open":
        if life.status == "clear":
            life.because = ""
        life.reason = _fixed_reason(life) if life.status == "resolved" else "holds"
        return life
    if life.passing_since is None:
        life.because = because
    if rule.keep_firing_for:
        life.passing_since = at if life.passing_since is None else life.passing_since
        if at < life.passing_since + rule.keep_firing_for * SECOND:
            life.reason = "keep_firing"
            return life
        at = life.passing_since + rule.keep_firing_for * SECOND
    return _resolve(life, at, _fixed_reason(life))


def elapsed(life: FindingState, rule: BoundRule, at: int) -> FindingState:
    """The finding state after time has advanced to `at`: expired `for` and `keep_firing_for` take effect."""
    if life.pending_since is not None:
        opens = life.pending_since + rule.for_seconds * SECOND
        if at >= opens:
            return _open(msgspec.structs.replace(life), opens)
    if life.passing_since is not None:
        closes = life.passing_since + rule.keep_firing_for * SECOND
        if at >= closes:
            return _resolve(msgspec.structs.replace(life), closes, _fixed_reason(life))
    return life


def due(life: FindingState, rule: BoundRule) -> int:
    """When `elapsed` would next change this finding; NEVER if nothing waits."""
    if life.retired:
        return NEVER
    if life.pending_since is not None:
        return life.pending_since + rule.for_seconds * SECOND
    if life.passing_since is not None:
        return life.passing_since + rule.keep_firing_for * SECOND
    return NEVER


def retired(life: FindingState, reason: str, at: int) -> FindingState:
    """The finding state after its resource or rule ended."""
    if life.retired:
        return life
    new = msgspec.structs.replace(life, pending_since=None, passing_since=None)
    if new.status == "open":
        new = _resolve(new, at, reason)
    new.reason, new.retired, new.detail, new.because, new.as_found = reason, True, "", "", False
    return new


def opened_at_once(life: FindingState) -> FindingState:
    """For a one-shot scan, which cannot wait: a pending condition opens now, marked accordingly."""
    return _open(msgspec.structs.replace(life), life.pending_since or life.updated_at)


def _open(life: FindingState, at: int) -> FindingState:
    if life.opened_at is not None:
        life.reopened += 1
    life.status, life.opened_at, life.resolved_at, life.pending_since = "open", at, None, None
    life.reason = _open_reason(life)
    return life


def _open_reason(life: FindingState) -> str:
    return life.because or ("reopened" if life.reopened else "opened")


def _fixed_reason(life: FindingState) -> str:
    return life.because or "fixed"


def _resolve(life: FindingState, at: int, reason: str) -> FindingState:
    life.status, life.resolved_at, life.passing_since, life.reason = "resolved", at, None, reason
    return life
