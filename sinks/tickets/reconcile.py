"""Makes one real ticket equal to the wanted one, created once whatever happens in between.

The intent to create is durable before the call. After an unknown outcome the destination is searched for `lookup_for`
before a second attempt; a ticket that comes to light later is closed as a duplicate of the older. Nothing here sleeps:
what must wait says when to come again."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from driftline.sinks.base import Busy
from driftline.sinks.tickets import text
from driftline.sinks.tickets.destination import (
    Destination,
    Forbidden,
    Issue,
    Refused,
    Timing,
    Unclear,
)
from driftline.sinks.tickets.link import Links, TicketLink

Wanted = Mapping[str, Any]


@dataclass(frozen=True)
class Settled:
    """The real ticket is as wanted, or nothing is wanted."""


@dataclass(frozen=True)
class Again:
    """Come again after so many seconds."""

    after: float
    why: str


@dataclass(frozen=True)
class Never:
    """It cannot be done as it is: a dead letter."""

    why: str


Outcome = Settled | Again | Never


async def _nowhere(_: str) -> None:
    """The named points at which tests kill."""


class Reconciler:
    """One sink's. `now`: seconds since 1970. `point`: called at each place between two effects."""

    def __init__(
        self, sink: str, destination: Destination, links: Links, now: Callable[[], float], timing: Timing | None = None,
        point: Callable[[str], Awaitable[None]] = _nowhere,
    ) -> None:  # fmt: skip
        self._sink, self._to, self._links, self._now = sink, destination, links, now
        self._timing, self._point = timing or Timing(), point
        self._unsent: set[str] = set()
        """Tickets whose last attempt certainly did nothing."""

    async def reconcile(self, wanted: Wanted) -> Outcome:
        """One look at one ticket. Calls for the same ticket must not overlap. Raises Busy."""
        link = self._links.get(wanted["key"])
        try:
            if link is None:
                return await self._begin(wanted)
            if link.phase == "deleted":
                return Settled()
            if link.phase == "intent":
                return await self._resume(link, wanted)
            return await self._watch(await self._equal(link, wanted), wanted["key"])
        except Unclear as why:
            return Again(self._timing.retry, str(why))
        except Forbidden as why:
            return Never(f"{why}: the link is kept, and no other ticket is created")
        except Refused as why:
            return Never(str(why))

    async def _begin(self, wanted: Wanted) -> Outcome:
        if wanted["state"] == "closed":
            return Settled()  # it was over before anybody had to know
        fields = self._to.fields(
            wanted
        )  # what cannot be written is refused before anything is promised
        link = TicketLink(
            sink=self._sink, ticket=wanted["key"], phase="intent", intent_at=self._now()
        )
        await self._point("before intent")
        await self._links.put(link)
        return await self._create(link, wanted, fields)

    async def _create(self, link: TicketLink, wanted: Wanted, fields: dict[str, Any]) -> Outcome:
        labels = _labels(wanted)
        if (ours := fields.get(self._to.body)) is not None:
            fields = fields | {self._to.body: self._to.merged(None, ours)}
        fields = {name: value for name, value in fields.items() if self._policy(name) != "theirs"}
        self._unsent.discard(link.ticket)
        await self._point("before create")
        try:
            issue = await self._to.create(fields, labels)
        except Unclear as why:
            return Again(self._timing.lookup_every, f"whether it was created is not known: {why}")
        except (Refused, Busy):
            self._unsent.add(link.ticket)
            raise
        await self._point("after create")
        known = {self._to.body: _digest(ours)} if ours is not None else {}
        return await self._adopt(link, [issue], wanted, known)

    async def _resume(self, link: TicketLink, wanted: Wanted) -> Outcome:
        """An attempt whose outcome is not known, unless this process knows that it did nothing."""
        if link.ticket not in self._unsent:
            await self._point("before lookup")
            found = await self._to.find(label(link.ticket))
            if found:
                return await self._adopt(link, found, wanted)
            left = link.intent_at + self._timing.lookup_for - self._now()
            if left > 0:
                return Again(
                    min(left, self._timing.lookup_every),
                    "looking for what the last attempt may have created",
                )
        if wanted["state"] == "closed":
            return Settled()
        fields = self._to.fields(wanted)
        again = msgspec.structs.replace(link, attempt=link.attempt + 1, intent_at=self._now())
        await self._point("before intent")
        await self._links.put(again)
        return await self._create(again, wanted, fields)

    async def _adopt(
        self,
        link: TicketLink,
        found: Sequence[Issue],
        wanted: Wanted,
        known: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Links the oldest of those that were found, and closes the others. `known`: what is known to be written."""
        oldest = _oldest(found)
        watch = self._now() + self._timing.lookup_for if link.attempt > 1 or len(found) > 1 else 0
        linked = msgspec.structs.replace(
            link, phase="linked", reference=oldest.reference, id=oldest.id, url=oldest.url, watch_until=watch,
            written=self._without_body(oldest) | dict(known or {}), labels=_labels(wanted),
        )  # fmt: skip
        await self._point("before link")
        await self._links.put(linked)
        await self._point("after link")
        await self._close_others(linked, found)
        return await self._watch(await self._equal(linked, wanted), link.ticket)

    async def _watch(self, outcome: Outcome, ticket: str) -> Outcome:
        """After a second attempt the first one's ticket may still come to light."""
        link = self._links.get(ticket)
        if link is None or not link.watch_until or not isinstance(outcome, Settled):
            return outcome
        found = list(await self._to.find(label(ticket)))
        if any(issue.id != link.id for issue in found):
            own = await self._to.read(link.id, link.reference)  # a search may not know it yet
            every = {issue.id: issue for issue in (*found, *([own] if own else []))}
            link = await self._take_oldest(link, list(every.values()))
        left = link.watch_until - self._now()
        if left > 0:
            return Again(min(left, self._timing.lookup_every), "looking for a second ticket")
        await self._links.put(msgspec.structs.replace(link, watch_until=0))
        return outcome

    async def _take_oldest(self, link: TicketLink, found: Sequence[Issue]) -> TicketLink:
        oldest = _oldest(found)
        if oldest.id != link.id:
            link = msgspec.structs.replace(
                link, reference=oldest.reference, id=oldest.id, url=oldest.url, written=self._without_body(oldest), revision=0,
            )  # fmt: skip
            await self._links.put(link)
        await self._close_others(link, found)
        return link

    async def _close_others(self, link: TicketLink, found: Sequence[Issue]) -> None:
        kept = next((issue for issue in found if issue.id == link.id), None)
        for other in found:
            if other.id != link.id and other.open:
                if kept is not None:
                    await self._to.relate(other, kept, "duplicates")
                await self._to.close(other, "duplicate")

    def _without_body(self, issue: Issue) -> dict[str, Any]:
        return {name: value for name, value in issue.fields.items() if name != self._to.body}

    def _policy(self, field: str) -> str:
        return self._to.policies.get(field, "ours")

    async def _equal(self, link: TicketLink, wanted: Wanted) -> Outcome:
        issue = await self._to.read(link.id, link.reference)
        if issue is None:
            if (
                self._now() < link.intent_at + self._timing.lookup_for
            ):  # it may only not be seen yet
                return Again(self._timing.lookup_every, f"{link.reference} is not there yet")
            await self._links.put(msgspec.structs.replace(link, phase="deleted"))
            return Settled()
        before = link
        link = msgspec.structs.replace(link, reference=issue.reference, url=issue.url)
        link, issue = await self._fields(link, issue, wanted)
        link = await self._comments(link, issue, wanted)
        link = await self._state(link, issue, wanted)
        if (earlier := wanted.get("follows")) and not link.followed:
            old = self._links.get(earlier)
            if old is not None and old.id and (before_it := await self._to.read(old.id, old.reference)):  # fmt: skip
                await self._to.relate(issue, before_it, "follows")
            link = msgspec.structs.replace(link, followed=True)
        link = msgspec.structs.replace(
            link, revision=wanted["revision"], reopened=wanted.get("reopened", 0)
        )
        if link != before:
            await self._point("before done")
            await self._links.put(link)
        return Settled()

    async def _fields(
        self, link: TicketLink, issue: Issue, wanted: Wanted
    ) -> tuple[TicketLink, Issue]:
        """Writes our fields where they differ. What differs from what we last wrote was changed by a person, and is theirs
        from then on; of the text that is only so between the markers."""
        fields = self._to.fields(wanted)
        changes, theirs = self._body(link, issue, fields), list(link.theirs)
        for name, value in fields.items():
            current = issue.fields.get(name)
            if name == self._to.body or name in theirs or self._policy(name) != "ours":
                continue
            if name in link.written and current not in (link.written[name], link.writing.get(name), value):  # fmt: skip
                theirs.append(name)
            elif current != value:
                changes[name] = value
        ours, own = set(_labels(wanted)), set(link.labels)
        add, remove = sorted(ours - own - issue.labels), sorted((own - ours) & issue.labels)
        written = dict(link.written)
        if changes or add or remove:
            link = msgspec.structs.replace(link, writing={k: v for k, v in changes.items() if k != self._to.body})  # fmt: skip
            if link.writing:  # durable: after a kill it must not look as if a person had written it
                await self._links.put(link)
            await self._point("before update")
            await self._to.update(issue, changes, add, remove)
            await self._point("after update")
            issue = await self._to.read(link.id, link.reference) or issue
            written |= {name: issue.fields.get(name) for name in link.writing}
        if self._to.body in fields:
            written[self._to.body] = _digest(fields[self._to.body])
        return msgspec.structs.replace(link, written=written, writing={}, theirs=theirs, labels=sorted(ours)), issue  # fmt: skip

    def _body(self, link: TicketLink, issue: Issue, fields: dict[str, Any]) -> dict[str, Any]:
        """The body, if our part of it is to be written: it says something else, or a person has removed it."""
        name = self._to.body
        if name not in fields:
            return {}
        current, ours = issue.fields.get(name), fields[name]
        if link.written.get(name) == _digest(ours) and self._to.has_part(current):
            return {}
        return {name: self._to.merged(current, ours)}

    async def _comments(self, link: TicketLink, issue: Issue, wanted: Wanted) -> TicketLink:
        for one in wanted.get("comments", ()):
            if one["id"] in link.comments:
                continue
            await self._point("before comment")
            await self._to.comment(issue, one["id"], text.harmless(one["text"]))
            link = msgspec.structs.replace(link, comments=[*link.comments, one["id"]][-50:])
        return link

    async def _state(self, link: TicketLink, issue: Issue, wanted: Wanted) -> TicketLink:
        """Closes what is wanted closed. Opens again what we closed, or what fails since; what a person has closed stays so
        until the wanted ticket is reopened."""
        open_ = wanted["state"] == "open"
        if issue.open == open_:
            return msgspec.structs.replace(link, open=open_, stuck=False)
        if open_ and link.open and wanted.get("reopened", 0) <= link.reopened:
            return link  # a person closed it
        if link.stuck and link.open != open_ and link.revision == wanted["revision"]:
            return link
        await self._point("before transition")
        moved = await (
            self._to.reopen(issue)
            if open_
            else self._to.close(issue, wanted.get("reason", "fixed"))
        )
        if not moved and not link.stuck:
            way = "reopen" if open_ else "close"
            note = f"Driftline cannot {way} this ticket: its workflow has no transition for it. Please {way} it by hand."
            await self._to.comment(issue, f"stuck.{wanted['revision']}", note)
        return msgspec.structs.replace(link, open=open_ if moved else link.open, stuck=not moved)


def _digest(value: Any) -> str:
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def label(ticket: str) -> str:
    """By which a ticket is found again."""
    return f"driftline-{ticket}"


def _labels(wanted: Wanted) -> list[str]:
    return sorted({label(wanted["key"]), *wanted.get("labels", ())})


def _oldest(found: Sequence[Issue]) -> Issue:
    return min(found, key=lambda issue: (issue.created, issue.id))
