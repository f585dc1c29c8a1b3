"""Bytes, calls and processor time a resource, on real parts: what docs/sizing.md multiplies.

An ordinary simulated account is read twice; between the two nothing changes. Sizes are those of the files on disk (Kafka's
logs with the producers' lz4, RocksDB, Elasticsearch after a merge), so that compression counts."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from confluent_kafka import TopicPartition

from driftline.collectors.base import known_from
from driftline.pipeline.demo.view import View
from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import consumer, read_compacted
from driftline.pipeline.local import elasticsearch, kafka
from driftline.pipeline.local.packages import cache
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.records.topics import APP_ID, CONTROL, PARTITIONS, SNAPSHOTS, SWEEPS, short
from driftline.sinks.elasticsearch.render import ALIAS
from tests.bench.account import populate
from tests.bench.scan import REGIONS
from tests.collectors.gate import gate
from tests.collectors.moto import running
from tests.live.programs import Site

PATIENCE = 180


def run() -> dict[str, Any]:
    """By topic and store the bytes that a first and an unchanged second sweep write, a resource; calls and CPU too."""
    with TemporaryDirectory(prefix="bench-", dir=cache(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        broker = kafka.start(folder / "kafka")
        elastic = elasticsearch.start(folder / "elasticsearch")
        try:
            with running(folder, images=False) as moto, gate(moto.url) as door:
                populate(moto)
                site_folder = folder / "site"
                site_folder.mkdir(mode=0o700)
                blocks: dict[str, Any] = {
                    "aws": {"requests_per_second": 1000, "regions": REGIONS}, "rules": {"builtin": True},
                    "elasticsearch": {"url": elastic.url},
                }  # fmt: skip
                with Site(site_folder, {"bootstrap_servers": broker.bootstrap}, **blocks) as site:
                    site.env |= moto.env | {"AWS_ENDPOINT_URL": door.url, "DRIFTLINE_REDACTION__KEY": "k" * 32}  # fmt: skip
                    topics_admin.create(site.kafka)
                    return _measured(site, folder, elastic.url, lambda: len(door.asked))
        finally:
            elastic.kill()
            broker.kill()


def _measured(site: Site, folder: Path, url: str, calls: Callable[[], int]) -> dict[str, Any]:
    if site.cli("sink", "elasticsearch", "--install").code:
        raise RuntimeError("Elasticsearch was not installed")
    worker = site.worker()
    wait_until(worker.ready, PATIENCE, worker.child, "the worker")
    process = psutil.Process(worker.child.pid)
    site.launch("sink", "elasticsearch")
    before, spent = _topics(folder), _cpu(process)
    first = _sweep(site, worker.child)
    counted = calls()
    after, spent_first = _topics(folder), _cpu(process)
    found = site.findings()
    resources = len({finding["resource"]["uid"] for finding in found.values()})
    wait_until(lambda: _documents(url) >= len(found), PATIENCE, None, "the documents")
    _sweep(site, worker.child)
    again, spent_again = _topics(folder), _cpu(process)
    worker.child.stop(30)
    read = _read(site)
    return {
        "resources_judged": resources, "resources_read": read, "findings": len(found), "findings_a_resource": len(found) / resources,
        "calls_a_resource": counted / read, "sweep_seconds": first,
        "first_sweep_bytes": _a_resource(before, after, read), "unchanged_sweep_bytes": _a_resource(after, again, read),
        "worker_us_first": (spent_first - spent) / read * 1e6, "worker_us_unchanged": (spent_again - spent_first) / read * 1e6,
        "state_bytes": _files(worker.state) / read, "elasticsearch_bytes_a_finding": _stored(url) / len(found),
    }  # fmt: skip


def _sweep(site: Site, worker: Any) -> float:
    """One sweep, until every record of it is processed; the collector's seconds."""
    began = time.monotonic()
    done = site.run("collect", "aws", "--once")
    if done.code not in (0, 3):
        raise RuntimeError(done.out[-2000:])
    took = time.monotonic() - began
    wait_until(lambda: _lag(site) == 0, PATIENCE, worker, "the worker")
    return took


def _lag(site: Site) -> int:
    slots = [TopicPartition(t.name, n) for t in (SNAPSHOTS, CONTROL) for n in range(PARTITIONS)]
    reader = consumer(site.kafka, APP_ID)
    try:
        done = reader.committed(slots, 30)
        ends = [reader.get_watermark_offsets(slot, 10)[1] for slot in slots]
    finally:
        reader.close()
    return sum(end - max(one.offset, 0) for end, one in zip(ends, done, strict=True))


def _read(site: Site) -> int:
    known, _, _ = known_from(read_compacted(site.kafka, SWEEPS.name).items())
    return sum(len(one.uids) for one in known.values())


def _topics(folder: Path) -> Counter[str]:
    """Bytes of every topic's log."""
    out: Counter[str] = Counter()
    for path in (folder / "kafka" / "log").glob("*/*.log"):
        out[short(path.parent.name.rpartition("-")[0])] += path.stat().st_size
    return out


def _a_resource(before: Counter[str], after: Counter[str], count: int) -> dict[str, float]:
    grown = {name: (size - before[name]) / count for name, size in after.items()}
    return {name: size for name, size in sorted(grown.items()) if size > 0 and not name.startswith("__")}  # fmt: skip


def _files(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _cpu(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _documents(url: str) -> int:
    view = View(url)
    view.refresh(ALIAS)
    return int(view.ask(f"{ALIAS}/_count").get("count", 0))


def _stored(url: str) -> int:
    """Bytes of the latest view, after a merge."""
    view = View(url)
    view.ask(f"{ALIAS}/_forcemerge?max_num_segments=1&flush=true", {})
    return int(view.ask(f"{ALIAS}/_stats/store")["_all"]["primaries"]["store"]["size_in_bytes"])


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
