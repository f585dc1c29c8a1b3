"""Makes and compares topics as pipeline.topics says."""

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]

from pipeline.errors import NotThere
from pipeline.kafka import TIMEOUT, admin, explained, reached
from pipeline.settings import Kafka
from pipeline.topics import APP_ID, CORRELATE_ID, Topic, topics_of

SPREAD = 60.0
"""Seconds that a busy broker may take until it lists what it has made."""

PATIENCE, ENOUGH = 30.0, 8


def wanted(topic: Topic, kafka: Kafka, brokers: int) -> tuple[int, dict[str, str]]:
    """Replication and settings: three copies, two of them in step, where there are brokers for it."""
    replication = min(kafka.replication, brokers)
    return replication, topic.settings() | {"min.insync.replicas": "2" if replication >= 3 else "1"}


def create(kafka: Kafka, app_id: str = APP_ID, correlate_id: str = CORRELATE_ID) -> list[str]:
    """Makes the topics that are missing; one line each. Raises UserError."""
    lines = []
    with explained(kafka):
        client = reached(kafka)
        known = client.list_topics(timeout=TIMEOUT)
        for topic in topics_of(app_id, correlate_id):
            if topic.name in known.topics:
                lines.append(f"{topic.name}: exists")
                continue
            replication, config = wanted(topic, kafka, len(known.brokers))
            new = NewTopic(topic.name, topic.partitions, replication, config=config)
            try:
                client.create_topics([new])[topic.name].result(TIMEOUT)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                lines.append(f"{topic.name}: exists")  # another made it just now
                continue
            lines.append(f"{topic.name}: made, {topic.partitions} partitions, {replication} copies")
        names = {topic.name for topic in topics_of(app_id, correlate_id)}
        _everywhere(kafka, set(known.brokers), names)
    return lines


def _everywhere(kafka: Kafka, brokers: set[int], names: set[str]) -> None:
    """Waits until every broker knows the topics: each hears of them in its own time, and any of them may be asked.
    Raises NotThere where one still does not when patience is over.

    A new client each time, for an old one goes on asking the same. Who answers cannot be chosen, and is not always
    told by a name that the cluster knows: enough good answers in a row are as good."""
    end = time.monotonic() + PATIENCE
    left, row = set(brokers), 0
    while left and row < ENOUGH * len(brokers):
        known = admin(kafka).list_topics(timeout=TIMEOUT)
        told = str(known.orig_broker_name).partition("://")[2] or str(known.orig_broker_name)
        told = told.partition("/")[0]
        asked = {b.id for b in known.brokers.values() if told == f"{b.host}:{b.port}"}
        if names <= set(known.topics):
            left, row = left - asked, row + 1
            continue
        left, row = left | asked, 0
        if time.monotonic() > end:
            raise NotThere(f"the topics are made, but the broker {told} does not know them yet (look at its log)")  # fmt: skip


def check(
    kafka: Kafka,
    only: Sequence[Topic] | None = None,
    app_id: str = APP_ID,
    correlate_id: str = CORRELATE_ID,
) -> list[str]:
    """What differs from pipeline.topics, each with the next step; empty if nothing does."""
    with explained(kafka):
        client = reached(kafka)
        known = client.list_topics(timeout=TIMEOUT)
        only = topics_of(app_id, correlate_id) if only is None else only
        out = [
            f"{topic.name}: missing (run: driftline topics create)"
            for topic in only
            if topic.name not in known.topics
        ]
        there = [topic for topic in only if topic.name in known.topics]
        resources = {t.name: ConfigResource(ResourceType.TOPIC, t.name) for t in there}
        configs = client.describe_configs(list(resources.values())) if there else {}
        for topic in there:
            found = known.topics[topic.name].partitions
            settings = configs[resources[topic.name]].result(TIMEOUT)
            out += _differences(topic, kafka, len(known.brokers), found, settings)
    return out


def _differences(
    topic: Topic, kafka: Kafka, brokers: int, found: dict[int, Any], settings: dict[str, Any]
) -> list[str]:
    out = []
    replication, config = wanted(topic, kafka, brokers)
    if len(found) != topic.partitions:
        out.append(
            f"{topic.name}: {len(found)} partitions, not {topic.partitions} (resources would live elsewhere:"
            " make the topic anew, and set another worker.app_id)"
        )
    copies = min((len(p.replicas) for p in found.values()), default=0)
    if copies < replication:
        out.append(
            f"{topic.name}: {copies} copies, not {replication} (give each of its partitions {replication}: make a"
            " plan for kafka-reassign-partitions)"
        )
    for name, value in config.items():
        have = settings[name].value if name in settings else None
        if have != value:
            out.append(
                f"{topic.name}: {name} is {have}, not {value} (run: kafka-configs --bootstrap-server"
                f" {kafka.bootstrap_servers} --alter --topic {topic.name} --add-config {name}={value})"
            )
    return out
