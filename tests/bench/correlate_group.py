"""What one more signal costs a group that holds ten hits, or a thousand, for every type of correlation; and what a flood
of one group does to the others. Bytes in to rows out, thread time.

    python -m tests.bench.correlate_group [--against CHECKOUT]   (another version of Driftline, in the same run)"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from driftline.pipeline.correlate.shard import Correlating
from driftline.pipeline.records.topics import ALERTS, SIGNALS
from tests.correlate.kinds import TYPES, content, mark, signal

SPAN, LATENESS = 600, 600_000_000
BATCH, MEASURED = 200, int(os.environ.get("BENCH_SIGNALS", "4000"))
TAKE_EACH = int(os.environ.get("BENCH_TAKE", str(BATCH)))


class Bench:
    """One partition's fold, and the rows it has."""

    def __init__(self, kind: str) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.fold = Correlating(0, self.rows.get, content([kind]), LATENESS, sources=1)
        self.offset = 0
        self.alerts: list[Any] = []
        self.bytes = self.records = 0
        """Of rows written, and of alerts."""

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


def cost(kind: str, held: int, late: float, groups: int) -> float:
    """Microseconds of thread time a signal, marks and rows included, with so many hits held by each of the groups."""
    bench, chance = Bench(kind), random.Random(held)
    every = 2 * SPAN / held
    streams = [_times(every, late, chance) for _ in range(groups)]
    number, spent, timed = 0, 0.0, 0
    warm = int(1.3 * held * groups)
    while timed < MEASURED:
        values, front = [], 0.0
        for _ in range(BATCH):
            at, newest = next(streams[number % groups])
            values.append(signal(kind, f"g{number % groups}", number // groups, at))
            number, front = number + 1, max(front, newest)
        values.append(mark(front))
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
    return {
        kind: {
            f"{held} hits, {late:.0%} late": round(cost(kind, held, late, groups), 1)
            for held in (10, 1000) for late in (0.0, 0.2)
        }
        for kind in kinds
    }  # fmt: skip


def flood(count: int, shuffled: bool) -> dict[str, Any]:
    """Failed logins of one group: what is told of them, and what they cost."""
    bench, chance = Bench("event_count"), random.Random(1)
    order = list(range(count))
    if shuffled:  # each comes up to five minutes late
        order.sort(key=lambda n: n * 0.7 + chance.uniform(0, 300))
    values = [signal("event_count", "g", n, n * 0.7) for n in order]
    began = time.thread_time()
    for place, value in enumerate(values):
        bench.feed(value)
        if place % BATCH == BATCH - 1:
            bench.feed(mark(max(0.0, order[place] * 0.7 - 301)))
            bench.turn()
    bench.feed(mark(count * 0.7 + 86_400))
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
    bench = Bench("event_count")
    waits, clock, said = list[float](), 0.0, 0
    """Seconds of thread time, but never ahead of when a signal comes."""
    for second in range(seconds):
        values = [(second + n / rate, signal("event_count", "flood", second * rate + n, second + n / rate)) for n in range(rate)]  # fmt: skip
        values += [(second + 0.5, signal("event_count", f"quiet{second}", n, second + 0.1 * n)) for n in range(5)]  # fmt: skip
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


BOOT = """
import importlib.util, sys
for name, path in (("tests.correlate.kinds", sys.argv[1]), ("measured", sys.argv[2])):
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
print(module.json.dumps({"one group": module.table(list(module.TYPES), 1)}))
"""
"""Runs this file with another version's code."""


def main(arguments: list[str]) -> None:
    found = run()
    before: dict[str, Any] = {}
    if arguments[:1] == ["--against"]:
        own = Path(__file__).resolve().parents[1]
        done = subprocess.run(
            [sys.executable, "-c", BOOT, str(own / "correlate/kinds.py"), str(own / "bench/correlate_group.py")],
            cwd=arguments[1], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONPATH": arguments[1], "BENCH_SIGNALS": "200"},
        )  # fmt: skip
        before = json.loads(done.stdout)
    for groups, kinds in found["us_a_signal"].items():
        print(f"us a signal, {groups}")
        for kind, figures in kinds.items():
            print(f"  {kind:24}", *(f"{name}: {before.get(groups, {}).get(kind, {}).get(name, '-'):>8} -> {value:<7}" for name, value in figures.items()))  # fmt: skip
    print(json.dumps({name: found[name] for name in ("flood", "hot")}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
