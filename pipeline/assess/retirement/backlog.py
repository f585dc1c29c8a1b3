"""Finds the states of one partition that end because they will not be read again: not listed by a complete sweep, in an account
or region that is gone, or to be forgotten. Pure; times in microseconds since 1970.

Reports wait until earlier readings have arrived, and are then processed in one scan over the heads, in slices:
the cost of a scan does not depend on the number of swept scopes. They are stored beside the states until the scan is complete."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from driftline.pipeline.model import Gone, Swept, micros
from driftline.pipeline.state import resource as resource_state
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import Body, Head, State
from driftline.pipeline.state.rows import NEVER, Position

GLOBAL = "global"
SCAN = 2000
"""Heads examined per slice."""
SMALL, EACH = 10_000, 1000
"""Minimum microseconds per head between the starts of two scans."""
MOST_WORDS = 2
"""Maximum number of waiting reports per scope."""
PAGE = 8
"""Entries of a row."""
ENDED = b"-"
"""In place of a head's marks: it has already ended."""


class Told(msgspec.Struct, array_like=True, frozen=True):
    """A report that must still be processed."""

    at: int
    """Resources read or changed at or after this time are kept."""
    ready: int
    """Process when time has reached this value, when all earlier readings have arrived. 0: immediately."""
    provider: str
    account: str = ""
    region: str = ""
    type: str = ""
    """Empty: any."""
    uid: str = ""
    reason: str = ""
    """Why it is gone; empty for a sweep."""
    types: frozenset[bytes] = frozenset()
    """Marks of the swept types."""

    @property
    def scope(self) -> tuple[Any, ...]:
        """Its subject: a later report on the same subject includes the earlier one."""
        return (
            self.provider,
            self.account,
            self.region,
            self.type,
            self.uid,
            self.reason,
            self.types,
        )

    def about(self, resource: dict[str, Any]) -> bool:
        """Whether it concerns a resource. The sweep of a global scope lists a type in every region."""
        everywhere = not self.region or (self.region == GLOBAL and not self.reason)
        return (
            self.provider == resource["provider"]
            and self.account == resource["account"]
            and self.type in ("", resource["type"])
            and (bool(self.reason) or _mark(resource["type"]) in self.types)
            and (everywhere or self.region == resource["region"])
            and self.uid in ("", resource["uid"])
        )


class Page(msgspec.Struct, array_like=True):
    told: list[Told] = []


class Ghost(NamedTuple):
    """A state that may have ended, and the reports that concern it."""

    uid: str
    words: list[Told]


_page = msgspec.msgpack.Decoder(Page)


@lru_cache(8192)
def _mark(*words: str) -> bytes:
    return hashlib.blake2b("\n".join(words).encode(), digest_size=4).digest()


def marks(body: Body) -> bytes:
    """The scope of a resource in its head: 4 bytes each for account, region in it, and type."""
    if body.deleted_at is not None:
        return ENDED
    one = body.resource
    owner = (one["provider"], one["account"])
    return _mark(*owner) + _mark(*owner, one["region"]) + _mark(one["type"])


def last_word(state: State) -> int:
    """When the resource was last known to exist: read, or changed but not deleted."""
    made = (seen.at for seen in state.body.history if seen.kind != "delete")
    return max(state.head.seen_at, *state.head.parts.values(), *made, 0)


