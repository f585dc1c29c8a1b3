"""Links findings to the drifts that made them fail, or made them worse. Pure."""

import msgspec

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.drift import roots
from driftline.pipeline.assess.drift.detect import KEPT
from driftline.pipeline.rulebook import BoundRule
from driftline.pipeline.rulebook.baseline_rules import STANDING_IDS
from driftline.pipeline.state.resource import FindingState


def link_drifts(work: Assessment) -> None:
    """Links findings that have just begun to fail to the drift places that caused it, and others to those that made
    them worse."""
    if not work.new_drifts:
        return
    rules = {bound.id: bound for bound in work.rules.rules}
    lives = work.body.lives
    for rule, life in lives.items():
        if life.evaluation != "failed":
            continue
        old = work.lives_before.get(rule)
        goes_on = old is not None and old.evaluation == "failed"
        causes: dict[str, list[int]] = {}
        for drift, number in _roots(work, rule, life, rules.get(rule), goes_on=goes_on):
            causes.setdefault(drift.id, []).append(number)
        linked = [[id, numbers] for id, numbers in causes.items()]
        if goes_on:
            if causes:
                worsened = [*life.worsened, *linked][-KEPT:]
                lives[rule] = msgspec.structs.replace(life, worsened=worsened)
        elif causes or life.drift:
            lives[rule] = msgspec.structs.replace(
                life, drift=next(iter(causes), ""), causes=linked, actor=None, attribution="", known=0, suspects=[],
                worsened=[],
            )  # fmt: skip


def _roots(
    work: Assessment, rule: str, life: FindingState, bound: BoundRule | None, *, goes_on: bool
) -> list[roots.Root]:
    if rule in STANDING_IDS:
        return roots.of_evidence([one["path"] for one in life.evidence], work.new_drifts)
    if bound is None:
        return []
    if goes_on:
        return roots.worsening(bound, work.body, work.new_drifts, work.hints, work.at)
    return roots.of_rule(bound, work.body, work.new_drifts, work.at)
