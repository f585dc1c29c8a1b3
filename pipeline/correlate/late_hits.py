"""Groups with late hits that wait to be judged: where one would cause many to be judged again. Kept. Pure."""

from collections.abc import Callable

import msgspec
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

IMMEDIATE_HITS, HITS_PER_LATE_HIT = 32, 4
"""So many hits are judged again at once; so many for each that has come. Where a late one would take more, it waits."""
LATE_KEY = b"l"


class DeferredUntil(msgspec.Struct, array_like=True):
    """The watermark at which each group is judged."""

    until: dict[str, int] = {}


_until = msgspec.msgpack.Decoder(DeferredUntil)


class DeferredGroups:
    """The groups of one partition. `row`: what was kept of them."""

    def __init__(self, row: bytes | None) -> None:
        self._until = _until.decode(rows.content(row)).until if row else {}
        self._moved = False

    def __contains__(self, name: str) -> bool:
        return name in self._until

    def items(self) -> list[tuple[str, int]]:
        """Groups, and until when they wait."""
        return list(self._until.items())

    def wait(self, name: str, until: int) -> None:
        if name not in self._until:
            self._until[name], self._moved = until, True

    def end(self, name: str) -> None:
        """It waits no more."""
        if self._until and self._until.pop(name, None) is not None:
            self._moved = True

    def save(self, put: Callable[[bytes, bytes | None], None], applied: int) -> None:
        """`applied`: the offset after the last record that is taken in."""
        if self._moved:
            put(LATE_KEY, rows.encode(DeferredUntil(self._until), NEVER, Position(applied)))
            self._moved = False


def should_defer(again: int, fresh: int) -> bool:
    """Whether the late ones are too few for so many hits to be judged again."""
    return again > IMMEDIATE_HITS and again > HITS_PER_LATE_HIT * fresh
