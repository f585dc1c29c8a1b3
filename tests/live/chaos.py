"""The worker, killing itself (SIGKILL) around its flushes: in the middle of the deliveries, between the two, before the
files, before the acknowledgement. $CHAOS is the chance at each flush."""

import os
import random
import signal
import sys
import threading
from typing import Any

from driftline.pipeline.cli import run
from driftline.pipeline.worker.commit import CommitPipeline

_flush = CommitPipeline._flush


async def flush(self: Any) -> None:
    if random.random() < float(os.environ["CHAOS"]):
        threading.Timer(random.uniform(0, 0.02), os.kill, [os.getpid(), signal.SIGKILL]).start()
    await _flush(self)


if __name__ == "__main__":
    if "CHAOS" in os.environ:
        CommitPipeline._flush = flush  # type: ignore[method-assign]
    sys.argv = ["driftline", "worker"]
    run()
