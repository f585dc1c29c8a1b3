"""Loads and stores the states of one partition's resources, together with their outputs. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from driftline.pipeline.assess import outputs
from driftline.pipeline.assess.assessment import Step
from driftline.pipeline.assess.drift.expected import expected
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.retirement.backlog import marks as belongs
from driftline.pipeline.common import limits
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Chain
from driftline.pipeline.people.session_chains import session_query
from driftline.pipeline.records.counts import Occurrence
from driftline.pipeline.records.outputs import Output
from driftline.pipeline.records.topics import CHANGES, SIGNALS
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import State
from driftline.pipeline.state.rows import Position
from driftline.pipeline.state.shard import Shard

if TYPE_CHECKING:  # who watches nothing need not wait for pySigma
    from driftline.pipeline.detections.engine import DetectionEngine

MOST_ROW = limits.VALUE
"""Maximum size of a state in bytes: it must fit into one changelog record."""


class States:
    """`watch`: the detection engine; None: no signals."""

    def __init__(
        self,
        shard: Shard,
        rulebook: Rulebook,
        options: AssessOptions,
        watch: "DetectionEngine | None",
    ) -> None:
        self._shard, self._rulebook, self._options, self._watch = shard, rulebook, options, watch
        self.control = 0
        """The offset of the last record of `control`."""

    def load(self, uid: str) -> State | None:
        """A resource's state; None if nothing is known. Raises NewerState."""
        head, body = self._shard.row(rows.head_key(uid)), self._shard.row(rows.body_key(uid))
        if head is None or body is None:
            return None
        due, position = rows.prefix(head)
        rows.prefix(body)
        return State(
            resource_state.decode_head(head), resource_state.decode_body(body), due, position
        )

    def emit(
        self, uid: str, before: State | None, step: Step, position: Position | None = None
    ) -> None:
        """Stores the state that a step made from `before`, and sends its outputs. `position`: of the input record;
        None: time, or a record of `control`. Raises Malformed if the state is too large."""
        new, read = step.state, position is not None
        old = new.position
        position = position or Position(
            old.offset, old.place, max(self.control, old.control), old.change, old.change_place
        )
        # everything that may fail comes first: a state must never be stored without its outputs
        planned_changes = self._options.expected
        for drift in step.drifts:
            if (planned := expected(drift, planned_changes)) is not None:
                drift["expected"] = planned
        signals = []
        if self._watch:
            old_body = before.body if before else None
            signals = list(outputs.signals(old_body, step, self._watch, self._rulebook, planned=bool(planned_changes)))  # fmt: skip
        new.head.scope = belongs(new.body)
        head = rows.encode(new.head, new.due, position)
        moved = before is None or new.body is not before.body
        body = rows.encode(new.body, new.due, position) if moved else b""
        if read and len(body) > MOST_ROW:  # the changelog would never accept it
            raise Malformed(f"a state of {len(body)} bytes: more than {MOST_ROW}")
        said = outputs.records(uid, step)
        self._shard.put(rows.head_key(uid), head)
        if moved:
            self._shard.put(rows.body_key(uid), body)
        self._shard.outputs += said
        self.signal(signals)
        for session in step.sessions:
            self.tell(session_query(uid, session, new.head.seen_at))
        if before is None or new.due != before.due:
            self._shard.due.add(new.due, uid)
        outputs.count(step, self._shard.counts)

    def place(self, uid: str, state: State, due: int) -> None:
        """Adds the resource's scope to a head written by a version without it."""
        state.head.scope = belongs(state.body)
        self._shard.put(rows.head_key(uid), rows.encode(state.head, due, state.position), due, uid)

    def forget(self, uid: str, state: State) -> None:
        """Deletes a state, and the last records of its findings."""
        self._shard.put(rows.head_key(uid), None)
        self._shard.put(rows.body_key(uid), None)
        self._shard.outputs += outputs.tombstones(uid, state.body.lives)
        self._shard.counts[Occurrence.FORGOTTEN_STATE] += 1

    def signal(self, signals: Iterable[tuple[bytes, dict[str, Any]]]) -> None:
        """Sends matches of detections, each with its key."""
        for key, signal in signals:
            self._shard.counts[Occurrence.SIGNAL] += 1
            self._shard.outputs.append(Output(SIGNALS.name, key, orjson.dumps(signal)))

    def tell(self, message: Chain) -> None:
        """Sends a message from one state to another, in any partition."""
        self._shard.outputs.append(Output(CHANGES.name, message.uid.encode(), message.encode()))
