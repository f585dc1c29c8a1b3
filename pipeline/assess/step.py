"""The core: takes one resource's state and one record; returns the next state and the outputs. Pure.

Each function here is one kind of record (or time), as the list of its steps. A step takes the working value
(`driftline.pipeline.assess.assessment`) and changes it; each has a file of its own. Time comes from the records. The
worker, `scan` and `replay` all call these functions, through `driftline.pipeline.assess.shard`."""

from driftline.pipeline.assess.advance import advance_to, hide_stale_parts
from driftline.pipeline.assess.assessment import Assessment, Step
from driftline.pipeline.assess.decisions.baselines import drop_approved, set_baseline
from driftline.pipeline.assess.decisions.risk_exceptions import apply_exceptions, drop_accepted
from driftline.pipeline.assess.drift.detect import detect_drift, remember_drifts
from driftline.pipeline.assess.drift.link import link_drifts
from driftline.pipeline.assess.drift.pending import ask_sessions, attribute_pending
from driftline.pipeline.assess.evaluate import evaluate, needs_reevaluation
from driftline.pipeline.assess.events import (
    described_by_baseline,
    described_by_change,
    remember_chain,
    remember_change,
)
from driftline.pipeline.assess.findings import changed_findings
from driftline.pipeline.assess.lifecycle import mark_as_found, open_at_once, update_life_cycle
from driftline.pipeline.assess.membership import plan_routing, route_findings
from driftline.pipeline.assess.merge import described, end_by_notice, merge
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.ownership.step import assign_owner
from driftline.pipeline.assess.schedule import (
    forget_findings,
    is_final,
    plan_restatement,
    schedule,
    schedule_check,
    schedule_forgetting,
)
from driftline.pipeline.assess.trust import trust_reading
from driftline.pipeline.assess.unchanged import remember_digest
from driftline.pipeline.model import Baseline, Chain, Change, Snapshot, micros
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state.resource import DUE_NOW, State


def apply(
    state: State | None, snapshot: Snapshot, digest: bytes, rulebook: Rulebook, options: AssessOptions,
    events: int | None = None,
) -> Step:  # fmt: skip
    """Applies a snapshot. `digest`: identifies an unchanged next snapshot (codec.Peek.digest); `events`: the time up to which
    every change event has arrived (micros), None if there are no events."""
    at = micros(snapshot.captured_at)
    work = Assessment.begin(
        state, at, rulebook, options, events, about=None if state else described(snapshot)
    )
    if state and (state.due <= at or needs_reevaluation(state, rulebook)):
        advance_to(work, at)
    merge(work, snapshot)
    if not work.merged.applied:
        return work.nothing()
    trust_reading(work)
    if not work.trusted:
        return work.step()
    detect_drift(work)
    if work.merged.new and work.stated is not None:
        drop_accepted(work)
        drop_approved(work)
    assign_owner(work)
    hide_stale_parts(work)
    evaluate(work)
    update_life_cycle(work)
    mark_as_found(work)
    link_drifts(work)
    remember_drifts(work)
    attribute_pending(work)
    ask_sessions(work)
    remember_digest(work, digest)
    plan_restatement(work)
    apply_exceptions(work)  # after attribution: nobody approves what they caused
    changed_findings(work)
    route_findings(work)
    schedule(work)
    return work.step()


def tick(
    state: State, at: int, rulebook: Rulebook, options: AssessOptions, events: int | None = None
) -> Step:
    """Advances time to `at`: waits expire, pending events are given up, and findings are restated when due."""
    if state.due > at:
        return Step(state, [], False)
    if state.due == DUE_NOW:  # a decision applies to what is known, whatever the time
        at = max(at, state.head.seen_at, state.head.said_at)
    work = Assessment.begin(state, at, rulebook, options, events)
    advance_to(work, at)
    if not is_final(work.body):
        plan_restatement(work)
    if work.restate:
        evaluate(work)
        update_life_cycle(work)
    attribute_pending(work)
    ask_sessions(work)
    forget_findings(work)
    apply_exceptions(work)
    changed_findings(work)
    route_findings(work)
    schedule(work, now=at)
    return work.step()


def on_change(
    state: State | None, record: Change, rulebook: Rulebook, options: AssessOptions, events: int | None = None
) -> Step:  # fmt: skip
    """Applies an audit event about the resource."""
    at = max(micros(record.occurred_at), _known_at(state))
    about = described_by_change(record)
    work = Assessment.begin(state, at, rulebook, options, events, about=about, unseen=True)
    if not remember_change(work, record):
        return work.nothing()
    if work.body.unseen:
        schedule_forgetting(work)
        return work.step()
    attribute_pending(work)
    ask_sessions(work)
    if work.drifts:
        apply_exceptions(work)
        changed_findings(work)
        route_findings(work)
    schedule_check(work)
    return work.step()


def on_chain(
    state: State, record: Chain, rulebook: Rulebook, options: AssessOptions, events: int | None = None
) -> Step:  # fmt: skip
    """Applies the origin of a session that changed this resource."""
    work = Assessment.begin(state, _known_at(state), rulebook, options, events)
    if not remember_chain(work, record):
        return work.nothing()
    attribute_pending(work)
    if work.drifts:
        apply_exceptions(work)
        changed_findings(work)
        route_findings(work)
    schedule_check(work)
    return work.step()


def on_baseline(
    state: State | None, record: Baseline, rulebook: Rulebook, options: AssessOptions
) -> Step:
    """Applies a baseline, which may arrive before any reading."""
    about = described_by_baseline(record)
    work = Assessment.begin(state, _known_at(state), rulebook, options, about=about, unseen=True)
    if not set_baseline(work, record):
        return work.nothing()
    if work.body.unseen:
        schedule_forgetting(work)
        return work.step()
    advance_to(work, work.at)
    assign_owner(work)
    evaluate(work)
    update_life_cycle(work)
    apply_exceptions(work)
    changed_findings(work)
    route_findings(work)
    schedule(work)
    return work.step()


def on_gone(state: State, reason: str, at: int, rulebook: Rulebook, options: AssessOptions) -> Step:
    """Ends a resource that is no longer monitored. It is not known to be deleted, so there is no drift."""
    work = Assessment.begin(state, at, rulebook, options)
    advance_to(work, at)
    end_by_notice(work, reason)
    evaluate(work)
    update_life_cycle(work)
    apply_exceptions(work)
    changed_findings(work)
    route_findings(work)
    schedule(work)
    return work.step()


def reevaluate(state: State, rulebook: Rulebook, options: AssessOptions) -> Step:
    """Re-evaluates a state that was last evaluated by different rules (evaluate.needs_reevaluation), or whose owner was
    determined with different settings (ownership.step.needs_owner)."""
    work = Assessment.begin(state, _known_at(state), rulebook, options)
    advance_to(work, work.at)
    assign_owner(work)
    plan_routing(work)
    apply_exceptions(work)
    changed_findings(work)
    route_findings(work)
    schedule(work)
    return work.step()


def open_pending(state: State, rulebook: Rulebook, options: AssessOptions) -> Step:
    """Ends a one-shot scan: findings that wait for their `for` open immediately, marked `pending_for`."""
    work = Assessment.begin(state, state.head.seen_at, rulebook, options)
    open_at_once(work)
    apply_exceptions(work)
    changed_findings(work)
    route_findings(work)
    return work.step()


def _known_at(state: State | None) -> int:
    """The time that a state has reached, microseconds."""
    return max(state.head.seen_at, state.head.said_at) if state else 0
