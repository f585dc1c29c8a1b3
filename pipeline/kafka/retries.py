"""Decides which Kafka errors are retriable, and provides clients that retry after them.

During a coordinator change, a leader election or a broker start, librdkafka retries some calls by itself and
returns errors for others."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]

from driftline.pipeline.common.backoff import Backoff
from driftline.pipeline.common.plural import number_of

TIMEOUT = 10.0
"""Time limit of one call, and total time of its retries, in seconds."""
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0
"""Seconds before the first retry; doubled each time."""
SILENCE = 30.0
"""Seconds without a record or the end of the partition after which reading fails."""
RETRIABLE = frozenset({
    KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
    KafkaError._RESOLVE, KafkaError._WAIT_COORD, KafkaError._WAIT_CACHE, KafkaError._RETRY,  # noqa: SLF001
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.BROKER_NOT_AVAILABLE, KafkaError.NOT_CONTROLLER, KafkaError.NETWORK_EXCEPTION, KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.FETCH_SESSION_ID_NOT_FOUND, KafkaError.INVALID_FETCH_SESSION_EPOCH, KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.LISTENER_NOT_FOUND, KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.PREFERRED_LEADER_NOT_AVAILABLE, KafkaError.ELIGIBLE_LEADERS_NOT_AVAILABLE,
    KafkaError.REBALANCE_IN_PROGRESS, KafkaError.UNSTABLE_OFFSET_COMMIT, KafkaError.THROTTLING_QUOTA_EXCEEDED,
})  # fmt: skip
"""librdkafka's own codes, and those that the protocol calls retriable (kafka.apache.org/protocol, error codes), except for
unknown topics: retriable for a producer, but reported as missing here."""
ASKING = frozenset({"list_topics", "get_watermark_offsets", "committed", "offsets_for_times"})
"""Methods that only read, and block until there is an answer."""
T = TypeVar("T")


def retriable(error: KafkaError) -> bool:
    """Whether the same call may succeed later."""
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return False
    return error.code() in RETRIABLE or error.retriable()


def retrying(call: Callable[[], T], seconds: float = TIMEOUT) -> T:
    """Returns the result of the call, retrying after retriable errors with increasing waits for up to `seconds`. Raises
    KafkaException: the last error, or one that is not retriable."""
    end, backoff = time.monotonic() + seconds, Backoff(FIRST_WAIT, LONGEST_WAIT)
    while True:
        try:
            return call()
        except KafkaException as why:
            wait = backoff.failed()
            if not retriable(why.args[0]) or time.monotonic() + wait > end:
                raise
        time.sleep(wait)


def answer(call: Callable[..., Any], *given: Any, seconds: float = TIMEOUT, **more: Any) -> Any:
    """Returns the answer of a client's method: waits for futures, raises errors contained in the answer, and retries
    after retriable ones. Raises KafkaException."""

    def once() -> Any:
        return _whole(call(*given, **more), seconds)

    return retrying(once, seconds)


def _whole(found: Any, seconds: float) -> Any:
    if isinstance(found, Future):
        try:
            return _whole(found.result(seconds), seconds)
        except TimeoutError:
            why = f"no answer within {seconds:.0f} s"
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, why)) from None  # noqa: SLF001
    if isinstance(found, dict):
        return {key: _whole(one, seconds) for key, one in found.items()}
    for error in _errors(found):
        raise error if isinstance(error, KafkaException) else KafkaException(error)
    return found


def _errors(found: Any) -> Iterator[Any]:
    """The errors contained in an answer."""
    if isinstance(found, ClusterMetadata):
        if len(found.topics) == 1:  # explicitly requested; the caller reports missing topics
            (topic,) = found.topics.values()
            yield from (error for error in [topic.error] if error is not None and retriable(error))
        return
    slots = found if isinstance(found, list) else getattr(found, "topic_partitions", None) or []
    yield from filter(None, (getattr(one, "error", None) for one in slots))
    yield from getattr(found, "errors", None) or []  # from brokers that did not return their part


class Retrying:
    """A consumer or admin client whose queries are retried after retriable errors; everything else is passed through."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(answer, found) if name in ASKING else found


def to_end(reader: Any, topic: str, start: Mapping[int, int]) -> Iterator[Any]:
    """Every message of a topic's partitions, each from its offset to its current end, interleaved. `reader`: a consumer
    that reports the end of partitions. Raises KafkaException, also if no more messages arrive."""
    reader.assign([TopicPartition(topic, number, first) for number, first in start.items()])
    waiting, heard = set(start), time.monotonic()
    while waiting:
        for message in reader.consume(5000, 0.1):  # waits for 5000 messages or the time-out
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                waiting.discard(message.partition())
            elif not retriable(error):
                raise KafkaException(error)
            else:
                continue
            heard = time.monotonic()
        if waiting and time.monotonic() - heard > SILENCE:
            left = ", ".join(map(str, sorted(waiting)[:5]))
            why = f"{topic}: no records received for {SILENCE:.0f} s, and {number_of(len(waiting), 'partition is', 'partitions are')} not read to the end ({left})"
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, why))  # noqa: SLF001
