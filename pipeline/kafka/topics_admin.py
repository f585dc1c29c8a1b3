"""Creates topics and compares them with their definitions in driftline.pipeline.records.topics."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from driftline.pipeline.common.errors import NotThere, Problem, ProblemKind
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.kafka.client import TIMEOUT, admin, answer, explained, reached
from driftline.pipeline.records.topics import APP_ID, CASES_ID, CORRELATE_ID, Topic, topics_of
from driftline.pipeline.settings.blocks import Kafka

CREATE, SHOWN = "run: driftline topics create", 3
MADE_FROM = "topics.json"
CHANGELOG = "-changelog"
PATIENCE, ENOUGH = 30.0, 8


def wanted(topic: Topic, kafka: Kafka, brokers: int) -> tuple[int, dict[str, str]]:
    """Replication and settings: three replicas, two in sync, if there are enough brokers."""
    replication = min(kafka.replication, brokers)
    config = topic.settings() | {"min.insync.replicas": "2" if replication >= 3 else "1"}
    if topic.prefixed and (seconds := kafka.retention.get(topic.own)) is not None:
        config["retention.ms"] = str(int(seconds * 1000))
    return replication, config


class TopicResult(NamedTuple):
    """The result for one topic."""

    name: str
    text: str
    right: bool = True
    """Whether it matches driftline.pipeline.records.topics."""
    created: bool = False


def create(
    kafka: Kafka, app_id: str = APP_ID, correlate_id: str = CORRELATE_ID, cases_id: str = CASES_ID
) -> list[TopicResult]:
    """Creates missing topics and reports differences of the existing ones. Raises UserError."""
    topics, out = topics_of(app_id, correlate_id, cases_id), []
    differences: dict[str, list[Difference]] = {}
    for one in compare(kafka, topics):
        differences.setdefault(one.topic.name, []).append(one)
    with explained(kafka):
        client = reached(kafka)
        known = client.list_topics(timeout=TIMEOUT)
        for topic in topics:
            if topic.name in known.topics:
                wrong = [one for one in differences.get(topic.name, ()) if not one.missing]
                text = "; ".join(f"{one.cause} ({one.step})" for one in wrong)
                out.append(
                    TopicResult(topic.name, f"exists, but {text}" if wrong else "exists", not wrong)
                )
                continue
            replication, config = wanted(topic, kafka, len(known.brokers))
            new = NewTopic(topic.name, topic.partitions, replication, config=config)
            try:
                answer(client.create_topics, [new])
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                out.append(TopicResult(topic.name, "exists"))  # created concurrently
                continue
            out.append(
                TopicResult(
                    topic.name,
                    f"created, {number_of(topic.partitions, 'partition')}, {number_of(replication, 'replica')}",
                    created=True,
                )
            )
        _everywhere(kafka, set(known.brokers), {topic.name for topic in topics})
    return out


def _everywhere(kafka: Kafka, brokers: set[int], names: set[str]) -> None:
    """Waits until every broker knows the topics, because they learn of them at different times. Raises NotThere if one
    still does not know them after the time-out.

    Uses a new client each time, because a client keeps asking the same broker. The broker cannot be chosen, and its
    name is not always known to the cluster, so a number of good answers in a row is accepted too."""
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
            raise NotThere(
                f"the topics were created, but broker {told} does not know them yet",
                fix="look at its log",
            )


class Difference(NamedTuple):
    """A difference from driftline.pipeline.records.topics."""

    topic: Topic
    cause: str
    """What differs; may be the same for many topics."""
    step: str
    """The manual next step."""
    setting: tuple[str, str] | None = None
    """A topic setting and the required value, if it can be changed while the topic is in use."""
    missing: bool = False
    partitions: bool = False
    """Whether the number of partitions differs."""

    @property
    def kind(self) -> ProblemKind:
        return "missing" if self.missing else "misconfigured"

    @property
    def problem(self) -> Problem:
        return Problem(self.cause, self.step, self.topic.name, self.kind)

    @property
    def broken(self) -> bool:
        """Whether the topic cannot be used."""
        return self.missing or self.partitions


def ids(kafka: Kafka, topics: Sequence[Topic]) -> dict[str, str]:
    """Kafka's topic ids by name without prefix; omits missing topics, and all if the brokers do not support ids."""
    with explained(kafka):
        client = reached(kafka)
        found = client.describe_topics(TopicCollection([topic.name for topic in topics]))
        out = {}
        for topic in topics:
            try:
                id = str(found[topic.name].result(TIMEOUT).topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
                continue
            if id.strip("A="):  # all zero: none
                out[topic.own] = id
    return out


def there(kafka: Kafka, topics: Sequence[Topic]) -> None:
    """Requires only permission to describe the topics. Raises NotThere, with one line, if Kafka does not answer or does not
    know them (a broker that just started may not yet), and UserError if it rejects the connection."""
    with explained(kafka):
        known = reached(kafka).list_topics(timeout=TIMEOUT).topics
    lacking = [_missing(topic) for topic in topics if topic.name not in known]
    for line in told(lacking, len(topics)):
        raise NotThere(line.under(f"Kafka at {kafka.bootstrap_servers}"))


def _missing(topic: Topic) -> Difference:
    return Difference(topic, "missing", CREATE, missing=True)


def told(differences: Iterable[Difference], of: int) -> list[Problem]:
    """One problem for each cause. `of`: how many topics were compared."""
    by_cause: dict[str, list[Difference]] = {}
    for one in differences:
        by_cause.setdefault(one.cause, []).append(one)
    out = []
    for cause, alike in by_cause.items():
        if len(alike) == 1:
            out.append(alike[0].problem)
            continue
        names = [one.topic.name for one in alike]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        step = "run: driftline upgrade --apply" if alike[0].setting else alike[0].step
        out.append(
            Problem(
                f"{cause}: {', '.join(names[:SHOWN])}{more}",
                step,
                f"{len(names)} of {of} topics",
                alike[0].kind,
            )
        )
    return out


def remember(folder: Path, found: Mapping[str, str]) -> None:
    """Records the topics from which a state was built in a file next to it, for readers that must not open the state."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = folder / f".{MADE_FROM}"
    new.write_bytes(orjson.dumps(found))
    new.replace(folder / MADE_FROM)


def remade(kafka: Kafka, folder: Path, accepted: Collection[str] = ()) -> list[Problem]:
    """Topics that were recreated since the state in a folder was built from them, and are not accepted; none
    if there is no state on this machine."""
    try:
        known = orjson.loads((folder / MADE_FROM).read_bytes())
    except (OSError, ValueError):
        return []
    every = {topic.own: topic for topic in topics_of(folder.name, folder.name, folder.name)}
    topics = [topic for own, topic in every.items() if own in known]
    return [
        Problem(
            f"recreated since the state in {folder} was built from it (id {known[own]}, now {id}): "
            "the worker there exits with 6",
            fix=f"check kafka.bootstrap_servers; if it is right, {_accepted(own, id)}",
            place=every[own].name,
        )
        for own, id in ids(kafka, topics).items()
        if known[own] != id and (id not in accepted or own.endswith(CHANGELOG))
    ]


def _accepted(own: str, id: str) -> str:
    """The next step for a topic that was recreated on purpose."""
    if own.endswith(CHANGELOG):
        return "delete that folder and run a full sweep"
    return f"set worker.accepted_topics: [{id}]"


def check(
    kafka: Kafka,
    only: Sequence[Topic] | None = None,
    app_id: str = APP_ID,
    correlate_id: str = CORRELATE_ID,
    cases_id: str = CASES_ID,
) -> list[Problem]:
    """Differences from the definitions, each with the next step; empty if there are none."""
    topics = topics_of(app_id, correlate_id, cases_id) if only is None else only
    return told(compare(kafka, topics), len(topics))


def compare(kafka: Kafka, topics: Sequence[Topic]) -> list[Difference]:
    """Differences from the definitions. Raises UserError if Kafka cannot be queried."""
    with explained(kafka):
        client = reached(kafka)
        known = client.list_topics(timeout=TIMEOUT)
        out = [_missing(topic) for topic in topics if topic.name not in known.topics]
        there = [topic for topic in topics if topic.name in known.topics]
        resources = {t.name: ConfigResource(ResourceType.TOPIC, t.name) for t in there}
        configs = answer(client.describe_configs, list(resources.values())) if there else {}
        for topic in there:
            found = known.topics[topic.name].partitions
            settings = configs[resources[topic.name]]
            out += _differences(topic, kafka, len(known.brokers), found, settings)
    return out


def alter(kafka: Kafka, differences: Iterable[Difference]) -> list[str]:
    """Changes the settings that can be changed while topics are in use; returns a line for each topic. Raises UserError."""
    entries: dict[str, list[ConfigEntry]] = {}
    found = [one for one in differences if one.setting is not None]
    if not found:
        return []
    for one in found:
        name, value = one.setting or ("", "")
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        entries.setdefault(one.topic.name, []).append(entry)
    resources = [
        ConfigResource(ResourceType.TOPIC, topic, incremental_configs=said)
        for topic, said in entries.items()
    ]
    with explained(kafka):
        client = reached(kafka)  # keep a reference: without the client, futures are never resolved
        answer(client.incremental_alter_configs, resources, seconds=PATIENCE)
    _until_set(kafka, [one.topic for one in found])
    return [
        f"{topic}: " + ", ".join(f"{entry.name} set to {entry.value}" for entry in said)
        for topic, said in entries.items()
    ]


def _until_set(kafka: Kafka, topics: Sequence[Topic]) -> None:
    """Waits until brokers return the new settings, which they receive from the controller with a delay."""
    end = time.monotonic() + PATIENCE
    while any(one.setting for one in compare(kafka, topics)) and time.monotonic() < end:
        time.sleep(0.1)


def _differences(
    topic: Topic, kafka: Kafka, brokers: int, found: dict[int, Any], settings: dict[str, Any]
) -> list[Difference]:
    out = []
    replication, config = wanted(topic, kafka, brokers)
    if len(found) != topic.partitions:
        cause = f"{number_of(len(found), 'partition')}, not {topic.partitions}"
        step = "resources would move to other partitions: recreate the topic and set another worker.app_id"
        out.append(Difference(topic, cause, step, partitions=True))
    copies = min((len(p.replicas) for p in found.values()), default=0)
    if copies < replication:
        step = f"give each of its partitions {replication}: create a plan for kafka-reassign-partitions"
        out.append(Difference(topic, f"{number_of(copies, 'replica')}, not {replication}", step))
    for name, value in config.items():
        have = settings[name].value if name in settings else None
        if have != value:
            step = (
                f"run: kafka-configs --bootstrap-server {kafka.bootstrap_servers} --alter --topic {topic.name}"
                f" --add-config {name}={value}"
            )
            out.append(Difference(topic, f"{name} is {have}, not {value}", step, (name, value)))
    return out
