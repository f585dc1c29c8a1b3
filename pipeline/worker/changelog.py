"""Splits a changelog back into the batches it was written in, so that a batch is applied as a whole or not at all."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from driftline.pipeline.state.rows import WHOLE_KEY, batch_size, ends_with_mark

MOST_BATCH = 64 << 20
"""Bytes of buffered rows of one partition after which they are applied without waiting for the end of the batch: more than
a slice can produce."""
Entry = tuple[int, int, bytes, bytes | None]
"""Partition, offset, key, row (None: deleted)."""


class ChangelogBatcher:
    """Buffers entries and calls `apply` with complete batches. A worker may have died in the middle of writing one; the
    records that an incomplete batch came from were not acknowledged and will be delivered again, so it is discarded.

    Which entries are discarded does not depend on when the changelog is read, even if other workers have written more
    since: an incomplete batch is the run of consecutive offsets right before the next batch. (A complete batch is preceded
    by the end marker of the batch before it or, in a compacted topic, by the gap that this marker left.)"""

    def __init__(self, apply: Callable[[list[Entry]], None]) -> None:
        self._apply = apply
        self._waiting: dict[int, list[Entry]] = {}
        self._bytes: Counter[int] = Counter()

    def add(self, entries: Iterable[Entry]) -> None:
        """Adds entries, those of each partition in order of their offsets."""
        ready: list[Entry] = []
        for entry in entries:
            number, offset, key, row = entry
            waiting = self._waiting.setdefault(number, [])
            self._bytes[number] += len(row or b"")
            if key == WHOLE_KEY and row is not None:
                ready += _before(waiting, offset - batch_size(row))
            waiting.append(entry)
            if key == WHOLE_KEY or self._bytes[number] > MOST_BATCH:
                ready += waiting
                waiting.clear()
                self._bytes[number] = 0
        if ready:
            self._apply(ready)

    def finish(self) -> list[tuple[int, int, int]]:
        """Applies what is left once the changelog is read to its end. Returns the batches that were incomplete, and therefore
        discarded: partition, last offset, number of entries."""
        discarded = []
        for number, waiting in self._waiting.items():
            good = _unmarked(waiting)
            if good:
                self._apply(waiting[:good])
            if waiting[good:]:
                discarded.append((number, waiting[-1][1], len(waiting) - good))
        return discarded


def _before(waiting: list[Entry], begin: int) -> list[Entry]:
    """Removes the entries before a batch that starts at offset `begin`, and returns those of them that are to be applied."""
    first = next((n for n, entry in enumerate(waiting) if entry[1] >= begin), len(waiting))
    run = first
    while run and waiting[run - 1][1] == begin - (first - run) - 1:
        run -= 1
    good = waiting[: run + _unmarked(waiting[run:first])]
    del waiting[:first]
    return good


def _unmarked(entries: Sequence[Entry]) -> int:
    """How many entries, from the first, were written by a version without end markers: each of them is applied by itself."""
    return next((n for n, entry in enumerate(entries) if ends_with_mark(entry[3])), len(entries))
