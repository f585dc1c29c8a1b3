"""From a reading in the collector's hands to its finding by realtime GET in Elasticsearch: p50 and p99.

Worker and sink are processes as a user starts them; one change at a time, on an idle pipeline and beside a sweep of
unchanged resources. What lies before (how soon a collector reads again) is the sweep's interval, not ours."""

import os
import statistics
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.local import elasticsearch, kafka
from driftline.pipeline.local.packages import cache
from driftline.pipeline.local.process import Child, wait_until
from driftline.pipeline.model import finding_id
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import SNAPSHOTS, partition
from driftline.pipeline.settings.blocks import Kafka
from driftline.sinks.elasticsearch.render import ALIAS
from tests.bench import buckets

RULE = "aws-s3-bucket-public-access-blocked"
CHANGES, RESOURCES, PATIENCE = 150, 2000, 60.0


class Line:
    """Kafka, Elasticsearch, worker and sink."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o711)
        self.broker = kafka.start(folder / "kafka")
        self.elastic = elasticsearch.start(folder / "elasticsearch")
        self.kafka = Kafka(bootstrap_servers=self.broker.bootstrap)
        topics_admin.create(self.kafka)
        self.env = env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")} | {
            "PYTHONPATH": str(Path.cwd()), "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "DRIFTLINE_ELASTICSEARCH__URL": self.elastic.url, "DRIFTLINE_WORKER__STATE_DIR": str(folder / "state"),
            "DRIFTLINE_WORKER__PORT": "0",
        }  # fmt: skip
        self.es = Elasticsearch(self.elastic.url)
        self.children: list[Child] = []
        self.rounds: dict[int, int] = {}
        install = Child([sys.executable, "-m", "driftline.pipeline", "sink", "elasticsearch", "--install"], folder / "install.txt", env)  # fmt: skip
        wait_until(lambda: not install.running, 60, None, "the installation")
        for name in (("worker",), ("sink", "elasticsearch")):
            self.children.append(Child([sys.executable, "-m", "driftline.pipeline", *name], folder / f"{name[0]}.txt", env))  # fmt: skip
        self.out, self.delivery = producer(self.kafka, linger_ms=0), Delivery()

    def say(self, number: int, round_: int) -> None:
        value = buckets.snapshot(number, datetime.now(UTC), round_)
        home = partition(buckets.uid(number))
        produce(
            self.out, self.delivery, SNAPSHOTS.name, codec.encode_batch([value]), partition=home
        )
        self.out.poll(0)

    def stands(self, number: int, status: str) -> bool:
        try:
            found = self.es.get(index=ALIAS, id=finding_id(RULE, buckets.uid(number)))
        except NotFoundError:
            return False
        return bool(found["_source"]["driftline"]["status"] == status)

    def change(self, number: int) -> float:
        """Milliseconds until the change is seen. None puts back what was before it: that is believed only the second time."""
        round_ = self.rounds[number] = self.rounds.get(number, 0) + 1
        status = "open" if (number + round_) % 2 else "resolved"
        began = time.perf_counter()
        self.say(number, round_)
        while not self.stands(number, status):
            if time.perf_counter() - began > PATIENCE:
                raise RuntimeError("\n".join(child.tail() for child in self.children))
            time.sleep(0.002)
        return (time.perf_counter() - began) * 1000

    def close(self) -> None:
        for child in self.children:
            child.stop()
        self.es.close()
        self.elastic.kill()
        self.broker.stop()


def run() -> dict[str, Any]:
    """Milliseconds: idle_p50, idle_p99, busy_p50, busy_p99, and the background's rate."""
    with TemporaryDirectory(prefix="bench-", dir=cache(), ignore_cleanup_errors=True) as folder:
        line = Line(Path(folder))
        try:
            return _run(line)
        finally:
            line.close()


def _run(line: Line) -> dict[str, Any]:
    for number in range(RESOURCES):
        line.say(number, 0)
    flush(line.out, line.delivery, 60)
    wait_until(lambda: all(line.stands(n, "open") for n in range(1, RESOURCES, 100)), 120, None, "the first sweep")  # fmt: skip
    line.change(1)
    line.change(1)  # warm
    idle = _changes(line)
    stopping, said = threading.Event(), [0]

    def sweeping() -> None:
        while not stopping.is_set():
            for number in range(RESOURCES // 2, RESOURCES):
                line.say(number, 0)
                said[0] += 1
                if stopping.wait(0.001):
                    return

    thread = threading.Thread(target=sweeping)
    began = time.monotonic()
    thread.start()
    try:
        busy = _changes(line)
    finally:
        stopping.set()
        thread.join()
    rate = said[0] / (time.monotonic() - began)
    return {"idle": _told(idle), "busy": _told(busy), "background_per_s": rate, "changes": CHANGES}


def _changes(line: Line) -> list[float]:
    return [line.change(2 * n % 200 + 1) for n in range(CHANGES)]


def _told(times: list[float]) -> dict[str, float]:
    return {"p50_ms": statistics.median(times), "p99_ms": statistics.quantiles(times, n=100)[98]}


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
