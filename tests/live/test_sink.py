"""The Elasticsearch sink on a real node: whatever breaks on the way, the index tells what the topic tells."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from elasticsearch import Elasticsearch

from pipeline.kafka import Delivery, flush, produce, producer, read_all
from pipeline.local.elasticsearch import ElasticsearchServer
from pipeline.local.kafka import KafkaServer
from pipeline.local.process import Child, wait_until
from pipeline.settings import Settings
from pipeline.topics import DEADLETTER, FINDINGS
from pipeline.topics_admin import create
from sinks.elasticsearch import install, templates
from sinks.elasticsearch.render import ALIAS, history_stream
from tests.live import conftest, proxy
from tests.live.tape import Tape

pytestmark = pytest.mark.live
HISTORY = history_stream("default")
PATIENCE = 60


class Stage:
    """A broker with an empty findings topic, an installed empty node behind a gate, and sinks as processes."""

    def __init__(self, settings: Settings, gate: proxy.Gate, folder: Path) -> None:
        self.settings, self.gate, self.folder = settings, gate, folder
        self.direct = Elasticsearch(f"http://127.0.0.1:{gate.to}", request_timeout=30)
        self.sinks: list[Child] = []
        self.said: list[bytes] = []

    def sink(self) -> Child:
        """`driftline sink elasticsearch`, as a user starts it."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")} | {
            "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": self.settings.kafka.bootstrap_servers,
            "DRIFTLINE_ELASTICSEARCH__URL": self.gate.url, "PYTHONPATH": str(Path.cwd()),
        }  # fmt: skip
        command = [sys.executable, "-m", "pipeline", "sink", "elasticsearch"]
        child = Child(command, self.folder / f"sink-{len(self.sinks)}.txt", env)
        self.sinks.append(child)
        return child

    def say(self, values: list[bytes]) -> None:
        """Into the topic, in order, keyed as the worker keys."""
        out, delivery = producer(self.settings.kafka), Delivery()
        for value in values:
            produce(out, delivery, FINDINGS.name, value, key=_id(value))
        flush(out, delivery, 30)
        self.said += values

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
        self.direct.indices.refresh(index=f"{ALIAS},{HISTORY}", ignore_unavailable=True)
        latest = {hit["_id"]: hit["_source"]["driftline"]["revision"] for hit in self._all(ALIAS)}
        return latest, {hit["_id"] for hit in self._all(HISTORY)}

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
            wait_until(lambda: self.shown() == self.wanted(), PATIENCE, self.sinks[-1], "the sink")
        except RuntimeError:
            (shown, kept), (latest, history) = self.shown(), self.wanted()
            log = self.sinks[-1].tail(5)
            assert (len(shown), len(kept)) == (len(latest), len(history)), log
            raise

    def letters(self) -> list[str]:
        """The reasons of the sink's dead letters."""
        headers = [dict(m.headers()) for m in read_all(self.settings.kafka, DEADLETTER.name)]
        return [h["reason"].decode() for h in headers if h["stage"] == b"elasticsearch"]


@contextmanager
def stage(broker: KafkaServer, elastic: ElasticsearchServer, folder: Path) -> Iterator[Stage]:
    settings = Settings.model_validate(
        {"kafka": {"bootstrap_servers": broker.bootstrap}, "elasticsearch": {"url": elastic.url}}
    )
    with proxy.gate(elastic.port) as gate:
        mine = Stage(settings, gate, folder)
        conftest.without_topics(settings.kafka)
        create(settings.kafka)
        mine.direct.options(ignore_status=404).indices.delete_data_stream(name=HISTORY)
        for index in mine.direct.indices.get(index=f"{ALIAS}-v*", expand_wildcards="all"):
            mine.direct.indices.delete(index=index)
        asyncio.run(install(settings, lambda _: None))
        try:
            yield mine
        finally:
            for sink in mine.sinks:
                sink.kill()
            mine.direct.close()


@pytest.fixture
def on(broker: KafkaServer, elastic: ElasticsearchServer, tmp_path: Path) -> Iterator[Stage]:
    with stage(broker, elastic, tmp_path) as mine:
        yield mine


@pytest.fixture(scope="session")
def said() -> list[bytes]:
    """About 1200 statements on 600 findings: opened, resolved, reopened, restated, retired."""
    return Tape(5000, 4).undisturbed().all_said


def _id(value: bytes) -> bytes:
    return str(orjson.loads(value)["id"]).encode()


def test_the_index_tells_what_the_topic_tells(on: Stage, said: list[bytes]) -> None:
    on.sink()
    on.say(said)
    on.arrived()
    latest, history = on.wanted()
    assert 0 < len(latest) < len(history)
    assert any(orjson.loads(value)["retired"] for value in said)
    assert any(orjson.loads(value)["restated"] for value in said)
    future = {"range": {"@timestamp": {"gt": "now"}}}
    assert on.direct.count(index=f"{ALIAS},{HISTORY}", query=future)["count"] == 0
    assert on.sinks[0].stop() < 5
    assert on.sinks[0].code == 0


def test_everything_again_and_late_changes_nothing(on: Stage, said: list[bytes]) -> None:
    on.say(said)
    on.sink()
    on.arrived()
    before = on.shown()
    writes = on.gate.seen
    on.sinks[0].stop()
    on.say(said)  # again, from the first revision on: a reader may never be thrown back
    on.sink()
    wait_until(lambda: on.gate.seen > writes, PATIENCE, on.sinks[-1])
    assert on.sinks[-1].stop() < 5
    assert on.shown() == before
    assert on.letters() == []


