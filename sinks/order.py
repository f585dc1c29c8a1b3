"""Holds restatements until the findings that they belong to, which were written before, have been read."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException


@dataclass
class _Chunk:
    messages: list[Any]
    until: int | None = None
    """The end of the findings' partition after these were read; None: not queried yet."""


class Order:
    """Holds messages of topic `then` until topic `first` has been read, for each partition, up to its end at the time
    of their arrival. Both have the same keys on the same partitions. `end`: a partition's current end; raises KafkaException."""

    def __init__(self, first: str, then: str, end: Callable[[int], int]) -> None:
        self._first, self._then, self._end = first, then, end
        self._read: dict[int, int] = {}
        """The next offset of `first`, by partition."""
        self._held: dict[int, deque[_Chunk]] = {}

    @property
    def held(self) -> int:
        """Messages that wait."""
        return sum(len(chunk.messages) for chunks in self._held.values() for chunk in chunks)

    def pass_on(self, messages: Iterable[Any]) -> list[Any]:
        """Messages that can be delivered now, findings before restatements."""
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
        """Drops a revoked partition: its next owner reads the waiting messages again."""
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
                break  # queried again with the next messages
            if self._read.get(partition, -1) < chunk.until:
                break
            out += chunks.popleft().messages
        if not chunks:
            del self._held[partition]
        return out
