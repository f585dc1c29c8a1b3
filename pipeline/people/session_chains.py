"""How a session came to be: who assumed which role with which credential, across accounts. Pure.

Each session has a small state of its own, next to those of resources. Whoever needs its chain sends a query; the
session queries its parent session; the answer is sent again whenever more becomes known."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import orjson

from driftline.pipeline.model import Chain, Change, Link, Person, from_micros, micros
from driftline.pipeline.people.identity import NOBODY_MAPPED, UNKNOWN
from driftline.pipeline.providers.installed import longest_session, provider
from driftline.pipeline.records.topics import MARK_KEYS
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

DEEPEST = 8
MOST_ASKERS = 500
PREFIX = "session:"
NOBODY = {"id": "", "kind": UNKNOWN}
PARTITIONS_ASK = frozenset(key.decode() for key in MARK_KEYS)
"""Askers that are partitions, for the signals of their events (driftline.pipeline.assess.pending_events)."""


class Session(msgspec.Struct, array_like=True):
    """What is known about a session."""

    link: dict[str, Any] | None = None
    """Its own link; None if the event was not seen."""
    parent: str | None = None
    """The session from which it was opened; None for a credential of a person or program."""
    above: list[dict[str, Any]] = []
    """The chain of the parent."""
    broken: bool = False
    """The chain of the parent is incomplete."""
    askers: list[str] = []
    expires: int = 0
    contested: bool = False
    """Copies of the event disagree about the caller; none of them is used."""
    caller: str | None = None
    """The account of the caller."""
    via: str | None = None
    """The credential with which the session was requested, if that belongs to a session."""


class SessionUpdate(NamedTuple):
    session: Session
    out: list[Chain]


def on_issued(known: Session | None, record: Change) -> SessionUpdate | None:
    """Handles the event that issued the credential. Returns None if another account's copy of it contained more. If
    copies contradict each other, nobody is named: otherwise whoever can write a copy could name someone else. The
    chain ends with a known person; a person who is unknown and has no parent session is a missing link."""
    at, actor = micros(record.occurred_at), record.actor.model_dump(mode="json", exclude_none=True)
    facts = provider(record.provider).sessions
    elsewhere = actor.get("account") not in (None, record.account)
    if facts.hides_callers and elsewhere and record.actor.type != "account":
        return None  # nobody else's event could say so
    person = NOBODY_MAPPED.of(record.provider).person(actor)
    link = Link(
        session=record.uid.removeprefix(PREFIX), issued_to=record.actor.id, at=record.occurred_at, change=record.id,
        role=record.resources[0] if record.resources else None, person=Person.model_validate(person),
    )  # fmt: skip
    told, unknown = link.model_dump(mode="json", exclude_none=True), person["kind"] == UNKNOWN
    parent = record.actor.session if unknown else None
    old = known or Session()
    new = msgspec.structs.replace(
        old, link=told, parent=parent, above=[], broken=unknown, expires=max(old.expires, at + facts.lifetime),
        caller=record.actor.account or old.caller, via=record.actor.session or old.via,
    )  # fmt: skip
    new.contested = old.contested or _contradict(old, new)
    if old.link is not None and _fullness(old.link, old.parent) >= _fullness(told, parent):
        new = msgspec.structs.replace(
            old, contested=new.contested, caller=old.caller or new.caller, via=old.via or new.via
        )
        if new == old:
            return None
        return SessionUpdate(
            new, _answers(record.uid, new) if new.contested != old.contested else []
        )
    out = _answers(record.uid, new)
    if new.parent and new.askers:
        out.append(_ask(record.uid, new.parent, record.occurred_at, 1))
    return SessionUpdate(new, out)


def _contradict(one: Session, other: Session) -> bool:
    """Returns whether two copies of the event contradict each other."""
    pairs = ((_known(one), _known(other)), (one.via, other.via), (one.caller, other.caller))
    return one.link is not None and any(a and b and a != b for a, b in pairs)


def _known(session: Session) -> str | None:
    person = (session.link or {}).get("person") or {}
    return person.get("id") if person.get("kind", UNKNOWN) != UNKNOWN else None


def _fullness(link: dict[str, Any], parent: str | None) -> tuple[bool, bool, str]:
    """Ranks copies of the event by content; ties are broken deterministically."""
    known = link.get("person", {}).get("kind", UNKNOWN) != UNKNOWN
    return known, parent is not None, orjson.dumps(link, option=orjson.OPT_SORT_KEYS).decode()


def on_query(known: Session | None, record: Chain) -> SessionUpdate:
    """Handles a query for the chain."""
    old = known or Session()
    asker = record.asker or ""
    first = asker not in old.askers
    new = msgspec.structs.replace(
        old, askers=_with(old.askers, asker) if first else old.askers,
        expires=max(old.expires, micros(record.at) + longest_session()),
    )  # fmt: skip
    out = [_answer(record.uid, new, asker)]
    if new.link and new.parent and not new.above and record.depth < DEEPEST:
        out.append(_ask(record.uid, new.parent, record.at, record.depth + 1))
    return SessionUpdate(new, out)


def _with(askers: list[str], asker: str) -> list[str]:
    """Adds an asker. Above the limit the oldest resource is dropped, never a partition, which asks on behalf of all
    its events."""
    every = [*askers, asker]
    if len(every) > MOST_ASKERS:
        del every[next(n for n, one in enumerate(every) if one not in PARTITIONS_ASK)]
    return every


def on_answer(known: Session | None, record: Chain) -> SessionUpdate | None:
    """Handles the parent's answer. Returns None if it contains nothing new."""
    if known is None or known.parent != record.session:
        return None
    above = [link.model_dump(mode="json", exclude_none=True) for link in record.links][:DEEPEST]
    if (above, record.broken) == (known.above, known.broken):
        return None
    new = msgspec.structs.replace(known, above=above, broken=record.broken)
    return SessionUpdate(new, _answers(record.uid, new))


