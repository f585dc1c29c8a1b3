"""The exceptions of one partition, stored beside its states, and the states to check for a new one. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

import msgspec

from driftline.pipeline.assess.decisions.exception_index import ExceptionIndex
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.common import limits
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.common.wildcard_index import PatternIndex
from driftline.pipeline.model import RiskException
from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import DUE_NOW, KnownExceptions
from driftline.pipeline.state.rows import EXCEPTIONS_KEY, NEVER, Position

MOST_ROW = limits.EXCEPTIONS
"""Maximum total size in bytes: they must fit into one changelog record."""


class ShardExceptions:
    """`row` and `put` access the partition's rows; `heads` yields the heads of all states."""

    def __init__(
        self,
        row: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        heads: Callable[[], Iterable[tuple[bytes, bytes]]],
        options: AssessOptions,
    ) -> None:
        stored = row(EXCEPTIONS_KEY)
        known = resource_state.decode_accepted(stored) if stored else KnownExceptions()
        records = [*options.exceptions.kept(0), *known.exceptions]
        self._book = ExceptionIndex(map(RiskException.model_validate, records))
        self.options = replace(options, exceptions=self._book)
        """All exceptions, including later ones."""
        self._row, self._put, self._heads = row, put, heads
        self._told = rows.prefix(stored)[1] if stored else Position()
        self._fresh = False
        """There are unsaved changes."""
        self._exact: set[str] = set()
        """Resources, given without patterns, whose states must be checked."""
        self._waiting = dict.fromkeys(known.asking)
        """Patterns that no scan covers yet."""
        self._walk: Iterator[tuple[bytes, bytes]] | None = None
        self._sought = PatternIndex[str]()
        """The patterns of the current scan."""
        self._bytes = len(stored or b"")

    def add(self, record: RiskException, offset: int, size: int) -> None:
        """Adds an exception from a control record, with its offset and bytes. Raises Malformed if the limit is exceeded."""
        if self._bytes + size > MOST_ROW and not self._book.knows(record):
            raise Malformed("too many exceptions in total (end some, or write fewer, broader ones; then: driftline exceptions send)")  # fmt: skip
        entries = self._book.add(record)
        if entries:  # otherwise it is already known
            self._bytes += size
        for entry in entries:
            if entry.exact:
                self._exact.add(entry.record.resource)
            else:
                self._waiting[entry.record.resource] = None
        self._told = max(self._told, Position(control=offset))  # it may be redelivered
        self._fresh = True

    def persist(self, now: int) -> None:
        """Stores changes since the last call together with the states to check, so that both become durable at
        once. Exceptions that ended long before `now` are dropped."""
        if not self._fresh:
            return
        self._fresh = False
        asking = [*self._sought.patterns(), *self._waiting]
        row = rows.encode(KnownExceptions(self._book.kept(now), asking), NEVER, self._told)
        self._bytes = len(row)
        self._put(EXCEPTIONS_KEY, row, NEVER, "")
        for uid in sorted(self._exact):
            self._look_at(uid)
        self._exact.clear()

    def walk(self, most: int) -> bool:
        """Continues the scan for states that match patterns, over up to `most` states. Returns whether
        it did anything."""
        if self._walk is None:
            if not self._waiting:
                return False
            for pattern in self._waiting:
                self._sought.put(pattern, pattern, pattern)
            self._waiting = {}
            self._walk = iter(self._heads())
        page = list(islice(self._walk, most))
        for key, _ in page:
            uid = key[1:].decode()
            if self._sought.fits(uid):
                self._look_at(uid)
        if len(page) < most:
            self._walk, self._sought = None, PatternIndex()
            self._fresh = True
        return True

    def _look_at(self, uid: str) -> None:
        """Schedules a state to be checked as soon as possible."""
        head = self._row(rows.head_key(uid))
        if head is None:
            return
        due, old = rows.prefix(head)
        if due in (NEVER, DUE_NOW):  # it has ended, or is already scheduled
            return
        position = msgspec.structs.replace(old, control=max(self._told.control, old.control))
        row = rows.encode(resource_state.decode_head(head), DUE_NOW, position)
        self._put(rows.head_key(uid), row, DUE_NOW, uid)
