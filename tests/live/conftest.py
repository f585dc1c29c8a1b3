"""Real servers for the live tests: one Kafka and one Elasticsearch a session, started when first asked for."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from driftline.pipeline.kafka.client import admin
from driftline.pipeline.kafka.topics_admin import create
from driftline.pipeline.local import elasticsearch, kafka
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.records.topics import TOPICS, Topic
from driftline.pipeline.settings.blocks import Kafka, Settings, Worker
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings

if TYPE_CHECKING:
    from tests.core.tape import Witness
    from tests.live.stage import Stage


def _broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.KafkaServer]:
    """A broker with our topics."""
    server = kafka.start(tmp_path_factory.mktemp("kafka"))
    try:
        create(Kafka(bootstrap_servers=server.bootstrap))
        yield server
    finally:
        server.kill()  # nobody needs its data


broker = pytest.fixture(_broker, scope="session", name="broker")
"""The one that modules share."""
own = pytest.fixture(_broker, scope="module", name="own")
"""One that no other module writes to."""


@pytest.fixture(scope="session")
def elastic() -> Iterator[elasticsearch.ElasticsearchServer]:
    """An Elasticsearch node. Its folder must be one that nobody else's rights close: pytest's own is not."""
    from tempfile import TemporaryDirectory

    from driftline.pipeline.local.packages import cache

    with TemporaryDirectory(prefix="test-", dir=cache(), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        server = elasticsearch.start(Path(folder) / "elasticsearch")
        try:
            yield server
        finally:
            server.kill()  # nobody needs its data


def without_topics(settings: Kafka, topics: Sequence[Topic] = TOPICS) -> None:
    """Deletes ours, and waits until the broker has forgotten them."""
    client = admin(settings)
    names = {topic.name for topic in topics}
    there = list(names & set(client.list_topics(timeout=10).topics))
    for future in client.delete_topics(there).values() if there else ():
        future.result(30)
    wait_until(lambda: not names & set(client.list_topics(timeout=10).topics), 30, None, "the end of topics")  # fmt: skip


@pytest.fixture
def settings(broker: kafka.KafkaServer, tmp_path: Path) -> Settings:
    """Settings for the broker; the state lies in the test's folder."""
    return Settings(
        kafka=Kafka(bootstrap_servers=broker.bootstrap),
        elasticsearch=ElasticsearchSettings(url="http://127.0.0.1:1"),
        worker=Worker(state_dir=tmp_path / "state", port=0),
    )


@pytest.fixture
def on(
    broker: kafka.KafkaServer, elastic: elasticsearch.ElasticsearchServer, tmp_path: Path
) -> "Iterator[Stage]":
    """For the Elasticsearch sink: empty topics, an installed empty view, a history of its own."""
    from tests.live.stage import stage

    with stage(broker, elastic, tmp_path) as mine:
        yield mine


@pytest.fixture(scope="session")
def said() -> list[bytes]:
    """About 1200 statements on 600 findings: opened, resolved, reopened, restated, retired."""
    return _told().all_said


@pytest.fixture(scope="session")
def again() -> "tuple[list[bytes], dict[str, str]]":
    """The restatements beside them; and when each standing finding was last seen."""
    fold = _told()
    last = (orjson.loads(value) for value in fold.findings.values())
    return fold.all_again, {one["id"]: one["last_seen"] for one in last if not one["retired"]}


@cache
def _told() -> "Witness":
    from tests.core.tape import Tape

    return Tape(5000, 4).undisturbed()
