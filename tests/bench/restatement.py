"""What it costs that findings stand: bytes a day of restatements, findings and changelog, and how evenly they come.

`python -m tests.bench restatement`; beside it those of another checkout: BENCH_BESIDE=/path/to/it. A week is simulated in
which nothing changes: four sweeps a day, a tick every ten minutes. Bytes are a resource's, so a million's are a million times
that (two sizes are measured to show it); how even they come is asked of a million."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from driftline.pipeline.assess import schedule
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import Control, Tick, micros
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS
from driftline.pipeline.rulebook import load
from driftline.pipeline.state.resource import Body, Head, State
from tests.bench import buckets

START = datetime(2026, 1, 1, tzinfo=UTC)
SIZES = (200, 800)
DAYS, MILLION = 7, 1_000_000
MINUTE = 60_000_000
SWEEP_MINUTES = 60
"""A million resources are read in so long."""


def run() -> dict[str, Any]:
    """Both checkouts' figures, and their ratios."""
    found: dict[str, Any] = {"here": here()}
    if beside := os.environ.get("BENCH_BESIDE"):
        env = os.environ | {"PYTHONPATH": beside}
        command = [sys.executable, "-P", str(Path(__file__).resolve()), "here"]
        told = subprocess.run(command, env=env, cwd=beside, check=True, capture_output=True)
        found["beside"] = json.loads(told.stdout)
        found["ratios"] = _ratios(found["here"]["a_day"], found["beside"]["a_day"])
    return found


def _ratios(mine: dict[str, Any], its: dict[str, Any]) -> dict[str, float]:
    def all_of(one: dict[str, Any]) -> float:
        return float(one["findings"] + one.get("restatements", 0) + one["changelog"])

    def said(one: dict[str, Any]) -> float:
        return float(one["findings"] + one.get("restatements", 0))

    return {"restated": said(mine) / said(its), "all": all_of(mine) / all_of(its)}


def here() -> dict[str, Any]:
    """This checkout's: bytes a resource and day, and the peak of a minute."""
    small, large = (_a_day(size) for size in SIZES)
    small.pop("compressed")
    return {"resources": SIZES[1], "a_day": large, "a_day_of_fewer": small, "compressed": large.pop("compressed"),
            "peak_to_mean": peak()}  # fmt: skip


def _a_day(size: int) -> dict[str, Any]:
    rows: dict[bytes, bytes | None] = {}
    partition = Partition(0, rows.get, load())
    told: Counter[str] = Counter()
    values: dict[str, list[bytes]] = {}
    for ten in range((DAYS + 1) * 144):
        at, offset = START + timedelta(minutes=10 * ten), ten * 1000
        if ten % 36 == 0:
            for number, (_, value, _) in enumerate(buckets.sweep(range(size), at, 0.0, 0)):
                partition.apply(SNAPSHOTS.name, value, offset + number)
        partition.apply(
            CONTROL.name, Control(tick=Tick(source="sweep", watermark=at)).encode(), ten
        )
        while partition.advance():
            pass
        work = partition.take()
        rows.update(work.rows)
        if ten < 144:
            continue  # all was said for the first time
        told["changelog"] += sum(len(key) + len(row or b"") for key, row in work.rows.items())
        for output in work.outputs:
            topic = output.topic.rpartition(".")[2]
            told[topic] += len(output.key) + len(output.value)
            told[f"{topic}_records"] += 1
            values.setdefault(topic, []).append(output.value)
    packed = {topic: _compressed(some) for topic, some in values.items()}
    return {name: round(count / size / DAYS, 1) for name, count in sorted(told.items())} | {
        "compressed": packed
    }


def _compressed(values: list[bytes]) -> dict[str, float]:
    """The share of bytes that is left in batches of 20 and 200 records, on the wire and on the brokers' disks."""
    from cramjam import lz4, zstd

    values, found = values[:4000], {}
    for batch in (20, 200):
        batches = [b"".join(values[n : n + batch]) for n in range(0, len(values), batch)]
        total = sum(map(len, batches))
        for name, pack in (("lz4", lz4.compress), ("zstd", zstd.compress)):
            share = sum(len(pack(one)) for one in batches) / total
            found[f"{name}_{batch}"] = round(share, 3)
    return found


def peak() -> float:
    """Of a million resources after an hour's sweep: the restatements of the fullest minute, by the mean of twelve hours."""
    minutes: Counter[int] = Counter()
    for number in range(MILLION):
        said_at = micros(START) + number * SWEEP_MINUTES * MINUTE // MILLION
        state = State(Head(said_at=said_at), Body({"uid": buckets.uid(number)}))
        at = schedule.restate_at(state)
        while at < micros(START) + 2 * schedule.RESTATE_AFTER:  # the first is of the same sweep
            at = schedule.restate_at(State(Head(said_at=at), state.body))
        minutes[at // MINUTE] += 1
    return round(max(minutes.values()) / (MILLION / (schedule.RESTATE_AFTER / MINUTE)), 2)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(here() if sys.argv[1:] == ["here"] else run(), indent=2) + "\n")
