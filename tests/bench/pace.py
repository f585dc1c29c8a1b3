"""What pacing costs a scan: an account of some 500 resources, against a server that never throttles and answers 400 calls a
second at most, once at AWS's pace (driftline.collectors.aws.api.rates) and once without any, in turns.

The server repeats what the simulated AWS answered in a first scan: moto itself answers fewer calls on a busy machine. Where
the scan itself cannot ask 400 times a second, `least_ratio` says what the pace alone would cost: the bucket that takes
longest, by the calls that were counted, to the time that the server takes."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from driftline.collectors.aws.api.rates import CallRate, rate
from tests.bench.account import REGIONS, populate
from tests.collectors.gate import SCOPE
from tests.collectors.moto import running
from tests.forward import Forwarder, Headers, serving

ROUNDS = 3
CALLS_PER_SECOND = 400
UNPACED = "from driftline.collectors.aws.api import pacing; pacing.CallPacer.wait = lambda *_: None; from driftline.pipeline.cli import run; run()"
PACED = "from driftline.pipeline.cli import run; run()"
COUNTED = """
import os
from driftline.collectors.aws.api import pacing
calls = open(os.environ["CALLS"], "a", buffering=1)
pacing.CallPacer.wait = lambda _, *call: calls.write("\\t".join(call) + "\\n") and None
from driftline.pipeline.cli import run
run()
"""


class Repeating:
    """The answers of the first scan, and the times at which the next ones may be given."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[tuple[Any, ...], tuple[int, Headers, bytes]] = {}
        self.calls = self.misses = 0
        self._lock = threading.Lock()
        self._next = 0.0

    def turn(self) -> float:
        """Seconds until this call's turn."""
        with self._lock:
            now = time.monotonic()
            self._next = max(now, self._next) + 1 / CALLS_PER_SECOND
            self.calls += 1
            return self._next - now


class _Handler(Forwarder):
    repeating: Repeating

    def serve(self, body: bytes) -> None:
        time.sleep(self.repeating.turn())
        scope = SCOPE.search(self.headers.get("Authorization", ""))
        asked = (scope and scope.groups(), self.headers.get("X-Amz-Target"), self.command, self.path, body)  # fmt: skip
        if asked not in self.repeating.answers:
            self.repeating.misses += 1
            self.repeating.answers[asked] = self.forward(body)
        self.reply(*self.repeating.answers[asked])


@contextmanager
def repeating(to: str) -> Iterator[Repeating]:
    """Such a server on loopback before the endpoint `to`."""
    mine = Repeating()
    with serving(_Handler, to, repeating=mine) as mine.url:
        yield mine


def run() -> dict[str, Any]:
    """paced_s and unpaced_s (medians), their ratio, the calls of one scan, and the calls a second without pacing."""
    with TemporaryDirectory(prefix="bench-") as name, running(Path(name), images=False) as moto:
        made, folder = populate(moto), Path(name)
        path = folder / "driftline.yaml"
        path.write_text(yaml.safe_dump({"aws": {"regions": list(REGIONS)}}))
        path.chmod(0o600)
        times: dict[str, list[float]] = {PACED: [], UNPACED: []}
        with repeating(moto.url) as server:
            env = os.environ | moto.env | {"AWS_ENDPOINT_URL": server.url, "DRIFTLINE_CONFIG": str(path), "PYTHONPATH": str(Path.cwd())}  # fmt: skip
            scan(env | {"CALLS": str(folder / "calls")}, COUNTED)
            least = slowest((folder / "calls").read_text().splitlines())
            server.calls = server.misses = 0
            for program in [PACED, UNPACED] * ROUNDS:
                times[program].append(scan(env, program))
        paced, unpaced = (statistics.median(times[program]) for program in (PACED, UNPACED))
        calls = server.calls / (2 * ROUNDS)
        return {
            "least_paced": least, "least_ratio": max(1.0, least[1] * CALLS_PER_SECOND / calls),
            "made": made, "paced_s": paced, "unpaced_s": unpaced, "ratio": paced / unpaced, "calls": calls,
            "calls_per_s": calls / unpaced, "not_repeated": server.misses,
        }  # fmt: skip


def slowest(calls: list[str]) -> tuple[str, float]:
    """The bucket that these calls (service, region, action) keep waiting longest, and its seconds."""
    counted: Counter[tuple[str, str, CallRate]] = Counter()
    for service, region, action in (call.split("\t") for call in calls):
        name, full = rate(service, action)
        counted[name, region, full] += 1
    waits = {f"{name} {region}": (n - full.burst) / full.per_second for (name, region, full), n in counted.items()}  # fmt: skip
    return max(((name, max(0.0, wait)) for name, wait in waits.items()), key=lambda one: one[1])


def scan(env: dict[str, str], program: str) -> float:
    """Seconds of `scan aws` as a process of its own."""
    command = [sys.executable, "-c", program, "scan", "aws", "--format", "json"]
    began = time.monotonic()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(done.stderr[-2000:])
    return time.monotonic() - began


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
