"""The Elasticsearch sink, from Kafka to receipts and offsets, against elasticsearch-py's own bulk helper.

The helper is given the documents as our sink renders them, ready in memory; what it leaves out (reading Kafka, rendering,
judging items, offsets) counts against us. Rounds alternate, each on fresh indices."""

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_streaming_bulk

from driftline.pipeline.kafka.client import Delivery, flush, produce, producer
from driftline.pipeline.kafka.topics_admin import create
from driftline.pipeline.local import elasticsearch, kafka
from driftline.pipeline.local.packages import cache
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import FINDINGS, SNAPSHOTS
from driftline.pipeline.rulebook import load
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.base import Action, Receipt
from driftline.sinks.configured import configured_sink
from driftline.sinks.deliver import Deliverer
from driftline.sinks.elasticsearch.render import ALIAS, actions
from driftline.sinks.elasticsearch.sink import OPERATIONS, ElasticsearchSink, client
from driftline.sinks.subscription import Subscription
from tests.bench import buckets

N, ROUNDS = 10_000, 7
CHUNK = 2000
"""The helper's actions a bulk: those of one of our batches. Its default of 500 differs less than the rounds do."""


def run(n: int = N, rounds: int = ROUNDS) -> dict[str, Any]:
    """Findings a second of both, medians with [least, most], and the median of the ratios of neighbours."""
    with TemporaryDirectory(prefix="bench-", dir=cache(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        broker = kafka.start(folder / "kafka")
        node = elasticsearch.start(folder / "elasticsearch")
        settings = Settings.model_validate(
            {"kafka": {"bootstrap_servers": broker.bootstrap}, "elasticsearch": {"url": node.url}}
        )
        try:
            create(settings.kafka)
            asyncio.run(configured_sink(settings, "elasticsearch").install(lambda _: None))
            values = findings(n)
            _fill(settings, values)
            return asyncio.run(_rounds(settings, values, rounds))
        finally:
            node.kill()
            broker.kill()


def findings(n: int) -> list[bytes]:
    """What the packaged rules say of buckets, half of them flawed."""
    fold = Fold(load())
    at = datetime.now(UTC) - timedelta(minutes=5)
    step = 500
    for first in range(0, n, step):
        for _, value, _ in buckets.sweep(range(first, first + step), at, 0.0, 0):
            fold.feed(SNAPSHOTS.name, value)
        if len(fold.findings) >= n:
            break
    return list(fold.findings.values())[:n]


def _fill(settings: Settings, values: Sequence[bytes]) -> None:
    out, delivery = producer(settings.kafka), Delivery()
    for value in values:
        produce(out, delivery, FINDINGS.name, value, key=orjson.loads(value)["id"].encode())
    flush(out, delivery, 60)


async def _rounds(settings: Settings, values: list[bytes], rounds: int) -> dict[str, Any]:
    ours: list[float] = []
    theirs: list[float] = []
    ours_cpu: list[float] = []
    theirs_cpu: list[float] = []
    async with client(settings.elasticsearch) as es:
        for number in range(rounds + 1):
            await _fresh(es)
            mine = _named(settings, f"ours{number}")
            cpu = time.process_time()
            ours.append(len(values) / await _ours(mine, len(values), f"bench-{number}"))
            ours_cpu.append((time.process_time() - cpu) / len(values) * 1e6)
            await _fresh(es)
            its = _named(settings, f"theirs{number}")
            ready = list(_ready(its, values))
            cpu = time.process_time()
            theirs.append(len(values) / await _theirs(its, ready))
            theirs_cpu.append((time.process_time() - cpu) / len(values) * 1e6)
    del ours[0], theirs[0]  # the servers were cold
    pairs = [mine / its for mine, its in zip(ours, theirs, strict=True)]
    return {
        "sink_per_s": round(statistics.median(ours)), "sink_per_s_range": [round(min(ours)), round(max(ours))],
        "helper_per_s": round(statistics.median(theirs)), "helper_per_s_range": [round(min(theirs)), round(max(theirs))],
        "ratio_sink": round(statistics.median(pairs), 3), "ratio_sink_range": [round(min(pairs), 3), round(max(pairs), 3)],
        "sink_cpu_us": round(statistics.median(ours_cpu[1:])), "helper_cpu_us": round(statistics.median(theirs_cpu[1:])),
        "findings": len(values), "finding_bytes": sum(map(len, values)) // len(values), "rounds": rounds,
    }  # fmt: skip


def _named(settings: Settings, namespace: str) -> Settings:
    mine = settings.model_copy(deep=True)
    mine.elasticsearch.namespace = namespace
    return mine


async def _fresh(es: AsyncElasticsearch) -> None:
    """Nothing in the latest view; the history is the round's own."""
    for index in await es.indices.get(index=f"{ALIAS}-v*"):
        await es.indices.delete(index=index)
    await es.indices.create(index=f"{ALIAS}-v1", aliases={ALIAS: {"is_write_index": True}})


class _Counting(ElasticsearchSink):
    """Notes when the first finding came, and stops the loop after the last receipt."""

    began = 0.0
    left = 0
    deliverer: Deliverer

    def render(self, topic: str, document: dict[str, Any], now: int) -> list[Action]:
        self.began = self.began or time.perf_counter()
        return super().render(topic, document, now)

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        receipts = await super().send(actions)
        self.left -= sum(receipt.kind == "done" for receipt in receipts)
        if self.left <= 0:
            self.deliverer.stop()
        return receipts


async def _ours(settings: Settings, n: int, group: str) -> float:
    sink = _Counting(settings.elasticsearch)
    sink.left = 2 * n
    sink.deliverer = Deliverer(settings, sink, Subscription("elasticsearch"))
    await sink.deliverer.run(group)
    if sink.left:
        raise RuntimeError(f"{sink.left} of {2 * n} actions have no receipt")
    return time.perf_counter() - sink.began


async def _theirs(settings: Settings, ready: list[dict[str, Any]]) -> float:
    async with client(settings.elasticsearch) as es:
        began = time.perf_counter()
        done = 0
        async for ok, _ in async_streaming_bulk(es, ready, chunk_size=CHUNK, max_retries=3, raise_on_error=False):  # fmt: skip
            done += ok
        took = time.perf_counter() - began
    if done != len(ready):
        raise RuntimeError(f"the helper delivered {done} of {len(ready)}")
    return took


def _ready(settings: Settings, values: list[bytes]) -> Iterator[dict[str, Any]]:
    now = int(time.time() * 1e6)
    for value in values:
        for action in actions(orjson.loads(value), now, settings.elasticsearch.namespace):
            version = (
                {"version": action.version, "version_type": "external"}
                if action.op == "upsert"
                else {}
            )
            yield {"_op_type": OPERATIONS[action.op], "_index": action.target, "_id": action.id, "_source": action.body} | version  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(), option=orjson.OPT_INDENT_2).decode() + "\n")
