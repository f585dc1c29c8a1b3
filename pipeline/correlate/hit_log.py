"""The stored hits of a group: in order of arrival, in blocks. Pure."""

import msgspec

from driftline.pipeline.detections.windows import Hit

HITS_IN_BLOCK = 16
"""Hits per block; the incomplete block is part of the head."""


class HitLog:
    """Hits in order of arrival. A full block is written once, and deleted when none of its hits is held."""

    __slots__ = (
        "_alive",
        "_undone",
        "earliest_undo",
        "first",
        "full",
        "gone",
        "next",
        "recent",
        "times",
    )

    def __init__(self, first: int = 0, next: int = 0) -> None:
        self.first, self.next = first, next
        """Numbers of the first block that may exist, and of the one being filled."""
        self.recent: list[msgspec.Raw] = []
        """Packed hits of the incomplete block."""
        self.times: list[int] = []
        """Their times."""
        self.full: dict[int, list[msgspec.Raw]] = {}
        """Blocks to write."""
        self.gone: list[int] = []
        """Blocks to delete."""
        self._alive: dict[int, int] = {}
        self._undone: list[tuple[int, int]] = []
        """Entries that withdraw a hit: the time until which each is needed, and its block."""
        self.earliest_undo: int | None = None
        """The earliest of these times."""

    def append(self, hit: Hit, packed: bytes) -> int:
        """Appends a hit and returns the number of its block."""
        self.recent.append(msgspec.Raw(packed))
        self.times.append(hit.at)
        block = self.next
        self.read(hit, block)
        if len(self.recent) == HITS_IN_BLOCK:
            self.full[block] = self.recent
            self.recent, self.times, self.next = [], [], block + 1
        return block

    def read(self, hit: Hit, block: int) -> None:
        """Registers an entry that exists."""
        self._alive[block] = self._alive.get(block, 0) + 1
        if hit.gone:
            self._undone.append((hit.at, block))
            self.earliest_undo = (
                hit.at if self.earliest_undo is None else min(hit.at, self.earliest_undo)
            )

    def read_few(self, block: int, count: int) -> None:
        """Registers `count` entries, none of which withdraws a hit."""
        self._alive[block] = count

    def read_all(self, block: int) -> None:
        """Marks a block for deletion if none of its entries is needed; called after all of them were read."""
        if block not in self._alive:
            self.gone.append(block)

    def forget(self, block: int) -> None:
        """Releases an entry."""
        self._alive[block] -= 1
        if not self._alive[block] and block < self.next:
            del self._alive[block]
            if self.full.pop(block, None) is None:
                self.gone.append(block)
            while self.first < self.next and self.first not in self._alive:
                self.first += 1

    def cut(self, cut: int) -> None:
        """Releases everything before a time."""
        self.recent = [raw for raw, at in zip(self.recent, self.times, strict=True) if at >= cut]
        self.times = [at for at in self.times if at >= cut]
        over = [block for at, block in self._undone if at < cut]
        self._undone = [entry for entry in self._undone if entry[0] >= cut]
        if over:
            self.earliest_undo = min((at for at, _ in self._undone), default=None)
        for block in over:
            self.forget(block)

    @property
    def blocks(self) -> list[int]:
        """Blocks that have rows."""
        return [block for block in self._alive if block < self.next and block not in self.full]