class Retiring:
    """`row` and `put` access the partition's rows; `heads` yields all of them."""

    def __init__(
        self,
        row: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        heads: Callable[[], Iterable[tuple[bytes, bytes]]],
    ) -> None:
        self._put, self._heads = put, heads
        self._told: list[Told] = []
        self._position = Position()
        self._kept = 0
        while (stored := row(rows.told_key(self._kept))) is not None:
            self._told += _page.decode(rows.content(stored)).told
            self._position = max(self._position, rows.prefix(stored)[1])
            self._kept += 1
        self._learn()
        self._walk: Iterator[tuple[bytes, bytes]] | None = None
        self._wanted = _Wanted([])
        self._count = 0
        self._not_before = 0

    def swept(self, record: Swept, offset: int, began: int, ready: int) -> None:
        """Adds a sweep that began at `began`. Incomplete sweeps are ignored."""
        if record.complete:
            scope = record.scope
            types = frozenset(_mark(type) for type in record.types or [scope.type])
            self._add(
                Told(began, ready, scope.provider, scope.account, scope.region, types=types), offset
            )

    def gone(self, record: Gone, offset: int, ready: int) -> None:
        self._add(
            Told(
                micros(record.at), ready, record.provider, record.account, record.region or "", record.type or "",
                record.uid or "", record.reason,
            ),
            offset,
        )  # fmt: skip

    def _add(self, told: Told, offset: int) -> None:
        """Keeps, for each scope, the report that is ready first, and the newest, which includes all in between: sweeps
        continue while time stands still."""
        self._position = max(self._position, Position(control=offset))
        places = self._places.setdefault(told.scope, [])
        if len(places) < MOST_WORDS:
            places.append(len(self._told))
            self._told.append(told)
            self._keep((len(self._told) - 1) // PAGE)
        elif (told.at, told.ready) > (self._told[places[-1]].at, self._told[places[-1]].ready):
            self._told[places[-1]] = told
            self._write(places[-1] // PAGE)

    def _learn(self) -> None:
        """The position of each scope's reports."""
        self._places: dict[tuple[Any, ...], list[int]] = {}
        for number, told in enumerate(self._told):
            self._places.setdefault(told.scope, []).append(number)

    def _write(self, number: int) -> None:
        page = Page(self._told[number * PAGE : (number + 1) * PAGE])
        self._put(rows.told_key(number), rows.encode(page, NEVER, self._position), NEVER, "")

    def _keep(self, first: int) -> None:
        """Writes the rows starting with this page."""
        count = -(-len(self._told) // PAGE)
        for number in range(first, count):
            self._write(number)
        for number in range(count, self._kept):
            self._put(rows.told_key(number), None, NEVER, "")
        self._kept = count

    def next(self, until: int, most: int) -> list[Ghost] | None:
        """Up to `most` states to check, from one slice of a scan; None if there is nothing to do. `until`: the current
        time."""
        walk = self._walk or self._begin(until)
        if walk is None:
            return None
        found: list[Ghost] = []
        scanned = 0
        for key, row in walk:
            scanned += 1
            if key[:1] == b"h" and (
                words := self._wanted.by(key[1:].decode(), resource_state.decode_head(row))
            ):
                found.append(Ghost(key[1:].decode(), words))
            if scanned == SCAN or len(found) == most:
                break
        else:
            self._end(until)
        self._count += scanned
        return found

    def _begin(self, until: int) -> Iterator[tuple[bytes, bytes]] | None:
        ready = [told for told in self._told if told.ready <= until]
        if not ready or until < self._not_before:
            return None
        self._wanted, self._count = _Wanted(ready), 0
        self._walk = iter(self._heads() if self._wanted.many else self._wanted.named())
        return self._walk

    def _end(self, until: int) -> None:
        """Removes the processed reports; those that arrived meanwhile remain."""
        done = set(self._wanted.told)
        self._told = [told for told in self._told if told not in done]
        self._learn()
        self._keep(0)
        self._walk, self._wanted = None, _Wanted([])
        if self._count > SMALL:
            self._not_before = until + self._count * EACH


class _Wanted:
    """The reports of one scan, indexed by marks."""

    def __init__(self, told: list[Told]) -> None:
        self.told = told
        self._scopes: dict[bytes, list[Told]] = {}
        self._accounts: dict[bytes, list[Told]] = {}
        self._uids: dict[str, list[Told]] = {}
        for one in told:
            if one.uid:
                self._uids.setdefault(one.uid, []).append(one)
            elif one.reason:
                self._accounts.setdefault(_mark(one.provider, one.account), []).append(one)
            else:
                regional = [] if one.region == GLOBAL else [one.region]
                place = _mark(one.provider, one.account, *regional)
                self._scopes.setdefault(place, []).append(one)
        self._newest = max((one.at for one in told), default=0)
        self.many = bool(self._scopes or self._accounts)

    def named(self) -> Iterator[tuple[bytes, bytes]]:
        """Rows of individually named resources, which need no scan."""
        return ((rows.head_key(uid), _NO_HEAD) for uid in self._uids)

    def by(self, uid: str, head: Head) -> list[Told]:
        """Reports that may concern a head's resource; its body decides."""
        if head.seen_at >= self._newest or head.scope == ENDED:
            return []
        if not head.scope:  # written by an earlier version: only the body has the scope
            return self.told
        account, region, type_ = head.scope[:4], head.scope[4:8], head.scope[8:]
        swept = itertools.chain(self._scopes.get(region, ()), self._scopes.get(account, ()))
        found = itertools.chain(
            (one for one in swept if type_ in one.types), self._accounts.get(account, ()),
            self._uids.get(uid, ()) if self._uids else (),
        )  # fmt: skip
        return [one for one in found if head.seen_at < one.at]


_NO_HEAD = rows.encode(Head(), NEVER, Position())
