"""What detections make of a past: hits by rule and day. Their alerts are the fold's. Pure."""

from collections import Counter

from driftline.pipeline.detections import Detection
from driftline.pipeline.detections.observed import ObservedEvent
from driftline.pipeline.model import from_micros

TRUE, FALSE = (True, "true"), (False, "false")


class Tally:
    """Counts matches, each event once a rule, however often it was recorded and however many resources it touches."""

    def __init__(self) -> None:
        self._hits: set[tuple[str, str, str]] = set()
        """Rule, event, day."""
        self._reads: set[tuple[str, str]] = set()
        """Rule and event, of calls that only read and of data events."""

    def hit(self, rule: Detection, event: ObservedEvent) -> None:
        """A match, as driftline.pipeline.detections.engine tells it."""
        self._hits.add((rule.id, event.id, from_micros(event.at)[:10]))
        if event.fields.get("readOnly") in TRUE or event.fields.get("managementEvent") in FALSE:
            self._reads.add((rule.id, event.id))

    def counts(self) -> Counter[str]:
        """Hits by rule."""
        return Counter(rule for rule, _, _ in self._hits)

    def reads(self) -> Counter[str]:
        """Hits by rule of calls that only read, and of data events: sources leave them out unless they are told."""
        return Counter(rule for rule, _ in self._reads)

    def days(self) -> dict[str, Counter[str]]:
        """Hits by rule and day."""
        out: dict[str, Counter[str]] = {}
        for rule, _, day in self._hits:
            out.setdefault(rule, Counter())[day] += 1
        return out
