"""What pacing costs a scan: an account of some 500 resources, against a simulated AWS that never throttles and answers some
400 calls a second at most, once at AWS's pace (collectors.aws.rates) and once without any, in turns."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.bench.account import REGIONS, populate
from tests.bench.scan import ceiling
from tests.collectors.moto import Moto, running

ROUNDS = 3
UNPACED = "from collectors.aws import pace; pace.Pace.wait = lambda *_: None; from pipeline.cli import run; run()"
PACED = "from pipeline.cli import run; run()"


def run() -> dict[str, Any]:
    """paced_s and unpaced_s (medians), and their ratio."""
    with TemporaryDirectory(prefix="bench-") as name, running(Path(name), images=False) as moto:
        made, folder = populate(moto), Path(name)
        path = folder / "driftline.yaml"
        path.write_text(yaml.safe_dump({"aws": {"regions": list(REGIONS)}}))
        path.chmod(0o600)
        times: dict[str, list[float]] = {PACED: [], UNPACED: []}
        for program in [PACED, UNPACED] * ROUNDS:
            times[program].append(scan(folder, moto, program))
        paced, unpaced = (statistics.median(times[program]) for program in (PACED, UNPACED))
        return {
            "made": made, "paced_s": paced, "unpaced_s": unpaced, "ratio": paced / unpaced, "calls_per_s_at_most": ceiling(moto),
        }  # fmt: skip


def scan(folder: Path, moto: Moto, program: str) -> float:
    """Seconds of `scan aws` as a process of its own."""
    env = os.environ | moto.env | {"DRIFTLINE_CONFIG": str(folder / "driftline.yaml"), "PYTHONPATH": str(Path.cwd())}  # fmt: skip
    command = [sys.executable, "-c", program, "scan", "aws", "--format", "json"]
    began = time.monotonic()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(done.stderr[-2000:])
    return time.monotonic() - began


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
