"""Dead letters on a real Kafka: from the worker and from the sink, looked at, sent again, let go."""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import TopicPartition
from elasticsearch import Elasticsearch

from driftline.pipeline.kafka.client import admin, read_all
from driftline.pipeline.kafka.dead_letters import KEPT
from driftline.pipeline.local.elasticsearch import ElasticsearchServer
from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import Child, wait_until
from driftline.pipeline.model import finding_id
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import CONTROL, FINDINGS, SNAPSHOTS, partition
from driftline.sinks.elasticsearch.render import ALIAS
from driftline.sinks.elasticsearch.templates import fingerprint, mapping
from tests.core.tape import AS_WORKER
from tests.core.world import UID, World, key
from tests.live.programs import Site, Told

pytestmark = pytest.mark.live
PATIENCE = 60
HOME = partition(UID)
NEIGHBOURS = [u for u in (f"{UID}{n:03d}" for n in range(400)) if partition(u) == HOME][:4]
OLDER = [sys.executable, "-c", """
from driftline.pipeline.records import codec as wire
from driftline.pipeline.cli import run
from driftline.pipeline.common.errors import Malformed
reads = wire.snapshot
def snapshot(data):
    found = reads(data)
    if "settled" in found.tags:
        raise Malformed("tags.settled: this reader does not know it yet")
    return found
wire.snapshot = snapshot
run()
"""]  # fmt: skip
"""The worker before its reader was mended."""


@pytest.fixture
def site(own: KafkaServer, tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, {"bootstrap_servers": own.bootstrap}) as mine:
        mine.cli("deadletter", "drop", "--all")
        yield mine


def letters(site: Site, *words: str) -> list[dict[str, Any]]:
    told = site.cli("deadletter", "list", "--format", "json", *words)
    found: list[dict[str, Any]] = [] if told.out == "no dead letters\n" else json.loads(told.out)
    return found


def standing(site: Site, count: int, child: Child | None = None) -> list[dict[str, Any]]:
    """Waits for so many letters."""
    wait_until(lambda: len(letters(site)) >= count, PATIENCE, child, f"{count} letters")
    return letters(site)


def cells(told: Told) -> str:
    """What a terminal would get must be harmless."""
    assert [c for c in told.out if not c.isprintable() and c != "\n"] == []
    return told.out


