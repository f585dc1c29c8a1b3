"""Generates docs/topics.md and docs/metrics.md from driftline.pipeline.records.topics, driftline.pipeline.ops.metrics and each program's ACLs."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from driftline.pipeline.cli.permissions import grants
from driftline.pipeline.common import durations
from driftline.pipeline.ops import metrics
from driftline.pipeline.records.topics import APP_ID, TOPICS, Topic
from driftline.pipeline.reference import code, codes, page, table

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
RECORDS = {
    "sweeps": ("sweep", "sweepuids"),
    "changes": ("change", "chain"),
    "signals": ("signal", "mark"),
}
PEOPLE = ("operator", "administrator")
"""Commands that people run, not programs of the stream."""
TELLERS = {
    "driftline_worker_signals": "worker",
    "driftline_worker_alerts": "correlate",
    "driftline_worker_": "worker, correlate",
    "driftline_sink_": "sink",
    "driftline_sweep_": "coverage --serve",
    "driftline_dead_": "worker, sink, collect",
    "driftline_events": "collect aws events",
    "driftline_rereads": "collect aws reads",
}


def pages() -> Iterator[tuple[str, str]]:
    """Both pages."""
    yield "docs/topics.md", topics_page()
    yield "docs/metrics.md", metrics_page()


def topics_page() -> str:
    """Every topic, with its writers and readers."""
    rows = []
    for topic in TOPICS:
        kept = "the latest record of each key" if topic.cleanup == "compact" else durations.written(topic.retention_ms / 1000)  # fmt: skip
        more = codes(f"{name}={value}" for name, value in sorted(topic.config.items()))
        rows.append([
            code(topic.name), topic.key, str(topic.partitions), kept, more, _who(topic, "Write"), _who(topic, "Read"),
            ", ".join(f"[{name}](../pipeline/schemas/{name}.json)" for name in _records(topic)),
        ])  # fmt: skip
    intro = (
        "`driftline topics create` creates them, `driftline topics check` compares them, `driftline permissions kafka` prints "
        "each program's ACLs. Every topic has `max.message.bytes=4000000` and as many replicas as `kafka.replication` "
        "requests and brokers allow. Partition counts are fixed: a resource's uid determines its partition. "
        "Topics without writers are reserved for later versions. The names of the changelogs begin with `worker.app_id` and `correlate.app_id`."
    )
    head = ["topic", "key", "partitions", "kept", "settings", "written by", "read by", "record"]
    return page("Topics", "pipeline/records/topics.py", intro, table(head, rows))


def _who(topic: Topic, operation: str) -> str:
    found = [g.program for g in grants(APP_ID) if g.kind == "topic" and g.name == topic.name and operation in g.operations]  # fmt: skip
    return ", ".join(name for name in found if name not in PEOPLE)


def _records(topic: Topic) -> list[str]:
    name = topic.own
    names = RECORDS.get(name, (name.rstrip("s"), name))
    return [one for one in dict.fromkeys(names) if (SCHEMAS / f"{one}.json").exists()]


def collectors() -> list[MetricWrapperBase]:
    """Every metric of Driftline."""
    return [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]


def metrics_page() -> str:
    """Every metric with its labels and the programs that report it."""
    rows = []
    for metric in collectors():
        family = next(iter(metric.describe()))
        name = family.name + {"counter": "_total", "histogram": "_bucket, _sum, _count"}.get(family.type, "")  # fmt: skip
        teller = next(who for prefix, who in TELLERS.items() if family.name.startswith(prefix))
        labels = codes(metric._labelnames)  # noqa: SLF001 - there is no other way to ask
        rows.append([code(name), family.type, labels, family.documentation, teller])
    intro = (
        "Prometheus metrics, at `/metrics` of each program that listens: `driftline worker` (`worker.bind`, `worker.port`), `driftline correlate` (`correlate.port`), "
        "`driftline sink NAME` (`sink.bind`, `sink.port`), `driftline coverage --serve PORT`. Each page has every unlabelled metric, "
        "including those of other programs (with value 0): select by job, as the scrape example and the alert rules in "
        "`deploy/prometheus` do. On Linux, `process_start_time_seconds` and the other process metrics are included. "
        "The clock and the collector do not listen: if they stop, the watermark and the sweeps age."
    )
    head = ["metric", "type", "labels", "meaning", "told by"]
    return page("Metrics", "pipeline/ops/metrics.py", intro, table(head, rows))
