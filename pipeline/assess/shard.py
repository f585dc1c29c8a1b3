"""The fold of one partition: records in; findings, drifts, re-read requests and state rows out. Independent of
Kafka."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess.audit_records import AuditRecords
from driftline.pipeline.assess.decisions.shard_exceptions import ShardExceptions
from driftline.pipeline.assess.evaluate import needs_reevaluation
from driftline.pipeline.assess.membership import needs_routing
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.ownership.step import needs_owner
from driftline.pipeline.assess.pending_events import PREFIX as FOLLOWED
from driftline.pipeline.assess.pending_events import Unresolved
from driftline.pipeline.assess.readings import Readings
from driftline.pipeline.assess.reevaluation import ReevaluationBacklog
from driftline.pipeline.assess.retirement import step as ghosts
from driftline.pipeline.assess.retirement.backlog import Ghost, Retiring
from driftline.pipeline.assess.schedule import forget_at
from driftline.pipeline.assess.states import States
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Baseline
from driftline.pipeline.people.session_chains import PREFIX
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Counts, Outcome
from driftline.pipeline.records.outputs import Dead, Work
from driftline.pipeline.records.topics import CONTROL, MARK_KEYS, SNAPSHOTS
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state import clock_skew, rows
from driftline.pipeline.state.shard import LOOKS, Shard

if TYPE_CHECKING:  # who watches nothing need not wait for pySigma
    from driftline.pipeline.detections.engine import DetectionEngine


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
        """`heads`: all rows, including those of heads."""
        self.shard = shard = Shard(number, get)
        every = lambda: itertools.chain(shard.new_heads(), _heads(heads()))  # noqa: E731 - asked anew each time
        self._rulebook, self._watch = rulebook, watch
        self._marked = 0
        self._exceptions = ShardExceptions(shard.row, shard.put, every, options or AssessOptions())
        self._options = self._exceptions.options
        self._reevaluation = ReevaluationBacklog(
            shard.row, shard.put, every, self._options.signature(rulebook.hash)
        )
        self._retiring = Retiring(shard.row, shard.put, every)
        self.states = States(shard, rulebook, self._options, watch)
        self._unresolved = (
            Unresolved(watch, MARK_KEYS[number].decode(), shard.row, shard.put, self.states.tell, self._reached, shard.counts)
            if watch
            else None
        )  # fmt: skip
        self._readings = Readings(shard, self.states, rulebook, self._options)
        self._audit = AuditRecords(shard, self.states, rulebook, self._options, watch, self._unresolved)  # fmt: skip

    @property
    def counts(self) -> Counts:
        """What has happened since the counts were last exported."""
        return self.shard.counts

    @property
    def watermark(self) -> int:
        """The watermark of readings, which waits and restatements of findings follow, in microseconds."""
        return self.shard.time.swept

    @property
    def newest(self) -> int:
        """The newest time that a record carries, of a reading or an event, microseconds."""
        return max(self._readings.newest, self._audit.newest)

    def dated(self, topic: str) -> int:
        """The latest record time of a topic, in microseconds."""
        return self._readings.newest if topic == SNAPSHOTS.name else self._audit.newest

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Starts rebuilding the due times from the rows of the store (heads and sessions are sufficient), a piece with each
        `advance`; time does not advance until it is complete. Raises nothing; `advance` raises NewerState."""
        self.shard.restore(stored)

    def apply(self, topic: str, value: bytes, offset: int, broker_time: int | None = None) -> None:
        """Processes one record of a topic. Malformed elements are dead-lettered; raises only NewerState and MemoryError. `broker_time`:
        when the broker received it, microseconds; None: not known, such as for a tape."""
        self.shard.begin(broker_time)
        if topic == CONTROL.name:
            return self._control(value, offset, broker_time)
        records = self._readings if topic == SNAPSHOTS.name else self._audit
        return records.apply(
            value, offset + 1
        )  # states use 0 for none, and Kafka's first offset is 0

    def _control(self, value: bytes, offset: int, broker_time: int | None) -> None:
        """Processes a record of `control`: a tick advances the watermark, which never moves back; an exception schedules
        states; swept and gone records end states."""
        shard = self.shard
        try:
            record = codec.control(value)
            clock_skew.check(record, shard.latest)
            if record.exception is not None:
                self._exceptions.add(record.exception, offset, len(value))
                shard.counts[Outcome.EXCEPTION] += 1
        except Malformed as why:
            return shard.bury(-1, str(why), value)
        self.states.control = offset
        if record.baseline is not None:
            self._baseline(record.baseline)
        if record.swept is not None:
            began, ready = clock_skew.sweep_times(record.swept, broker_time)
            self._retiring.swept(record.swept, offset, began, ready)
        if record.gone is not None:
            self._retiring.gone(record.gone, offset, broker_time or 0)
        if record.tick is not None:
            shard.time.hear(record.tick, shard.latest)
            shard.put_watermarks(offset)
        return None

    def _baseline(self, record: Baseline) -> None:
        state = self.states.load(record.uid)
        step = assess.on_baseline(state, record, self._rulebook, self._options)
        if step.applied:
            self.shard.counts[Outcome.BASELINE] += 1
            self.states.emit(record.uid, state, step)

    def advance(self, limit: int | None = None, most: int = 1000) -> bool:
        """Processes up to `most` states that are due at the watermark (or `limit`, if that is lower).

        Returns whether more are left. Scans over all states (after a start, for a new exception, for new rules) continue
        by a piece, and time does not advance before they end."""
        self._exceptions.persist(self.watermark)
        walking = self.shard.restore_some(most * LOOKS, self._restored) or self._exceptions.walk(most * LOOKS)  # fmt: skip
        if walking or self._rule(most):
            return True
        until = self.watermark if limit is None else min(self.watermark, limit)
        _, more = self.shard.due.run(until, most, lambda due, uid: self._due(due, uid, until))
        if more:
            return True
        if (found := self._retiring.next(until, most)) is not None:
            for ghost in found:
                self._end(ghost)
            return True
        if self._watch and (mark := min(until, self.shard.time.all_known())) > self._marked:
            if self._settle(mark, most):
                return True
            self._marked = mark
            self.shard.send_marks(0, mark)
        return False

    def reach(self, until: int) -> None:
        """All events up to that time have arrived, if no ticks report it."""
        self._marked = max(self._marked, until)
        while self._settle(until, LOOKS):
            pass

    def _reached(self) -> int:
        return max(self._marked, self.shard.time.all_known())

    def _settle(self, until: int, most: int) -> bool:
        """Before a mark: releases events that no longer wait for a session's answer. Returns whether more are left."""
        if self._unresolved is None:
            return False
        signals, more = self._unresolved.settle(until, most)
        self.states.signal(signals)
        return more

    def _restored(self, due: int, uid: str, row: bytes) -> None:
        self.shard.due.add(due, uid)
        if self._unresolved and uid.startswith(FOLLOWED):
            self._unresolved.restored(uid, row)

    def _rule(self, most: int) -> bool:
        """Processes up to `most` states with new rules or owner sources; False if there are none."""
        uids = self._reevaluation.next(most)
        for uid in uids:
            state = self.states.load(uid)
            if state and (
                needs_reevaluation(state, self._rulebook)
                or needs_owner(state, self._options)
                or needs_routing(state, self._options)
            ):
                step = assess.reevaluate(state, self._rulebook, self._options)
                self.states.emit(uid, state, step)
        return bool(uids)

    def _due(self, due: int, uid: str, until: int) -> bool:
        """Advances a due state; False if it was a session, or is no longer due."""
        if uid.startswith(PREFIX):
            self._audit.sessions.forget(uid, due)
            return False
        if uid.startswith(FOLLOWED):
            if self._unresolved:
                self._unresolved.forget(uid, due)
            return False
        row = self.shard.row(rows.head_key(uid))
        if row is None or rows.prefix(row)[0] != due or (state := self.states.load(uid)) is None:
            return False
        if forget_at(state, self._options) <= until:
            self.states.forget(uid, state)
            return True
        events = self.shard.time.events(state.body.resource["provider"])
        step = assess.tick(state, until, self._rulebook, self._options, events)
        self.states.emit(uid, state, step)
        return True

    def _end(self, ghost: Ghost) -> None:
        """Checks a state that may have ended."""
        state = self.states.load(ghost.uid)
        if state is None:
            return
        events = self.shard.time.events(state.body.resource["provider"])
        step = ghosts.ended(state, ghost.words, self._rulebook, self._options, events)
        if step is not None:
            self.states.emit(ghost.uid, state, step)
        elif (
            not state.head.scope
        ):  # from an earlier version: store it, so that the next scan need not read the body
            due = min(state.due, forget_at(state, self._options))
            self.states.place(ghost.uid, state, due)

    def open_pending(self, uid: str) -> None:
        """At the end of a one-shot scan: opens waiting findings (assess.open_pending)."""
        if state := self.states.load(uid):
            step = assess.open_pending(state, self._rulebook, self._options)
            self.states.emit(uid, state, step)

    @property
    def pending(self) -> bool:
        """Whether there is any output."""
        return self.shard.pending

    def take_dead(self) -> list[Dead]:
        """Dead letters since the last take."""
        return self.shard.take_dead()

    def take(self) -> Work:
        """The output since the last take, which the caller must make durable."""
        self._exceptions.persist(self.watermark)
        return self.shard.take()


def _heads(stored: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    return (pair for pair in stored if pair[0][:1] == b"h")
