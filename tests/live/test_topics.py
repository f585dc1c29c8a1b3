"""Topics on real brokers: made once, compared in everything, with the copies that there are brokers for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import Delivery, admin, flush, produce, producer
from driftline.pipeline.local import kafka
from driftline.pipeline.local.process import free_port, wait_until
from driftline.pipeline.records.topics import FINDINGS, PARTITIONS, Topic, state_of, topics_of
from driftline.pipeline.settings.blocks import Kafka
from tests.live.programs import Site

pytestmark = pytest.mark.live
ODD = Topic("test.odd", "nothing", 2, "compact", config={"delete.retention.ms": "1000"})


def test_topics_are_made_once_and_every_difference_is_told(broker: kafka.KafkaServer) -> None:
    own = Kafka(bootstrap_servers=broker.bootstrap)
    assert topics_admin.create(own) == [topics_admin.TopicResult(topic.name, "exists") for topic in topics_of("driftline-assess")]  # fmt: skip
    assert topics_admin.check(own) == []
    assert topics_admin.check(own, only=[ODD]) == [
        "driftline.test.odd: missing (run: driftline topics create)"
    ]
    client = admin(own)
    new = NewTopic(ODD.name, 3, 1, config={"min.insync.replicas": "2", "delete.retention.ms": "1000"})  # fmt: skip
    client.create_topics([new])[ODD.name].result(30)
    try:
        wait_until(lambda: ODD.name in client.list_topics(timeout=10).topics, 30, what="the topic")
        told = topics_admin.check(own, only=[ODD])
    finally:
        client.delete_topics([ODD.name])[ODD.name].result(30)
    step = f"(run: kafka-configs --bootstrap-server {broker.bootstrap} --alter --topic driftline.test.odd --add-config"
    assert told == [
        "driftline.test.odd: 3 partitions, not 2 (resources would move to other partitions: recreate the topic and set another"
        " worker.app_id)",
        f"driftline.test.odd: cleanup.policy is delete, not compact {step} cleanup.policy=compact)",
        f"driftline.test.odd: max.message.bytes is 4500000, not 4000000 {step} max.message.bytes=4000000)",
        f"driftline.test.odd: min.insync.replicas is 2, not 1 {step} min.insync.replicas=1)",
    ]


@contextmanager
def cluster(folder: Path, size: int) -> Iterator[list[kafka.KafkaServer]]:
    """Brokers that are controllers too. None answers before most of them are there."""
    ports = [(free_port(), free_port()) for _ in range(size)]
    voters = ",".join(f"{n}@127.0.0.1:{controller}" for n, (_, controller) in enumerate(ports, 1))

    def one(number: int) -> kafka.KafkaServer:
        port, controller = ports[number - 1]
        listeners = f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"
        properties = {"node.id": str(number), "controller.quorum.voters": voters, "listeners": listeners}  # fmt: skip
        return kafka.start(folder / str(number), port, heap="256m", properties=properties)

    with ThreadPoolExecutor(size) as many:
        starting = [many.submit(one, number) for number in range(1, size + 1)]
    try:
        yield [future.result() for future in starting]
    finally:
        for future in starting:
            if future.exception() is None:
                future.result().kill()


def test_three_brokers_keep_three_copies_and_bear_the_loss_of_one(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as brokers:
        servers = ",".join(broker.bootstrap for broker in brokers)
        with Site(tmp_path, {"bootstrap_servers": servers}, worker={"app_id": "second"}) as site:
            client = admin(site.kafka)
            wait_until(lambda: len(client.list_topics(timeout=10).brokers) == 3, 60, what="three brokers")  # fmt: skip
            state = state_of("second").name
            client.create_topics([NewTopic(state, 3, 1)])[state].result(30)  # by somebody else
            made = site.cli("topics", "create")
            assert made.code == 2
            assert f"{FINDINGS.name}: created, 24 partitions, 3 replicas\n" in made.out
            assert f"{state}: exists, but 3 partitions, not {PARTITIONS} (" in made.out
            known = client.list_topics(timeout=10).topics
            for topic in topics_of("second"):
                if topic.name == state:
                    continue
                found = known[topic.name].partitions
                assert len(found) == topic.partitions
                assert {len(p.replicas) for p in found.values()} == {3}
            told = site.cli("topics", "check")
            assert told.code == 2
            lines = told.out.splitlines()
            assert {line.split(":")[0] for line in lines} == {state}, told.out
            assert lines[0].startswith(f"{state}: 3 partitions, not {PARTITIONS} (")
            assert lines[1].startswith(f"{state}: 1 replica, not 3 (give each of its partitions 3:")
            refused = site.run("worker", DRIFTLINE_WORKER__STATE_DIR=str(tmp_path / "state"))
            assert (refused.code, refused.out) == (2, f"error: {lines[0]}\n")
            brokers[-1].kill()
            out, delivery = producer(site.kafka), Delivery()
            for number in range(PARTITIONS):
                produce(out, delivery, FINDINGS.name, b"{}", key=b"one", partition=number)
            flush(out, delivery, 60)  # two of three are in step, and that is enough
