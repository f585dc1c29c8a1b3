"""Restatements wait until the statements that they belong to are read: those were written before them."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException


@dataclass
class _Chunk:
    messages: list[Any]
    until: int | None = None
    """The end of the statements' partition after these were read; None: not asked yet."""


class Order:
    """Messages of topic `then` are held until topic `first` is read, partition by partition, up to its end at the time
    that they came. Both have the same keys on the same partitions. `end`: a partition's end now; raises KafkaException."""

    def __init__(self, first: str, then: str, end: Callable[[int], int]) -> None:
        self._first, self._then, self._end = first, then, end
        self._read: dict[int, int] = {}
        """Partition of `first` to the offset that is read next."""
        self._held: dict[int, deque[_Chunk]] = {}

    @property
    def held(self) -> int:
        """Messages that wait."""
        return sum(len(chunk.messages) for chunks in self._held.values() for chunk in chunks)

    def pass_on(self, messages: Iterable[Any]) -> list[Any]:
        """What may be delivered now, statements before restatements."""
        out: list[Any] = []
        new: dict[int, list[Any]] = {}
        for message in messages:
            if message.topic() == self._then:
                new.setdefault(message.partition(), []).append(message)
                continue
            if message.topic() == self._first:
                self.reached(self._first, message.partition(), message.offset() + 1)
            out.append(message)
        for partition, some in new.items():
            self._held.setdefault(partition, deque()).append(_Chunk(some))
        for partition in list(self._held):
            out += self._released(partition)
        return out

    def reached(self, topic: str, partition: int, offset: int) -> None:
        """All before an offset is read."""
        if topic == self._first:
            self._read[partition] = offset

    def forget(self, topic: str, partition: int) -> None:
        """A partition is no longer ours: its next owner reads again what waits here."""
        if topic == self._first:
            self._read.pop(partition, None)
        elif topic == self._then:
            self._held.pop(partition, None)

    def _released(self, partition: int) -> list[Any]:
        chunks, out = self._held[partition], list[Any]()
        while chunks:
            chunk = chunks[0]
            try:
                chunk.until = self._end(partition) if chunk.until is None else chunk.until
            except KafkaException:
                break  # asked again with the next messages
            if self._read.get(partition, -1) < chunk.until:
                break
            out += chunks.popleft().messages
        if not chunks:
            del self._held[partition]
        return out
