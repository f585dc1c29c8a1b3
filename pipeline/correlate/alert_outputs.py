"""What a group says becomes records: alerts, of which each rule has a budget, and signals for the correlations above."""

from typing import Any

import orjson

from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.cases.route import group_of, route
from driftline.pipeline.correlate.alerts import document as alert
from driftline.pipeline.correlate.rate_limit import AlertBudget
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.records.counts import AlertCount, Occurrence
from driftline.pipeline.records.outputs import Output
from driftline.pipeline.records.topics import ALERTS, MEMBERS, SIGNALS
from driftline.pipeline.state.rows import Position
from driftline.pipeline.state.shard import Shard


class AlertOutputs:
    """Those of one partition. `budget`: alerts of a rule within an hour that are not held back, 0: all."""

    def __init__(
        self,
        shard: Shard,
        watch: DetectionEngine,
        budget: int,
        tickets: TicketOptions | None = None,
    ) -> None:
        self._shard, self._watch, self._tickets = shard, watch, tickets
        self._budget = AlertBudget(shard.row, shard.put, budget)

    def send(self, name: str, words: list[dict[str, Any]], position: Position) -> None:
        """Sends what the group `name` (correlation, line break, group) says at a position."""
        correlation, _, own = name.partition("\n")
        one = self._watch.correlations[correlation]
        self._hold_back(correlation, own, words, position)
        outputs = self._shard.outputs
        for word in words:
            document = alert.document(one, own, word)
            if one.id not in self._watch.parts:
                self._shard.counts[AlertCount(document["state"], document["severity"])] += 1
                outputs.append(Output(ALERTS.name, document["id"].encode(), orjson.dumps(document)))
                self._route(document)
            for key, signal in self._watch.alert_signals(document):
                outputs.append(Output(SIGNALS.name, key, orjson.dumps(signal)))

    def _route(self, document: dict[str, Any]) -> None:
        """Tells the alert's ticket. What is held back calls nobody. The group of an alert never changes: that it was told
        before is assumed, and a group that does not know it ignores that it leaves."""
        options = self._tickets
        if options is None or ALERTS.own not in options.topics or document.get("held_back"):
            return
        group = group_of(document, options).key
        for record in route(ALERTS.own, document, group, options)[1]:
            value = orjson.dumps(record)
            self._shard.outputs.append(Output(MEMBERS.name, group.encode(), value))

    def _hold_back(
        self, correlation: str, own: str, words: list[dict[str, Any]], position: Position
    ) -> None:
        """Marks alerts that are beyond their rule's budget, for as long as they are told. One that another has become,
        because an earlier hit came late, is held back as that was."""
        became = {word["merged_into"]: word["told"].held for word in words if word.get("merged_into")}  # fmt: skip
        for word in words:
            if word["new"]:
                held = became.get(word["id"])
                if held is None:
                    held = not self._budget.spend(correlation, own, word["run"].at, position)
                word["told"].held = held
                self._shard.counts[Occurrence.HELD_BACK_ALERT] += held
            word["held_back"] = word["told"].held
