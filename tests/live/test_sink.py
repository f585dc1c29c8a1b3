"""The Elasticsearch sink on a real node: whatever breaks on the way, the index tells what the topic tells."""

import os
import signal
import time
from typing import Any

import orjson
import pytest

from driftline.pipeline.kafka.client import Delivery, admin, flush, produce, producer
from driftline.pipeline.local.elasticsearch import ElasticsearchServer
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.records.topics import FINDINGS
from driftline.sinks.elasticsearch.render import ALIAS
from tests.live import proxy
from tests.live.stage import PATIENCE, Stage
from tests.sinks.findings import HOSTILE, findings

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),  # a bulk is one
]


def test_the_index_tells_what_the_topic_tells(on: Stage, said: list[bytes]) -> None:
    on.sink()
    on.say(said)
    on.arrived()
    latest, history = on.wanted()
    assert 0 < len(latest) < len(history)
    found = [orjson.loads(value) for value in said]
    assert any(finding["restated"] for finding in found)
    ended = [finding for finding in found if finding["retired"]]
    assert ended
    kept = {"term": {"driftline.reason": "resource_deleted"}}
    assert on.direct.count(index=on.history, query=kept)["count"] == len(ended)
    assert on.direct.count(index=ALIAS, query=kept)["count"] == 0
    view = on.direct.search(index=ALIAS, size=1000, query={"match_all": {}})["hits"]["hits"]
    assert all(h["_source"]["@timestamp"] == h["_source"]["driftline"]["last_seen"] for h in view)
    future = {"range": {"@timestamp": {"gt": "now"}}}
    assert on.direct.count(index=f"{ALIAS},{on.history}", query=future)["count"] == 0
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


def _whole(status: int) -> proxy.Fault:
    return lambda bulk: (status, {"error": "unavailable", "status": status})


def _cut(bulk: proxy.Bulk) -> proxy.Answer:
    raise proxy.Cut


def _cut_after(bulk: proxy.Bulk) -> proxy.Answer:
    bulk.forward()
    raise proxy.Cut


def _some_items(bulk: proxy.Bulk) -> proxy.Answer:
    """200, and a third of the items of it were not done: here they were, which the sink cannot know."""
    status, answer = bulk.forward()
    for item in answer["items"][::3]:
        for result in item.values():
            result |= {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "full"}}  # fmt: skip
    return status, answer | {"errors": True}


def test_it_arrives_when_the_destination_recovers(on: Stage, said: list[bytes]) -> None:
    """One fault after the other, each for some bulks; the sink is told nothing of it but by answers."""
    faults: list[proxy.Fault] = [_whole(429), _whole(503), _cut, _cut_after, _some_items]
    happened: list[proxy.Fault] = []

    def one_after_the_other(bulk: proxy.Bulk) -> proxy.Answer | None:
        if bulk.number > len(faults):
            return None
        happened.append(faults[bulk.number - 1])
        return happened[-1](bulk)

    on.gate.fault = one_after_the_other
    on.say(said)
    on.sink()
    on.arrived()
    assert happened == faults
    assert on.letters() == []


def test_killed_between_bulk_and_commit(on: Stage, said: list[bytes]) -> None:
    killed: list[int] = []

    def kill(bulk: proxy.Bulk) -> proxy.Answer | None:
        victim = on.sinks[-1]
        if victim.pid not in killed and len(set(killed)) >= 2:
            return None
        bulk.forward()  # the node has it, and the sink will never know
        killed.append(victim.pid)
        os.killpg(victim.pid, signal.SIGKILL)
        raise proxy.Cut

    on.gate.fault = kill
    on.say(said)
    for number in range(2):
        child = on.sink()
        wait_until(lambda n=number: len(set(killed)) > n, PATIENCE, None, "the kill")  # type: ignore[misc]
        wait_until(lambda c=child: not c.running, PATIENCE, None, "its end")  # type: ignore[misc]
    on.sink()
    on.arrived()
    assert len(set(killed)) == 2


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
    client = admin(on.settings.kafka)  # must outlive its answers
    groups = client.describe_consumer_groups(["driftline-sink-elasticsearch"])
    return [m for future in groups.values() for m in future.result(30).members if m.assignment]


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
    letters = len(on.letters())
    again = on.sink()
    wait_until(lambda: not again.running, PATIENCE, None, "its end")
    assert again.code == 4
    assert len(on.letters()) == letters, "they are there already"


def test_it_does_not_start_without_its_templates(on: Stage) -> None:
    on.direct.indices.delete(index=f"{ALIAS}-v1")
    sink = on.sink()
    wait_until(lambda: not sink.running, PATIENCE, None, "its end")
    assert sink.code == 2
    assert "driftline sink elasticsearch --install" in sink.tail()


