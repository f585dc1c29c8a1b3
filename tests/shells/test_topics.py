"""The page of topics: what must be true of it, and what a cluster of each size gets."""

import pytest

from pipeline.settings import Kafka
from pipeline.topics import (
    APP_ID,
    CONTROL,
    PARTITIONS,
    SNAPSHOTS,
    STATE,
    TOPICS,
    murmur2,
    partition,
    state_of,
    topics_of,
)  # fmt: skip
from pipeline.topics_admin import wanted

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
