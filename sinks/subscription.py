"""What a sink is given: its name, its `match`, its severities, where it begins. Pure."""

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
    """Of its group, its metrics and its dead letters."""
    match: Match | None = None
    start: str = "all"
    """`now`: a group that never read a topic begins at its end."""
    severities: Sequence[SeverityOverride] = ()

    def adapted(self, document: dict[str, Any]) -> dict[str, Any]:
        """A document as the sink says it, with the severities of its settings."""
        return overridden(document, self.severities)

    def verdict(self, topic: str, document: Mapping[str, Any]) -> MatchResult:
        """Whether an adapted document is for the sink. A restatement goes where its finding is: that is the sink's to know.
        `topic`: with or without the deployment's prefix."""
        own = short(topic)
        if self.match is None or own == RESTATEMENTS.own:
            return TAKEN
        return self.match.verdict(own, document)

    def given(self, topic: str, document: dict[str, Any]) -> dict[str, Any] | None:
        """The document as the sink is given it; None where it is not."""
        adapted = self.adapted(document)
        return adapted if self.verdict(topic, adapted).takes else None
