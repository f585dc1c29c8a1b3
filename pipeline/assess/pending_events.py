"""Audit events that matched a detection before the person behind their session was known. Pure; times in microseconds.

The session's origin is queried (driftline.pipeline.people.session_chains). Until it is known, the event counts for the session only. Then
the event's signals are retracted where they no longer hold (`gone`), and sent again for the person. The origin may
change later, if copies of the event that opened the session disagree. An event is
followed while its signals may still change an alert (DetectionEngine.lateness); a first_seen correlation, which cannot
unlearn, receives it only once the person is known, or after half of that time."""

import hashlib
import heapq
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.model import Chain, Change
from driftline.pipeline.people.identity import UNKNOWN
from driftline.pipeline.people.session_chains import session_query
from driftline.pipeline.providers.installed import longest_session
from driftline.pipeline.records.counts import Counts, Occurrence
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

if TYPE_CHECKING:  # who watches nothing need not wait for pySigma
    from driftline.pipeline.detections.engine import DetectionEngine
    from driftline.pipeline.detections.observed import ObservedEvent

PREFIX = "signals:"
"""Prefix of the uids of rows kept here for sessions."""
MOST, LARGEST = 512, 100_000
"""Maximum number of events per session and partition, and their compressed size in bytes. Others stay with the session."""

Keyed = tuple[bytes, dict[str, Any]]


class Waiting(msgspec.Struct, array_like=True):
    """An event of a session whose origin is not known yet."""

    at: int
    key: str
    held: bool
    """Its signals for first_seen have not been sent yet."""


class Asked(msgspec.Struct, array_like=True):
    """The pending events of a session."""

    past: dict[str, Any] = {}
    """`chain` and `chain_broken` of its actor; empty: no answer yet."""
    waiting: list[Waiting] = []


class Item(msgspec.Struct, array_like=True):
    """An event as received."""

    record: bytes
    """The change's JSON, compressed."""
    known: dict[str, Any]
    """The knowledge about its resource at that time (DetectionEngine.known_of)."""


_asked = msgspec.msgpack.Decoder(Asked)
_item = msgspec.msgpack.Decoder(Item)


