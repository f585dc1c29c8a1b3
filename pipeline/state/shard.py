"""The common base of partition folds: the rows, records and dead letters of the current batch, the due time of each
state, and the watermarks. Each core (driftline.pipeline.assess.shard, driftline.pipeline.correlate.shard)
adds only how a record changes a state. Pure; times in microseconds since 1970."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Counts, Outcome
from driftline.pipeline.records.outputs import Dead, Output, Work, marks
from driftline.pipeline.state import clock_skew, rows
from driftline.pipeline.state.rows import NEVER, NewerState
from driftline.pipeline.state.watermarks import Watermarks

LOOKS = 100
"""Number of due entries or heads to read per state that would be processed, which costs about the same."""
LONGEST_REASON = 500
"""Maximum length of a dead letter's reason in characters."""


class DueTimes:
    """Due times of states, earliest first. Entries are only hints: a state whose due time changed leaves old entries
    behind, so handlers must compare an entry with the state's row."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []

    def add(self, due: int, name: str) -> None:
        """NEVER adds nothing."""
        if due != NEVER:
            heapq.heappush(self._heap, (due, name))

    def run(self, until: int, most: int, handle: Callable[[int, str], bool]) -> tuple[int, bool]:
        """Calls `handle(due, name)` for states due at `until`, until it has returned True (a state was processed) `most`
        times. Returns how often it did, and whether more are due."""
        done = looked = 0
        while self._heap and self._heap[0][0] <= until:
            if done >= most or looked >= most * LOOKS:
                return done, True
            looked += 1
            done += handle(*heapq.heappop(self._heap))
        return done, False


class EarliestDueTimes(DueTimes):
    """Keeps only the earliest entry of each state, for states whose due time changes with every record. A later time is
    not added; if a state is handled before it is due, its core adds it again."""

    def __init__(self) -> None:
        super().__init__()
        self._earliest: dict[str, int] = {}

    def add(self, due: int, name: str) -> None:
        if due < self._earliest.get(name, NEVER):
            self._earliest[name] = due
            super().add(due, name)

    def run(self, until: int, most: int, handle: Callable[[int, str], bool]) -> tuple[int, bool]:
        def handle_earliest(due: int, name: str) -> bool:
            if self._earliest.get(name) != due:
                return False  # an earlier entry came first
            del self._earliest[name]
            return handle(due, name)

        return super().run(until, most, handle_earliest)


class Shard:
    """The state of one partition of a core. `get` reads a row that was taken and made durable before."""

    def __init__(self, number: int, get: Callable[[bytes], bytes | None]) -> None:
        self.number = number
        self.counts = Counts()
        self.due = DueTimes()
        self.time = Watermarks(get)
        self.latest = NEVER
        """The latest time that the current record may carry."""
        self.outputs: list[Output] = []
        """Records to be produced, in order."""
        self._get = get
        self._rows: dict[bytes, bytes | None] = {}
        self._dead: list[Dead] = []
        self._restoring: Iterator[tuple[bytes, bytes]] | None = None

    def row(self, key: bytes) -> bytes | None:
        """The current row: from this batch, or else from the store."""
        return self._rows[key] if key in self._rows else self._get(key)

    def put(self, key: bytes, row: bytes | None, due: int = NEVER, name: str = "") -> None:
        """Writes a row (None: deletes it). `due`: when the state `name` must be processed again."""
        self._rows[key] = row
        if due != NEVER:
            self.due.add(due, name)

    def put_watermarks(self, offset: int) -> None:
        """Stores `time` as of the record at `offset` (plus one)."""
        self._rows[rows.SOURCES_KEY] = self.time.row(offset)

    def new_heads(self) -> list[tuple[bytes, bytes]]:
        """The heads of this batch that are new to the store, or differ from it."""
        return [
            (key, row) for key, row in self._rows.items() if key[:1] == b"h" and row is not None
        ]

    def send_marks(self, level: int, until: int) -> None:
        """Tells every signals partition that this partition has sent all signals of that level up to then."""
        self.outputs += marks(self.number, level, until)

    def begin(self, broker_time: int | None) -> None:
        """Begins a record. `broker_time`: when the broker received it; None: not known, such as for a tape."""
        self.latest = clock_skew.latest_allowed(broker_time)

    def each(self, value: bytes, apply: Callable[[bytes, int], None]) -> None:
        """Calls `apply(element, place)` for each element of a record. Elements that fail are dead-lettered, the others are
        applied. Raises only NewerState and MemoryError."""
        try:
            elements = codec.split(value)
        except Malformed as error:
            return self.bury(-1, str(error), value)
        for place, element in enumerate(elements):
            try:
                apply(element, place)
            except Exception as error:
                self.failed(place, error, element)
        return None

    def failed(self, place: int, error: Exception, value: bytes) -> None:
        """Dead-letters an element whose processing raised an error, so that the others are not affected.
        Re-raises NewerState and MemoryError, which are not caused by the element."""
        if isinstance(error, NewerState | MemoryError):
            raise error
        reason = str(error) if isinstance(error, Malformed) else f"{type(error).__name__}: {error}"
        self.bury(place, reason, value)

    def bury(self, place: int, reason: str, value: bytes) -> None:
        """Dead-letters an element; place -1: the record as a whole."""
        self.counts[Outcome.BAD] += 1
        self._dead.append(Dead(place, reason[:LONGEST_REASON], value))

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Starts rebuilding the due times from the rows of the store (heads and sessions are sufficient)."""
        self._restoring = iter(stored)

    def restore_some(
        self, most: int, found: Callable[[int, str, bytes], None] | None = None
    ) -> bool:
        """Reads up to `most` more rows, and calls `found(due, name, row)` for each that has a due time (default: adds it
        to `due`). Returns False when there are no more; time must not advance before. Raises NewerState."""
        if self._restoring is None:
            return False
        count = 0
        for key, row in islice(self._restoring, most):
            count += 1
            if key[:1] in (b"h", b"s") and (due := rows.prefix(row)[0]) != NEVER:
                name = key[1:].decode()
                if found is None:
                    self.due.add(due, name)
                else:
                    found(due, name, row)
        if count < most:
            self._restoring = None
        return True

    @property
    def pending(self) -> bool:
        """Whether there is any output since the last take."""
        return bool(self.outputs or self._rows or self._dead)

    def take(self) -> Work:
        """The output since the last take, which the caller must make durable."""
        work = Work(self.outputs, self._rows, self._dead)
        self.outputs, self._rows, self._dead = [], {}, []
        return work

    def take_dead(self) -> list[Dead]:
        """What was dead-lettered since the last take."""
        dead, self._dead = self._dead, []
        return dead