def test_from_a_bad_record_to_the_right_finding(site: Site) -> None:
    # The world as it should come to: what the older reader refuses included.
    good = [key(1, uid=uid) for uid in NEIGHBOURS]
    later = key(2, rotation=False, tags={"settled": "yes"})
    world = World(AS_WORKER)
    for snapshot in (*good, later):
        world.snapshot(snapshot)

    worker = site.worker(program=OLDER)
    hostile = b'{"uid": 5, "type": "\\u001b]0;owned\\u0007", "name": "\xe2\x80\xae\xc2\x9b2J\x7f"}'
    elements = [codec.encode_snapshot(s) for s in (good[0], good[1], later, good[2], good[3])]
    elements.insert(2, hostile)
    whole = b"[not json\x1b[2J" + b"x" * 70_000
    nested = b"[" * 70 + b"]" * 70
    batch = site.say(SNAPSHOTS.name, codec.encode_batch(elements), partition=HOME)
    bad = site.say(SNAPSHOTS.name, whole, codec.encode_batch([nested]), partition=HOME)
    tick = site.say(CONTROL.name, b'{"tick": 5, "exception": {}}', partition=3)

    wanted = {  # (topic, partition, offset, place): the bytes
        (SNAPSHOTS.name, HOME, batch, 2): hostile,
        (SNAPSHOTS.name, HOME, batch, 3): codec.encode_snapshot(later),
        (SNAPSHOTS.name, HOME, bad, -1): whole,
        (SNAPSHOTS.name, HOME, bad + 1, 0): nested,
        (CONTROL.name, 3, tick, -1): b'{"tick": 5, "exception": {}}',
    }
    found = standing(site, len(wanted), worker.child)
    places = {tuple(x[n] for n in ("topic", "partition", "offset", "place")): x for x in found}
    assert places.keys() == wanted.keys()
    for place, value in wanted.items():
        letter = places[place]
        assert (letter["size"], letter["sha256"]) == (len(value), hashlib.sha256(value).hexdigest())
        assert letter["stage"] == "assess"
        shown = json.loads(cells(site.cli("deadletter", "show", letter["id"], "--format", "json")))
        assert shown["value"].encode() == value.decode(errors="backslashreplace").encode()[:KEPT]
        assert "\x1b" not in site.cli("deadletter", "show", letter["id"][:8]).out
    reasons = {place: letter["reason"] for place, letter in places.items()}
    assert "uid" in reasons[SNAPSHOTS.name, HOME, batch, 2]
    assert "not a JSON array" in reasons[SNAPSHOTS.name, HOME, bad, -1]
    assert "tick" in reasons[CONTROL.name, 3, tick, -1]
    assert "owned" not in cells(site.cli("deadletter", "list"))
    wait_until(
        lambda: len(site.findings()) == 3 * len(good), PATIENCE, worker.child, "the good ones"
    )
    assert worker.child.stop() < 5

    # Mended: the newer reader takes what the older one refused.
    worker = site.worker(state=worker.state.name)
    told = site.cli("deadletter", "retry", "--all", "--reason", "settled")
    assert (told.code, told.out) == (0, "1 retried\n")
    wait_until(
        lambda: finding_id("t-rotation", UID) in site.findings(), PATIENCE, None, "its finding"
    )
    finals = {id: {k: v for k, v in f.items() if k in world.finals()[id]} for id, f in site.findings().items()}  # fmt: skip
    assert finals == world.finals()
    assert site.findings()[finding_id("t-rotation", UID)]["status"] == "open"
    assert {x["reason"] for x in letters(site)} == set(reasons.values()) - {
        reasons[SNAPSHOTS.name, HOME, batch, 3]
    }

    # What stays bad comes back: nothing is lost by trying.
    old = places[SNAPSHOTS.name, HOME, batch, 2]["id"]
    assert site.cli("deadletter", "retry", old).out.startswith(f"{old} retried")
    again = next(x for x in standing(site, 4) if x["sha256"] == hashlib.sha256(hostile).hexdigest())
    assert (again["offset"] > bad, again["place"], again["id"] != old) == (True, 0, True)

    # Retention has passed the origins.
    slot = TopicPartition(SNAPSHOTS.name, HOME, again["offset"] + 1)
    client = admin(site.kafka)
    client.delete_records([slot])[slot].result(30)
    told = site.cli("deadletter", "retry", "--all", "--topic", "snapshots")
    assert told.code == 3
    assert told.out.count("expired: deleted by retention") == 3
    assert len(letters(site)) == 4
    assert json.loads(site.cli("deadletter", "show", again["id"], "--format", "json").out)[
        "size"
    ] == len(hostile)
    assert site.cli("deadletter", "drop", "--all").out == "4 dropped\n"
    assert letters(site) == []
    assert worker.child.stop() < 5


def test_too_many_bad_records_are_a_bad_deploy(site: Site) -> None:
    uid = f"{UID}-bad-deploy"
    bad = codec.encode_snapshot(key(1)).replace(UID.encode(), b"")
    site.say(SNAPSHOTS.name, *[codec.encode_batch([bad] * 40)] * 5, partition=HOME)
    good = site.say(
        SNAPSHOTS.name, codec.encode_batch([codec.encode_snapshot(key(1, uid=uid))]), partition=HOME
    )
    supervised = site.worker("--supervise")
    wait_until(lambda: not supervised.child.running, PATIENCE, None, "its end")
    assert supervised.child.code == 4
    log = supervised.child.log.read_text()
    assert "a bad deploy is not a bad record" in log
    assert "is restarted" not in log
    first = letters(site)
    assert 100 <= len(first) <= 200

    # A person has looked and knows that it is the records: on it goes, and nothing is listed twice.
    worker = site.worker(DRIFTLINE_WORKER__BAD_SHARE="1")
    wait_until(
        lambda: finding_id("t-rotation", uid) in site.findings(),
        PATIENCE,
        worker.child,
        f"what is behind, at {good}",
    )
    found = letters(site)
    assert len(found) == 200
    assert {x["id"] for x in first} < {x["id"] for x in found}
    assert worker.child.stop() < 5  # acknowledged, for who comes next


