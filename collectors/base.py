"""What all collectors share: how a sweep ends, which resources are gone, and what could not be read. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import ValidationError

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

PAGE = 5000
"""Maximum number of uids per record: a hundred thousand ARNs would take 8 MB."""

Emitted = Snapshot | Sweep | SweepUids | Swept | Gone
Emit = Callable[[Emitted], None]
Progress = Callable[[str], None]
Status = Literal["complete", "partial", "denied"]


class SweepStopped(Exception):
    """The sweep was called off: no answer, and nothing to say about it."""


class ServiceNotOffered(Exception):
    """A service does not exist in a region: nothing is there, unless something was read there before."""


class Vanished(NamedTuple):
    """A resource that was listed, and of which nothing was found a moment later."""

    uid: str
    left: Snapshot | None = None
    """What a sweep says of it, for it is still listed: that its parts are unread. None where the call that completes
    the list did not know it."""


@dataclass
class PreviousSweep:
    """What earlier sweeps of a scope recorded."""

    uids: set[str] = field(default_factory=set)
    completed_at: datetime | None = None
    pages: set[int] = field(default_factory=set)
    """Numbers of the records (pages) that hold the uids."""
    organization: str | None = None
    """The organization whose list contained the account at the last sweep; None if the account was swept on its own."""
    swept_at: datetime | None = None
    """When the last sweep began, complete or not."""


@dataclass
class ScopeSweep:
    """One sweep of one scope, while it runs."""

    scope: Scope
    id: str
    started_at: datetime
    known: PreviousSweep
    organization: str | None = None
    """The organization whose list contained the account."""
    owner: CloudAccount | None = None
    class_: str | None = None
    """Class of the type."""
    read: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)
    """Listed, but not found a moment later: neither read nor reported as gone (a list may be ahead of other calls)."""
    unread: dict[tuple[str, UnreadReason, str], int] = field(default_factory=dict)
    trouble: tuple[UnreadReason, str, str] | None = None
    """Reason, code and message of what made the list incomplete."""
    answered: bool = True
    """A call was answered. Otherwise nothing is reported about resources that this collector does not know."""

    def saw(self, snapshot: Snapshot) -> Snapshot:
        """Records that a resource was read, as far as possible. Returns the records to write."""
        self.read.add(snapshot.uid)
        for item in snapshot.unread:
            key = (item.part, item.reason, item.code)
            self.unread[key] = self.unread.get(key, 0) + 1
        listed_before = self.known.completed_at is not None or bool(self.known.uids)
        if listed_before and snapshot.uid not in self.known.uids:
            return snapshot.model_copy(update={"appeared": True})
        return snapshot

    def missed(self, uid: str) -> None:
        """Records that a resource was listed and then not found."""
        self.vanished.add(uid)

    def failed(self, reason: UnreadReason, code: str, words: str) -> None:
        """Records that the list is incomplete: no resource may be reported as gone."""
        self.trouble = (reason, code, words)

    @property
    def status(self) -> Status:
        if self.trouble:
            return "denied" if self.trouble[0] == "denied" and not self.read else "partial"
        return "partial" if self.unread else "complete"

    def end(self, finished_at: datetime) -> Iterator[Emitted]:
        """Ends the sweep. Yields deletions or restatements, the uids, the completed list, and last the header.

        A complete list determines what is gone even if some part of a resource was unread: one bucket whose policy
        cannot be read must not keep every deleted bucket alive."""
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
    """Returns whether a scope (by its key) no longer exists."""
    steps = scope_key.split("/", 3)
    return (
        len(steps) == 4
        and (steps[0], steps[1]) == (gone.provider, gone.account)
        and gone.region in (None, steps[2])
        and gone.type in (None, steps[3])
        and gone.uid is None
    )


def free_pages(taken: set[int], count: int) -> int:
    """Returns the first of `count` new page numbers, such that no current page is overwritten before the header is
    written."""
    return 0 if not taken or min(taken) >= count else max(taken) + 1


def page_key(scope_key: str, page: int) -> str:
    return f"{scope_key}#{page}"


def known_from(
    records: Iterable[tuple[bytes, bytes]],
) -> tuple[dict[str, PreviousSweep], dict[str, Sweep], list[Problem]]:
    """Reads the compacted `sweeps` topic: uids by scope key, the headers, and malformed records.

    Pages that no header counts (of a collector that was killed before it wrote one) are included: their resources
    were read, and a surplus uid is at worst reported as gone once more."""
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
