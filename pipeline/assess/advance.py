"""Advances a state in time: waits expire, readings become stale, exceptions end. Pure; microseconds since 1970."""

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.decisions import baselines
from driftline.pipeline.assess.decisions.risk_exceptions import apply_exceptions
from driftline.pipeline.assess.evaluate import evaluate, needs_reevaluation
from driftline.pipeline.assess.lifecycle import run_out_waits, update_life_cycle
from driftline.pipeline.assess.schedule import next_change_at, stale_at
from driftline.pipeline.state.resource import UnreadPart


def advance_to(work: Assessment, until: int) -> None:
    """Advances the state to a time, each transition at its own time: the result must not depend on whether a tick or a
    reading arrives first."""
    if needs_reevaluation(work.state, work.rulebook):
        # first of all: results of new rules are not changes of the resource
        work.at = max(work.head.seen_at, work.head.said_at)
        work.rules_changed = bool(work.body.rules)
        evaluate(work)
        update_life_cycle(work)
        work.rules_changed = False
    while (at := next_change_at(work.state, work.rules, work.options)) <= until:
        work.at = at
        run_out_waits(work)
        if stale_parts(work) or baselines.quiet_until(work.body) <= at:
            hide_stale_parts(work)
            evaluate(work)
            update_life_cycle(work)
        apply_exceptions(work)
    work.at = until


def stale_parts(work: Assessment) -> list[str]:
    """The parts whose last reading is too old."""
    return [name for name, at in stale_at(work.state).items() if at <= work.at]


def hide_stale_parts(work: Assessment) -> None:
    """Marks them as unknown until a newer reading."""
    for name in stale_parts(work):
        work.body.hidden[name] = UnreadPart("stale", "", work.head.parts[name] + 1)
        work.head.digest = b""  # so that the reading is evaluated even if nothing changed