class Unresolved:
    """The pending events of one partition. `asker`: the key to which answers are sent; `put` stores a row (key, row, due time,
    uid); `reached`: the time up to which every event has arrived."""

    def __init__(
        self,
        watch: "DetectionEngine",
        asker: str,
        get: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        tell: Callable[[Chain], None],
        reached: Callable[[], int],
        counts: Counts,
    ) -> None:
        self._watch, self._asker = watch, asker
        self._get, self._put, self._tell, self._reached = get, put, tell, reached
        self._counts = counts
        self._next: list[tuple[int, str]] = []
        self._when: dict[str, int] = {}
        """The next due time of each session, which determines the valid entry in `_next`."""

    def restored(self, uid: str, row: bytes) -> None:
        """Restores a session's row after a start."""
        self._look_again(uid, _asked.decode(rows.content(row)))

    def heard(self, record: Change, known: Mapping[str, Any], offset: int, place: int) -> list[Keyed]:  # fmt: skip
        """An audit event's signals that are sent now. An event matches for the resources that it names,
        not again for side effects on others."""
        if record.aside:
            return []
        event = self._watch.event(record, known)
        found = self._watch.event_signals(event)
        session = record.actor.session
        if session is None or not _unknown(event) or not (found or self._watch.depends_on_actor(event)):  # fmt: skip
            return found
        uid = PREFIX + session
        asked, due, position = self._load(uid)
        if asked.past:
            event = self._watch.event(record, known, asked.past)
            found = self._watch.event_signals(event)
        unknown = _unknown(event)
        now = [one for one in found if not (unknown and self._watch.learns(one[1]))]
        held = unknown and (len(now) < len(found) or self._watch.depends_on_actor(event))
        if (position.change, position.change_place) >= (offset, place):
            return now  # redelivered: it is already stored
        if event.at < self._reached() - self._watch.lateness:
            return found
        key = _key(record)
        if all(one.key != key for one in asked.waiting):
            body = zlib.compress(record.encode(), 1)
            if len(asked.waiting) >= MOST or len(body) > LARGEST:
                self._counts[Occurrence.UNFOLLOWED_MATCH] += unknown
                return found
            asked.waiting.append(Waiting(event.at, key, held))
            item = rows.encode(Item(body, dict(known)), NEVER, Position(change=offset, change_place=place))  # fmt: skip
            self._put(_item_key(uid, key), item, NEVER, uid)
        if due == NEVER:
            self._tell(session_query(self._asker, session, event.at))
        self._save(uid, asked, due, Position(change=offset, change_place=place), event.at)
        return now

    def answered(self, record: Chain, offset: int, place: int) -> Iterator[Keyed]:
        """Processes the origin of a session."""
        uid = PREFIX + record.session
        asked, due, position = self._load(uid)
        links = [link.model_dump(mode="json", exclude_none=True) for link in record.links]
        past = {"chain": links} | ({"chain_broken": True} if record.broken else {})
        if due == NEVER or (position.change, position.change_place) >= (offset, place) or past == asked.past:  # fmt: skip
            return
        before, asked.past = asked.past, past
        late = self._reached() - self._watch.lateness
        left = []
        for one in asked.waiting:
            item = self._item(uid, one.key)
            if item is None or one.at < late:
                self._drop(uid, one.key)
                continue
            change = Change.model_validate_json(zlib.decompress(item.record))
            event = self._watch.event(change, item.known, past)
            yield from self._moved(self._watch.event(change, item.known, before), event, one)
            left.append(one if _unknown(event) else Waiting(one.at, one.key, False))
        asked.waiting = left
        self._save(uid, asked, due, Position(change=offset, change_place=place), 0)

    def _moved(self, old: "ObservedEvent", new: "ObservedEvent", one: Waiting) -> Iterator[Keyed]:
        """The signals for an event that turns out to belong to someone else."""
        learns, unknown = self._watch.learns, _unknown(new)
        was = {s["id"]: (key, s) for key, s in self._watch.event_signals(old) if not learns(s)}
        now = {
            s["id"]: (key, s)
            for key, s in self._watch.event_signals(new)
            if not learns(s) or (one.held and not unknown)
        }
        for id, (key, signal) in was.items():
            if id not in now or not _outdoes(now[id][1], signal):
                yield key, signal | {"gone": True}
        for id, pair in now.items():
            if id not in was or was[id] != pair:
                yield pair

    def settle(self, until: int, most: int) -> tuple[list[Keyed], bool]:
        """All events up to that time have arrived: signals that waited too long are sent as they are, and events that cannot change an alert
        any more are dropped. Processes up to `most` sessions; returns whether more are left."""
        out: list[Keyed] = []
        for _ in range(most):
            if not self._next or self._next[0][0] > until:
                return out, False
            at, uid = heapq.heappop(self._next)
            if self._when.get(uid) == at:
                del self._when[uid]
                out += self._settled(uid, until)
        return out, bool(self._next) and self._next[0][0] <= until

    def _settled(self, uid: str, until: int) -> Iterator[Keyed]:
        asked, due, position = self._load(uid)
        if due == NEVER:
            return
        left, moved = [], False
        for one in asked.waiting:
            if one.held and one.at + self._watch.patience <= until:
                item = self._item(uid, one.key)
                if item is not None:
                    change = Change.model_validate_json(zlib.decompress(item.record))
                    event = self._watch.event(change, item.known, asked.past)
                    yield from (pair for pair in self._watch.event_signals(event) if self._watch.learns(pair[1]))  # fmt: skip
                one, moved = Waiting(one.at, one.key, False), True
            if one.at + self._watch.lateness < until:
                self._drop(uid, one.key)
                moved = True
            else:
                left.append(one)
        asked.waiting = left
        if moved:
            self._save(uid, asked, due, position, 0)
        else:
            self._look_again(uid, asked)

    def forget(self, uid: str, due: int) -> None:
        """Drops a session that expired at `due`, unless it was seen again since."""
        asked, now, _ = self._load(uid)
        if now == due:
            for one in asked.waiting:
                self._drop(uid, one.key)
            self._put(rows.session_key(uid), None, NEVER, uid)

    def _load(self, uid: str) -> tuple[Asked, int, Position]:
        """Stores a session until a time, with its position; NEVER: deletes it."""
        row = self._get(rows.session_key(uid))
        if row is None:
            return Asked(), NEVER, Position()
        return _asked.decode(rows.content(row)), *rows.prefix(row)

    def _save(self, uid: str, asked: Asked, due: int, position: Position, at: int) -> None:
        """`at`: time of one of its events."""
        later = (at + longest_session()) // HOUR * HOUR + HOUR if at else 0
        expires = max(later, 0 if due == NEVER else due)
        row = rows.encode(asked, expires, position)
        self._put(rows.session_key(uid), row, NEVER if expires == due else expires, uid)
        self._look_again(uid, asked)

    def _look_again(self, uid: str, asked: Asked) -> None:
        watch = self._watch
        times = [one.at + (watch.patience if one.held else watch.lateness + 1) for one in asked.waiting]  # fmt: skip
        if times and min(times) < self._when.get(uid, NEVER):
            self._when[uid] = min(times)
            heapq.heappush(self._next, (min(times), uid))

    def _item(self, uid: str, key: str) -> Item | None:
        row = self._get(_item_key(uid, key))
        return _item.decode(rows.content(row)) if row else None

    def _drop(self, uid: str, key: str) -> None:
        self._put(_item_key(uid, key), None, NEVER, uid)


def _unknown(event: "ObservedEvent") -> bool:
    return bool(event.fields["driftline"]["actor"]["person"]["kind"] == UNKNOWN)


def _outdoes(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether one signal of a match replaces another by itself: the more complete one counts."""
    return new == old or len(new["fields"]) > len(old["fields"])


def _key(record: Change) -> str:
    """An event produces one change for each resource."""
    return hashlib.blake2b(f"{record.id}\n{record.uid}".encode(), digest_size=8).hexdigest()


def _item_key(uid: str, key: str) -> bytes:
    return rows.session_key(f"{uid}\n{key}")
