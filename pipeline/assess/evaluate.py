"""Evaluates the rules of one resource, and its baselines. Pure; times in microseconds since 1970."""

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.decisions import baselines
from driftline.pipeline.assess.merge import unread
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state.resource import State


def needs_reevaluation(state: State, rulebook: Rulebook) -> bool:
    """Whether the state was last evaluated by different rules."""
    body = state.body
    if body.unseen or body.deleted_at is not None:
        return False
    return body.rules != rulebook.type_hash(body.resource["type"])


def evaluate(work: Assessment) -> None:
    """Evaluates every rule and baseline. For a deleted resource only baselines are evaluated; for one that is
    no longer monitored, nothing."""
    body, at = work.body, work.at
    if body.deleted_at is not None:
        work.verdicts = [] if body.ended else list(baselines.verdicts(body, {}, at))
        return
    hidden = unread(body, work.head.parts)
    document = body.resource | {"config": body.config}
    work.verdicts = work.rules.evaluate(document, hidden, at, body.previous, body.changes)
    if body.baselines:
        work.verdicts += baselines.verdicts(body, hidden, at, work.hints)
    for verdict in work.verdicts:
        if verdict.evaluation == "unknown" and "stale" in verdict.detail.split():
            verdict.reason = "stale"
    body.rules = work.rulebook.type_hash(body.resource["type"])
