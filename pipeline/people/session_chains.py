"""How a session came to be: who took on which role with which credential, across accounts. Pure.

A session is a small state of its own beside the resources'. Who wants to know asks it, and it asks the session that it
came from; the answer is told again whenever more becomes known."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import orjson
from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.model import Chain, Change, Link, Person, from_micros, micros
from driftline.pipeline.people.identity import NOBODY_MAPPED, UNKNOWN
from driftline.pipeline.records.topics import MARK_KEYS
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, Position

LIFETIME = 36 * HOUR
"""Microseconds that a session is remembered: the longest one is 36 h (GetFederationToken, GetSessionToken)."""
DEEPEST = 8
MOST_ASKERS = 500
PREFIX = "session:"
NOBODY = {"id": "", "kind": UNKNOWN}
PARTITIONS_ASK = frozenset(key.decode() for key in MARK_KEYS)
"""Askers that are partitions: for the signals of their events (driftline.pipeline.assess.pending_events)."""


class Session(msgspec.Struct, array_like=True):
    """What is known of one."""

    link: dict[str, Any] | None = None
    """Its own link; None: the event was not seen."""
    parent: str | None = None
    """The session that it came from; None: a person's or program's own credential."""
    above: list[dict[str, Any]] = []
    """The parent's chain."""
    broken: bool = False
    """The parent's chain is not known to its end."""
    askers: list[str] = []
    expires: int = 0
    contested: bool = False
    """Copies of the event say that it was different callers: none of them is believed."""
    caller: str | None = None
    """The account of who asked for it."""
    via: str | None = None
    """The credential with which it was asked for, where that is a session's."""


class SessionUpdate(NamedTuple):
    session: Session
    out: list[Chain]


def on_issued(known: Session | None, record: Change) -> SessionUpdate | None:
    """The event that issued its credential; None where another account's copy of it has said more. Copies that cannot all
    be true make nobody known: whoever can write one could name somebody. The chain ends with who is known; whoever is not, and has no session that could be asked, is a link that is missing."""
    at, actor = micros(record.occurred_at), record.actor.model_dump(mode="json", exclude_none=True)
    if actor.get("account") not in (None, record.account) and record.actor.type != "account":
        return None  # AWS tells an account no more of another's caller than the account and an id
    person = NOBODY_MAPPED.person(actor)
    link = Link(
        session=record.uid.removeprefix(PREFIX), issued_to=record.actor.id, at=record.occurred_at, change=record.id,
        role=record.resources[0] if record.resources else None, person=Person.model_validate(person),
    )  # fmt: skip
    told, unknown = link.model_dump(mode="json", exclude_none=True), person["kind"] == UNKNOWN
    parent = record.actor.session if unknown else None
    old = known or Session()
    new = msgspec.structs.replace(
        old, link=told, parent=parent, above=[], broken=unknown, expires=max(old.expires, at + LIFETIME),
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
    """Whether two copies of the event cannot both be true."""
    pairs = ((_known(one), _known(other)), (one.via, other.via), (one.caller, other.caller))
    return one.link is not None and any(a and b and a != b for a, b in pairs)


def _known(session: Session) -> str | None:
    person = (session.link or {}).get("person") or {}
    return person.get("id") if person.get("kind", UNKNOWN) != UNKNOWN else None


def _fullness(link: dict[str, Any], parent: str | None) -> tuple[bool, bool, str]:
    """How much a copy of the event says; of two that say as much, always the same one."""
    known = link.get("person", {}).get("kind", UNKNOWN) != UNKNOWN
    return known, parent is not None, orjson.dumps(link, option=orjson.OPT_SORT_KEYS).decode()


def on_query(known: Session | None, record: Chain) -> SessionUpdate:
    """Somebody wants to know."""
    old = known or Session()
    asker = record.asker or ""
    first = asker not in old.askers
    new = msgspec.structs.replace(
        old, askers=_with(old.askers, asker) if first else old.askers,
        expires=max(old.expires, micros(record.at) + LIFETIME),
    )  # fmt: skip
    out = [_answer(record.uid, new, asker)]
    if new.link and new.parent and not new.above and record.depth < DEEPEST:
        out.append(_ask(record.uid, new.parent, record.at, record.depth + 1))
    return SessionUpdate(new, out)


def _with(askers: list[str], asker: str) -> list[str]:
    """One more. Of too many the first goes that is a resource: a partition asks for all of its events at once."""
    every = [*askers, asker]
    if len(every) > MOST_ASKERS:
        del every[next(n for n, one in enumerate(every) if one not in PARTITIONS_ASK)]
    return every


def on_answer(known: Session | None, record: Chain) -> SessionUpdate | None:
    """The session that it came from has told its past; None where that is nothing new."""
    if known is None or known.parent != record.session:
        return None
    above = [link.model_dump(mode="json", exclude_none=True) for link in record.links][:DEEPEST]
    if (above, record.broken) == (known.above, known.broken):
        return None
    new = msgspec.structs.replace(known, above=above, broken=record.broken)
    return SessionUpdate(new, _answers(record.uid, new))


def session_query(uid: str, session: str, at: int) -> Chain:
    """What a resource's state asks. `at` in microseconds."""
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
    """The sessions that live in a partition. `put` keeps a row (key, row, when it is due, uid)."""

    def __init__(
        self,
        get: Callable[[bytes], bytes | None],
        put: Callable[[bytes, bytes | None, int, str], None],
        tell: Callable[[Chain], None],
    ) -> None:
        self._get, self._put, self._tell = get, put, tell

    def take(self, record: Change | Chain, offset: int, place: int) -> None:
        """A session is opened, asked, or told where it came from."""
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
        """A session that is over by `due`, unless it was asked for again since."""
        key = rows.session_key(uid)
        row = self._get(key)
        if row and rows.prefix(row)[0] == due:
            self._put(key, None, NEVER, uid)
