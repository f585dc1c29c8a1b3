"""Writes the topic of findings to an index, regardless of its content: versions keep the newer document."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from elasticsearch import AsyncElasticsearch

from driftline.pipeline.common.backoff import delay
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.kafka.client import TIMEOUT, consumer, read_all
from driftline.pipeline.records.topics import FINDINGS, RESTATEMENTS, looking
from driftline.pipeline.settings.blocks import Kafka
from driftline.sinks.base import Action, Busy, Receipt
from driftline.sinks.elasticsearch.render import ALIAS
from driftline.sinks.elasticsearch.restate import onto
from driftline.sinks.elasticsearch.settings import ElasticsearchSettings
from driftline.sinks.elasticsearch.sink import ElasticsearchSink
from driftline.sinks.module import SinkContext

CHUNK = 1000
TOGETHER = 6
"""Partitions read concurrently."""
WAITS = [delay(tries, 0.5, 16.0) for tries in range(1, 7)]


@dataclass
class Count:
    """What a pass came to."""

    written: int = 0
    ended: int = 0
    refused: int = 0
    why: str = ""

    def __str__(self) -> str:
        more = f", {self.refused} REFUSED (the first: {self.why})" if self.refused else ""
        return f"{number_of(self.written, 'finding')}, {number_of(self.ended, 'ended one')}{more}"


async def refill(
    es: AsyncElasticsearch, settings: ElasticsearchSettings, context: SinkContext, index: str
) -> Count:
    """Writes all current findings, and removes ended ones. Raises UserError if Elasticsearch does not
    accept them, and KafkaException."""
    sink = ElasticsearchSink(settings, es)
    count = Count()
    chunk: list[Action] = []
    partitions = await asyncio.to_thread(_partitions, context.kafka, FINDINGS.name)
    restated = await asyncio.to_thread(_partitions, context.kafka, RESTATEMENTS.name)
    for first in range(0, len(partitions), TOGETHER):
        some = partitions[first : first + TOGETHER]
        again = _again(context.kafka, [number for number in some if number in restated])
        for message in _last(context.kafka, some):
            found = _actions(sink, context, message, again.get(message.key()))
            chunk += [replace(action, target=index) for action in found]
            if len(chunk) >= CHUNK:
                await _send(sink, chunk, count)
                chunk = []
    if chunk:
        await _send(sink, chunk, count)
    total = count.written + count.refused
    if count.refused > context.bad_share * total:
        raise UserError(
            f"{index} refuses {count.refused} of {total} findings, the first: {count.why}",
            fix="the previous view is kept",
        )
    await es.indices.refresh(index=index)
    return count


def _partitions(kafka: Kafka, topic: str) -> list[int]:
    """A topic's non-empty partitions; none if it does not exist yet."""
    reader = consumer(kafka, looking())
    try:
        known = reader.list_topics(topic, TIMEOUT).topics[topic]
        if known.error is None:
            slots = [TopicPartition(topic, number) for number in sorted(known.partitions)]
            ends = {slot.partition: reader.get_watermark_offsets(slot, TIMEOUT) for slot in slots}
            return [partition for partition, (low, high) in ends.items() if low < high]
    finally:
        reader.close()
    if known.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return []
    raise KafkaException(known.error)


def _again(kafka: Kafka, partitions: list[int]) -> dict[bytes, tuple[int, str]]:
    """The newest restatement of every finding in some partitions: its revision and time."""
    found: dict[bytes, tuple[int, str]] = {}
    for message in read_all(kafka, RESTATEMENTS.name, dict.fromkeys(partitions, 0)) if partitions else ():  # fmt: skip
        try:
            told = orjson.loads(message.value() or b"")
            one = int(told["revision"]), str(told["last_seen"])
        except (ValueError, KeyError, TypeError):
            continue  # the sink dead-letters it
        found[message.key()] = max(one, found.get(message.key(), one))
    return found


def _last(kafka: Kafka, partitions: list[int]) -> Iterator[Any]:
    """The latest message of every key in some partitions. Two passes, so that only offsets are kept in memory."""
    start = dict.fromkeys(partitions, 0)
    last = {m.key(): m.offset() for m in read_all(kafka, FINDINGS.name, start)}
    for message in read_all(kafka, FINDINGS.name, start) if last else ():
        # Messages written between the passes are included.
        if message.offset() >= last.get(message.key(), 0):
            yield message


def _actions(
    sink: ElasticsearchSink, context: SinkContext, message: Any, again: tuple[int, str] | None
) -> Iterator[Action]:
    """The actions for a finding, with the time of its latest restatement."""
    now = int(time.time() * 1e6)
    if message.value() is None:
        yield from sink.forget(FINDINGS.name, message.key().decode(), message.timestamp()[1])
        return
    try:
        finding = context.given(FINDINGS.name, orjson.loads(message.value()))
        if finding is None:
            return
        actions = sink.render(FINDINGS.name, finding, now)
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # the sink dead-letters it
    for action in actions:
        if action.target != ALIAS:
            continue
        fits = again is not None and again[0] == action.version and action.body is not None
        yield onto(action, again[1], now) if again is not None and fits else action


async def _send(sink: ElasticsearchSink, actions: list[Action], count: Count) -> None:
    """Sends until every action has a receipt. Raises UserError if that takes too long."""
    receipts: list[Receipt] = []
    for wait in (*WAITS, None):
        try:
            receipts = await sink.send(actions)
        except Busy as why:
            receipts = [Receipt("again", str(why))] * len(actions)
        again: list[Action] = []
        for action, receipt in zip(actions, receipts, strict=True):
            _judge(action, receipt, count, again)
        if not again:
            return
        if wait is None:
            why_not = next(r.reason for r in receipts if r.kind == "again")
            raise UserError(
                f"Elasticsearch does not accept the findings: {why_not}",
                fix="the previous view is kept; try again",
            )
        actions = again
        await asyncio.sleep(wait)


def _judge(action: Action, receipt: Receipt, count: Count, again: list[Any]) -> None:
    if receipt.kind == "again":
        again.append(action)
    elif receipt.kind == "never":
        count.refused += 1
        count.why = count.why or receipt.reason
    elif action.body is None:
        count.ended += 1
    else:
        count.written += 1
