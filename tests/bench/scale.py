"""From ten thousand to a million resources: what a record costs, and how long a worker takes to know them again."""

import random
import statistics
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import yaml
from rocksdict import Options, Rdict, WriteBatch

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.local import kafka
from driftline.pipeline.local.process import Child, free_port, wait_until
from driftline.pipeline.model import Part, Snapshot
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.topics import PARTITIONS, SNAPSHOTS, STATE, partition
from driftline.pipeline.rulebook import load
from driftline.pipeline.settings.blocks import Kafka

SIZES = (10_000, 100_000, 1_000_000)
SAMPLE, ROUNDS = 20_000, 5
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "arn:aws:kms:eu-west-1:111111111111:key/{:012d}"
HOLE = KEY.format(0)


def snapshot(uid: str, at: datetime) -> bytes:
    """A KMS key; small, so that a million fit a bench's disk and time."""
    config = {
        "key": {"KeyId": "bench", "Enabled": True, "KeyManager": "CUSTOMER", "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT",
                "Description": "x" * 200, "Origin": "AWS_KMS", "MultiRegion": False},
        "rotation": {"KeyRotationEnabled": True, "RotationPeriodInDays": 365},
        "policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "kms:*", "Resource": "*"}]},
    }  # fmt: skip
    return codec.encode_snapshot(Snapshot(
        uid=uid, type="AWS::KMS::Key", provider="aws", account="111111111111", region="eu-west-1", name="bench",
        captured_at=at, config=config, parts=[Part(name=name, captured_at=at) for name in config],
    ))  # fmt: skip


def rows() -> dict[bytes, bytes]:
    """The state rows of one key, as the core writes them."""
    one = Partition(0, lambda _: None, load())
    one.apply(SNAPSHOTS.name, codec.encode_batch([snapshot(HOLE, START)]), 1)
    return {key: row for key, row in one.take().rows.items() if row}


def copies(size: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The rows of as many keys: partition, key, row. (A copy differs by its uid alone.)"""
    own = rows()
    for number in range(size):
        uid = KEY.format(number)
        new, home = uid.encode(), partition(uid)
        for key, row in own.items():
            yield home, key.replace(HOLE.encode(), new), row.replace(HOLE.encode(), new)


def run() -> dict[str, Any]:
    """unchanged_us by size, flatness (largest by smallest), recovery seconds from Kafka and from disk, memory."""
    return costs() | recovery(SIZES[-1])


def costs() -> dict[str, Any]:
    """Microseconds of an unchanged reading, states in RocksDB, by the number of resources."""
    found: dict[int, float] = {}
    for size in SIZES:
        with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            found[size] = _cost(Path(folder), size)
    return {"unchanged_us_by_resources": found, "flatness": found[SIZES[-1]] / found[SIZES[0]]}


def _cost(folder: Path, size: int) -> float:
    stores = {n: Rdict(str(folder / str(n)), Options(raw_mode=True)) for n in range(PARTITIONS)}
    waiting: dict[int, WriteBatch] = {}
    for count, (home, key, row) in enumerate(copies(size)):
        waiting.setdefault(home, WriteBatch(raw_mode=True)).put(key, row)
        if count % 50_000 == 49_999:
            _write(stores, waiting)
    _write(stores, waiting)
    partitions = {n: Partition(n, store.get, load()) for n, store in stores.items()}
    chance, times, unchanged = random.Random(size), [], 0
    for round_ in range(1, ROUNDS + 1):
        at = START + timedelta(minutes=round_)
        batches: dict[int, list[bytes]] = {}
        for number in chance.sample(range(size), min(SAMPLE, size)):
            uid = KEY.format(number)
            batches.setdefault(partition(uid), []).append(snapshot(uid, at))
        values = {home: codec.encode_batch(elements) for home, elements in batches.items()}
        count = sum(map(len, batches.values()))
        began = time.thread_time()
        for home, value in values.items():
            partitions[home].apply(SNAPSHOTS.name, value, round_ + 1)
            batch = WriteBatch(raw_mode=True)
            for key, new in partitions[home].take().rows.items():
                batch.put(key, new or b"")
            stores[home].write(batch)
        times.append((time.thread_time() - began) / count * 1e6)
    unchanged = sum(p.counts[Outcome.UNCHANGED] for p in partitions.values())
    if unchanged != ROUNDS * min(SAMPLE, size):
        raise RuntimeError(f"only {unchanged} took the short cut")
    for store in stores.values():
        store.close()
    return statistics.median(times)


def _write(stores: dict[int, Any], waiting: dict[int, WriteBatch]) -> None:
    for home, batch in waiting.items():
        stores[home].write(batch)
    waiting.clear()


def recovery(size: int) -> dict[str, Any]:
    """A worker that begins with nothing, and one that begins with its files: seconds from start to ready."""
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        broker = kafka.start(folder / "kafka", heap="1g")
        try:
            settings = Kafka(bootstrap_servers=broker.bootstrap)
            topics_admin.create(settings)
            out, delivery = producer(settings), Delivery()
            for home, key, row in copies(size):
                produce(out, delivery, STATE.name, row, partition=home, key=key)
                out.poll(0)
            flush(out, delivery, 120)
            cold = _start(folder, broker.bootstrap)
            warm = _start(folder, broker.bootstrap)
            held = sum(file.stat().st_size for file in folder.glob("state/**/*") if file.is_file())
        finally:
            broker.stop()
    return {"resources": size, "from_kafka_s": cold[0], "from_disk_s": warm[0], "memory_mb": max(cold[1], warm[1]),
            "disk_mb": held / 1e6}  # fmt: skip


def _start(folder: Path, bootstrap: str) -> tuple[float, float]:
    port, path = free_port(), folder / "driftline.yaml"
    path.write_text(yaml.safe_dump({"kafka": {"bootstrap_servers": bootstrap},
                                    "worker": {"state_dir": str(folder / "state"), "port": port}}))  # fmt: skip
    path.chmod(0o600)
    env = {"DRIFTLINE_CONFIG": str(path), "PYTHONPATH": str(Path.cwd()), "PATH": "/usr/bin:/bin"}
    began = time.monotonic()
    child = Child(
        [sys.executable, "-m", "driftline.pipeline", "worker"], folder / "worker.txt", env
    )
    wait_until(lambda: _ready(port), 600, child, "the worker")
    took, memory = time.monotonic() - began, psutil.Process(child.pid).memory_info().rss / 1e6
    child.stop()
    return took, memory


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
