"""Reads a sink's topics from Kafka, and stores the offsets of delivered messages."""

import contextlib
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from driftline.pipeline.common.errors import Undelivered
from driftline.pipeline.kafka.client import TIMEOUT, answer, consumer, librdkafka, retriable
from driftline.pipeline.kafka.outages import Away
from driftline.pipeline.records.topics import FINDINGS, RESTATEMENTS
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.order import Order

log = logging.getLogger("driftline.sink")
Slot = tuple[str, int]
"""Topic and partition."""
QUEUED_KB = 16_384
"""Limit of messages prefetched by librdkafka."""
MOST_HELD = 5000
"""Maximum number of restatements waiting for findings; above it, no more are read."""


class Reader:
    """A member of a sink's group. Its methods must not be called concurrently.

    A partition that was revoked and assigned again is in a different *turn*: messages still held of it are invalid.
    Stored offsets are committed every half second, and when a partition is revoked. Restatements follow the findings that
    they belong to (driftline.sinks.order)."""

    def __init__(self, settings: Settings, group: str, topics: Sequence[str]) -> None:
        self._turns: Counter[Slot] = Counter()
        config = librdkafka(
            settings.kafka, group_id=group, auto_offset_reset="earliest", session_timeout_ms=int(settings.sink.session_timeout * 1000),
            heartbeat_interval_ms=int(settings.sink.session_timeout * 250), max_poll_interval_ms=600_000,
            enable_auto_commit=True, auto_commit_interval_ms=500, enable_auto_offset_store=False,
            fetch_wait_max_ms=50, queued_max_messages_kbytes=QUEUED_KB,
            enable_partition_eof=True,  # to know that there is nothing more to wait for
        )  # fmt: skip
        self._order = Order(FINDINGS.name, RESTATEMENTS.name, self._end)
        self._paused: list[TopicPartition] = []
        self._consumer = Consumer(
            config
            | {"on_commit": _committed, "error_cb": Away(log, settings.kafka.bootstrap_servers)}
        )
        self._consumer.subscribe(list(topics), on_revoke=self._gone, on_lost=self._gone)

    def take(self, most: int, within: float) -> list[Any]:
        """The next messages, up to a number and within a time in seconds. Raises Undelivered if Kafka has removed this member."""
        messages = self._consumer.consume(most, within)
        for message in messages:
            if message.error() is not None:
                self._told(message)
        found = self._order.pass_on(message for message in messages if message.error() is None)
        self._bound()
        return found

    def _told(self, message: Any) -> None:
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            self._order.reached(message.topic(), message.partition(), message.offset())
        elif error.fatal():
            raise Undelivered(error.str())
        elif not retriable(error):
            log.warning("Kafka", extra={"error": error.str()})

    def _end(self, partition: int) -> int:
        slot = TopicPartition(FINDINGS.name, partition)
        end: int = answer(self._consumer.get_watermark_offsets, slot, TIMEOUT)[1]
        return end

    def _bound(self) -> None:
        """Pauses restatements while too many are waiting."""
        if self._order.held > MOST_HELD:
            ours = self._consumer.assignment()
            self._paused = [one for one in ours if one.topic == RESTATEMENTS.name]
            self._consumer.pause(self._paused)
        elif self._paused:
            with contextlib.suppress(KafkaException):  # for partitions revoked meanwhile
                self._consumer.resume(self._paused)
            self._paused = []

    def turn(self, slot: Slot) -> int:
        """A number that changes when a partition is revoked."""
        return self._turns[slot]

    def owned(self) -> dict[Slot, int]:
        """The partitions that are ours, to their turns. May be called beside the others."""
        turns = dict(self._turns)  # first: what is taken from us meanwhile has another turn then
        ours = [(one.topic, one.partition) for one in self._consumer.assignment()]
        return {slot: turns.get(slot, 0) for slot in ours}

    def store(self, last: dict[Slot, tuple[int, Any]]) -> None:
        """Stores the offset of the last delivered message of each partition, with the turn in which it was read."""
        for slot, (turn, message) in last.items():
            if turn == self._turns[slot]:
                with contextlib.suppress(
                    KafkaException
                ):  # just revoked: the new owner delivers it again
                    self._consumer.store_offsets(message=message)

    def stay(self) -> None:
        """Keeps the group membership while waiting: polling paused partitions handles only rebalances."""
        assignment = self._consumer.assignment()
        if assignment:
            self._consumer.pause(assignment)
        early: Any = self._consumer.poll(0)
        if early is not None and early.error() is None:  # from a newly assigned partition
            self._consumer.seek(TopicPartition(early.topic(), early.partition(), early.offset()))
        elif early is not None:
            self._told(early)
        # including revoked ones, which would come back paused
        with contextlib.suppress(KafkaException):
            self._consumer.resume(assignment + self._consumer.assignment())

    def close(self) -> None:
        """Commits and leaves the group."""
        self._consumer.close()

    def _gone(self, _: Any, partitions: list[TopicPartition]) -> None:
        self._turns.update((one.topic, one.partition) for one in partitions)
        for one in partitions:
            self._order.forget(one.topic, one.partition)


def begin_now(settings: Settings, group: str, topics: Sequence[str]) -> None:
    """Commits the end of every topic that a group has never read, so that it begins there, even after a restart before its
    first record. Groups with members or offsets are not changed. Raises KafkaException."""
    reader = consumer(settings.kafka, group)
    try:
        for topic in topics:
            known = reader.list_topics(topic, TIMEOUT).topics[topic]
            slots = [TopicPartition(topic, number) for number in known.partitions]
            if not slots or any(one.offset >= 0 for one in reader.committed(slots, TIMEOUT)):  # fmt: skip
                continue
            ends = [reader.get_watermark_offsets(slot, TIMEOUT)[1] for slot in slots]
            new = [TopicPartition(topic, slot.partition, end) for slot, end in zip(slots, ends, strict=True)]  # fmt: skip
            try:
                reader.commit(offsets=new, asynchronous=False)
            except KafkaException as why:
                if why.args[0].code() != KafkaError.UNKNOWN_MEMBER_ID:
                    raise
                return  # another member has started meanwhile
    finally:
        reader.close()


def _committed(error: KafkaError | None, _: list[TopicPartition]) -> None:
    if error is not None and error.code() != KafkaError._NO_OFFSET:  # noqa: SLF001 - its public name
        log.warning(
            "offsets not committed; records will be delivered again", extra={"why": error.str()}
        )
