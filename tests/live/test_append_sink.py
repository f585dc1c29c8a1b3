"""A sink that can only append, as processes on a real broker: killed before its commit, and begun with what comes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from confluent_kafka import TopicPartition

from driftline.pipeline.kafka.client import consumer
from driftline.pipeline.kafka.topics_admin import create
from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import Child, wait_until
from driftline.pipeline.records.topics import DEADLETTER, DELIVERED, FINDINGS, RESTATEMENTS
from tests.live.conftest import without_topics
from tests.live.programs import Site
from tests.sinks.findings import findings

pytestmark = pytest.mark.live
PATIENCE = 30


class File:
    """The file of one sink, and its group."""

    def __init__(self, site: Site, name: str, path: Path) -> None:
        self.site, self.name, self.path, self.said = site, name, path, 0
        self.topics = [topic.name for topic in (FINDINGS, DELIVERED)]

    def run(self) -> Child:
        return self.site.launch("sink", self.name)

    def say(self, count: int) -> set[str]:
        """New findings; what is to be in the file of them."""
        some = [findings()["failed"] | {"id": f"{self.said + n:04}"} for n in range(count)]
        self.said += count
        for one in some:
            self.site.say(FINDINGS.name, orjson.dumps(one), key=one["id"].encode())
        return {one["id"] for one in some}

    def lines(self) -> Counter[str]:
        if not self.path.exists():
            return Counter()
        return Counter(orjson.loads(line)["id"] for line in self.path.read_bytes().splitlines())

    def arrived(self, ids: set[str], child: Child) -> None:
        wait_until(lambda: ids <= set(self.lines()), PATIENCE, child, "the lines")

    def committed(self) -> list[int]:
        """The group's offsets of findings."""
        reader = consumer(self.site.kafka, f"driftline-sink-{self.name}")
        try:
            known = reader.list_topics(FINDINGS.name, 10).topics[FINDINGS.name].partitions
            slots = [TopicPartition(FINDINGS.name, number) for number in known]
            return [one.offset for one in reader.committed(slots, 10)]
        finally:
            reader.close()

    def rewind(self) -> None:
        """As if nothing had been committed. Only while no member runs."""
        reader = consumer(self.site.kafka, f"driftline-sink-{self.name}")
        try:
            known = reader.list_topics(FINDINGS.name, 10).topics[FINDINGS.name].partitions
            back = [TopicPartition(FINDINGS.name, number, 0) for number in known]
            wait_until(lambda: _done(lambda: reader.commit(offsets=back, asynchronous=False)), PATIENCE, None, "the end of the member")  # fmt: skip
        finally:
            reader.close()


def _done(act: object) -> bool:
    from confluent_kafka import KafkaException

    try:
        act()  # type: ignore[operator]
    except KafkaException:  # the group still counts the member that was killed
        return False
    return True


@pytest.fixture
def site(broker: KafkaServer, tmp_path: Path) -> Iterator[Site]:
    entries = [{"name": name, "kind": "ndjson", "path": str(tmp_path / name), "start": start}
               for name, start in (("lines", "all"), ("later", "now"))]  # fmt: skip
    with Site(tmp_path, {"bootstrap_servers": broker.bootstrap}, sinks=entries, sink={"session_timeout": "6s"}) as mine:  # fmt: skip
        without_topics(mine.kafka, [FINDINGS, RESTATEMENTS, DEADLETTER, DELIVERED])
        create(mine.kafka)
        yield mine


def test_what_was_delivered_before_a_kill_is_not_appended_again(site: Site, tmp_path: Path) -> None:
    file = File(site, "lines", tmp_path / "lines")
    first = file.say(60)
    child = file.run()
    file.arrived(first, child)
    wait_until(lambda: sum(one > 0 for one in file.committed()) > 1, PATIENCE, child, "a commit")
    child.kill()
    file.rewind()
    more = file.say(5)
    child = file.run()
    file.arrived(first | more, child)
    assert child.stop() < 10
    assert set(file.lines().values()) == {1}
    assert set(file.lines()) == first | more


def test_a_sink_that_starts_now_is_given_what_comes(site: Site, tmp_path: Path) -> None:
    file = File(site, "later", tmp_path / "later")
    file.say(20)
    child = file.run()
    wait_until(lambda: min(file.committed()) >= 0, PATIENCE, child, "its beginning")
    child.kill()  # before it was given anything: it still begins where it began
    between = file.say(10)
    child = file.run()
    file.arrived(between, child)
    after = file.say(10)
    file.arrived(after, child)
    assert child.stop() < 10
    assert set(file.lines()) == between | after
