"""One partition's fold: records in; findings, drifts, wishes to read again and state rows out. Every shell drives
this; it knows no Kafka."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson
from driftline.pipeline.assess import outputs as saying
from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess.assessment import Step
from driftline.pipeline.assess.decisions.shard_exceptions import Accepting
from driftline.pipeline.assess.drift.expected import expected
from driftline.pipeline.assess.evaluate import needs_reevaluation
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.pending_events import PREFIX as FOLLOWED
from driftline.pipeline.assess.pending_events import Unresolved
from driftline.pipeline.assess.reevaluation import Ruling
from driftline.pipeline.assess.retirement import step as ghosts
from driftline.pipeline.assess.retirement.backlog import Ghost, Retiring
from driftline.pipeline.assess.retirement.backlog import marks as belongs
from driftline.pipeline.assess.schedule import forget_at
from driftline.pipeline.assess.unchanged import read_again
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Baseline, Chain, Change, Snapshot, micros, to_micros
from driftline.pipeline.people.session_chains import PARTITIONS_ASK, PREFIX, Sessions, question
from driftline.pipeline.records import codec as wire
from driftline.pipeline.records.outputs import Dead, Output, Work, marks
from driftline.pipeline.records.topics import CHANGES, CONTROL, MARK_KEYS, SIGNALS, SNAPSHOTS
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state import clock_skew as arrival
from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import Head, State
from driftline.pipeline.state.rows import NEVER, NewerState, Position
from driftline.pipeline.state.watermarks import Watermarks

if TYPE_CHECKING:  # who watches nothing need not wait for pySigma
    from driftline.pipeline.detections.engine import DetectionEngine

AT_ONCE = 100
"""So many heads are looked at for each state that would be judged: that costs about as much."""
MOST_ROW = 3_900_000
"""Bytes of a state: it must fit a record of the changelog."""


class Partition:
    """The fold of one partition. `get` reads a row that was taken (and made durable) before."""

    def __init__(
        self,
        number: int,
        get: Callable[[bytes], bytes | None],
        rulebook: Rulebook,
        options: AssessOptions | None = None,
        watch: "DetectionEngine | None" = None,
        heads: Callable[[], Iterable[tuple[bytes, bytes]]] = tuple,
    ) -> None:
        """`heads`: every head's row among them."""
        self.number = number
        self.counts: Counter[str] = Counter()
        self.newest = 0
        """The newest `captured_at` seen, microseconds."""
        self.heard = 0
        """The newest `occurred_at` heard of, microseconds."""
        self._get, self._rulebook = get, rulebook
        self._watch = watch
        self._marked = 0
        self._latest = NEVER
        """Up to when the record under way may be dated."""
        self._due: list[tuple[int, str]] = []
        self._control = 0
        self._outputs: list[Output] = []
        self._rows: dict[bytes, bytes | None] = {}
        self._dead: list[Dead] = []
        self._sessions = Sessions(self._row, self._put, self._tell)
        self._time = Watermarks(get)
        self._unresolved = (
            Unresolved(watch, MARK_KEYS[number].decode(), self._row, self._put, self._tell, self._reached, self.counts)
            if watch
            else None
        )  # fmt: skip
        self._restoring: Iterator[tuple[bytes, bytes]] | None = None
        every = lambda: itertools.chain(self._own_heads(), _heads(heads()))  # noqa: E731 - asked anew each time
        self._accepted = Accepting(self._row, self._put, every, options or AssessOptions())
        self._options = self._accepted.options
        self._ruling = Ruling(self._row, self._put, every, rulebook.hash)
        self._retiring = Retiring(self._row, self._put, every)

    @property
    def watermark(self) -> int:
        """What findings' waits and restatements follow: until when every reading has come."""
        return self._time.swept

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Has the list of due states rebuilt from the rows of the store (heads and sessions are enough), a piece at each
        `advance`; until it is whole no time passes. Raises nothing; `advance` raises NewerState."""
        self._due = []
        self._restoring = iter(stored)

    def snapshots(self, value: bytes, offset: int) -> None:
        """One record of `snapshots`. What is malformed goes to the dead; raises only NewerState."""
        offset += 1  # in states: 0 is none, and Kafka's first offset is 0
        try:
            peeks = wire.peek(value)
        except Malformed as why:
            return self._bury(-1, str(why), value)
        elements: list[bytes] = []
        for place, peek in enumerate(peeks):
            try:
                if peek is not None and self._unchanged(peek, offset, place):
                    continue
                elements = elements or wire.split(value)
                self._snapshot(wire.snapshot(elements[place]), peek, offset, place)
            except Malformed as why:
                self._bury(place, str(why), elements[place])
            except (NewerState, MemoryError):
                raise
            except Exception as why:  # one resource's trouble must not stop the others
                self._bury(
                    place, f"{type(why).__name__}: {why}", (elements or wire.split(value))[place]
                )
        return None

    def dated(self, topic: str) -> int:
        """How far the records of a topic have come by their own times, microseconds."""
        return self.newest if topic == SNAPSHOTS.name else self.heard

    def apply(self, topic: str, value: bytes, offset: int, broker_time: int | None = None) -> None:
        """One record of a topic. `broker_time`: when the broker took it, microseconds; None: not known, as of a tape."""
        self._latest = arrival.latest(broker_time)
        if topic == CONTROL.name:
            return self.control(value, offset, broker_time)
        return (
            self.snapshots(value, offset)
            if topic == SNAPSHOTS.name
            else self.changes(value, offset)
        )

    def control(self, value: bytes, offset: int, broker_time: int | None = None) -> None:
        """One record of `control`: a tick moves the watermark, which never runs back; an exception has states looked
        at again; what was swept, or is gone, ends states."""
        try:
            record = wire.control(value)
            arrival.check(record, self._latest)
            if record.exception is not None:
                self._accepted.tell(record.exception, offset, len(value))
                self.counts["exception"] += 1
        except Malformed as why:
            return self._bury(-1, str(why), value)
        self._control = offset
        if record.baseline is not None:
            self._baseline(record.baseline)
        if record.swept is not None:
            began, ready = arrival.swept(record.swept, broker_time)
            self._retiring.swept(record.swept, offset, began, ready)
        if record.gone is not None:
            self._retiring.gone(record.gone, offset, broker_time or 0)
        if record.tick is not None:
            self._time.hear(record.tick, self._latest)
            self._rows[rows.SOURCES_KEY] = self._time.row(offset)
        return None

    def _baseline(self, record: Baseline) -> None:
        state = self._load(record.uid)
        step = assess.on_baseline(state, record, self._rulebook, self._options)
        if step.applied:
            self.counts["baseline"] += 1
            self._emit(record.uid, state, step)

    def _events(self, provider: str) -> int | None:
        return self._time.events(provider)

    def changes(self, value: bytes, offset: int) -> None:
        """One record of `changes`: one element or many. What is malformed goes to the dead; raises only NewerState."""
        offset += 1
        try:
            elements = wire.split(value)
        except Malformed as why:
            return self._bury(-1, str(why), value)
        for place, element in enumerate(elements):
            try:
                record = wire.change(element)
                if isinstance(record, Change):
                    arrival.check(record, self._latest)
                if record.uid.startswith(PREFIX):
                    self._sessions.take(record, offset, place)
                elif isinstance(record, Change):
                    self._change(record, offset, place)
                elif record.uid in PARTITIONS_ASK:
                    if self._unresolved:
                        self._signal(self._unresolved.answered(record, offset, place))
                else:
                    self._chain(record, offset, place)
            except Malformed as why:
                self._bury(place, str(why), element)
            except (NewerState, MemoryError):
                raise
            except Exception as why:  # one resource's trouble must not stop the others
                self._bury(place, f"{type(why).__name__}: {why}", element)
        return None

    def _change(self, record: Change, offset: int, place: int) -> None:
        self.heard = max(self.heard, micros(record.occurred_at))
        state = self._load(record.uid)
        if state and (state.position.change, state.position.change_place) >= (offset, place):
            self.counts["duplicates"] += 1
            return
        if self._watch and self._unresolved:
            body = state.body if state else None
            rules = self._rulebook.of(body.resource) if body else None
            known = self._watch.known_of(body, rules)
            self._signal(self._unresolved.heard(record, known, offset, place))
        if record.type is None:  # an account's event: no resource remembers it
            self.counts["evidence"] += 1
            return
        events = self._events(record.provider)
        step = assess.on_change(state, record, self._rulebook, self._options, events)
        self.counts["changes" if step.applied else "evidence"] += 1
        if step.applied:
            old = state.position if state else Position()
            position = Position(old.offset, old.place, old.control, offset, place)
            self._emit(record.uid, state, step, position)

    def _chain(self, record: Chain, offset: int, place: int) -> None:
        """A session's past is told to a resource."""
        state = self._load(record.uid)
        if state is None or (state.position.change, state.position.change_place) >= (offset, place):
            return
        events = self._events(state.body.resource["provider"])
        step = assess.on_chain(state, record, self._rulebook, self._options, events)
        if step.applied:
            old = state.position
            position = Position(old.offset, old.place, old.control, offset, place)
            self._emit(record.uid, state, step, position)

    def advance(self, limit: int | None = None, most: int = 1000) -> bool:
        """Processes up to `most` states that are due at the watermark (or `limit`, if that is lower).

        Says whether more are left. What goes through all states (after a start, for a new exception, by new rules) goes on
        by a piece, and time does not pass before its end."""
        self._accepted.ask(self.watermark)
        if self._restore(most * AT_ONCE) or self._accepted.walk(most * AT_ONCE) or self._rule(most):
            return True
        until = self.watermark if limit is None else min(self.watermark, limit)
        if self._tick(until, most):
            return True
        if (found := self._retiring.next(until, most)) is not None:
            for ghost in found:
                self._end(ghost)
            return True
        if self._watch and (mark := min(until, self._time.all_known())) > self._marked:
            if self._settle(mark, most):
                return True
            self._mark(mark)
        return False

    def reach(self, until: int) -> None:
        """Every event until then has come, where no ticks say so."""
        self._marked = max(self._marked, until)
        while self._settle(until, AT_ONCE):
            pass

    def _reached(self) -> int:
        return max(self._marked, self._time.all_known())

    def _settle(self, until: int, most: int) -> bool:
        """Before a mark: tells what waits no longer for a session's answer. Whether more are left."""
        if self._unresolved is None:
            return False
        signals, more = self._unresolved.settle(until, most)
        self._signal(signals)
        return more

    def _restore(self, most: int) -> bool:
        """Reads up to `most` rows of the store for the list of due states; False when it is whole."""
        if self._restoring is None:
            return False
        count = 0
        for key, row in itertools.islice(self._restoring, most):
            count += 1
            if key[:1] in (b"h", b"s") and (due := rows.prefix(row)[0]) != NEVER:
                heapq.heappush(self._due, (due, uid := key[1:].decode()))
                if self._unresolved and uid.startswith(FOLLOWED):
                    self._unresolved.restored(uid, row)
        if count < most:
            self._restoring = None
        return True

    def _rule(self, most: int) -> bool:
        """Judges up to `most` states by new rules; False when there are none."""
        uids = self._ruling.next(most)
        for uid in uids:
            state = self._load(uid)
            if state and needs_reevaluation(state, self._rulebook):
                self._emit(uid, state, assess.reevaluate(state, self._rulebook, self._options))
        return bool(uids)

    def _tick(self, until: int, most: int) -> bool:
        """Has time pass in up to `most` states that are due; False when no more are."""
        done = looked = 0
        while self._due and self._due[0][0] <= until:
            if done == most or looked == most * AT_ONCE:
                return True
            looked += 1
            due, uid = heapq.heappop(self._due)
            if uid.startswith(PREFIX):
                self._sessions.forget(uid, due)
                continue
            if uid.startswith(FOLLOWED):
                if self._unresolved:
                    self._unresolved.forget(uid, due)
                continue
            row = self._row(rows.head_key(uid))
            if row is None or rows.prefix(row)[0] != due:
                continue  # an older entry of a state that has moved on
            if (state := self._load(uid)) is None:
                continue
            done += 1
            if forget_at(state, self._options) <= until:
                self._forget(uid, state)
                continue
            events = self._events(state.body.resource["provider"])
            step = assess.tick(state, until, self._rulebook, self._options, events)
            self._emit(uid, state, step)
        return False

    def _forget(self, uid: str, state: State) -> None:
        """Nothing is kept of it: neither the state, nor the last word on its findings."""
        self._rows[rows.head_key(uid)] = self._rows[rows.body_key(uid)] = None
        self._outputs += saying.tombstones(uid, state.body.lives)
        self.counts["forgotten states"] += 1

    def _end(self, ghost: Ghost) -> None:
        """Looks at a state that may have ended."""
        state = self._load(ghost.uid)
        if state is None:
            return
        events = self._events(state.body.resource["provider"])
        step = ghosts.ended(state, ghost.words, self._rulebook, self._options, events)
        if step is not None:
            self._emit(ghost.uid, state, step)
        elif not state.head.scope:  # of an earlier version: the next walk need not ask its body
            due = min(state.due, forget_at(state, self._options))
            row = rows.encode(self._placed(state), due, state.position)
            self._put(rows.head_key(ghost.uid), row, due, ghost.uid)

    @staticmethod
    def _placed(state: State) -> Head:
        """The head, with where its resource belongs."""
        state.head.scope = belongs(state.body)
        return state.head

    def open_pending(self, uid: str) -> None:
        """For a one-shot scan's end: opens what waits (assess.open_pending)."""
        if state := self._load(uid):
            self._emit(uid, state, assess.open_pending(state, self._rulebook, self._options))

    def take_dead(self) -> list[Dead]:
        """What was bad since the last take."""
        dead, self._dead = self._dead, []
        return dead

    def take(self) -> Work:
        """What has gathered since the last take, now the caller's to make durable."""
        self._accepted.ask(self.watermark)
        work = Work(self._outputs, self._rows, self._dead)
        self._outputs, self._rows, self._dead = [], {}, []
        return work

    def _row(self, key: bytes) -> bytes | None:
        return self._rows[key] if key in self._rows else self._get(key)

    def _load(self, uid: str) -> State | None:
        head = self._row(rows.head_key(uid))
        body = self._row(rows.body_key(uid))
        if head is None or body is None:
            return None
        due, position = rows.prefix(head)
        rows.prefix(body)
        return State(
            resource_state.decode_head(head), resource_state.decode_body(body), due, position
        )

    def _unchanged(self, peek: wire.Peek, offset: int, place: int) -> bool:
        """The short cut: writes only the head where the reading says what the last one said."""
        key = rows.head_key(peek.uid)
        row, at = self._row(key), to_micros(peek.captured_at)
        if at is not None and at <= self._latest:
            self.newest = max(self.newest, at)
        if row is None:
            return False
        due, position = rows.prefix(row)
        if (position.offset, position.place) >= (offset, place):
            self.counts["duplicates"] += 1
            return True
        rules = self._rulebook.type_hash(peek.type)
        head = read_again(resource_state.decode_head(row), peek, rules, due, self._latest)
        if head is None:
            return False
        position = Position(offset, place, position.control, position.change, position.change_place)
        self._rows[key] = rows.encode(head, due, position)
        self.counts["unchanged"] += 1
        return True

    def _snapshot(
        self, snapshot: Snapshot, peek: wire.Peek | None, offset: int, place: int
    ) -> None:
        state = self._load(snapshot.uid)
        if state and (state.position.offset, state.position.place) >= (offset, place):
            self.counts["duplicates"] += 1
            return
        arrival.check(snapshot, self._latest)
        digest = peek.digest(self._rulebook.type_hash(snapshot.type)) if peek else b""
        events = self._events(snapshot.provider)
        known = arrival.healed(state, self._latest) if state else None
        step = assess.apply(known, snapshot, digest, self._rulebook, self._options, events)
        old = state.position if state else Position()
        position = Position(offset, place, old.control, old.change, old.change_place)
        self._emit(snapshot.uid, state, step, position)
        self.newest = max(self.newest, micros(snapshot.captured_at))
        self.counts["changed" if step.applied else "older"] += 1

    def _emit(
        self, uid: str, before: State | None, step: Step, position: Position | None = None
    ) -> None:
        new, read = step.state, position is not None
        old = new.position
        position = position or Position(
            old.offset, old.place, max(self._control, old.control), old.change, old.change_place
        )
        # all that may fail comes first: a state must never be kept without what it says
        for drift in step.drifts:
            if (planned := expected(drift, self._options.expected)) is not None:
                drift["expected"] = planned
        signals = []
        if self._watch:
            course, old_body = bool(self._options.expected), before.body if before else None
            signals = list(saying.signals(old_body, step, self._watch, self._rulebook, planned=course))  # fmt: skip
        head = rows.encode(self._placed(new), new.due, position)
        moved = before is None or new.body is not before.body
        body = rows.encode(new.body, new.due, position) if moved else b""
        if read and len(body) > MOST_ROW:  # the changelog would not take it, now or ever
            raise Malformed(f"a state of {len(body)} bytes: more than {MOST_ROW}")
        said = saying.records(uid, step)
        self._rows[rows.head_key(uid)] = head
        if moved:
            self._rows[rows.body_key(uid)] = body
        self._outputs += said
        self._signal(signals)
        for session in step.sessions:
            self._tell(question(uid, session, new.head.seen_at))
        if new.due != NEVER and (before is None or new.due != before.due):
            heapq.heappush(self._due, (new.due, uid))
        saying.count(step, self.counts)

    def _signal(self, signals: Iterable[tuple[bytes, dict[str, Any]]]) -> None:
        for key, signal in signals:
            self.counts["signal"] += 1
            self._outputs.append(Output(SIGNALS.name, key, orjson.dumps(signal)))

    def _mark(self, until: int) -> None:
        """Tells every partition of the signals that all of ours until then are sent."""
        self._marked = until
        self.counts["mark"] += 1
        self._outputs += marks(self.number, 0, until)

    def _own_heads(self) -> list[tuple[bytes, bytes]]:
        """Those that were not taken yet."""
        return [
            (key, row) for key, row in self._rows.items() if key[:1] == b"h" and row is not None
        ]

    def _put(self, key: bytes, row: bytes | None, due: int, uid: str) -> None:
        self._rows[key] = row
        if due != NEVER:
            heapq.heappush(self._due, (due, uid))

    def _tell(self, message: Chain) -> None:
        """What one state asks or tells another, wherever that lives."""
        self._outputs.append(Output(CHANGES.name, message.uid.encode(), message.encode()))

    def _bury(self, place: int, reason: str, value: bytes) -> None:
        self.counts["bad"] += 1
        self._dead.append(Dead(place, reason[:500], value))


def _heads(stored: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    return (pair for pair in stored if pair[0][:1] == b"h")
