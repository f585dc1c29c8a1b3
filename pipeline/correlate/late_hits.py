"""Defers late hits: a hit that would cause many others to be evaluated again waits for more. Stored. Pure."""

from collections.abc import Callable

import msgspec

from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

IMMEDIATE_HITS, HITS_PER_LATE_HIT = 32, 4
"""This many hits are evaluated again immediately, and this many per late hit; above both, the late hits are deferred.
"""
LATE_KEY = b"l"


class DeferredUntil(msgspec.Struct, array_like=True):
    """The watermark at which each deferred group is evaluated."""

    until: dict[str, int] = {}


_until = msgspec.msgpack.Decoder(DeferredUntil)


class DeferredGroups:
    """The deferred groups of one shard. `row`: as stored."""

    def __init__(self, row: bytes | None) -> None:
        self._until = _until.decode(rows.content(row)).until if row else {}
        self._moved = False

    def __contains__(self, name: str) -> bool:
        return name in self._until

    def items(self) -> list[tuple[str, int]]:
        """Returns the groups and the watermarks until which they wait."""
        return list(self._until.items())

    def wait(self, name: str, until: int) -> None:
        if name not in self._until:
            self._until[name], self._moved = until, True

    def end(self, name: str) -> None:
        """Ends the deferral of a group."""
        if self._until and self._until.pop(name, None) is not None:
            self._moved = True

    def save(self, put: Callable[[bytes, bytes | None], None], applied: int) -> None:
        """Stores the groups if they changed. `applied`: the offset after the last record applied."""
        if self._moved:
            put(LATE_KEY, rows.encode(DeferredUntil(self._until), NEVER, Position(applied)))
            self._moved = False


def should_defer(again: int, fresh: int) -> bool:
    """Returns whether to defer: `fresh` late hits are too few to evaluate `again` hits a second time."""
    return again > IMMEDIATE_HITS and again > HITS_PER_LATE_HIT * fresh
