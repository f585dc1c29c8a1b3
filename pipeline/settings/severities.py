"""Severity overrides for accounts or tags at a sink. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.model import SEVERITIES, Severity
from driftline.pipeline.rulebook.match import account_path
from driftline.pipeline.settings.base import Block, Mistake

WORDS = ("severity", "at_least", "at_most")


class SeverityOverride(Block):
    """Changes the severity of findings in some accounts or with some tags at a sink. Overrides are applied in order."""

    path: list[str] = Field(default_factory=list)
    """Ids or names of the account, or of a folder, unit or organization above it, one of which must match (`*` matches any text); empty: everywhere."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Only resources with all of these tags (values may contain `*`); empty: all."""
    severity: Severity | None = None
    """The new severity, instead of at_least or at_most."""
    at_least: Severity | None = None
    """Lower severities are raised to this."""
    at_most: Severity | None = None
    """Higher severities are lowered to this."""

    def mistakes(self) -> Iterator[Mistake]:
        if not (self.path or self.tags):
            yield Mistake(("path", "tags"), "is missing", "write path, tags or both")
        if sum(getattr(self, word) is not None for word in WORDS) != 1:
            yield Mistake(
                WORDS, "expected one of severity, at_least and at_most", "write one of them"
            )

    def concerns(self, path: Sequence[str], tags: Mapping[str, str]) -> bool:
        """Whether it applies. Unknown properties of an account or resource never match."""
        return (
            not self.path or any(matches(one, place) for one in self.path for place in path)
        ) and all(key in tags and matches(value, tags[key]) for key, value in self.tags.items())

    def of(self, severity: str) -> str:
        """The resulting severity."""
        if self.severity is not None:
            return self.severity
        pick = max if self.at_least is not None else min
        return pick(severity, self.at_least or self.at_most or severity, key=SEVERITIES.index)


def overridden(document: dict[str, Any], overrides: Sequence[SeverityOverride]) -> dict[str, Any]:
    """A finding as the sink delivers it: if an override changes the severity of its rule, `rule.original_severity` keeps the old one.
    Other documents are returned unchanged: alerts and drifts have no rule on a resource."""
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