def test_hostile_names_arrive_as_text(on: Stage) -> None:
    hostile = findings()["hostile"]
    long = "🪣" * 40_000
    hostile["resource"]["tags"] |= {long: long}
    hostile["evidence"].append({"path": "config.long", "value": long})
    on.say([orjson.dumps(hostile)])
    on.sink()
    on.arrived()
    assert on.letters() == []
    [hit] = on.direct.search(index=ALIAS, query={"term": {"resource.name": HOSTILE}})["hits"][
        "hits"
    ]
    assert hit["_source"]["driftline"]["owner"] == HOSTILE


def test_nothing_is_lost_while_sinks_come_and_go(on: Stage, said: list[bytes]) -> None:
    step = len(said) // 6
    first = on.sink()
    on.say(said[:step])
    wait_until(lambda: on.gate.seen > 0, PATIENCE, first)
    second = on.sink()
    on.say(said[step : 2 * step])
    wait_until(lambda: len(_members(on)) == 2, PATIENCE, second, "the second member")
    on.say(said[2 * step : 3 * step])
    assert first.stop() < 5
    on.say(said[3 * step : 4 * step])
    on.sink()
    on.say(said[4 * step : 5 * step])
    os.killpg(second.pid, signal.SIGKILL)
    on.say(said[5 * step :])
    on.arrived()
    assert on.letters() == []


def test_a_missing_alias_is_waited_for_and_never_made_by_a_write(
    on: Stage, said: list[bytes]
) -> None:
    on.sink()
    on.say(said[:100])
    on.arrived()
    on.direct.indices.delete(index=f"{ALIAS}-v1")
    before = on.gate.seen
    on.say(said[100:])  # with deletions among them
    wait_until(lambda: on.gate.seen > before + 1, PATIENCE, on.sinks[0])
    assert on.indices() == []
    assert not on.direct.indices.exists(index=ALIAS)
    on.install()
    on.arrived()
    assert on.letters() == []


def test_a_node_that_was_really_stopped(
    on: Stage, said: list[bytes], elastic: ElasticsearchServer
) -> None:
    on.sink()
    on.say(said[:100])
    on.arrived()
    elastic.stop()
    seen = on.gate.seen
    on.say(said[100:])
    wait_until(lambda: on.gate.seen > seen + 1, PATIENCE, on.sinks[0])
    elastic.start()
    on.arrived()
    assert on.letters() == []
    assert on.sinks[0].stop() < 5


def test_restatements_move_times_on_and_nothing_else(
    on: Stage, said: list[bytes], again: tuple[list[bytes], dict[str, str]]
) -> None:
    """Whichever topic lags behind, whatever comes twice, and with a sink that is killed: the times of the view are those
    of the last word, and its documents those of the last statements."""
    told, wanted = again
    assert len(told) > 100
    half = len(said) // 2
    on.restate(told[: len(told) // 2])  # of what is nowhere yet
    first = on.sink()
    on.say(said[:half])
    on.arrived()
    os.killpg(first.pid, signal.SIGKILL)
    on.restate(told)
    on.say(said[half:])
    on.sink()
    on.arrived()
    wait_until(lambda: on.seen() == wanted, PATIENCE, on.sinks[-1], "the restatements")
    on.restate(told[::-1])
    on.say(said[:half])
    writes = on.gate.seen
    on.sinks[-1].stop()
    on.sink()
    wait_until(lambda: on.gate.seen > writes, PATIENCE, on.sinks[-1])
    on.said = said
    on.arrived()
    assert on.seen() == wanted
    assert on.letters() == []


def test_a_document_that_somebody_deleted_is_there_again_with_its_restatement(
    on: Stage, said: list[bytes], again: tuple[list[bytes], dict[str, str]]
) -> None:
    told, wanted = again
    on.say(said)
    on.sink()
    on.arrived()
    last = {orjson.loads(value)["id"]: value for value in told}
    id = next(
        id for id, value in last.items() if wanted.get(id) == orjson.loads(value)["last_seen"]
    )
    on.direct.delete(index=ALIAS, id=id)
    on.restate([last[id]])
    wait_until(lambda: on.seen().get(id) == wanted[id], PATIENCE, on.sinks[-1], "the document")
    on.arrived()


def test_a_finding_that_is_forgotten_leaves_the_view(on: Stage, said: list[bytes]) -> None:
    first, old = (orjson.loads(value) for value in said[:2])
    old |= {"revision": 1, "last_seen": "2020-01-01T00:00:00.000000Z"}
    first |= {"revision": int(time.time() * 1000)}  # it is back
    on.say([orjson.dumps(first), orjson.dumps(old)])
    out, delivery = producer(on.settings.kafka), Delivery()
    for id in (first["id"], old["id"]):
        produce(out, delivery, FINDINGS.name, None, key=id.encode())
    flush(out, delivery, 30)
    on.sink()
    on.kept()
    wait_until(lambda: set(on.seen()) == {first["id"]}, PATIENCE, on.sinks[-1], "the end of one")
    assert on.letters() == []
