"""A broker, a node behind a gate, and sinks as processes; what the topic tells and what the node shows."""

import asyncio
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import ApiError, Elasticsearch

from driftline.pipeline.kafka.client import Delivery, flush, produce, producer, read_all
from driftline.pipeline.kafka.topics_admin import create
from driftline.pipeline.local.elasticsearch import ElasticsearchServer
from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import Child, wait_until
from driftline.pipeline.records.topics import DEADLETTER, FINDINGS, RESTATEMENTS
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.configured import ConfiguredSink, configured_sink
from driftline.sinks.elasticsearch.render import ALIAS, history_stream
from tests.live import conftest, proxy

PATIENCE = 60


class Stage:
    """A broker with an empty findings topic, an installed empty node behind a gate, and sinks as processes."""

    def __init__(self, settings: Settings, gate: proxy.Gate, folder: Path) -> None:
        self.settings, self.gate, self.folder = settings, gate, folder
        self.direct = Elasticsearch(f"http://127.0.0.1:{gate.to}", request_timeout=30)
        self.history = history_stream(settings.elasticsearch.namespace)
        self.sinks: list[Child] = []
        self.said: list[bytes] = []

    def sink(self) -> Child:
        """`driftline sink elasticsearch`, as a user starts it."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")} | {
            "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": self.settings.kafka.bootstrap_servers,
            "DRIFTLINE_ELASTICSEARCH__URL": self.gate.url,
            "DRIFTLINE_ELASTICSEARCH__NAMESPACE": self.settings.elasticsearch.namespace, "DRIFTLINE_SINK__SESSION_TIMEOUT": "6s", "PYTHONPATH": str(Path.cwd()),
        }  # fmt: skip
        command = [sys.executable, "-m", "driftline.pipeline", "sink", "elasticsearch"]
        child = Child(command, self.folder / f"sink-{len(self.sinks)}.txt", env)
        self.sinks.append(child)
        return child

    def say(self, values: list[bytes]) -> None:
        """Into the topic, in order, keyed as the worker keys."""
        out, delivery = producer(self.settings.kafka), Delivery()
        for value in values:
            produce(
                out, delivery, FINDINGS.name, value, key=str(orjson.loads(value)["id"]).encode()
            )
        flush(out, delivery, 30)
        self.said += values

    def restate(self, values: list[bytes]) -> None:
        """Restatements, keyed as the worker keys."""
        out, delivery = producer(self.settings.kafka), Delivery()
        for value in values:
            key = str(orjson.loads(value)["id"]).encode()
            produce(out, delivery, RESTATEMENTS.name, value, key=key)
        flush(out, delivery, 30)

    def seen(self) -> dict[str, str]:
        """Of the node's latest view: id to last_seen."""
        self.direct.indices.refresh(index=ALIAS, ignore_unavailable=True)
        return {hit["_id"]: hit["_source"]["driftline"]["last_seen"] for hit in self._all(ALIAS)}

    def wanted(self) -> tuple[dict[str, int], set[str]]:
        """The latest view, id to revision; and the ids of the history."""
        latest: dict[str, int] = {}
        history = set()
        for value in self.said:
            finding = orjson.loads(value)
            latest[finding["id"]] = finding["revision"]
            if finding["retired"]:
                del latest[finding["id"]]
            if not finding["restated"]:
                history.add(f"{finding['id']}:{finding['revision']}")
        return latest, history

    def shown(self) -> tuple[dict[str, int], set[str]]:
        """The same, of the node."""
        self.direct.indices.refresh(index=f"{ALIAS},{self.history}", ignore_unavailable=True)
        latest = {hit["_id"]: hit["_source"]["driftline"]["revision"] for hit in self._all(ALIAS)}
        return latest, {hit["_id"] for hit in self._all(self.history)}

    def _all(self, index: str) -> Iterator[dict[str, Any]]:
        after: list[Any] | None = None
        while True:
            found = self.direct.search(index=index, size=5000, ignore_unavailable=True, search_after=after,
                                       sort=[{"event.created": "asc"}, {"event.id": "asc"}, {"driftline.revision": "asc"}])  # fmt: skip
            hits = found["hits"]["hits"]
            yield from hits
            if len(hits) < 5000:
                return
            after = hits[-1]["sort"]

    def arrived(self) -> None:
        """Waits until the node shows what was said, in both places; fails with the difference."""
        try:
            wait_until(self._as_many, PATIENCE, self.sinks[-1], "the sink")
            wait_until(lambda: self.shown() == self.wanted(), PATIENCE, self.sinks[-1], "the sink")
        except RuntimeError:
            (shown, kept), (latest, history) = self.shown(), self.wanted()
            log = self.sinks[-1].tail(5)
            assert (len(shown), len(kept)) == (len(latest), len(history)), log
            raise

    def kept(self) -> None:
        """Waits until the history has what was said: a sink has carried that out in the view too."""
        wait_until(
            lambda: self._count(self.history) == len(self.wanted()[1]),
            PATIENCE,
            self.sinks[-1],
            "the sink",
        )

    def _as_many(self) -> bool:
        """Cheaper to ask than `shown`."""
        counts = self._count(ALIAS), self._count(self.history)
        return counts == tuple(len(ids) for ids in self.wanted())

    def _count(self, index: str) -> int:
        """-1 where it was just made, and is not yet there to be asked."""
        try:
            self.direct.indices.refresh(index=index, ignore_unavailable=True)
            return int(self.direct.count(index=index, ignore_unavailable=True)["count"])
        except ApiError as error:
            if error.status_code != 503:
                raise
            return -1

    def indices(self) -> list[str]:
        """The ends of the names of the view's indices, `v1`; the one behind the alias has a star."""
        found = self.direct.indices.get(index=f"{ALIAS}-v*", expand_wildcards="all")
        return sorted(
            name.rpartition("-")[2] + "*" * (ALIAS in about["aliases"])
            for name, about in found.items()
        )

    @property
    def configured(self) -> ConfiguredSink:
        return configured_sink(self.settings, "elasticsearch")

    def install(self, tell: Callable[[str], None] = lambda _: None) -> None:
        asyncio.run(self.configured.install(tell))

    def letters(self) -> list[str]:
        """The reasons of the sink's dead letters."""
        headers = [dict(m.headers()) for m in read_all(self.settings.kafka, DEADLETTER.name)]
        return [h["reason"].decode() for h in headers if h["stage"] == b"elasticsearch"]


@contextmanager
def stage(broker: KafkaServer, elastic: ElasticsearchServer, folder: Path) -> Iterator[Stage]:
    """The history is the test's own: the node that we have cannot delete a data stream."""
    settings = Settings.model_validate(
        {"kafka": {"bootstrap_servers": broker.bootstrap},
         "elasticsearch": {"url": elastic.url, "namespace": f"n{uuid.uuid4().hex}"}}
    )  # fmt: skip
    with proxy.gate(elastic.port) as gate:
        mine = Stage(settings, gate, folder)
        conftest.without_topics(settings.kafka, [FINDINGS, RESTATEMENTS, DEADLETTER])
        create(settings.kafka)
        for index in mine.direct.indices.get(index=f"{ALIAS}*", expand_wildcards="all"):
            mine.direct.indices.delete(index=index)
        mine.install()
        try:
            yield mine
        finally:
            for sink in mine.sinks:
                sink.kill()
            mine.direct.close()