def test_what_the_sink_could_not_deliver(site: Site, elastic: ElasticsearchServer) -> None:
    direct = Elasticsearch(elastic.url, request_timeout=30)
    with direct:
        for index in direct.indices.get(index=f"{ALIAS}-v*"):
            direct.indices.delete(index=index)
        # An index that somebody has made by hand: it takes no message of ours.
        wrong = mapping() | {"_meta": {"driftline": fingerprint()}}
        wrong["properties"] = wrong["properties"] | {"message": {"type": "date"}}
        site.env["DRIFTLINE_ELASTICSEARCH__URL"] = elastic.url
        site.env["DRIFTLINE_ELASTICSEARCH__NAMESPACE"] = "letters"
        assert site.run("sink", "elasticsearch", "--install").code == 0
        direct.indices.delete(index=f"{ALIAS}-v1")
        direct.indices.create(
            index=f"{ALIAS}-v1", mappings=wrong, aliases={ALIAS: {"is_write_index": True}}
        )

        world = World()
        uid = f"{UID}-sink"
        world.snapshot(key(1, rotation=False, uid=uid))
        [mine, other] = (finding_id(rule, uid) for rule in ("t-rotation", "t-sticky"))
        first = {id: orjson.loads(world.findings[id.encode()]) for id in (mine, other)}
        sink = site.launch("sink", "elasticsearch")
        for id, finding in first.items():
            site.say(FINDINGS.name, orjson.dumps(finding), key=id.encode())
        hashes = {hashlib.sha256(orjson.dumps(finding)).hexdigest() for finding in first.values()}

        def about_mine() -> list[dict[str, Any]]:
            return [x for x in letters(site) if x["sha256"] in hashes]

        wait_until(lambda: len(about_mine()) == 2, PATIENCE, sink, "two letters")
        assert {x["stage"] for x in about_mine()} == {"elasticsearch"}
        assert all(x["reason"].startswith("400 document_parsing_exception") for x in about_mine())
        assert {(x["topic"], x["place"]) for x in about_mine()} == {(FINDINGS.name, -1)}

        direct.indices.delete(index=f"{ALIAS}-v1")
        assert site.run("sink", "elasticsearch", "--install").code == 0
        newer = first[other] | {"revision": first[other]["revision"] + 1}
        site.say(FINDINGS.name, orjson.dumps(newer), key=other.encode())
        wait_until(
            lambda: bool(direct.exists(index=ALIAS, id=other)), PATIENCE, sink, "the newer one"
        )
        told = site.cli("deadletter", "retry", *(x["id"] for x in about_mine()))
        assert (told.code, told.out.splitlines()[-1]) == (0, "1 overtaken, 1 retried")
        wait_until(
            lambda: bool(direct.exists(index=ALIAS, id=mine)), PATIENCE, sink, "the retried one"
        )
        assert about_mine() == []
        said = [
            orjson.loads(m.value())
            for m in read_all(site.kafka, FINDINGS.name)
            if m.key() == other.encode()
        ]
        assert [f["revision"] for f in said] == [first[other]["revision"], newer["revision"]]
        shown = {
            id: direct.get(index=ALIAS, id=id)["_source"]["driftline"]["revision"]
            for id in (mine, other)
        }
        assert shown == {mine: first[mine]["revision"], other: newer["revision"]}
        assert sink.stop() < 5
