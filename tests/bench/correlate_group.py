"""What one more signal costs a group that holds ten hits, or a thousand, for every type of correlation; and what a flood
of one group does to the others. Bytes in to rows out, thread time.

    python -m tests.bench.correlate_group [--against CHECKOUT]   (another version of Driftline, in the same run)"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from pipeline.correlate.partition import Correlating
from pipeline.detections.load import load
from pipeline.detections.watch import Watch
from pipeline.model import Mark, Signal
from pipeline.topics import ALERTS, SIGNALS

START = datetime(2026, 1, 1, tzinfo=UTC)
SPAN, LATENESS = 600, 600_000_000
BATCH, MEASURED = 200, 4000
TAKE_EACH = int(os.environ.get("BENCH_TAKE", str(BATCH)))
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


def content() -> dict[str, Watch]:
    """By type: rules a, b and c, and one correlation."""
    out = {}
    for number, (name, block) in enumerate(TYPES.items()):
        with tempfile.TemporaryDirectory() as folder:
            for n, rule in enumerate("abc"):
                Path(folder, f"{rule}.yml").write_text(RULE.format(name=rule, n=n))
            Path(folder, "correlation.yml").write_text(
                f"title: {name}\nid: 10000000-0000-4000-8000-0000000000{number:02d}\nname: c{number}\nstatus: stable\nlevel: high\n"
                f"correlation:\n  {block}\n  group-by: [g]\n"
            )
            out[name] = Watch(load([Path(folder)]))
    return out


class Bench:
    """One partition's fold, and the rows it has."""

    def __init__(self, watch: Watch, rules: str = "a", **more: Any) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.fold = Correlating(0, self.rows.get, watch, LATENESS, sources=1, **more)
        self.correlation = next(iter(watch.found.correlations))
        self.offset, self.rules = 0, rules
        self.alerts: list[Any] = []
        self.bytes = self.records = 0
        """Of rows written, and of alerts."""

    def signal(self, group: str, number: int, at: float, what: str = "ConsoleLogin", resource: str = "account:aws:1") -> bytes:  # fmt: skip
        when = START + timedelta(seconds=at)
        brief = {"at": when.isoformat(), "what": what, "who": "arn:aws:iam::1:user/u", "from": "192.0.2.7", "resource": resource,
                 "account": "1", "region": "eu-west-1", "rule": "Something"}  # fmt: skip
        rule = IDS[self.rules[number % len(self.rules)]]
        return Signal(
            id=f"{group}{number}", detection=rule, correlation=self.correlation, group=group, event=f"event-{number:08d}-0000-4000-8000-000000000000",
            at=when, value=str(number % 40), fields=brief, state=rule == IDS["b"] and "c" in self.rules and number % 2 == 0,
        ).encode()  # fmt: skip

    def mark(self, at: float) -> bytes:
        return Mark(mark=0, until=START + timedelta(seconds=at)).encode()

    def feed(self, value: bytes) -> None:
        self.offset += 1
        self.fold.apply(SIGNALS.name, value, self.offset)

    def turn(self) -> None:
        """The end of a batch."""
        while self.fold.advance():
            pass
        work = self.fold.take()
        self.rows.update(work.rows)
        self.bytes += sum(len(row or b"") for row in work.rows.values())
        told = [output for output in work.outputs if output.topic == ALERTS.name]
        self.records += len(told)
        self.alerts += told


