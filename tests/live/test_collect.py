"""The collector on a real Kafka and a simulated AWS: killed, cut off, started again. What it claims is true."""

import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from driftline.collectors.base import known_from
from driftline.pipeline.kafka.client import read_all, read_compacted
from driftline.pipeline.kafka.topics_admin import create
from driftline.pipeline.local import kafka
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.model import Snapshot, Sweep
from driftline.pipeline.records.topics import SNAPSHOTS, SWEEPS
from tests.collectors.gate import Answer, Asked, Gate, gate
from tests.collectors.moto import MASTER, Moto, running
from tests.live.programs import Site

pytestmark = pytest.mark.live

KEY = f"aws/{MASTER}/us-east-1/AWS::SQS::Queue"
ONCE = ("collect", "aws", "--once", "--regions", "us-east-1", "--type", "AWS::SQS::Queue")
COUNT = 60
HASTY = (sys.executable, "-c", "import driftline.collectors.batches as b; b.PATIENCE_MS = 3_000; from driftline.pipeline.cli import run; run()")  # fmt: skip
"""The collector, but it waits for a broker seconds, not minutes."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running(tmp_path_factory.mktemp("moto")) as moto:
        client = moto.client("sqs")
        for number in range(COUNT):
            client.create_queue(QueueName=f"q{number:02}")
        yield moto


@pytest.fixture
def door(aws: Moto) -> Iterator[Gate]:
    with gate(aws.url) as mine:
        yield mine


@pytest.fixture
def site(broker: kafka.KafkaServer, aws: Moto, door: Gate, tmp_path: Path) -> Iterator[Site]:
    """A site whose collector goes through the gate, on topics that begin anew."""
    with Site(tmp_path, {"bootstrap_servers": broker.bootstrap}, aws={"requests_per_second": 500}) as mine:  # fmt: skip
        mine.env |= aws.env | {"AWS_ENDPOINT_URL": door.url, "DRIFTLINE_REDACTION__KEY": "k" * 32}
        yield mine


class Halt:
    """Lets so many requests about queues through; the others wait until let_go()."""

    def __init__(self, after: int) -> None:
        self.left, self.reached, self._open, self._lock = after, threading.Event(), threading.Event(), threading.Lock()  # fmt: skip

    def __call__(self, asked: Asked) -> Answer | None:
        with self._lock:
            self.left -= asked.service == "sqs"
            if self.left >= 0:
                return None
        self.reached.set()
        self._open.wait(60)
        return None

    def let_go(self) -> None:
        self._open.set()


def said(site: Site, before: Sequence[Snapshot] = ()) -> list[Snapshot]:
    """Every snapshot in Kafka, but for those of the sweeps that were there before."""
    old = {one.sweep for one in before}
    values = [m.value() for m in read_all(site.kafka, SNAPSHOTS.name)]
    found = [Snapshot.model_validate(e) for value in values for e in orjson.loads(value or b"[]")]
    return [one for one in found if one.sweep not in old]


def header(site: Site) -> Sweep | None:
    return known_from(read_compacted(site.kafka, SWEEPS.name).items())[1].get(KEY)


def uids(site: Site) -> set[str]:
    known = known_from(read_compacted(site.kafka, SWEEPS.name).items())[0]
    return known[KEY].uids if KEY in known else set()


def test_killed_in_mid_sweep_it_deletes_nothing_and_the_next_sweep_is_whole(
    site: Site, door: Gate, aws: Moto
) -> None:
    before = said(site)
    assert site.run(*ONCE).code == 0
    first = header(site)
    assert first is not None
    assert (first.status, first.count) == ("complete", COUNT)
    door.fault = halt = Halt(COUNT)
    child = site.launch(*ONCE)
    wait_until(halt.reached.is_set, 60, child, "half a sweep")
    child.kill()
    halt.let_go()
    assert header(site) == first, "nobody claims the sweep that was not ended"
    door.fault = lambda _: None
    assert site.run(*ONCE).code == 0
    third = header(site)
    assert third is not None
    assert (third.status, third.count) == ("complete", COUNT)
    assert third.started_at > first.started_at
    new = said(site, before)
    assert not any(s.deleted for s in new)
    assert {s.uid for s in new if s.sweep == third.id} == uids(site)
    assert len(uids(site)) == COUNT

    # what goes meanwhile is known from the topic alone, and told once
    sqs = aws.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="q07")["QueueUrl"])
    told = [site.run(*ONCE).code for _ in range(2)]
    sqs.create_queue(QueueName="q07")
    assert told == [0, 0]
    gone = [s for s in said(site, before) if s.deleted]
    assert [(s.name or s.uid.rpartition(":")[2], s.deleted_reason) for s in gone] == [("q07", "not_in_sweep")]  # fmt: skip
    assert len(uids(site)) == COUNT - 1


def test_a_sweep_that_was_not_complete_ends_with_three_and_hides_what_it_could_not_see(
    site: Site, door: Gate
) -> None:
    assert site.run(*ONCE).code == 0
    whole, before = header(site), said(site)
    door.fault = lambda a: Answer(403, "AccessDenied") if a.operation == "ListQueues" else None
    told = site.run(*ONCE)
    assert told.code == 3
    assert "denied" in told.out
    assert "AccessDenied" in told.out
    after = header(site)
    assert whole is not None
    assert after is not None
    assert (after.status, after.count, after.completed_at) == ("denied", COUNT, whole.completed_at)
    new = said(site, before)
    assert {s.uid for s in new} == uids(site)
    assert {(u.part, u.reason) for s in new for u in s.unread} == {("*", "denied")}
    assert not any(s.deleted for s in new)


def test_kafka_stopped_in_mid_sweep_is_told_and_nothing_is_claimed(
    aws: Moto, door: Gate, tmp_path: Path
) -> None:
    broker = kafka.start(tmp_path / "kafka")
    try:
        with Site(tmp_path, {"bootstrap_servers": broker.bootstrap}, aws={"requests_per_second": 500}) as site:  # fmt: skip
            site.env |= aws.env | {"AWS_ENDPOINT_URL": door.url, "DRIFTLINE_REDACTION__KEY": "k" * 32}  # fmt: skip
            create(site.kafka)
            door.fault = halt = Halt(COUNT)
            child = site.launch(*ONCE, program=HASTY)
            wait_until(halt.reached.is_set, 60, child, "half a sweep")
            broker.kill()
            halt.let_go()
            wait_until(lambda: not child.running, 90, None, "its end")
            assert child.code not in (0, 3)
            words = child.log.read_text()
            assert "Kafka" in words
            assert "Traceback" not in words
            broker.start()
            assert header(site) is None
            assert site.run(*ONCE).code == 0
            assert len(uids(site)) == COUNT
    finally:
        broker.stop()
