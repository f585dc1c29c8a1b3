"""Backtests detections: hits by rule and day. Alerts come from the fold. Pure."""

from collections import Counter

from driftline.pipeline.detections import Detection
from driftline.pipeline.detections.observed import ObservedEvent
from driftline.pipeline.model import from_micros

TRUE, FALSE = (True, "true"), (False, "false")


class Tally:
    """Counts matches, each event once per rule, however often it was recorded and however many resources it affects."""

    def __init__(self) -> None:
        self._hits: set[tuple[str, str, str]] = set()
        """Rule, event, day."""
        self._reads: set[tuple[str, str]] = set()
        """Rule and event, for read-only calls and data events."""

    def hit(self, rule: Detection, event: ObservedEvent) -> None:
        """Adds a match reported by driftline.pipeline.detections.engine."""
        self._hits.add((rule.id, event.id, from_micros(event.at)[:10]))
        if event.fields.get("readOnly") in TRUE or event.fields.get("managementEvent") in FALSE:
            self._reads.add((rule.id, event.id))

    def counts(self) -> Counter[str]:
        """Hits by rule."""
        return Counter(rule for rule, _, _ in self._hits)

    def reads(self) -> Counter[str]:
        """Hits by rule of read-only calls and data events, which sources omit by default."""
        return Counter(rule for rule, _ in self._reads)

    def days(self) -> dict[str, Counter[str]]:
        """Hits by rule and day."""
        out: dict[str, Counter[str]] = {}
        for rule, _, day in self._hits:
            out.setdefault(rule, Counter())[day] += 1
        return out
