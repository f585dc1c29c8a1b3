"""The page of topics: what must be true of it, and what a cluster of each size gets."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.pipeline.cli.permissions import grants
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka.topics_admin import wanted
from driftline.pipeline.records import topics
from driftline.pipeline.records.topics import (
    APP_ID,
    CONTROL,
    DEFAULT_PREFIX,
    DRIFT,
    PARTITIONS,
    SNAPSHOTS,
    STATE,
    TOPICS,
    group_id,
    murmur2,
    partition,
    short,
    state_of,
    topics_of,
    use_prefix,
)
from driftline.pipeline.settings.blocks import Kafka, load_settings

KAFKA = Kafka()


@pytest.mark.parametrize(
    ("brokers", "setting", "copies", "in_sync"),
    [(1, 3, 1, "1"), (2, 3, 2, "1"), (3, 3, 3, "2"), (9, 3, 3, "2"), (9, 1, 1, "1"), (9, 5, 5, "2")],
)  # fmt: skip
def test_copies_and_how_many_must_be_in_step(
    brokers: int, setting: int, copies: int, in_sync: str
) -> None:
    replication, config = wanted(SNAPSHOTS, Kafka(replication=setting), brokers)
    assert (replication, config["min.insync.replicas"]) == (copies, in_sync)


def test_what_the_worker_reads_has_one_partitioning_and_no_holes() -> None:
    for topic in (SNAPSHOTS, CONTROL, STATE):
        assert topic.partitions == PARTITIONS == 24
    for topic in (SNAPSHOTS, CONTROL):
        assert wanted(topic, KAFKA, 3)[1]["cleanup.policy"] == "delete"


def test_compacted_topics_are_kept_for_ever_and_the_others_for_their_time() -> None:
    for topic in TOPICS:
        config = wanted(topic, KAFKA, 3)[1]
        assert ("retention.ms" in config) == ("delete" in config["cleanup.policy"])
        assert int(config["max.message.bytes"]) >= 4_000_000


def test_only_the_changelog_goes_by_the_app_id() -> None:
    assert topics_of(APP_ID) == TOPICS
    other = topics_of("second")
    assert [mine for mine in other if mine not in TOPICS] == [state_of("second")]
    third = topics_of(APP_ID, "third")
    assert [mine.name for mine in third if mine not in TOPICS] == ["third-state-changelog"]
    assert state_of("second").name == "second-state-changelog"
    assert state_of("second").settings() == STATE.settings()


@pytest.mark.parametrize(
    ("key", "expected"),  # of Kafka's own hash, made positive
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536),
     ("a-little-bit-longer-string", -1486304829), ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)],
)  # fmt: skip
def test_the_partitioner_is_kafkas(key: str, expected: int) -> None:
    assert murmur2(key.encode()) == expected & 0x7FFFFFFF
    assert partition(key) == (expected & 0x7FFFFFFF) % PARTITIONS


@pytest.fixture
def default_prefix() -> Iterator[None]:
    yield
    use_prefix(DEFAULT_PREFIX)


@pytest.mark.usefixtures("default_prefix")
def test_a_prefix_names_every_topic_and_group_of_a_deployment(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("kafka: {topic_prefix: acme-prod.}\n")
    settings = load_settings(path, {})
    assert {topic.name for topic in TOPICS if topic.prefixed} == {
        f"acme-prod.{topic.own}" for topic in TOPICS if topic.prefixed
    }
    assert settings.app_ids == ("acme-prod-assess", "acme-prod-correlate", "acme-prod-cases")
    assert group_id("sink-ndjson") == "acme-prod-sink-ndjson"
    assert short("acme-prod.findings") == "findings"
    named = [topic.name for topic in topics_of(*settings.app_ids)]
    assert [name for name in named if "driftline" in name] == []
    rights = grants(
        settings.worker.app_id,
        correlate_id=settings.correlate.app_id,
        cases_id=settings.tickets.app_id,
    )
    assert [grant.name for grant in rights if "driftline" in grant.name] == []


@pytest.mark.usefixtures("default_prefix")
def test_an_app_id_that_is_named_stays(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text("kafka: {topic_prefix: acme.}\nworker: {app_id: mine}\n")
    assert load_settings(path, {}).worker.app_id == "mine"


def test_retention_is_a_setting_of_topics_that_expire(tmp_path: Path) -> None:
    kafka = Kafka(retention={"drift": 3600 * 24 * 90})
    assert wanted(DRIFT, kafka, 3)[1]["retention.ms"] == str(90 * 86_400_000)
    assert wanted(SNAPSHOTS, kafka, 3)[1]["retention.ms"] == str(7 * 86_400_000)
    path = tmp_path / "driftline.yaml"
    path.write_text("kafka: {retention: {findings: 7d, snapshots: 5m, snapshot: 1d}}\n")
    with pytest.raises(UserError) as told:
        load_settings(path, {})
    text = "\n".join(told.value.problems)
    assert "findings is not a topic with a retention time" in text
    assert "snapshots: less than 1h" in text
    assert "did you mean 'snapshots'" in text


def test_no_module_takes_a_topics_name_before_the_settings_are_loaded() -> None:
    own = {name for name, value in vars(topics).items() if isinstance(value, topics.Topic)}
    found = [
        f"{path}:{node.lineno}"
        for folder in ("pipeline", "collectors", "sinks")
        for path in Path(folder).rglob("*.py")
        for node in _at_import(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "name"
        and isinstance(node.value, ast.Name) and node.value.id in own
    ]  # fmt: skip
    assert found == []


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What of a module runs when it is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _at_import(child)
