"""The exceptions that one partition knows: kept beside its states, and which states to look at for a new one. Pure."""

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
"""Bytes of all of them together: they must fit a record of the changelog."""


class ShardExceptions:
    """`row` and `put` reach the partition's rows; `heads` are the heads of all states."""

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
        """With all that is accepted, now and later."""
        self._row, self._put, self._heads = row, put, heads
        self._told = rows.prefix(stored)[1] if stored else Position()
        self._fresh = False
        """Something is to be kept."""
        self._exact: set[str] = set()
        """Resources, written out, whose states are to be looked at."""
        self._waiting = dict.fromkeys(known.asking)
        """Patterns that no walk looks for yet."""
        self._walk: Iterator[tuple[bytes, bytes]] | None = None
        self._sought = PatternIndex[str]()
        """The patterns that the walk under way looks for."""
        self._bytes = len(stored or b"")

    def add(self, record: RiskException, offset: int, size: int) -> None:
        """One that was said; offset and bytes of the control record. Raises Malformed where there is no room left."""
        if self._bytes + size > MOST_ROW and not self._book.knows(record):
            raise Malformed("the exceptions together are too many (end some, or write fewer, wider ones; then: driftline exceptions send)")  # fmt: skip
        entries = self._book.add(record)
        if entries:  # else it is known, and told again
            self._bytes += size
        for entry in entries:
            if entry.exact:
                self._exact.add(entry.record.resource)
            else:
                self._waiting[entry.record.resource] = None
        self._told = max(self._told, Position(control=offset))  # one may come again
        self._fresh = True

    def persist(self, now: int) -> None:
        """Keeps what was told since the last call, and with it which states are to be looked at: both are made durable
        together. What is long over by `now` is left out."""
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
        """Goes on with looking for the states that patterns are about, through up to `most` of all states. Says whether
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
        """Has a state looked at again as soon as there is time."""
        head = self._row(rows.head_key(uid))
        if head is None:
            return
        due, old = rows.prefix(head)
        if due in (NEVER, DUE_NOW):  # it is over, or asked already
            return
        position = msgspec.structs.replace(old, control=max(self._told.control, old.control))
        row = rows.encode(resource_state.decode_head(head), DUE_NOW, position)
        self._put(rows.head_key(uid), row, DUE_NOW, uid)
