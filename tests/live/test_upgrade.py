"""What an older version left on a real broker is brought to this one; and a deployment of another prefix beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from driftline.pipeline.kafka.client import admin
from driftline.pipeline.local.kafka import KafkaServer
from driftline.pipeline.local.process import wait_until
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import (
    CONTROL,
    DEFAULT_PREFIX,
    DRIFT,
    FINDINGS,
    PARTITIONS,
    RESTATEMENTS,
    SCORES,
    SNAPSHOTS,
    STATE,
    partition,
    use_prefix,
)
from driftline.pipeline.state import rows as state_rows
from driftline.pipeline.state.resource import Head
from driftline.pipeline.state.rows import NEVER, Position
from tests.core.world import key, tick
from tests.live.conftest import without_topics
from tests.live.programs import Site

pytestmark = pytest.mark.live
PATIENCE = 60


@pytest.fixture
def site(own: KafkaServer, tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, {"bootstrap_servers": own.bootstrap}) as mine:
        yield mine


def test_topics_that_are_missing_or_differ_are_brought_up_to_date(site: Site) -> None:
    assert site.cli("upgrade", "--check").code == 0
    without_topics(site.kafka, [RESTATEMENTS, SCORES])
    client = admin(site.kafka)
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, DRIFT.name, incremental_configs=[entry])
    client.incremental_alter_configs([resource])[resource].result(PATIENCE)
    differs = f"pending  topics: {DRIFT.name}: retention.ms must be {DRIFT.retention_ms}"
    wait_until(lambda: differs in site.cli("upgrade", "--check").out, PATIENCE, what="the setting")
    said = site.cli("upgrade", "--check")
    assert said.code == 2
    assert f"pending  topics: {RESTATEMENTS.name} is missing" in said.out
    done = site.cli("upgrade", "--apply")
    assert done.code == 0, done.out
    assert f"{DRIFT.name}: retention.ms set to {DRIFT.retention_ms}" in done.out
    assert site.cli("topics", "check").code == 0
    assert "everything is up to date" in site.cli("upgrade", "--check").out


def test_state_of_a_newer_version_is_told_and_nothing_is_changed(site: Site) -> None:
    row = bytearray(state_rows.encode(Head(), NEVER, Position()))
    row[28] = state_rows.STATE_VERSION + 1
    assert state_rows.version(bytes(row)) == state_rows.STATE_VERSION + 1
    site.say(STATE.name, bytes(row), key=b"hnewer", partition=3)
    without_topics(site.kafka, [SCORES])
    for words in (("upgrade", "--check"), ("upgrade", "--apply")):
        said = site.cli(*words)
        assert said.code == 2
        assert "blocked  state of the worker" in said.out
        assert "newer Driftline" in said.out
    assert f"{SCORES.name}: missing" in site.cli("topics", "check").out


@pytest.fixture
def default_prefix() -> Iterator[None]:
    yield
    use_prefix(DEFAULT_PREFIX)


@pytest.mark.usefixtures("default_prefix")
def test_a_deployment_of_another_prefix_shares_the_cluster(own: KafkaServer, tmp_path: Path) -> None:  # fmt: skip
    with Site(tmp_path, {"bootstrap_servers": own.bootstrap, "topic_prefix": "acme."}) as site:
        made = site.cli("topics", "create")
        assert "acme.findings: created" in made.out
        assert "driftline" not in made.out
        worker = site.worker()
        wait_until(worker.ready, PATIENCE, worker.child, "the worker")
        one = key(1)
        site.say(SNAPSHOTS.name, codec.encode_snapshot(one), partition=partition(one.uid))
        for number in range(PARTITIONS):
            site.say(CONTROL.name, tick(2), partition=number)
        assert FINDINGS.name == "acme.findings"
        wait_until(lambda: bool(site.findings()), PATIENCE, worker.child, "the findings")
