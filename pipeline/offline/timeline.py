"""Everything known about a resource or an actor, in chronological order: readings, changes, drifts, findings,
alerts and exceptions. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.model import from_micros, micros
from driftline.pipeline.people.identity import NOBODY_MAPPED, People, who_as
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import (
    ALERTS,
    CHANGES,
    DRIFT,
    EXCEPTIONS,
    FINDINGS,
    SNAPSHOTS,
)

KINDS = ("change", "reading", "drift", "finding", "exception", "alert")
"""The order of entries with the same time."""
PATHS = 5


class Line(NamedTuple):
    at: str
    kind: str
    what: str
    who: str
    resource: str
    id: str
    """The id of the change, drift, finding, alert or exception, for looking it up."""

    @property
    def place(self) -> tuple[str, int, str]:
        return self.at, KINDS.index(self.kind), self.id


class Timeline:
    """Collects records of the topics, in the order of each topic, that concern the subject (a uid, or a name of
    a person or actor, from `people` or any other) in [since, until)."""

    def __init__(
        self, subject: str, since: datetime | None = None, until: datetime | None = None, people: People = NOBODY_MAPPED
    ) -> None:  # fmt: skip
        self.subject, self._people = subject, people
        self._names = people.called(subject)
        self._needles = [name.rsplit("/", 1)[-1].casefold().encode() for name in self._names]
        self._since = from_micros(micros(since)) if since else ""
        self._until = from_micros(micros(until)) if until else "~"
        self._lines: dict[tuple[str, str], Line] = {}
        self._shown: Any = None
        """What the previous reading showed."""
        self._revisions: dict[tuple[str, str], int] = {}
        self._takers: dict[str, Callable[[dict[str, Any]], None]] = {
            SNAPSHOTS.name: self._reading, CHANGES.name: self._change, DRIFT.name: self._drift,
            FINDINGS.name: self._finding, ALERTS.name: self._alert, EXCEPTIONS.name: self._exception,
        }  # fmt: skip

    def take(self, topic: str, value: bytes) -> None:
        """Adds a record. Records that are malformed or concern other subjects are skipped."""
        if topic != EXCEPTIONS.name:
            folded = value.lower()
            if not any(needle in folded for needle in self._needles):
                return  # most concern others: do not decode them
        try:
            for element in codec.split(value):
                document = codec.decode(element)
                if isinstance(document, dict):
                    self._takers[topic](document)
        except (Malformed, KeyError, TypeError):
            return

    def lines(self) -> list[Line]:
        """The entries, in order."""
        return sorted(
            (one for one in self._lines.values() if self._since <= one.at < self._until),
            key=lambda one: one.place,
        )

    def _put(self, key: str, line: Line) -> None:
        self._lines[line.kind, key] = line

    def _concerns(self, uid: str | None, actor: Mapping[str, Any] | None) -> bool:
        return uid == self.subject or bool(actor and self._is(self._people.names(actor)))

    def _is(self, known: set[str]) -> bool:
        """Whether the subject has one of these names (lower case)."""
        return any(self._people.is_known_as(name, known) for name in self._names)

    def _called(self, name: str) -> set[str]:
        """The names of someone who is given only by a name."""
        return {one.casefold() for one in (name, name.rsplit("/", 1)[-1], self._people.id_of(name))}

    def _reading(self, one: dict[str, Any]) -> None:
        """Keeps only the first reading, and those that differ from the previous one."""
        if one["uid"] != self.subject:
            return
        at, deleted = _time(one["captured_at"]), bool(one.get("deleted"))
        unread = sorted({item["part"] for item in one.get("unread", ())})
        now = (
            orjson.dumps([one.get("config"), one.get("tags")], option=orjson.OPT_SORT_KEYS)
            if one.get("config")
            else None,
            deleted,
            unread,
        )
        before, self._shown = self._shown, now
        if before == now:
            return
        what = "gone" if deleted else "read" if before is None else "read: changed"
        if unread:
            what = f"not read: {', '.join(unread)}"
        self._put(
            at,
            Line(at, "reading", f"{what} (by {one.get('source', 'sweep')})", "", self.subject, ""),
        )

    def _change(self, one: dict[str, Any]) -> None:
        if "action" not in one or not self._concerns(one["uid"], one["actor"]):
            return
        who = who_as(one["actor"])
        extra = [f"from {one['source_ip']}"] if one.get("source_ip") else []
        extra += (
            [f"refused: {one.get('error') or 'failed'}"] if one.get("outcome") == "failure" else []
        )
        what = " ".join([one["action"], *(f"({'; '.join(extra)})" for _ in extra[:1])])
        self._put(
            f"{one['id']} {one['uid']}",
            Line(_time(one["occurred_at"]), "change", what, who, one["uid"], one["id"]),
        )

    def _drift(self, one: dict[str, Any]) -> None:
        if not self._concerns(one["uid"], one.get("actor")) or not self._later("drift", one):
            return
        paths = [f"{change['op']} {change['path'] or one['part']}" for change in one["changes"]]
        more = [f"and {len(paths) - PATHS} more"] if len(paths) > PATHS else []
        what = f"{', '.join([*paths[:PATHS], *more])} ({one['attribution']})"
        self._put(
            one["id"],
            Line(_time(one["at"]), "drift", what, who_as(one.get("actor")), one["uid"], one["id"]),
        )

    def _finding(self, one: dict[str, Any]) -> None:
        uid = one["resource"]["uid"]
        if one["restated"] or not self._concerns(uid, one.get("actor")):
            return
        unknown = "unknown, " if one["evaluation"] == "unknown" else ""
        state = f"{one['rule']['id']}: {unknown}{one['status']} ({one['reason']})"
        what = f"{sentence}; {state}" if (sentence := one.get("sentence")) else state
        # a later revision with the same time and state only adds details
        self._put(
            f"{one['id']} {one['updated_at']} {state}",
            Line(
                _time(one["updated_at"]), "finding", what, who_as(one.get("actor")), uid, one["id"]
            ),
        )

    def _alert(self, one: dict[str, Any]) -> None:
        names = [*one.get("actors", ()), *one.get("group", {}).values()]
        if self.subject not in one.get("resources", ()) and not any(
            self._is(self._called(name)) for name in names
        ):
            return
        if self._later("alert", one):
            what = f"{one['title']}: {one['state']}, {number_of(one['count'], 'hit')} ({one['severity']})"
            self._put(
                one["id"],
                Line(
                    _time(one["at"]),
                    "alert",
                    what,
                    ", ".join(one.get("actors", ())),
                    ", ".join(one.get("resources", ())),
                    one["id"],
                ),
            )

    def _exception(self, one: dict[str, Any]) -> None:
        if not matches(one["resource"], self.subject) and not self._is(
            self._called(one["approver"])
        ):
            return
        what = one.get("rule") or one.get("control")
        told = (
            "ended"
            if one.get("ended")
            else f"accepted until {one['until'][:16]}Z, for {one['owner']}"
        )
        self._put(
            f"{one['id']} {one['at']}",
            Line(
                _time(one["at"]),
                "exception",
                f"{what}: {told}",
                one["approver"],
                one["resource"],
                one["id"],
            ),
        )

    def _later(self, kind: str, one: Mapping[str, Any]) -> bool:
        """Whether this is the latest version so far."""
        newest = self._revisions.get((kind, one["id"]), -1)
        self._revisions[kind, one["id"]] = max(newest, one["revision"])
        return bool(one["revision"] >= newest)


def _time(text: str) -> str:
    """Converts any RFC 3339 time to the fixed format, which sorts by time."""
    return from_micros(micros(datetime.fromisoformat(text)))
