"""Backtest of routing: how much each sink would have received, by day and owner. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS, short
from driftline.sinks.batches import SAID, Selector
from driftline.sinks.configured import ConfiguredSink
from driftline.sinks.module import remembers

KINDS = {FINDINGS.own: "findings", DRIFT.own: "drifts", ALERTS.own: "alerts"}
COUNTED = (*KINDS.values(), "repeated")
REPEATED = COUNTED[-1]
"""Repetitions: findings and restatements without a change."""


class GivenCount(NamedTuple):
    """What a sink received for a day and owner, by kind: findings, drifts, alerts, repeated."""

    sink: str
    day: str
    owner: str
    """Empty if unknown."""
    counts: dict[str, int]


class RouteTally:
    """Counts the output of the fold for each sink that would have received it."""

    def __init__(self, sinks: Iterable[ConfiguredSink]) -> None:
        self._sinks = [
            (one.name, {topic.own for topic in one.module.topics}, Selector(one.subscription, remembers(one.module)))
            for one in sinks
        ]  # fmt: skip
        self._counts: dict[tuple[str, str, str], Counter[str]] = {}
        self.documents = 0

    def add(self, topic: str, value: bytes) -> None:
        """Adds a record of a topic; for a restatement, the current finding with its new time."""
        own, document = short(topic), orjson.loads(value)
        self.documents += 1
        again = own == RESTATEMENTS.own
        asked = FINDINGS.own if again else own  # a restatement is routed like its finding
        kind = REPEATED if again or document.get("restated") else KINDS[own]
        document |= {"restated": True} if again else {}
        place = str(document[SAID[asked]])[:10], _owner(document)
        for name, topics, selector in self._sinks:
            if own in topics and selector.given(asked, document) is not None:
                self._counts.setdefault((name, *place), Counter())[kind] += 1

    def given(self) -> Iterator[GivenCount]:
        """By sink (in the order of the settings), day and owner."""
        order = {name: number for number, (name, _, _) in enumerate(self._sinks)}
        for key in sorted(self._counts, key=lambda key: (order[key[0]], *key[1:])):
            yield GivenCount(*key, dict(self._counts[key]))


def summed(rows: Iterable[GivenCount], by: str) -> Iterator[tuple[str, str, Counter[str]]]:
    """Sink, day or owner (given by `by`), and the totals; in the order of the rows."""
    out: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        out.setdefault((row.sink, getattr(row, by)), Counter()).update(row.counts)
    yield from ((sink, value, counts) for (sink, value), counts in out.items())


def _owner(document: dict[str, Any]) -> str:
    return str((document.get("owner") or {}).get("id") or "")
