"""What every collector shares: how a sweep ends, what is gone, and what could not be seen. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.model import (
    CloudAccount,
    Gone,
    Scope,
    Snapshot,
    Sweep,
    SweepUids,
    SweepUnread,
    Swept,
    Unread,
    UnreadReason,
)
from pydantic import ValidationError

PAGE = 5000
"""Uids in one record: a hundred thousand ARNs in one would be 8 MB."""

Emitted = Snapshot | Sweep | SweepUids | Swept | Gone
Emit = Callable[[Emitted], None]
Progress = Callable[[str], None]
Status = Literal["complete", "partial", "denied"]


@dataclass
class PreviousSweep:
    """What earlier sweeps of a scope knew."""

    uids: set[str] = field(default_factory=set)
    completed_at: datetime | None = None
    pages: set[int] = field(default_factory=set)
    """The numbers of the records that hold the uids."""
    organization: str | None = None
    """The organization whose list named the account for the last sweep; None: it was swept by itself."""
    swept_at: datetime | None = None
    """When the last sweep of it began, complete or not."""


@dataclass
class ScopeSweep:
    """One sweep of one scope, while it runs."""

    scope: Scope
    id: str
    started_at: datetime
    known: PreviousSweep
    organization: str | None = None
    """Whose list named the account."""
    owner: CloudAccount | None = None
    class_: str | None = None
    """Of the type."""
    read: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    """Listed, but not found a moment later: neither read nor called gone (a list may run ahead of the rest)."""
    unread: dict[tuple[str, UnreadReason, str], int] = field(default_factory=dict)
    trouble: tuple[UnreadReason, str, str] | None = None
    """Reason, code and words of what kept the list from being whole."""
    answered: bool = True
    """Somebody answered. Where nobody did, nothing is said of what is not known to this collector."""

    def saw(self, snapshot: Snapshot) -> Snapshot:
        """A resource was read, as far as it could be. Returns what to say of it."""
        self.read.add(snapshot.uid)
        for item in snapshot.unread:
            key = (item.part, item.reason, item.code)
            self.unread[key] = self.unread.get(key, 0) + 1
        listed_before = self.known.completed_at is not None or bool(self.known.uids)
        if listed_before and snapshot.uid not in self.known.uids:
            return snapshot.model_copy(update={"appeared": True})
        return snapshot

    def missed(self, uid: str) -> None:
        """A resource was listed and then not found."""
        self.vanished.add(uid)

    def failed(self, reason: UnreadReason, code: str, words: str) -> None:
        """The list broke off: nothing may be called gone."""
        self.trouble = (reason, code, words)

    @property
    def status(self) -> Status:
        if self.trouble:
            return "denied" if self.trouble[0] == "denied" and not self.read else "partial"
        return "partial" if self.unread else "complete"

    def end(self, finished_at: datetime) -> Iterator[Emitted]:
        """What to say at the end: deletions or restatements, the uids, that a list was whole, and the header, last.

        A list that was whole says what is gone, even where some part of a resource was unread: one bucket
        whose policy may never be read must not keep every other deleted one alive."""
        unseen = sorted(self.known.uids - self.read - self.vanished)
        if self.trouble is None:
            yield from (self._gone(uid) for uid in unseen)
            now_known = sorted(self.read | (self.vanished & self.known.uids))
        else:
            yield from (self._hidden(uid, self.trouble) for uid in unseen)
            now_known = sorted(self.read | self.known.uids)
        pages = [now_known[i : i + PAGE] for i in range(0, len(now_known), PAGE)]
        first = free_pages(self.known.pages, len(pages))
        for number, page in enumerate(pages, first):
            yield SweepUids(scope=self.scope, id=self.id, page=number, uids=page)
        if self.trouble is None and self.answered:
            yield Swept(
                scope=self.scope, started_at=self.started_at, complete=True, ended_at=finished_at
            )
        complete = self.status == "complete"
        yield Sweep(
            scope=self.scope,
            id=self.id,
            started_at=self.started_at,
            finished_at=finished_at,
            status=self.status,
            reason=self._reason(),
            count=len(now_known),
            pages=len(pages),
            completed_at=self.started_at if complete else self.known.completed_at,
            organization=self.organization,
            unread=[
                SweepUnread(part=part, reason=reason, code=code, count=count)
                for (part, reason, code), count in sorted(self.unread.items())
            ],
        )

    def _reason(self) -> str | None:
        if self.trouble:
            return self.trouble[2]
        if self.unread:
            (part, reason, code), count = max(self.unread.items(), key=lambda item: item[1])
            return f"{part} {reason} ({code}) on {count} of {len(self.read)} resources"
        return None

    def _bare(self, uid: str) -> Snapshot:
        scope = self.scope
        return Snapshot(
            uid=uid, type=scope.type, class_=self.class_, provider=scope.provider, account=scope.account,
            organization=self.owner.organization if self.owner else None, cloud_account=self.owner, region=scope.region, captured_at=self.started_at, sweep=self.id,
        )  # fmt: skip

    def _gone(self, uid: str) -> Snapshot:
        return self._bare(uid).model_copy(
            update={"deleted": True, "deleted_reason": "not_in_sweep"}
        )

    def _hidden(self, uid: str, why: tuple[UnreadReason, str, str]) -> Snapshot:
        return self._bare(uid).model_copy(
            update={"unread": [Unread(part="*", reason=why[0], code=why[1])]}
        )


def covers(gone: Gone, scope_key: str) -> bool:
    """Whether a scope (by its key) is out of what is watched."""
    steps = scope_key.split("/", 3)
    return (
        len(steps) == 4
        and (steps[0], steps[1]) == (gone.provider, gone.account)
        and gone.region in (None, steps[2])
        and gone.type in (None, steps[3])
        and gone.uid is None
    )


def free_pages(taken: set[int], count: int) -> int:
    """Where `count` new pages begin so that none that still counts is written over before the header is."""
    return 0 if not taken or min(taken) >= count else max(taken) + 1


def page_key(scope_key: str, page: int) -> str:
    return f"{scope_key}#{page}"


def known_from(
    records: Iterable[tuple[bytes, bytes]],
) -> tuple[dict[str, PreviousSweep], dict[str, Sweep], list[Problem]]:
    """What the compacted `sweeps` topic knows: uids by scope key, the headers, and what is no sweep.

    Pages that a header does not count (of a collector that died before it wrote one) are taken too: what they
    name was read, and a uid too many is at worst called gone once more."""
    known: dict[str, PreviousSweep] = {}
    headers: dict[str, Sweep] = {}
    problems: list[Problem] = []
    for key, value in records:
        name, hash_, number = key.decode(errors="replace").rpartition("#")
        try:
            if hash_:
                page = SweepUids.model_validate_json(value)
                scope = known.setdefault(name, PreviousSweep())
                scope.uids.update(page.uids)
                scope.pages.add(int(number))
            else:
                headers[number] = header = Sweep.model_validate_json(value)
                scope = known.setdefault(number, PreviousSweep())
                scope.completed_at, scope.swept_at = header.completed_at, header.started_at
                scope.organization = header.organization
        except (ValidationError, ValueError) as error:
            reason = str(error).splitlines()[0]
            place = f"driftline.sweeps, key {key[:200]!r}"
            problems.append(Problem(f"not a sweep ({reason})", place=place))
    return known, headers, problems
