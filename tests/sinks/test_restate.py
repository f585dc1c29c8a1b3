"""Restatements in the latest view: whatever order, however often, it shows the newest statement with the newest time."""

import asyncio
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.model import from_micros, micros
from driftline.pipeline.records.topics import FINDINGS, RESTATEMENTS
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.base import Action, Receipt
from driftline.sinks.deliver import Deliverer
from driftline.sinks.elasticsearch import restate
from driftline.sinks.elasticsearch.render import ALIAS
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.sink import ElasticsearchSink
from driftline.sinks.order import Order
from driftline.sinks.subscription import Subscription
from tests.core.world import minute
from tests.sinks.findings import NOW, findings
from tests.sinks.node import Node
from tests.sinks.test_deliver import Letters, Message

PARTITIONS = 2
HOUR, DAY = 3_600_000_000, 86_400_000_000
BEGIN = micros(minute(0))
LATE = BEGIN + 10 * 365 * DAY


def whole(id: str, at: int, revision: int, **more: Any) -> dict[str, Any]:
    """A statement of a time, in microseconds."""
    return (
        findings()["failed"] | {"id": id, "last_seen": from_micros(at), "revision": revision} | more
    )


def small(id: str, at: int, revision: int) -> dict[str, Any]:
    return {"id": id, "last_seen": from_micros(at), "revision": revision}


