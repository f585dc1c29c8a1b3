"""Detections and correlations: events a second through assess with all content, signals a second through correlate, and
what the correlator's state weighs with many groups.

One process, one core, bytes in to rows out; thread time. Events are CloudTrail's of 1.5 kB: most match nothing, as in
life; one of twenty is a denied call, a deletion or a key."""

import copy
import gc
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from driftline.pipeline.correlate.shard import Correlating
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.load import DetectionSet
from driftline.pipeline.model import Actor, Change, Signal
from driftline.pipeline.offline.content import watch
from driftline.pipeline.records.topics import SIGNALS
from driftline.pipeline.settings.blocks import Settings
from tests.bench.events import through

EVENTS, UIDS, MANY = 20_000, 500, 200
SIGNALS_EACH, LATENESS = 100_000, 600_000_000
GROUPS = int(os.environ.get("BENCH_GROUPS", "1000000"))
START = datetime(2026, 1, 1, tzinfo=UTC)
CALLS = [("s3", "PutBucketTagging")] * 17 + [
    ("iam", "CreateAccessKey"),
    ("s3", "DeleteBucket"),
    ("ec2", "DescribeInstances"),
]


def run() -> dict[str, Any]:
    """Events and signals a second, and bytes of each group in the state."""
    own = watch(Settings())
    more, changes = many(own), [_change(n) for n in range(EVENTS)]
    return {
        "detections": len(own.found.rules), "correlations": len(own.found.correlations), "many": len(more.found.rules),
        "plain_per_s": through(changes), "content_per_s": through(changes, own), "many_per_s": through(changes, more),
        "signals_per_s": signals(own), **memory(),
    }  # fmt: skip


def many(own: DetectionEngine) -> DetectionEngine:
    """The content, and copies of its rules under other ids until there are two hundred."""
    found = copy.copy(own.found)
    rules = dict(found.rules)
    for number in range(MANY - len(rules)):
        rule = list(found.rules.values())[number % len(found.rules)]
        twin = copy.copy(rule)
        object.__setattr__(twin, "id", f"{rule.id}-{number}")
        rules[twin.id] = twin
    return DetectionEngine(
        DetectionSet(
            rules=rules, correlations=found.correlations, documents=found.documents
        ).indexed()
    )


def _change(number: int) -> Change:
    service, action = CALLS[number % len(CALLS)]
    uid = f"arn:aws:s3:::bench-{number % UIDS:05d}"
    who = f"user-{number % 97}"
    return Change(
        id=str(number), uid=uid, type="AWS::S3::Bucket", provider="aws", account="1", region="eu-west-1", kind="update", action=action,
        actor=Actor(id=f"arn:aws:iam::1:user/{who}", type="user"), outcome="success", source_ip="192.0.2.7",
        occurred_at=START + timedelta(seconds=number),
        raw={"eventName": action, "eventSource": f"{service}.amazonaws.com", "userAgent": "x" * 1200, "awsRegion": "eu-west-1",
             "userIdentity": {"type": "IAMUser", "userName": who}, "requestParameters": {"bucketName": uid, "userName": "somebody"}},
    )  # fmt: skip


def _signal(content: DetectionEngine, group: int, event: str, at: int) -> bytes:
    """One for a correlation that only counts; `at` in milliseconds."""
    one = next(
        c for c in content.found.correlations.values() if c.kind == "event_count" and c.group_by
    )
    return Signal(
        id=event, detection=one.rules[0], correlation=one.id, group=f"arn:aws:iam::1:user/{group:07d}", event=event,
        at=START + timedelta(milliseconds=at), fields={"at": "2026-01-01T00:00:00.000000Z", "what": "DeleteBucket", "who": "user"},
    ).encode()  # fmt: skip


def signals(content: DetectionEngine) -> float:
    """Signals of ten thousand groups, taken a hundred at a time, with the garbage collection of a worker."""
    store: dict[bytes, bytes | None] = {}
    fold = Correlating(0, store.get, content, LATENESS, sources=1)
    values = [_signal(content, n % 10_000, str(n), n) for n in range(SIGNALS_EACH)]
    gc.collect()
    gc.freeze()  # and the thresholds: as in a worker (driftline.pipeline.worker.run)
    gc.set_threshold(50_000, 20, 100)
    began = time.thread_time()
    for offset, value in enumerate(values):
        fold.apply(SIGNALS.name, value, offset)
        if offset % 100 == 99:
            store.update(fold.take().rows)
    return SIGNALS_EACH / (time.thread_time() - began)


def memory() -> dict[str, Any]:
    """A million groups of two hits in a process of its own: bytes of their rows (on disk in life), and what the process
    itself grows by beside them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.correlate", "memory"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _memory() -> dict[str, Any]:
    content = watch(Settings())
    rows: dict[bytes, bytes | None] = {}
    fold = Correlating(0, rows.get, content, LATENESS, sources=1)
    gc.collect()
    before = _resident()
    kept = 0
    for begin in range(0, GROUPS, 10_000):
        for offset, value in enumerate(_batch(content, begin)):
            fold.apply(SIGNALS.name, value, begin * 2 + offset)
        for key, row in fold.take().rows.items():
            kept += len(key) + len(row or b"")
    gc.collect()
    after = _resident()
    return {
        "groups": GROUPS,
        "state_bytes_a_group": round(kept / GROUPS),
        "process_mb": round((after - before) / 1e6),
    }


def _resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _batch(content: DetectionEngine, begin: int) -> list[bytes]:
    """Two hits for each of ten thousand new groups."""
    return [
        _signal(content, n, f"{n}-{twice}", n)
        for n in range(begin, begin + 10_000)
        for twice in range(2)
    ]


if __name__ == "__main__":
    import pprint

    if sys.argv[1:] == ["memory"]:
        print(json.dumps(_memory()))
    else:
        pprint.pp(run())
