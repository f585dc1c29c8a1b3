"""Scans of simulated accounts: an ordinary one, one that throttles, one half denied; and the loop alone on many
resources, answered inside the process, for its speed and its memory.

Another scanner took 98-140 s and 1.9 GB on an account like the ordinary one (measured on a machine like ours)."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import yaml

from tests.bench.account import populate
from tests.collectors.gate import Answer, Asked, Gate, gate
from tests.collectors.moto import Moto, running

OTHER_SECONDS, OTHER_MB = (98, 140), 1900
ROUNDS = 3
MANY = (2_000, 20_000)
REGIONS = ["us-east-1", "eu-west-1"]


def run() -> dict[str, Any]:
    """Of the ordinary account: scan_s, scan_mb (medians), resources, calls, the simulated AWS's own ceiling; then the
    troubled ones and the many."""
    with TemporaryDirectory(prefix="bench-") as name, running(Path(name), images=False) as moto:
        made = populate(moto)
        folder = Path(name)
        ordinary = [scan(folder, moto, moto.url) for _ in range(ROUNDS)]
        with gate(moto.url) as door:
            counted = scan(folder, moto, door.url)
            calls = len(door.asked)
            troubled = {how: _troubled(folder, moto, door, fault) for how, fault in FAULTS.items()}
        out = {
            "scan_s": statistics.median(one["seconds"] for one in ordinary),
            "scan_mb": max(one["memory_mb"] for one in ordinary),
            "made": made, "resources": counted["resources"], "findings": counted["findings"],
            "calls": calls, "calls_a_resource": calls / counted["resources"],
            "ceiling_calls_per_s": ceiling(moto), "troubled": troubled,
            "other_scanner": {"seconds": OTHER_SECONDS, "memory_mb": OTHER_MB},
        }  # fmt: skip
    return out | {"many": {size: many(size) for size in MANY}}


def scan(folder: Path, moto: Moto, url: str) -> dict[str, Any]:
    """`driftline scan aws` as a process of its own: seconds, peak memory, resources read, sweeps by their status."""
    path, report = folder / "driftline.yaml", folder / "report.json"
    path.write_text(yaml.safe_dump({"aws": {"requests_per_second": 1000, "regions": REGIONS}}))
    path.chmod(0o600)
    env = os.environ | moto.env | {"AWS_ENDPOINT_URL": url, "DRIFTLINE_CONFIG": str(path), "PYTHONPATH": str(Path.cwd())}  # fmt: skip
    command = [sys.executable, "-m", "driftline.pipeline", "scan", "aws", "--format", "json", "--output", str(report)]  # fmt: skip
    began = time.monotonic()
    with (folder / "scan.txt").open("wb") as log:
        child = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        memory = _peak(child)
    took = time.monotonic() - began
    if child.returncode not in (0, 1, 3):
        raise RuntimeError((folder / "scan.txt").read_text()[-2000:])
    told = json.loads(report.read_text())
    return {
        "seconds": took, "memory_mb": memory, "resources": sum(s["count"] for s in told["coverage"]),
        "findings": len(told["findings"]), "sweeps": dict(Counter(s["status"] for s in told["coverage"])),
    }  # fmt: skip


def _peak(child: subprocess.Popen[bytes]) -> float:
    """Megabytes at the most, until it ends."""
    process, most = psutil.Process(child.pid), 0.0
    while child.poll() is None:
        try:
            most = max(most, process.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    child.wait()
    return most


def _every_third() -> Callable[[Asked], Answer | None]:
    seen = Counter[str]()

    def fault(_: Asked) -> Answer | None:
        seen["all"] += 1
        return Answer(400, "ThrottlingException") if seen["all"] % 3 == 0 else None

    return fault


def _half_denied(asked: Asked) -> Answer | None:
    return Answer(403, "AccessDenied") if asked.service in ("s3", "iam", "kms", "sqs") else None


FAULTS: dict[str, Callable[[Asked], Answer | None]] = {
    "every third call throttled": _every_third(),
    "half of the services denied": _half_denied,
}


def _troubled(
    folder: Path, moto: Moto, door: Gate, fault: Callable[[Asked], Answer | None]
) -> dict[str, Any]:
    door.fault = fault
    try:
        return scan(folder, moto, door.url)
    finally:
        door.fault = lambda _: None


def ceiling(moto: Moto, calls: int = 2000, threads: int = 16) -> float:
    """Calls a second that the simulated AWS answers at all, to plain clients side by side."""
    clients = [moto.client("sts") for _ in range(threads)]

    def ask(client: Any) -> None:
        for _ in range(calls // threads):
            client.get_caller_identity()

    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, clients))
    return calls / (time.monotonic() - began)


def many(size: int) -> dict[str, Any]:
    """The collector on so many queues, in a process of its own: resources a second and peak memory."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.many", str(size)], capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
