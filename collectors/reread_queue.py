"""Wishes to read again, as they wait: a burst on one resource is one reading; nothing is committed before it is done.

No Kafka and no cloud here: the shell brings the wishes, takes those that are due, and says how they ended. Times in
seconds since 1970."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from driftline.pipeline.common.backoff import delay
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Read
from driftline.pipeline.records import codec as wire

Slot = tuple[int, int]
"""Partition and offset."""
FIRST_WAIT, LONGEST_WAIT, LONGEST = 1.0, 60.0, 600.0
"""Between tries of a reading that fails, and until it is left to the next sweep."""
DEBOUNCE = 30.0
"""Seconds between two readings of the same scope."""


def wish_of(value: bytes, provider: str) -> Read | None:
    """A record of the topic `reads` as a wish to this provider; None: it is another's. Raises Malformed.

    The provider is looked at first, so that a wish to a provider that this version does not know is not refused."""
    try:
        found = wire.decode(value)
        asked = found.get("provider", "aws") if isinstance(found, dict) else provider
        if isinstance(asked, str) and asked != provider:
            return None
        return Read.model_validate(found)
    except (ValueError, Malformed) as why:
        raise Malformed(f"no wish to read: {str(why).splitlines()[0]}") from None


@dataclass
class PendingReread:
    """One resource that is to be read."""

    wish: Read
    due: float
    since: float
    slots: list[Slot] = field(default_factory=list)
    tries: int = 0


class RereadQueue:
    """The wishes of one process."""

    def __init__(self) -> None:
        self._waiting: dict[str, PendingReread] = {}
        self._under_way: dict[str, PendingReread] = {}
        self._heap: list[tuple[float, str]] = []
        self._open: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}
        self._scopes: dict[str, float] = {}
        self.coalesced = 0
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    def wish(self, wish: Read, slot: Slot, now: float) -> None:
        """A wish has come. One that waits already for the same resource takes it in: the later `after` and the earlier
        time to begin count."""
        partition, offset = slot
        self._open.setdefault(partition, set()).add(offset)
        self._next[partition] = max(self._next.get(partition, 0), offset + 1)
        due = max(_seconds(wish.not_before), _seconds(wish.after), 0.0)
        due = min(due, now + LONGEST)  # a clock that is ahead must not make us wait for ever
        if wish.uid in self._scopes:
            due = max(due, self._scopes[wish.uid] + DEBOUNCE)
        known = self._waiting.get(wish.uid)
        if known is None:
            known = self._waiting[wish.uid] = PendingReread(wish, due, now, [slot])
        else:
            self.coalesced += 1
            known.slots.append(slot)
            known.due = min(known.due, due)
            if wish.after > known.wish.after:
                known.wish = known.wish.model_copy(update={"after": wish.after})
                known.due = max(known.due, _seconds(wish.after))
        heapq.heappush(self._heap, (known.due, wish.uid))

    def nothing(self, slot: Slot) -> None:
        """A record that was no wish."""
        partition, offset = slot
        self._next[partition] = max(self._next.get(partition, 0), offset + 1)

    def due(self, now: float, most: int) -> Iterator[PendingReread]:
        """What is to be read now, at most so many; each is under way until it is done or to be tried again."""
        held = []
        while self._heap and self._heap[0][0] <= now and most > 0:
            due, uid = heapq.heappop(self._heap)
            if (waits := self._waiting.get(uid)) is None or waits.due != due:
                continue
            if uid in self._under_way:  # it began before this wish: once more when it is back
                held.append((due, uid))
                continue
            one = self._under_way[uid] = self._waiting.pop(uid)
            if one.wish.scope:
                self._scopes[uid] = now
            most -= 1
            yield one
        for entry in held:
            heapq.heappush(self._heap, entry)

    def next_due(self) -> float | None:
        """When the next is due, of those that are not under way."""
        return min((d for d, uid in self._heap if uid not in self._under_way), default=None)

    def done(self, uid: str) -> None:
        """What it said is safe."""
        for partition, offset in self._under_way.pop(uid).slots:
            self._open.get(partition, set()).discard(offset)

    def again(self, uid: str, now: float) -> bool:
        """It failed, and may be tried once more; False where that has gone on too long: the next sweep will read it."""
        one = self._under_way.pop(uid)
        one.tries += 1
        if now - one.since > LONGEST:
            self.given_up += 1
            self._under_way[uid] = one
            self.done(uid)
            return False
        wait = delay(one.tries, FIRST_WAIT, LONGEST_WAIT)
        newer = self._waiting.get(uid)
        if newer is not None:
            newer.slots += one.slots
            newer.tries, newer.since = one.tries, one.since
            newer.due = max(newer.due, now + wait)
            one = newer
        else:
            one.due = now + wait
            self._waiting[uid] = one
        heapq.heappush(self._heap, (one.due, uid))
        return True

    def committed(self) -> dict[int, int]:
        """By partition, the offset below which everything is done."""
        return {
            partition: min(self._open.get(partition) or {after})
            for partition, after in self._next.items()
        }

    def lost(self, partition: int) -> None:
        """A partition is another's now; what waits of it will be read there."""
        self._open.pop(partition, None)
        self._next.pop(partition, None)
        for waiting in (self._waiting, self._under_way):
            for one in waiting.values():
                one.slots = [slot for slot in one.slots if slot[0] != partition]
        for uid in [uid for uid, one in self._waiting.items() if not one.slots]:
            del self._waiting[uid]


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
