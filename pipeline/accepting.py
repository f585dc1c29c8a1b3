"""The exceptions that one partition knows: kept beside its states, and which states to look at for a new one. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec

from pipeline import state as rows
from pipeline.errors import Malformed
from pipeline.exception_book import Book, Entry
from pipeline.judging import Options
from pipeline.model import RiskException
from pipeline.state import ASKED, EXCEPTIONS_KEY, NEVER, Accepted, Position

MOST_ROW = 3_500_000
"""Bytes of all of them together: they must fit a record of the changelog."""


class Accepting:
    """`row` and `put` reach the partition's rows; `uids` are all that have a state."""

    def __init__(
        self,
        row: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        uids: Callable[[], Iterable[str]],
        options: Options,
    ) -> None:
        stored = row(EXCEPTIONS_KEY)
        records = [
            *options.exceptions.kept(0),
            *(rows.decode_accepted(stored).exceptions if stored else []),
        ]
        self._book = Book(map(RiskException.model_validate, records))
        self.options = replace(options, exceptions=self._book)
        """With all that is accepted, now and later."""
        self._row, self._put, self._uids = row, put, uids
        self._told = rows.prefix(stored)[1] if stored else Position()
        self._fresh = False
        """Something was told that is not kept yet."""
        self._new: list[Entry] = []
        self._bytes = len(stored or b"")

    def tell(self, record: RiskException, offset: int, size: int) -> None:
        """One that was said; offset and bytes of the control record. Raises Malformed where there is no room left."""
        if self._bytes + size > MOST_ROW:
            raise Malformed("the exceptions together are too many (end some, or write fewer, wider ones; then: driftline exceptions send)")  # fmt: skip
        self._bytes += size
        self._new += self._book.add(record)
        self._told = max(self._told, Position(control=offset))  # one may come again
        self._fresh = True

    def ask(self, now: int) -> None:
        """Keeps what was told since the last call, and with it that the states are to be looked at which it may be
        about: both are made durable together. What is long over by `now` is left out."""
        if not self._fresh:
            return
        self._fresh = False
        row = rows.encode(Accepted(self._book.kept(now)), NEVER, self._told)
        self._bytes = len(row)
        self._put(EXCEPTIONS_KEY, row, NEVER, "")
        for uid in self._concerned():
            head = self._row(rows.head_key(uid))
            if head is None:
                continue
            due, old = rows.prefix(head)
            if due in (NEVER, ASKED):  # it is over, or asked already
                continue
            position = msgspec.structs.replace(old, control=max(self._told.control, old.control))
            row = rows.encode(rows.decode_head(head), ASKED, position)
            self._put(rows.head_key(uid), row, ASKED, uid)

    def _concerned(self) -> list[str]:
        new, self._new = self._new, []
        patterns = [entry for entry in new if not entry.exact]
        found = {entry.record.resource for entry in new if entry.exact}
        if patterns:
            found |= {uid for uid in self._uids() if any(entry.matches(uid) for entry in patterns)}
        return sorted(found)
