"""Restatements are given out behind all that was on the statements' partition when they came."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from driftline.sinks.order import Order
from tests.sinks.test_deliver import Message

FIRST, THEN = "first", "then"


class Ends:
    """Where the partitions of the statements end."""

    def __init__(self) -> None:
        self.ends: dict[int, int] = {}
        self.away = False

    def __call__(self, partition: int) -> int:
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return self.ends.get(partition, 0)


def first(offset: int, partition: int = 0) -> Message:
    return Message(b"", offset, partition, FIRST)


def then(offset: int, partition: int = 0) -> Message:
    return Message(b"", offset, partition, THEN)


def told(messages: list[Any]) -> list[tuple[str, int]]:
    return [(message.topic(), message.offset()) for message in messages]


def order() -> tuple[Order, Ends]:
    ends = Ends()
    return Order(FIRST, THEN, ends), ends


def test_they_wait_for_what_was_there_and_no_longer() -> None:
    it, ends = order()
    ends.ends[0] = 3
    assert told(it.pass_on([then(0), first(0)])) == [(FIRST, 0)]
    assert it.held == 1
    ends.ends[0] = 100  # more came since: it is not waited for
    assert told(it.pass_on([first(1)])) == [(FIRST, 1)]
    assert told(it.pass_on([first(2)])) == [(FIRST, 2), (THEN, 0)]
    assert it.held == 0


def test_the_end_may_be_a_hole() -> None:
    it, ends = order()
    ends.ends[0] = 5
    assert it.pass_on([then(0)]) == []
    it.reached(FIRST, 0, 5)
    assert told(it.pass_on([])) == [(THEN, 0)]
    it.reached("other", 1, 5)
    assert it.pass_on([then(0, 1)]) == [], "of a partition that is not ours nothing is known"


def test_an_end_that_nobody_tells_is_asked_again() -> None:
    it, ends = order()
    ends.away = True
    it.reached(FIRST, 0, 0)
    assert it.pass_on([then(0)]) == []
    ends.away = False
    assert told(it.pass_on([])) == [(THEN, 0)]


def test_a_partition_that_goes_takes_what_waits_with_it() -> None:
    it, ends = order()
    ends.ends[0] = 1
    it.pass_on([then(0)])
    it.forget(THEN, 0)
    assert it.held == 0
    assert told(it.pass_on([first(0)])) == [(FIRST, 0)]
    it.forget(FIRST, 0)
    assert it.pass_on([then(0)]) == [], "who reads it now, and how far, is not known"


steps = st.lists(
    st.tuples(st.sampled_from(("write", "restate", "read", "reread")), st.integers(0, 2)),
    max_size=60,
)


@given(steps)
def test_never_before_their_statements_and_always_in_order(history: list[tuple[str, int]]) -> None:
    logs: dict[tuple[str, int], int] = {}
    at: dict[tuple[str, int], int] = {}
    belongs: dict[tuple[int, int], int] = {}
    """Partition and offset of a restatement to the end of the statements when it was written."""
    it = Order(FIRST, THEN, lambda partition: logs.get((FIRST, partition), 0))
    read: dict[int, int] = {}
    given_out: dict[int, list[int]] = {}

    def take(found: list[Any]) -> None:
        for message in it.pass_on(found):
            if message.topic() == FIRST:
                read[message.partition()] = message.offset() + 1
            else:
                assert (
                    read.get(message.partition(), 0)
                    >= belongs[message.partition(), message.offset()]
                )
                given_out.setdefault(message.partition(), []).append(message.offset())

    def poll(topic: str, partition: int) -> None:
        slot = (topic, partition)
        if at.get(slot, 0) < logs.get(slot, 0):
            take([Message(b"", at.get(slot, 0), partition, topic)])
            at[slot] = at.get(slot, 0) + 1
        else:
            it.reached(topic, partition, at.get(slot, 0))
            take([])

    for what, partition in history:
        if what in ("write", "restate"):
            slot = (FIRST if what == "write" else THEN, partition)
            belongs[partition, logs.get(slot, 0)] = logs.get((FIRST, partition), 0)
            logs[slot] = logs.get(slot, 0) + 1
        else:
            poll(FIRST if what == "read" else THEN, partition)
    for partition in range(3):
        for topic in (THEN, FIRST):
            for _ in range(logs.get((topic, partition), 0) + 1):
                poll(topic, partition)
        assert given_out.get(partition, []) == list(range(logs.get((THEN, partition), 0)))
    assert it.held == 0
