"""Which rules an event may match: those of its log source, and of these those whose required names it has. Pure.

An event is never compared with rules of other log sources: what other providers' detections cost it is one lookup."""

from collections.abc import Iterable, Iterator

from driftline.pipeline.detections.rule import Detection
from driftline.pipeline.detections.values import EventView, folded, text_of

ANCHORS = ("eventName", "eventSource", "driftline.type", "driftline.reason")
"""Fields that the index uses, most selective first."""


class SourceIndex:
    """The rules of one log source, by a name that each of them requires."""

    def __init__(self, rules: Iterable[Detection]) -> None:
        self.rules = tuple(rules)
        self._always: list[Detection] = []
        named: dict[str, dict[str, list[Detection]]] = {name: {} for name in ANCHORS}
        for rule in self.rules:
            name = next((name for name in ANCHORS if name in rule.anchor), None)
            if name is None:
                self._always.append(rule)
                continue
            for value in rule.anchor[name]:
                named[name].setdefault(value, []).append(rule)
        self._named = {name: by_value for name, by_value in named.items() if by_value}

    def about(self, view: EventView) -> Iterator[Detection]:
        """Returns the rules that could match an event, given the names they require."""
        candidates = list(self._always)
        for name, by_value in self._named.items():
            for value in view.values(name):
                candidates += by_value.get(folded(text_of(value) or ""), ())
        seen: set[str] = set()
        for rule in candidates:
            if rule.id not in seen:
                seen.add(rule.id)
                yield rule


class DetectionIndex:
    """All rules by log source: a rule without a service is about all of its product's."""

    def __init__(self, rules: Iterable[Detection]) -> None:
        products: dict[str, list[Detection]] = {}
        for rule in rules:
            if (product := rule.logsource.get("product")) is not None:
                products.setdefault(product, []).append(rule)
        self._of: dict[str, dict[str | None, SourceIndex]] = {}
        for product, own in products.items():
            services = {rule.logsource.get("service") for rule in own} | {None}
            self._of[product] = {
                service: SourceIndex(
                    rule for rule in own if rule.logsource.get("service") in (None, service)
                )
                for service in services
            }

    def of(self, product: str, service: str) -> SourceIndex:
        """The rules about a log source. Under the service None: those about all services of the product."""
        own = self._of.get(product)
        if own is None:
            return _EMPTY
        return own.get(service) or own[None]


_EMPTY = SourceIndex(())