def cost(watch: Watch, rules: str, held: int, late: float, groups: int) -> float:
    """Microseconds of thread time a signal, marks and rows included, with so many hits held by each of the groups."""
    bench, chance = Bench(watch, rules), random.Random(held)
    every = 2 * SPAN / held
    streams = [_times(every, late, chance) for _ in range(groups)]
    number, spent, timed = 0, 0.0, 0
    warm = int(1.3 * held * groups)
    while timed < MEASURED:
        values, front = [], 0.0
        for _ in range(BATCH):
            at, newest = next(streams[number % groups])
            values.append(bench.signal(f"g{number % groups}", number // groups, at))
            number, front = number + 1, max(front, newest)
        values.append(bench.mark(front))
        began = time.thread_time()
        for n, value in enumerate(values):
            bench.feed(value)
            if n % TAKE_EACH == TAKE_EACH - 1:
                bench.turn()
        bench.turn()
        if number > warm:
            spent, timed = spent + time.thread_time() - began, timed + BATCH
    return spent / timed * 1e6


def _times(every: float, late: float, chance: random.Random) -> Iterator[tuple[float, float]]:
    """Times of signals, some of them late, and the newest so far."""
    at = 0.0
    while True:
        at += every
        behind = chance.uniform(0, 0.8 * LATENESS / 1e6) if chance.random() < late else 0
        yield max(0, at - behind), at


def table(kinds: list[str], groups: int) -> dict[str, dict[str, float]]:
    """By type, hits held and share of late ones."""
    found = content()
    return {
        kind: {
            f"{held} hits, {late:.0%} late": round(cost(found[kind], RULES.get(kind, "a"), held, late, groups), 1)
            for held in (10, 1000) for late in (0.0, 0.2)
        }
        for kind in kinds
    }  # fmt: skip


def flood(count: int, shuffled: bool) -> dict[str, Any]:
    """Failed logins of one group: what is told of them, and what they cost."""
    bench, chance = Bench(content()["event_count"]), random.Random(1)
    order = list(range(count))
    if shuffled:  # each comes up to five minutes late
        order.sort(key=lambda n: n * 0.7 + chance.uniform(0, 300))
    values = [bench.signal("g", n, n * 0.7) for n in order]
    began = time.thread_time()
    for place, value in enumerate(values):
        bench.feed(value)
        if place % BATCH == BATCH - 1:
            bench.feed(bench.mark(max(0.0, order[place] * 0.7 - 301)))
            bench.turn()
    bench.feed(bench.mark(count * 0.7 + 86_400))
    bench.turn()
    spent = time.thread_time() - began
    last: dict[bytes, Any] = {}
    for output in bench.alerts:
        last[output.key] = orjson.loads(output.value)
    stands = [one for one in last.values() if one["state"] in ("active", "ended")]
    return {
        "signals": count, "shuffled": shuffled, "us_a_signal": round(spent / count * 1e6, 1), "ids": len(last), "alerts": len(stands),
        "records": bench.records, "hits": sum(one["count"] for one in stands), "row_bytes_a_signal": round(bench.bytes / count),
    }  # fmt: skip


def hot(seconds: int = 60, rate: int = 5000) -> dict[str, Any]:
    """A flood of one group for a minute, and another group's five failed logins in the midst of each second: how long
    after its last signal its alert is there, if the machine does nothing else."""
    bench = Bench(content()["event_count"])
    waits, clock, said = list[float](), 0.0, 0
    """Seconds of thread time, but never ahead of when a signal comes."""
    for second in range(seconds):
        values = [(second + n / rate, bench.signal("flood", second * rate + n, second + n / rate)) for n in range(rate)]  # fmt: skip
        for n in range(5):
            values.append((second + 0.5, bench.signal(f"quiet{second}", n, second + 0.1 * n)))
        values.sort(key=lambda pair: pair[0])
        for begin in range(0, len(values), BATCH):
            batch = values[begin : begin + BATCH]
            began = time.thread_time()
            for _, value in batch:
                bench.feed(value)
            bench.turn()
            clock = max(clock, batch[-1][0]) + time.thread_time() - began
            for output in bench.alerts[said:]:
                if b"quiet" in output.value:
                    waits.append(clock - second - 0.5)
            said = len(bench.alerts)
    return {"signals_per_s": rate, "seconds": seconds, "told": len(waits), "longest_wait_s": round(max(waits, default=-1), 3),
            "behind_at_the_end_s": round(clock - seconds, 3)}  # fmt: skip


def measured() -> dict[str, Any]:
    parts: dict[str, Callable[[], Any]] = {
        "one group": lambda: table(list(TYPES), 1),
        "twenty groups": lambda: table(list(TYPES), 20),
    }
    return {name: part() for name, part in parts.items()}


def run() -> dict[str, Any]:
    """Everything, of this version."""
    return {
        "us_a_signal": measured(),
        "flood": [flood(100_000, False), flood(100_000, True)],
        "hot": hot(),
    }


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--table"]:
        print(json.dumps(measured()))
        return
    found = run()
    before: dict[str, Any] = {}
    if arguments[:1] == ["--against"]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).resolve()), "--table"], cwd=arguments[1], capture_output=True,
            text=True, check=True, env=os.environ | {"PYTHONPATH": arguments[1]},
        )  # fmt: skip
        before = json.loads(done.stdout)
    for groups, kinds in found["us_a_signal"].items():
        print(f"us a signal, {groups}")
        for kind, figures in kinds.items():
            print(f"  {kind:24}", *(f"{name}: {before.get(groups, {}).get(kind, {}).get(name, '-'):>8} -> {value:<7}" for name, value in figures.items()))  # fmt: skip
    print(json.dumps({name: found[name] for name in ("flood", "hot")}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
