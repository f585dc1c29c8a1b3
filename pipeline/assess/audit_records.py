"""Processes records of `changes`: audit events, and queries and answers of session states. Pure; times in microseconds."""

from typing import TYPE_CHECKING

from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess.assessment import Step
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.pending_events import Unresolved
from driftline.pipeline.assess.states import States
from driftline.pipeline.model import Chain, Change, micros
from driftline.pipeline.people.session_chains import PARTITIONS_ASK, PREFIX, Sessions
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state import clock_skew
from driftline.pipeline.state.resource import State
from driftline.pipeline.state.rows import Position
from driftline.pipeline.state.shard import Shard

if TYPE_CHECKING:  # avoids importing pySigma if there are no detections
    from driftline.pipeline.detections.engine import DetectionEngine


class AuditRecords:
    """The records of one partition. `unresolved`: events whose person is not known yet; None without detections."""

    def __init__(
        self,
        shard: Shard,
        states: States,
        rulebook: Rulebook,
        options: AssessOptions,
        watch: "DetectionEngine | None",
        unresolved: Unresolved | None,
    ) -> None:
        self._shard, self._states = shard, states
        self._rulebook, self._options = rulebook, options
        self._watch, self._unresolved = watch, unresolved
        self.sessions = Sessions(shard.row, shard.put, states.tell)
        self.newest = 0
        """The newest `occurred_at` seen."""

    def apply(self, value: bytes, offset: int) -> None:
        """Processes one record: malformed elements are dead-lettered; raises only NewerState and MemoryError. `offset`: plus
        one."""
        self._shard.each(value, lambda element, place: self._element(element, offset, place))

    def _element(self, element: bytes, offset: int, place: int) -> None:
        record = codec.change(element)
        if isinstance(record, Change):
            clock_skew.check(record, self._shard.latest)
        if record.uid.startswith(PREFIX):
            self.sessions.take(record, offset, place)
        elif isinstance(record, Change):
            self._change(record, offset, place)
        elif record.uid in PARTITIONS_ASK:
            if self._unresolved:
                self._states.signal(self._unresolved.answered(record, offset, place))
        else:
            self._chain(record, offset, place)

    def _change(self, record: Change, offset: int, place: int) -> None:
        self.newest = max(self.newest, micros(record.occurred_at))
        counts = self._shard.counts
        state = self._states.load(record.uid)
        if state and _applied(state, offset, place):
            counts[Outcome.DUPLICATES] += 1
            return
        if self._watch and self._unresolved:
            body = state.body if state else None
            rules = self._rulebook.of(body.resource) if body else None
            known = self._watch.known_of(body, rules)
            self._states.signal(self._unresolved.heard(record, known, offset, place))
        if record.type is None:  # an account's event is not kept with any resource
            counts[Outcome.EVIDENCE] += 1
            return
        events = self._shard.time.events(record.provider)
        step = assess.on_change(state, record, self._rulebook, self._options, events)
        counts[Outcome.CHANGES if step.applied else Outcome.EVIDENCE] += 1
        self._emit(record.uid, state, step, offset, place)

    def _chain(self, record: Chain, offset: int, place: int) -> None:
        """Passes a session's origin to a resource."""
        state = self._states.load(record.uid)
        if state is None or _applied(state, offset, place):
            return
        events = self._shard.time.events(state.body.resource["provider"])
        step = assess.on_chain(state, record, self._rulebook, self._options, events)
        self._emit(record.uid, state, step, offset, place)

    def _emit(self, uid: str, state: State | None, step: Step, offset: int, place: int) -> None:
        if step.applied:
            old = state.position if state else Position()
            position = Position(old.offset, old.place, old.control, offset, place)
            self._states.emit(uid, state, step, position)


def _applied(state: State, offset: int, place: int) -> bool:
    return (state.position.change, state.position.change_place) >= (offset, place)