class Topics:
    """What a worker writes of some findings, as it keeps revisions; and what must come of it."""

    def __init__(self) -> None:
        self.logs: dict[tuple[str, int], list[Message]] = {
            (topic, number): []
            for topic in (FINDINGS.name, RESTATEMENTS.name)
            for number in range(PARTITIONS)
        }
        self.at = BEGIN
        self._newest: dict[str, dict[str, Any]] = {}
        self._again: dict[str, int] = {}

    def say(self, what: str, id: str, after: int) -> None:
        self.at += after
        newest, again = self._newest.get(id), self._again.get(id, 0)
        if what == "forget":
            if newest is not None and newest["retired"]:
                self.at += 30 * DAY
                self._put(FINDINGS.name, id, None)
                del self._newest[id]
            return
        if what == "restate":
            if (
                newest is None
                or newest["retired"]
                or self.at // 1000 <= max(newest["revision"], again // 1000)
            ):
                return
            self._again[id] = self.at
            self._put(RESTATEMENTS.name, id, small(id, self.at, newest["revision"]))
            return
        before = newest["revision"] if newest else 0
        revision = max(before + 1, self.at // 1000, again // 1000 + 1)
        restated = what == "again" and newest is not None
        if restated and newest["retired"]:  # type: ignore[index]
            return
        said = whole(
            id,
            self.at,
            revision,
            retired=what == "retire",
            restated=restated,
            reopened=revision % 97,
        )
        self._newest[id], self._again[id] = said, 0
        self._put(FINDINGS.name, id, said)

    def _put(self, topic: str, id: str, said: dict[str, Any] | None) -> None:
        number = int(id[1:]) % PARTITIONS
        value = None if said is None else orjson.dumps(said)
        log = self.logs[topic, number]
        message = Message(value, len(log), number, topic, id.encode())
        message.timestamp = lambda at=self.at: (1, at // 1000 + 5000)  # type: ignore[method-assign, misc]
        log.append(message)

    def twice(self, number: int) -> None:
        """A worker was killed before it kept what it had said: the last few are said again."""
        for topic in (FINDINGS.name, RESTATEMENTS.name):
            log = self.logs[topic, number]
            for message in log[-2:]:
                again = Message(message.value(), len(log), number, topic, message.key())
                again.timestamp = message.timestamp  # type: ignore[method-assign]
                log.append(again)

    def wanted(self) -> dict[str, tuple[int, str, int]]:
        """By id: revision, last_seen, and something else of the document."""
        return {
            id: (said["revision"], max(said["last_seen"], from_micros(self._again[id] or self.at - 10**15)), said["reopened"])
            for id, said in self._newest.items()
            if not said["retired"]
        }  # fmt: skip


class Consumer:
    """A sink that reads them, as far and in the order that it is told; it may be killed at any point."""

    def __init__(self, topics: Topics) -> None:
        self.topics, self.node, self.committed = topics, Node(), dict.fromkeys(topics.logs, 0)
        self.start()

    def start(self) -> None:
        self.position = dict(self.committed)
        self.order = Order(
            FINDINGS.name, RESTATEMENTS.name, lambda n: len(self.topics.logs[FINDINGS.name, n])
        )
        sink = ElasticsearchSink(ElasticsearchSettings(), self.node)  # type: ignore[arg-type]
        self.letters = Letters()
        self.it = Deliverer(
            Settings(),
            sink,
            Subscription("elasticsearch"),
            now=lambda: LATE / 1e6,
            dead=self.letters,
        )

    def read(self, slots: list[tuple[str, int]], most: int, *, killed: bool = False) -> None:
        messages = []
        for slot in slots:
            log, at = self.topics.logs[slot], self.position[slot]
            messages += log[at : at + most]
            self.position[slot] = min(at + most, len(log))
            if self.position[slot] == len(log):
                self.order.reached(*slot, len(log))

        async def both() -> Any:
            batch = await self.it.prepare(self.order.pass_on(messages))
            assert await self.it.deliver(batch)
            return batch

        batch = asyncio.run(both())
        assert self.letters.waiting == self.letters.written == []
        if killed:
            self.start()
        else:
            for slot, (_, last) in batch.last.items():
                self.committed[slot] = last.offset() + 1

    def to_the_end(self) -> None:
        while self.committed != {slot: len(log) for slot, log in self.topics.logs.items()}:
            self.read(list(self.topics.logs), 7)

    def shown(self) -> dict[str, tuple[int, str, int]]:
        for document in self.node.documents.values():
            assert document["@timestamp"] == document["driftline"]["last_seen"]
        return {
            id: (
                one["driftline"]["revision"],
                one["driftline"]["last_seen"],
                one["driftline"]["reopened"],
            )
            for id, one in self.node.documents.items()
        }


def _step(chance: random.Random) -> tuple[Any, ...]:
    draw = chance.random()
    if draw < 0.5:
        topic = chance.choice((FINDINGS.name, RESTATEMENTS.name))
        some = [(topic, number) for number in range(PARTITIONS) if chance.random() < 0.7]
        return "read", some, chance.randrange(1, 4), chance.random() < 0.2
    if draw < 0.55:
        return "twice", chance.randrange(PARTITIONS)
    what = chance.choice(("change", "change", "restate", "restate", "restate", "again", "retire", "forget"))  # fmt: skip
    return what, f"f{chance.randrange(3)}", chance.choice((1, 700, HOUR, 12 * HOUR))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_any_interleaving_ends_in_the_newest(seed: int) -> None:
    chance = random.Random(seed)
    topics = Topics()
    consumer = Consumer(topics)
    for _ in range(60):
        step = _step(chance)
        if step[0] == "read":
            consumer.read(*step[1:3], killed=step[3])
        elif step[0] == "twice":
            topics.twice(step[1])
        else:
            topics.say(*step)
    consumer.to_the_end()
    assert consumer.shown() == topics.wanted()
    consumer.committed = dict.fromkeys(topics.logs, 0)  # a group that begins anew
    consumer.start()
    consumer.to_the_end()
    assert consumer.shown() == topics.wanted()


def _document(revision: int, at: int) -> dict[str, Any]:
    [action, *_] = ElasticsearchSink(ElasticsearchSettings(), Node()).render(FINDINGS.name, whole("f0", at, revision), NOW)  # type: ignore[arg-type]  # fmt: skip
    return action.body or {}


def _merged(revision: int, version: int, **found: Any) -> Any:
    action = Action("upsert", ALIAS, "f0", version, {"revision": revision, "last_seen": from_micros(version * 1000)}, behind=True)  # fmt: skip
    return restate.merged(action, found, NOW, "soc")


def test_only_the_times_of_a_document_move() -> None:
    revision = BEGIN // 1000
    before, later = _document(revision, BEGIN), revision + 43_200_000
    written = _merged(revision, later, found=True, _version=revision, _source=before)
    assert (written.op, written.target, written.version) == ("upsert", ALIAS, later)
    after = written.body
    assert after["@timestamp"] == after["driftline"]["last_seen"] == from_micros(later * 1000)
    changed = {"last_seen": before["driftline"]["last_seen"], "restated": False}
    assert (
        after
        | {
            "@timestamp": before["@timestamp"],
            "driftline": after["driftline"] | changed,
        }
        == before
    )
    assert before == _document(revision, BEGIN), "what was there is not touched"


@pytest.mark.parametrize(
    ("revision", "version", "kind"),
    [(5, 20, "written"), (6, 6, "done"), (4, 4, "missing"), (5, 10**15, "done"), (6, 20, "done"), (4, 9, "missing")],
)  # fmt: skip
def test_by_what_is_there(revision: int, version: int, kind: str) -> None:
    """A restatement of revision 5, at 100."""
    source = {"driftline": {"revision": revision}, "event": {}}
    found = _merged(5, 100, found=True, _version=version, _source=source)
    kinds: dict[Any, str] = {Action: "written", Receipt: "done", type(None): "missing"}
    assert kinds[type(found)] == kind


def test_what_is_not_there_is_missing_and_a_view_that_is_not_there_is_waited_for() -> None:
    assert _merged(5, 100, found=False) is None
    told = _merged(5, 100, error={"type": "index_not_found_exception", "reason": "no such index"})
    assert told.kind == "again"
    assert "--install" in told.reason


@pytest.mark.parametrize(
    "told",
    [{"id": "x", "last_seen": "soon", "revision": 1}, {"id": "x", "revision": 1}, {"id": "x", "last_seen": from_micros(BEGIN), "revision": 10**14},
     {"id": "x", "last_seen": from_micros(BEGIN), "revision": None}],
)  # fmt: skip
def test_what_is_no_restatement_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        restate.actions(told)


def test_restatements_wait_while_statements_do() -> None:
    """Else one that came with its statement would find nothing."""
    node = Node()
    sink = ElasticsearchSink(ElasticsearchSettings(), node)  # type: ignore[arg-type]
    revision = BEGIN // 1000
    actions = [
        *sink.render(FINDINGS.name, whole("f0", BEGIN, revision), NOW),
        *sink.render(RESTATEMENTS.name, small("f0", BEGIN + HOUR, revision), NOW),
    ]
    full = node._one
    node._one = lambda *_: 429  # type: ignore[method-assign]
    assert [r.kind for r in asyncio.run(sink.send(actions))] == ["again"] * 3
    node._one = full  # type: ignore[method-assign]
    assert [r.kind for r in asyncio.run(sink.send(actions))] == ["done"] * 3
    assert node.documents["f0"]["driftline"]["last_seen"] == from_micros(BEGIN + HOUR)
