"""Brokers in memory behind the two clients that driftline.pipeline.kafka.client makes, which fail as they are told to. Only what we call."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    BrokerMetadata,
    ClusterMetadata,
    PartitionMetadata,
    TopicMetadata,
)

from driftline.pipeline.records.topics import topics_of

EOF = KafkaError._PARTITION_EOF


class Message:
    """A record, or in its place an error."""

    def __init__(self, topic: str, partition: int, offset: int, pair: Any = None, error: int | None = None) -> None:  # fmt: skip
        self._at, self._pair, self._error = (topic, partition, offset), pair, error

    def error(self) -> KafkaError | None:
        return None if self._error is None else KafkaError(self._error)

    def topic(self) -> str:
        return self._at[0]

    def partition(self) -> int:
        return self._at[1]

    def offset(self) -> int:
        return self._at[2]

    def key(self) -> bytes:
        return self._pair[0]  # type: ignore[no-any-return]

    def value(self) -> bytes:
        return self._pair[1]  # type: ignore[no-any-return]

    def headers(self) -> list[Any]:
        return []

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_767_225_600_000


class Brokers:
    """The topics, each partition a list of keys and values. `failing`: a code by which the first call of every method
    fails; `dead`: they went away, and say nothing any more."""

    def __init__(self) -> None:
        self.log: dict[str, list[list[tuple[bytes, bytes]]]] = {}
        self.settings: dict[str, dict[str, str]] = {}
        self.failing: int | None = None
        self.dead = False
        self.calls: Counter[str] = Counter()

    def make(self, app_id: str = "driftline-assess") -> None:
        """Every topic of ours, empty."""
        for topic in topics_of(app_id):
            self.log[topic.name] = [[] for _ in range(topic.partitions)]
            self.settings[topic.name] = topic.settings() | {"min.insync.replicas": "1"}

    def asked(self, name: str) -> None:
        """Raises KafkaException where the method is to fail now."""
        self.calls[name] += 1
        if self.failing is not None and self.calls[name] == 1:
            raise KafkaException(KafkaError(self.failing, f"{name} fails once"))

    def metadata(self, topic: str | None) -> Any:
        out: Any = ClusterMetadata()
        broker: Any = BrokerMetadata()
        broker.id, broker.host, broker.port = 1, "fake", 9092
        out.brokers, out.topics = {1: broker}, {}
        out.orig_broker_name = "fake:9092/1"
        for name in [topic] if topic else self.log:
            found: Any = TopicMetadata()
            found.topic, found.partitions, found.error = name, {}, None
            if name not in self.log:
                found.error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
            for number in range(len(self.log.get(name, ()))):
                found.partitions[number] = PartitionMetadata()
                found.partitions[number].replicas = [1]
            out.topics[name] = found
        return out

    def consumer(self, _: Any) -> "Consumer":
        return Consumer(self)

    def admin(self, _: Any) -> "Admin":
        return Admin(self)


class Consumer:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers, self._places = brokers, list[TopicPartition]()

    def list_topics(self, topic: str | None = None, timeout: float = 0) -> Any:
        self._brokers.asked("list_topics")
        return self._brokers.metadata(topic)

    def get_watermark_offsets(self, slot: TopicPartition, _: float) -> tuple[int, int]:
        self._brokers.asked("get_watermark_offsets")
        if slot.topic not in self._brokers.log:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))
        return 0, len(self._brokers.log[slot.topic][slot.partition])

    def committed(self, slots: list[TopicPartition], _: float) -> list[Any]:
        """Its errors stand in the answer."""
        try:
            self._brokers.asked("committed")
        except KafkaException as why:
            return [SimpleNamespace(error=why.args[0]) for _ in slots]
        return [TopicPartition(slot.topic, slot.partition, 0) for slot in slots]

    def offsets_for_times(self, slots: list[TopicPartition], _: float) -> list[TopicPartition]:
        self._brokers.asked("offsets_for_times")
        return [TopicPartition(slot.topic, slot.partition, 0) for slot in slots]

    def assign(self, places: list[TopicPartition]) -> None:
        self._places = list(places)

    def consume(self, most: int, _: float) -> list[Message]:
        if self._brokers.dead:
            return []
        try:
            self._brokers.asked("consume")
        except KafkaException as why:
            return [Message("", 0, 0, error=why.args[0].code())]
        out: list[Message] = []
        for place in list(self._places):
            out += self._some(place)[: most - len(out)]
        return out

    def _some(self, place: TopicPartition) -> list[Message]:
        records = self._brokers.log[place.topic][place.partition]
        self._places.remove(place)
        found = [Message(place.topic, place.partition, n, records[n]) for n in range(place.offset, len(records))]  # fmt: skip
        return [*found, Message(place.topic, place.partition, len(records), error=EOF)]

    def close(self) -> None:
        self._places = []


class Admin:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    def list_topics(self, topic: str | None = None, timeout: float = 0) -> Any:
        self._brokers.asked("admin list_topics")
        return self._brokers.metadata(topic)

    def poll(self, _: float) -> int:
        return 0

    def create_topics(self, topics: list[Any]) -> dict[str, Any]:
        def make(new: Any) -> None:
            self._brokers.log[new.topic] = [[] for _ in range(new.num_partitions)]
            self._brokers.settings[new.topic] = dict(new.config)

        return {
            new.topic: self._later("create_topics", lambda new=new: make(new)) for new in topics
        }

    def describe_configs(self, resources: list[Any]) -> dict[Any, Any]:
        def told(name: str) -> dict[str, Any]:
            return {k: SimpleNamespace(value=v) for k, v in self._brokers.settings[name].items()}

        return {one: self._later("describe_configs", lambda one=one: told(one.name)) for one in resources}  # fmt: skip

    def incremental_alter_configs(self, resources: list[Any]) -> dict[Any, Any]:
        def set_(one: Any) -> None:
            self._brokers.settings[one.name] |= {e.name: e.value for e in one.incremental_configs}

        return {one: self._later("alter_configs", lambda one=one: set_(one)) for one in resources}

    def list_consumer_groups(self, request_timeout: float) -> Any:
        """A coordinator that fails tells so in the answer."""

        def told() -> Any:
            try:
                self._brokers.asked("list_consumer_groups")
            except KafkaException as why:
                return SimpleNamespace(valid=[], errors=[why])
            return SimpleNamespace(valid=[SimpleNamespace(group_id="group")], errors=[])

        return _future(told)

    def describe_consumer_groups(self, names: list[str]) -> dict[str, Any]:
        about = SimpleNamespace(members=[1], state=SimpleNamespace(name="STABLE"))
        return {name: self._later("describe_consumer_groups", lambda: about) for name in names}

    def list_consumer_group_offsets(self, wanted: list[Any]) -> dict[str, Any]:
        def told(one: Any) -> Any:
            slots = [TopicPartition(tp.topic, tp.partition, 0) for tp in one.topic_partitions]
            return SimpleNamespace(topic_partitions=slots)

        return {one.group_id: self._later("group offsets", lambda one=one: told(one)) for one in wanted}  # fmt: skip

    def list_offsets(self, specs: dict[TopicPartition, Any]) -> dict[TopicPartition, Any]:
        told = SimpleNamespace(offset=0)
        return {slot: self._later("list_offsets", lambda: told) for slot in specs}

    def _later(self, name: str, told: Any) -> Any:
        def once() -> Any:
            self._brokers.asked(name)
            return told()

        return _future(once)


def _future(told: Any) -> Any:
    out: Future[Any] = Future()
    try:
        out.set_result(told())
    except KafkaException as why:
        out.set_exception(why)
    return out


def records(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values."""
    for number in range(count):
        yield f"k{number}".encode(), f'{{"number":{number}}}'.encode()
