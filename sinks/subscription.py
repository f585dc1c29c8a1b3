"""Which documents a sink receives: its name, `match`, severities and start. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftline.pipeline.records.topics import RESTATEMENTS, short
from driftline.pipeline.rulebook.match import Match, MatchResult
from driftline.pipeline.settings.severities import SeverityOverride, overridden

TAKEN = MatchResult(True)


@dataclass(frozen=True)
class Subscription:
    name: str
    """The name in its group, metrics and dead letters."""
    match: Match | None = None
    start: str = "all"
    """`now`: a group that has never read a topic begins at its end."""
    severities: Sequence[SeverityOverride] = ()

    def adapted(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with the sink's severity overrides applied."""
        return overridden(document, self.severities)

    def verdict(self, topic: str, document: Mapping[str, Any]) -> MatchResult:
        """Whether the sink receives an adapted document. Restatements are accepted: the sink knows whether it has the finding.
        `topic`: with or without the deployment's prefix."""
        own = short(topic)
        if self.match is None or own == RESTATEMENTS.own:
            return TAKEN
        return self.match.verdict(own, document)

    def given(self, topic: str, document: dict[str, Any]) -> dict[str, Any] | None:
        """The adapted document; None if the sink does not receive it."""
        adapted = self.adapted(document)
        return adapted if self.verdict(topic, adapted).takes else None
