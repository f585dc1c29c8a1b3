"""What every collector shares: how a sweep ends, what is gone, and what could not be seen. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipeline.model import Scope, Snapshot, Sweep, SweepUids, SweepUnread, Unread, UnreadReason

PAGE = 5000
"""Uids in one record: a hundred thousand ARNs in one would be 8 MB."""

Emitted = Snapshot | Sweep | SweepUids
Emit = Callable[[Emitted], None]
Status = Literal["complete", "partial", "denied"]


@dataclass
class Known:
    """What earlier sweeps of a scope knew."""

    uids: set[str] = field(default_factory=set)
    completed_at: datetime | None = None


@dataclass
class Reading:
    """One sweep of one scope, while it runs."""

    scope: Scope
    id: str
    started_at: datetime
    known: Known
    read: set[str] = field(default_factory=set)
    unread: dict[tuple[str, UnreadReason, str], int] = field(default_factory=dict)
    trouble: tuple[UnreadReason, str, str] | None = None
    """Reason, code and words of what kept the list from being whole."""

    def saw(self, snapshot: Snapshot) -> None:
        self.read.add(snapshot.uid)
        for item in snapshot.unread:
            key = (item.part, item.reason, item.code)
            self.unread[key] = self.unread.get(key, 0) + 1

    def failed(self, reason: UnreadReason, code: str, words: str) -> None:
        """The list broke off: nothing may be called gone."""
        self.trouble = (reason, code, words)

    @property
    def status(self) -> Status:
        if self.trouble:
            return "denied" if self.trouble[0] == "denied" and not self.read else "partial"
        return "partial" if self.unread else "complete"

    def end(self, finished_at: datetime) -> Iterator[Emitted]:
        """What to say at the end: deletions or restatements, then the uids, then the header, last."""
        unseen = sorted(self.known.uids - self.read)
        if self.trouble is None:
            # the list was whole: what is not in it is gone, even if some part of another was unread
            yield from (self._gone(uid) for uid in unseen)
            now_known = sorted(self.read)
        else:
            yield from (self._hidden(uid, self.trouble) for uid in unseen)
            now_known = sorted(self.read | self.known.uids)
        pages = [now_known[i : i + PAGE] for i in range(0, len(now_known), PAGE)]
        for number, page in enumerate(pages):
            yield SweepUids(scope=self.scope, id=self.id, page=number, uids=page)
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
            uid=uid, type=scope.type, provider=scope.provider, account=scope.account,
            region=scope.region, captured_at=self.started_at, sweep=self.id,
        )  # fmt: skip

    def _gone(self, uid: str) -> Snapshot:
        return self._bare(uid).model_copy(
            update={"deleted": True, "deleted_reason": "not_in_sweep"}
        )

    def _hidden(self, uid: str, why: tuple[UnreadReason, str, str]) -> Snapshot:
        return self._bare(uid).model_copy(
            update={"unread": [Unread(part="*", reason=why[0], code=why[1])]}
        )


def known_from(records: Iterable[tuple[bytes, bytes]]) -> dict[str, Known]:
    """What the compacted `sweeps` topic knows: scope key to its uids and last complete sweep.

    Pages of another sweep than the header's are counted too: a collector that died between them has
    emitted nothing as gone, so more known uids than needed do no harm."""
    known: dict[str, Known] = {}
    for _, value in records:
        if b'"uids":' in value:
            page = SweepUids.model_validate_json(value)
            known.setdefault(page.scope.key, Known()).uids.update(page.uids)
        else:
            header = Sweep.model_validate_json(value)
            known.setdefault(header.scope.key, Known()).completed_at = header.completed_at
    return known
