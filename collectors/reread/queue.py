"""Queues re-reads: a burst for one resource becomes one reading, and an offset is committed only when its reading
is done.

Knows neither Kafka nor a cloud: the caller adds requests, takes those that are due, and reports how they ended. Times
in seconds since 1970."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from driftline.pipeline.common.backoff import delay
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Read
from driftline.pipeline.records import codec

Slot = tuple[int, int]
"""Partition and offset."""
FIRST_WAIT, LONGEST_WAIT, LONGEST = 1.0, 60.0, 600.0
"""Delays between attempts of a reading that fails, and how long until it is left to the next sweep."""
DEBOUNCE = 30.0
"""Minimum interval in seconds between two readings of the same scope."""


def wish_of(value: bytes, provider: str) -> Read | None:
    """Decodes a record of `reads` as a request to this provider; None if it is for another one. Raises Malformed.

    The provider is checked first, so that a request to a provider unknown to this version is not rejected."""
    try:
        found = codec.decode(value)
        asked = found.get("provider", "aws") if isinstance(found, dict) else provider
        if isinstance(asked, str) and asked != provider:
            return None
        return Read.model_validate(found)
    except (ValueError, Malformed) as why:
        raise Malformed(f"invalid re-read request: {str(why).splitlines()[0]}") from None


@dataclass
class PendingReread:
    """One resource to read."""

    wish: Read
    due: float
    since: float
    slots: list[Slot] = field(default_factory=list)
    tries: int = 0


class RereadQueue:
    """The requests of one process."""

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
        """Adds a request. A waiting request for the same resource absorbs it: the later `after` and the earlier start
        time count."""
        partition, offset = slot
        self._open.setdefault(partition, set()).add(offset)
        self._next[partition] = max(self._next.get(partition, 0), offset + 1)
        due = max(_seconds(wish.not_before), _seconds(wish.after), 0.0)
        due = min(due, now + LONGEST)  # a clock that is ahead must not make us wait forever
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
        """Counts a malformed record as done."""
        partition, offset = slot
        self._next[partition] = max(self._next.get(partition, 0), offset + 1)

    def due(self, now: float, most: int) -> Iterator[PendingReread]:
        """Returns up to `most` resources to read now; each is in progress until it is done or to be retried."""
        held = []
        while self._heap and self._heap[0][0] <= now and most > 0:
            due, uid = heapq.heappop(self._heap)
            if (waits := self._waiting.get(uid)) is None or waits.due != due:
                continue
            if (
                uid in self._under_way
            ):  # its reading began before this request: read once more when it returns
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
        """Returns when the next resource that is not in progress is due."""
        return min((d for d, uid in self._heap if uid not in self._under_way), default=None)

    def done(self, uid: str) -> None:
        """Marks a resource as done: what was read is durable."""
        for partition, offset in self._under_way.pop(uid).slots:
            self._open.get(partition, set()).discard(offset)

    def again(self, uid: str, now: float) -> bool:
        """Marks a failed reading for another attempt; returns False if it has failed for too long and is left to the
        next sweep."""
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
        """Returns, by partition, the offset below which everything is done."""
        return {
            partition: min(self._open.get(partition) or {after})
            for partition, after in self._next.items()
        }

    def lost(self, partition: int) -> None:
        """Drops a partition that was reassigned; its requests will be handled elsewhere."""
        self._open.pop(partition, None)
        self._next.pop(partition, None)
        for waiting in (self._waiting, self._under_way):
            for one in waiting.values():
                one.slots = [slot for slot in one.slots if slot[0] != partition]
        for uid in [uid for uid, one in self._waiting.items() if not one.slots]:
            del self._waiting[uid]


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0
