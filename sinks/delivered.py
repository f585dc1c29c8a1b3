"""Remembers deliveries to a destination that can only append: the topic `delivered`, by sink, target and id.

A record is written as soon as the receipt arrives, and is durable before the offset is committed. After a kill, only items whose
record had not reached the brokers are appended again: delivery is at least once, and exactly once unless the kill came between the two."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from driftline.pipeline.kafka.client import (
    Delivery,
    explained,
    produce,
    reached,
    read_all,
    starts,
)
from driftline.pipeline.kafka.retries import TIMEOUT
from driftline.pipeline.model import from_micros
from driftline.pipeline.records.topics import DELIVERED
from driftline.pipeline.settings.blocks import Kafka
from driftline.sinks.base import Action

MOST = 1_000_000
"""Maximum number of deliveries kept in memory; the oldest are dropped."""
CLOCKS_DIFFER = 600_000
"""Tolerance for clock differences between programs, in milliseconds."""
Slot = tuple[str, int]


class DeliveredTopic(Protocol):
    """Reads the topic `delivered`."""

    def read(self, since: int | None) -> Iterable[bytes]:
        """Keys of records written at or after a time (milliseconds; None: all) that were not read before.
        Raises UserError, including NotThere."""


class KafkaTopic:
    """The topic at the brokers. Records are read only once."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._next: dict[int, int] = {}
        """The next offset to read, by partition."""
        self._since: int | None = None
        """The earliest time from which it was read."""

    def read(self, since: int | None) -> Iterable[bytes]:
        """See DeliveredTopic."""
        with explained(self._kafka):
            yield from self._read(since)

    def _read(self, since: int | None) -> Iterable[bytes]:
        topic = DELIVERED.name
        partitions = reached(self._kafka).list_topics(topic, TIMEOUT).topics[topic].partitions
        moment = None if since is None else datetime.fromtimestamp(since / 1000, UTC)
        begin = starts(self._kafka, topic, partitions, moment)
        later = self._since is not None and since is not None and since >= self._since
        if later:
            begin = {one: max(offset, self._next.get(one, 0)) for one, offset in begin.items()}
        else:
            self._since = since
        for message in read_all(self._kafka, topic, begin) if begin else ():
            self._next[message.partition()] = message.offset() + 1
            yield message.key() or b""


class Deliveries:
    """The delivery memory of a sink. `topic`: the topic's reader."""

    def __init__(self, sink: str, topic: DeliveredTopic) -> None:
        self._sink, self._topic = sink, topic
        self._known: dict[bytes, None] = {}
        self._read: dict[Slot, tuple[int, int]] = {}
        """Partition of what is delivered to the turn in which the topic was read for it, and the time from which."""

    def lacks(self, first: Mapping[Slot, tuple[int, int]]) -> int | None:
        """For messages of partitions (to turn, and time of the first message): the time from which the topic has to be read before
        they are delivered, in milliseconds; None where it was. A partition may have been another process's before."""
        new = []
        for slot, (turn, at) in first.items():
            wanted, known = max(0, at - CLOCKS_DIFFER), self._read.get(slot)
            if known is None or known[0] != turn or known[1] > wanted:
                new.append(wanted)
        return min(new, default=None)

    def recall(self, since: int, ours: Mapping[Slot, int]) -> None:
        """Reads the topic. `ours`: the partitions that were ours before it was read, to their turns. Raises UserError, including
        NotThere."""
        own = f"{self._sink}\n".encode()
        for key in self._topic.read(since or None):
            if key.startswith(own):
                self._learn(key)
        self._read |= {slot: (turn, since) for slot, turn in ours.items()}

    def has(self, action: Action) -> bool:
        """Whether an action was delivered."""
        return action.op == "append" and _digest(self._key(action)) in self._known

    def write(self, producer: Any, delivery: Delivery, action: Action, now: float) -> None:
        """Records a delivered action. The record is sent asynchronously: flush before storing offsets."""
        key = self._key(action)
        value = {"sink": self._sink, "id": action.id, "revision": action.version, "at": from_micros(int(now * 1e6))}  # fmt: skip
        produce(producer, delivery, topic=DELIVERED.name, key=key, value=orjson.dumps(value))
        self._learn(key)

    def _key(self, action: Action) -> bytes:
        return f"{self._sink}\n{action.target}\n{action.id}".encode()

    def _learn(self, key: bytes) -> None:
        self._known[_digest(key)] = None
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=16).digest()