def session_query(uid: str, session: str, at: int) -> Chain:
    """Builds the query that a resource's state sends. `at` in microseconds."""
    return _ask(uid, session, from_micros(at), 0)


def _ask(asker: str, session: str, at: Any, depth: int) -> Chain:
    return Chain.model_validate(
        {"uid": PREFIX + session, "session": session, "asker": asker, "at": at, "depth": depth}
    )


def _answers(uid: str, session: Session) -> list[Chain]:
    return [_answer(uid, session, asker) for asker in session.askers]


def _answer(uid: str, session: Session, asker: str) -> Chain:
    links = [*([session.link] if session.link else []), *session.above]
    if session.contested:
        links = [
            {key: value for key, value in links[0].items() if key != "person"} | {"person": NOBODY}
        ]
    return Chain.model_validate(
        {
            "uid": asker, "session": uid.removeprefix(PREFIX), "links": links,
            "broken": session.link is None or session.broken or session.contested, "at": session.link["at"] if session.link else from_micros(0),
        }
    )  # fmt: skip


_session = msgspec.msgpack.Decoder(Session)


class Sessions:
    """The sessions of a partition. `put` stores a row (key, row, due time, uid)."""

    def __init__(
        self,
        get: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        tell: Callable[[Chain], None],
    ) -> None:
        self._get, self._put, self._tell = get, put, tell

    def take(self, record: Change | Chain, offset: int, place: int) -> None:
        """Handles a session that was issued, queried, or answered by its parent."""
        key = rows.session_key(record.uid)
        row, position = self._get(key), Position(change=offset, change_place=place)
        if row and rows.prefix(row)[1] >= position:
            return
        known = _session.decode(rows.content(row)) if row else None
        if isinstance(record, Change):
            told: SessionUpdate | None = on_issued(known, record)
        else:
            told = on_query(known, record) if record.asker else on_answer(known, record)
        if told is None:
            return
        due = told.session.expires
        self._put(key, rows.encode(told.session, due, position), due, record.uid)
        for message in told.out:
            self._tell(message)

    def forget(self, uid: str, due: int) -> None:
        """Deletes a session that expired at `due`, unless it was queried again since."""
        key = rows.session_key(uid)
        row = self._get(key)
        if row and rows.prefix(row)[0] == due:
            self._put(key, None, NEVER, uid)