def _429(bulk: proxy.Bulk) -> proxy.Answer | None:
    return (429, {"error": "es_rejected_execution_exception", "status": 429}) if bulk.number < 6 else None  # fmt: skip


def _503(bulk: proxy.Bulk) -> proxy.Answer | None:
    return (503, {"error": "unavailable", "status": 503}) if bulk.number < 6 else None


def _cut(bulk: proxy.Bulk) -> proxy.Answer | None:
    if bulk.number < 6:
        raise proxy.Cut
    return None


def _cut_after(bulk: proxy.Bulk) -> proxy.Answer | None:
    if bulk.number < 6:
        bulk.forward()
        raise proxy.Cut
    return None


def _some_items(bulk: proxy.Bulk) -> proxy.Answer | None:
    """200, and a third of the items of it were not done: here they were, which the sink cannot know."""
    if bulk.number >= 6:
        return None
    status, answer = bulk.forward()
    for item in answer["items"][::3]:
        for result in item.values():
            result |= {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "full"}}  # fmt: skip
    return status, answer | {"errors": True}


@pytest.mark.parametrize("fault", [_429, _503, _cut, _cut_after, _some_items])
def test_it_arrives_when_the_destination_recovers(
    on: Stage, said: list[bytes], fault: proxy.Fault
) -> None:
    on.gate.fault = fault
    on.say(said)
    on.sink()
    on.arrived()
    assert on.gate.seen >= 6, "the fault did not happen"
    assert on.letters() == []


def test_killed_between_bulk_and_commit(on: Stage, said: list[bytes]) -> None:
    killed: list[int] = []

    def kill(bulk: proxy.Bulk) -> proxy.Answer | None:
        if len(killed) >= 4:
            return None
        bulk.forward()  # the node has it, and the sink will never know
        victim = on.sinks[-1]
        killed.append(victim.pid)
        os.killpg(victim.pid, signal.SIGKILL)
        raise proxy.Cut

    on.gate.fault = kill
    on.say(said)
    for number in range(4):
        child = on.sink()
        wait_until(lambda n=number: len(killed) > n, PATIENCE, None, "the kill")  # type: ignore[misc]
        wait_until(lambda c=child: not c.running, PATIENCE, None, "its end")  # type: ignore[misc]
    on.sink()
    on.arrived()
    assert len(set(killed)) == 4


def test_a_second_sink_joins_while_the_first_waits(on: Stage, said: list[bytes]) -> None:
    on.gate.fault = lambda bulk: (503, {"error": "unavailable", "status": 503})
    on.say(said[: len(said) // 2])
    on.sink()
    wait_until(lambda: on.gate.seen >= 2, PATIENCE, on.sinks[0])
    on.sink()
    wait_until(lambda: len(_members(on)) == 2, PATIENCE, on.sinks[1], "the second member")
    on.gate.fault = proxy.passing
    on.say(said[len(said) // 2 :])
    on.arrived()
    assert all(sink.running for sink in on.sinks)


def _members(on: Stage) -> list[Any]:
    from pipeline.kafka import admin

    groups = admin(on.settings.kafka).describe_consumer_groups(["driftline-sink-elasticsearch"])
    return [m for future in groups.values() for m in future.result().members if m.assignment]


def test_what_elasticsearch_refuses_is_buried_and_the_rest_arrives(
    on: Stage, said: list[bytes]
) -> None:
    good = said[:60]
    bad = orjson.loads(good[0]) | {"id": "bad", "opened_at": "no time"}
    on.sink()
    on.say(good)
    out, delivery = producer(on.settings.kafka), Delivery()
    for value in (orjson.dumps(bad), b"{", b"[]", b'{"id": "x"}', b"\xff", b"[" * 5000):
        produce(out, delivery, FINDINGS.name, value, key=b"bad")
    flush(out, delivery, 30)
    on.arrived()
    wait_until(lambda: len(on.letters()) >= 7, PATIENCE, on.sinks[0], "the letters")
    refused = [reason for reason in on.letters() if reason.startswith("400 document_parsing")]
    assert len(refused) == 2, "once for the latest view, once for the history"
    assert sum("cannot be rendered" in reason for reason in on.letters()) == 5


def test_too_many_refused_is_a_bad_deploy(on: Stage) -> None:
    on.say([orjson.dumps({"id": str(n)}) for n in range(300)])
    sink = on.sink()
    wait_until(lambda: not sink.running, PATIENCE, None, "its end")
    assert sink.code == 4
    assert "a bad deploy is not a bad record" in sink.tail()


def test_a_new_mapping_is_filled_and_swapped_while_a_sink_writes(
    on: Stage, said: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = len(said) // 2
    on.sink()
    on.say(said[:half])
    on.arrived()
    mapping: Callable[[], dict[str, Any]] = templates.mapping
    monkeypatch.setattr(templates, "mapping", lambda: mapping() | {"_routing": {"required": False}})
    told: list[str] = []
    on.say(said[half:])
    asyncio.run(install(on.settings, told.append))
    assert any("-v2: filled with" in line for line in told), told
    on.arrived()
    assert list(on.direct.indices.get(index=f"{ALIAS}-v*")) == [f"{ALIAS}-v2"]
    told.clear()
    asyncio.run(install(on.settings, told.append))
    assert any("as it should be" in line for line in told)


def test_it_does_not_start_without_its_templates(on: Stage) -> None:
    on.direct.indices.delete(index=f"{ALIAS}-v1")
    sink = on.sink()
    wait_until(lambda: not sink.running, PATIENCE, None, "its end")
    assert sink.code == 2
    assert "driftline sink elasticsearch --install" in sink.tail()
