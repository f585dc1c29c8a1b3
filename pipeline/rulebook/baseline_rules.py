"""The rules without a file: a resource is as approved, or as declared. For every type."""

from typing import Any

from driftline.pipeline.model import rule_uuid
from driftline.pipeline.rulebook.ruleset import BoundRule

_WHY = {
    "approved": "Somebody looked at this configuration and approved it. It is another one now, and nobody has approved that.",
    "declared": "The code that this resource is made from says otherwise: the next apply takes the change back, or it was made past the code and its review.",
    "recorded": "The state of the infrastructure code says otherwise: the resource was changed past it since it was applied last.",
}
_STEPS = {
    "approved": ("driftline baseline diff UID", "Put it back, or approve what it is now: driftline baseline approve UID --by WHO --reason TEXT"),
    "declared": ("terraform plan", "Put it back (terraform apply), or take the change into the code."),
    "recorded": ("terraform plan", "Put it back (terraform apply), or take the change into the code."),
}  # fmt: skip


class StandingRule(BoundRule):
    """A baseline rule. It does not evaluate a document; driftline.pipeline.assess.decisions.baselines does."""

    def __init__(self, kind: str, severity: str) -> None:
        self.kind, self.id, self.severity = kind, f"driftline-{kind}-baseline", severity
        self.params: dict[str, Any] = {}
        self.ref = {
            "id": self.id, "uuid": rule_uuid(self.id), "version": 1, "title": f"A resource is as it was {kind}",
            "severity": severity, "section": "Baseline", "family": "baseline-differs", "why": _WHY[kind], "references": [], "frameworks": {},
        }  # fmt: skip
        look, mend = _STEPS[kind]
        self.remediation = {
            "console": mend,
            "cli": look,
            "terraform": mend if kind != "approved" else "",
        }
        self.exposure = self.privilege = "none"
        self.for_seconds = self.keep_firing_for = 0
        self.needs, self.reads, self.evidence = frozenset(), frozenset(), ()
        self.uses_now = self.reads_tags = False
        self.sentence, self.fill = None, {}


STANDING: dict[str, StandingRule] = {
    rule.kind: rule
    for rule in (StandingRule("approved", "medium"), StandingRule("declared", "medium"), StandingRule("recorded", "low"))
}  # fmt: skip
"""By kind of baseline."""
STANDING_IDS = {rule.id: rule for rule in STANDING.values()}
