"""Another severity for findings of some accounts or tags, at one sink. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.model import SEVERITIES, Severity
from driftline.pipeline.rulebook.match import account_path
from driftline.pipeline.settings.base import Block, Mistake

WORDS = ("severity", "at_least", "at_most")


class SeverityOverride(Block):
    """What a sink says of findings of some accounts or tags. Of several that apply the later ones change what the earlier made."""

    path: list[str] = Field(default_factory=list)
    """Ids or names of the account or of a folder, unit or organization above it, of which one must match (`*` stands for any text); empty: everywhere."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Only on resources with all of these tags (a value may hold `*`); empty: all."""
    severity: Severity | None = None
    """This severity; or at_least or at_most instead."""
    at_least: Severity | None = None
    """Milder ones are raised to this."""
    at_most: Severity | None = None
    """Graver ones are lowered to this."""

    def mistakes(self) -> Iterator[Mistake]:
        if not (self.path or self.tags):
            yield Mistake(("path", "tags"), "is missing", "write path, tags or both")
        if sum(getattr(self, word) is not None for word in WORDS) != 1:
            yield Mistake(
                WORDS, "expected one of severity, at_least and at_most", "write one of them"
            )

    def concerns(self, path: Sequence[str], tags: Mapping[str, str]) -> bool:
        """Whether it applies. What is not known of an account or resource matches nothing."""
        return (
            not self.path or any(matches(one, place) for one in self.path for place in path)
        ) and all(key in tags and matches(value, tags[key]) for key, value in self.tags.items())

    def of(self, severity: str) -> str:
        """What a severity becomes."""
        if self.severity is not None:
            return self.severity
        pick = max if self.at_least is not None else min
        return pick(severity, self.at_least or self.at_most or severity, key=SEVERITIES.index)


def overridden(document: dict[str, Any], overrides: Sequence[SeverityOverride]) -> dict[str, Any]:
    """A finding as a sink says it: where an override changes the severity of its rule, `rule.original_severity` keeps that.
    Any other document is returned as it is: alerts and drifts have no rule of one resource."""
    if not overrides:
        return document
    rule, resource = document.get("rule"), document.get("resource")
    if not isinstance(rule, Mapping) or not isinstance(resource, Mapping):
        return document
    before = rule.get("severity")
    if before not in SEVERITIES:
        return document
    path, tags, severity = account_path(resource), resource.get("tags") or {}, before
    for one in overrides:
        severity = one.of(severity) if one.concerns(path, tags) else severity
    if severity == before:
        return document
    return {**document, "rule": {**rule, "severity": severity, "original_severity": before}}
