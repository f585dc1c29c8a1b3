"""Documents that are missing are written again from the topic, seldom, and never over a newer one."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException

from driftline.pipeline.model import from_micros
from driftline.pipeline.records.topics import FINDINGS, RESTATEMENTS, partition
from driftline.pipeline.settings.blocks import Kafka
from driftline.sinks.elasticsearch import missing
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.sink import ElasticsearchSink
from driftline.sinks.module import SinkContext
from tests.sinks.node import Node
from tests.sinks.test_deliver import Message
from tests.sinks.test_restate import BEGIN, HOUR, small, whole

FIRST = BEGIN // 1000


class Stage:
    """A sink, the node, and a topic that can be read again; `read`: which partitions were, each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node, self.said, self.read, self.away = Node(), list[tuple[str, bytes | None]](), list[set[int]](), False  # fmt: skip
        monkeypatch.setattr(missing, "read_all", self._read_all)
        context = SinkContext("elasticsearch", Kafka())
        self.sink = ElasticsearchSink(ElasticsearchSettings(), self.node, context)  # type: ignore[arg-type]
        self.clock = 0.0
        self.runner = asyncio.Runner()
        assert self.sink._missing
        self.sink._missing._now = lambda: self.clock

    def _read_all(self, kafka: Kafka, topic: str, start: Mapping[int, int]) -> Any:
        assert topic == FINDINGS.name
        self.read.append(set(start))
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        for offset, (id, value) in enumerate(self.said):
            if partition(id) in start:
                yield Message(value, offset, partition(id), topic, id.encode())

    def say(self, document: dict[str, Any]) -> None:
        self.said.append((document["id"], orjson.dumps(document)))

    def restate(self, *told: dict[str, Any]) -> None:
        """Sends restatements, and waits for what follows of it."""

        async def both() -> None:
            actions = [a for one in told for a in self.sink.render(RESTATEMENTS.name, one, 0)]
            receipts = await self.sink.send(actions)
            assert {receipt.kind for receipt in receipts} == {"done"}
            assert self.sink._missing
            await self.sink._missing.done()

        self.runner.run(both())

    def shown(self, id: str) -> tuple[int, str]:
        document = self.node.documents[id]["driftline"]
        return document["revision"], document["last_seen"]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(monkeypatch)
    yield stage
    stage.runner.close()


def test_one_that_is_missing_is_read_again_and_seen_when_it_was_restated(on: Stage) -> None:
    on.say(whole("f0", BEGIN, FIRST - 5))
    on.say(whole("f0", BEGIN, FIRST))
    on.restate(small("f0", BEGIN + HOUR, FIRST))
    assert on.shown("f0") == (FIRST, from_micros(BEGIN + HOUR))
    assert on.node.versions["f0"] == (BEGIN + HOUR) // 1000
    assert on.node.history == {}, "it is no transition"
    assert on.read == [{partition("f0")}]
    on.restate(small("f0", BEGIN + 2 * HOUR, FIRST))
    assert on.shown("f0") == (FIRST, from_micros(BEGIN + 2 * HOUR))
    assert len(on.read) == 1


def test_a_newer_statement_is_never_undone(on: Stage) -> None:
    newer = (BEGIN + 2 * HOUR) // 1000
    on.say(whole("f0", BEGIN, FIRST))
    on.say(whole("f0", BEGIN + 2 * HOUR, newer))
    on.restate(small("f0", BEGIN + HOUR, FIRST))
    assert on.shown("f0") == (newer, from_micros(BEGIN + 2 * HOUR))
    on.node.documents["f1"] = {"driftline": {"revision": newer}}
    on.node.versions["f1"] = newer
    on.say(whole("f1", BEGIN, FIRST))
    on.restate(small("f1", BEGIN + HOUR, FIRST))
    assert on.node.documents["f1"] == {"driftline": {"revision": newer}}


def test_what_has_ended_or_is_forgotten_stays_away(on: Stage) -> None:
    on.say(whole("f0", BEGIN, FIRST))
    on.say(whole("f0", BEGIN + HOUR, FIRST + 9, retired=True))
    on.say(whole("f1", BEGIN, FIRST))
    on.said.append(("f1", None))
    on.restate(small("f0", BEGIN + HOUR, FIRST), small("f1", BEGIN + HOUR, FIRST))
    assert on.node.documents == {}
    on.clock += missing.EVERY
    on.restate(small("f0", BEGIN + 2 * HOUR, FIRST), small("f1", BEGIN + 2 * HOUR, FIRST))
    assert len(on.read) == 1, "that is known"


def test_the_topic_is_read_seldom_and_then_for_all_that_are_missing(on: Stage) -> None:
    ids = [f"f{number}" for number in range(40)]
    for id in ids:
        on.say(whole(id, BEGIN, FIRST))
    for id in ids:
        on.clock += 1.0
        on.restate(small(id, BEGIN + HOUR, FIRST))
    assert len(on.node.documents) == len(on.read) == 1
    on.clock += missing.EVERY
    on.restate(small(ids[0], BEGIN + 2 * HOUR, FIRST))
    assert len(on.node.documents) == 40
    assert len(on.read) == 2


def test_one_that_is_refused_is_not_looked_for_again_until_it_is_another(on: Stage) -> None:
    on.say(whole("f0", BEGIN, FIRST))
    full = on.node._one
    on.node._one = lambda *_: 400  # type: ignore[method-assign]
    on.restate(small("f0", BEGIN + HOUR, FIRST))
    on.node._one = full  # type: ignore[method-assign]
    on.clock += missing.EVERY
    on.restate(small("f0", BEGIN + 2 * HOUR, FIRST))
    assert len(on.read) == 1
    on.say(whole("f0", BEGIN + 3 * HOUR, FIRST + 1))
    on.restate(small("f0", BEGIN + 4 * HOUR, FIRST + 1))
    assert on.shown("f0") == (FIRST + 1, from_micros(BEGIN + 4 * HOUR))


def test_brokers_that_are_away_cost_nothing_but_the_time(on: Stage) -> None:
    on.say(whole("f0", BEGIN, FIRST))
    on.away = True
    on.restate(small("f0", BEGIN + HOUR, FIRST))
    on.away = False
    on.clock += missing.EVERY
    on.restate(small("f0", BEGIN + 2 * HOUR, FIRST))
    assert on.shown("f0") == (FIRST, from_micros(BEGIN + 2 * HOUR))


def test_statements_that_cannot_be_rendered_are_left_to_their_letters(on: Stage) -> None:
    on.said.append(("f0", b"{"))
    on.restate(small("f0", BEGIN + HOUR, FIRST))
    assert on.node.documents == {}
