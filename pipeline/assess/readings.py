"""Processes records of `snapshots`: each reading is skipped if already applied, recorded in the head if unchanged, or
applied to its resource's state. Pure; times in microseconds."""

from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.states import States
from driftline.pipeline.assess.unchanged import read_again
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Snapshot, micros, to_micros
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.state import clock_skew, rows
from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state.rows import Position
from driftline.pipeline.state.shard import Shard


class Readings:
    """The readings of one partition."""

    def __init__(
        self, shard: Shard, states: States, rulebook: Rulebook, options: AssessOptions
    ) -> None:
        self._shard, self._states = shard, states
        self._rulebook, self._options = rulebook, options
        self.newest = 0
        """The newest `captured_at` seen."""

    def apply(self, value: bytes, offset: int) -> None:
        """Processes one record: malformed elements are dead-lettered; raises only NewerState and MemoryError. `offset`: plus
        one."""
        try:
            peeks = codec.peek(value)
        except Malformed as why:
            return self._shard.bury(-1, str(why), value)
        elements: list[bytes] = []
        for place, peek in enumerate(peeks):
            try:
                if peek is not None and self._unchanged(peek, offset, place):
                    continue
                elements = elements or codec.split(value)
                self._snapshot(codec.snapshot(elements[place]), peek, offset, place)
            except Exception as why:
                self._shard.failed(place, why, (elements or codec.split(value))[place])
        return None

    def _unchanged(self, peek: codec.Peek, offset: int, place: int) -> bool:
        """The fast path: writes only the head if the reading equals the previous one."""
        key = rows.head_key(peek.uid)
        row, at = self._shard.row(key), to_micros(peek.captured_at)
        if at is not None and at <= self._shard.latest:
            self.newest = max(self.newest, at)
        if row is None:
            return False
        due, position = rows.prefix(row)
        if (position.offset, position.place) >= (offset, place):
            self._shard.counts[Outcome.DUPLICATES] += 1
            return True
        rules = self._rulebook.type_hash(peek.type)
        head = read_again(resource_state.decode_head(row), peek, rules, due, self._shard.latest)
        if head is None:
            return False
        position = Position(offset, place, position.control, position.change, position.change_place)
        self._shard.put(key, rows.encode(head, due, position))
        self._shard.counts[Outcome.UNCHANGED] += 1
        return True

    def _snapshot(
        self, snapshot: Snapshot, peek: codec.Peek | None, offset: int, place: int
    ) -> None:
        shard = self._shard
        state = self._states.load(snapshot.uid)
        if state and (state.position.offset, state.position.place) >= (offset, place):
            shard.counts[Outcome.DUPLICATES] += 1
            return
        clock_skew.check(snapshot, shard.latest)
        digest = peek.digest(self._rulebook.type_hash(snapshot.type)) if peek else b""
        events = shard.time.events(snapshot.provider)
        known = clock_skew.without_future_times(state, shard.latest) if state else None
        step = assess.apply(known, snapshot, digest, self._rulebook, self._options, events)
        old = state.position if state else Position()
        position = Position(offset, place, old.control, old.change, old.change_place)
        self._states.emit(snapshot.uid, state, step, position)
        self.newest = max(self.newest, micros(snapshot.captured_at))
        shard.counts[Outcome.CHANGED if step.applied else Outcome.OLDER] += 1
