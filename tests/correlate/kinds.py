"""A correlation of every type, over three rules, and signals for them. (It also runs with bff013f: fixtures of its state
are made by it, and its figures are measured.)"""

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.load import load
from driftline.pipeline.model import Mark, Signal

START = datetime(2026, 1, 1, tzinfo=UTC)
RULE = """\
title: {name}
id: 00000000-0000-4000-8000-00000000000{n}
name: {name}
status: stable
level: informational
logsource: {{product: aws, service: cloudtrail}}
detection: {{selection: {{eventName: {name}}}, condition: selection}}
"""
TYPES: dict[str, str] = {
    "event_count": "type: event_count\n  rules: [a]\n  timespan: 10m\n  condition: {gte: 5}",
    "event_count, a range": "type: event_count\n  rules: [a]\n  timespan: 10m\n  condition: {gte: 5, lte: 100000}",
    "value_count": "type: value_count\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 5}",
    "value_count, never": "type: value_count\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 5000}",
    "value_sum": "type: value_sum\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 50}",
    "value_avg": "type: value_avg\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 5}",
    "value_avg, never": "type: value_avg\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 500000}",
    "value_median": "type: value_median\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 5}",
    "value_percentile": "type: value_percentile\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 5, percentile: 90}",
    "value_percentile, never": "type: value_percentile\n  rules: [a]\n  timespan: 10m\n  condition: {field: v, gte: 500000, percentile: 90}",
    "temporal": "type: temporal\n  rules: [a, b]\n  timespan: 10m",
    "temporal, or": "type: temporal\n  rules: [a, b, c]\n  timespan: 10m\n  condition: a and (b or c)",
    "temporal, not": "type: temporal\n  rules: [a, b]\n  timespan: 10m\n  condition: a and not b",
    "temporal, standing": "type: temporal\n  rules: [a, b, c]\n  timespan: 10m\n  standing: {b: c}",
    "temporal_ordered": "type: temporal_ordered\n  rules: [a, b]\n  timespan: 10m",
    "temporal_ordered, never": "type: temporal_ordered\n  rules: [a, b, c]\n  timespan: 10m",
    "first_seen": "type: first_seen\n  rules: [a]\n  timespan: 1d\n  learning: 1h\n  condition: {field: v}",
}  # fmt: skip
RULES = {"temporal, not": "a" * 20 + "b", "temporal_ordered, never": "ab", "temporal": "ab", "temporal, or": "abc",
         "temporal, standing": "abaac", "temporal_ordered": "ab"}  # fmt: skip
IDS = {rule: f"00000000-0000-4000-8000-00000000000{n}" for n, rule in enumerate("abc")}


def content(kinds: Iterable[str] = tuple(TYPES)) -> DetectionEngine:
    """Rules a, b and c, and a correlation of each of these types."""
    with tempfile.TemporaryDirectory() as folder:
        for n, rule in enumerate("abc"):
            Path(folder, f"{rule}.yml").write_text(RULE.format(name=rule, n=n))
        for kind in kinds:
            number = list(TYPES).index(kind)
            Path(folder, f"correlation-{number}.yml").write_text(
                f"title: {kind}\nid: {correlation(kind)}\nname: c{number}\nstatus: stable\nlevel: high\n"
                f"correlation:\n  {TYPES[kind]}\n  group-by: [g]\n"
            )
        return DetectionEngine(load([Path(folder)]))


def correlation(kind: str) -> str:
    """Its id."""
    return f"10000000-0000-4000-8000-0000000000{list(TYPES).index(kind):02d}"


def signal(kind: str, group: str, number: int, at: float, **brief: Any) -> bytes:
    """A signal of a group: its number says its rule and its value. `at`: seconds."""
    when, rules = START + timedelta(seconds=at), RULES.get(kind, "a")
    rule = rules[number % len(rules)]
    shown = {"at": when.isoformat(), "what": "ConsoleLogin", "who": "arn:aws:iam::1:user/u", "from": "192.0.2.7", "resource": "account:aws:1",
             "account": "1", "region": "eu-west-1", "rule": "Something"} | brief  # fmt: skip
    return Signal(
        id=f"{group}{number}", detection=IDS[rule], correlation=correlation(kind), group=group, event=f"event-{number:08d}-0000-4000-8000-000000000000",
        at=when, value=str(number % 40), fields=shown, state=kind == "temporal, standing" and rule == "b" and number % 2 == 0,
    ).encode()  # fmt: skip


def mark(at: float) -> bytes:
    """Every signal until then has come."""
    return Mark(mark=0, until=START + timedelta(seconds=at)).encode()
