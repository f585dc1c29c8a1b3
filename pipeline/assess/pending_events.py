"""Audit events that matched a detection before it was known who is behind their session. Pure; times in microseconds.

The session is asked where it came from (driftline.pipeline.people.session_chains). Until it says, the event counts for the session alone. When it
says, the event's signals are taken back where they no longer hold (`gone`), and told again for the person. It may say
something else later, where copies of the event that opened it disagree. An event is
followed while its signals may still change an alert (DetectionEngine.lateness); a first_seen correlation, which cannot forget what it
has learnt, is told of it only once the person is known, or after half of that time."""

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
"""Begins the uid of what is kept here of a session."""
MOST, LARGEST = 512, 100_000
"""Events of one session that are followed in a partition, and bytes of each, compressed. Others stay the session's own."""

Keyed = tuple[bytes, dict[str, Any]]


class Waiting(msgspec.Struct, array_like=True):
    """One event of a session that has not said where it came from."""

    at: int
    key: str
    held: bool
    """Its signals for first_seen are not told yet."""


class Asked(msgspec.Struct, array_like=True):
    """What is known here of one session."""

    past: dict[str, Any] = {}
    """`chain` and `chain_broken` of its actor; empty: it has not answered."""
    waiting: list[Waiting] = []


class Item(msgspec.Struct, array_like=True):
    """One event, as it was when it was heard of."""

    record: bytes
    """The change's JSON, compressed."""
    known: dict[str, Any]
    """What was known of its resource (DetectionEngine.known_of)."""


_asked = msgspec.msgpack.Decoder(Asked)
_item = msgspec.msgpack.Decoder(Item)


class Unresolved:
    """Those of one partition. `asker`: the key by which answers come here; `put` keeps a row (key, row, when it is due,
    uid); `reached`: until when every event has come."""

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
        """When each session is to be looked at next: of its entries in `_next` the one that counts."""

    def restored(self, uid: str, row: bytes) -> None:
        """A session's row, after a start."""
        self._look_again(uid, _asked.decode(rows.content(row)))

    def heard(self, record: Change, known: Mapping[str, Any], offset: int, place: int) -> list[Keyed]:  # fmt: skip
        """An audit event's signals, as far as they are to be told now. An event is a match for the resources that it names,
        not once more for what it changes with them."""
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
            return now  # delivered again: it is kept already
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
        """A session says where it came from."""
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
        """What is to be told of an event that turns out to be another's."""
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
        """Every event until then has come: what waited too long is told as it stands, what may not change an alert any more
        is forgotten. Of up to `most` sessions; says whether more are left."""
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
        """A session that is over by `due`, unless it was heard of again since."""
        asked, now, _ = self._load(uid)
        if now == due:
            for one in asked.waiting:
                self._drop(uid, one.key)
            self._put(rows.session_key(uid), None, NEVER, uid)

    def _load(self, uid: str) -> tuple[Asked, int, Position]:
        """What is kept of a session, until when, and its position; until NEVER: nothing is."""
        row = self._get(rows.session_key(uid))
        if row is None:
            return Asked(), NEVER, Position()
        return _asked.decode(rows.content(row)), *rows.prefix(row)

    def _save(self, uid: str, asked: Asked, due: int, position: Position, at: int) -> None:
        """`at`: of an event of it."""
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
    """Whether one word on a match replaces another by itself: the fuller one counts."""
    return new == old or len(new["fields"]) > len(old["fields"])


def _key(record: Change) -> str:
    """One event is as many changes as it touches resources."""
    return hashlib.blake2b(f"{record.id}\n{record.uid}".encode(), digest_size=8).hexdigest()


def _item_key(uid: str, key: str) -> bytes:
    return rows.session_key(f"{uid}\n{key}")
