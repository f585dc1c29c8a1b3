"""The change history of a resource. Pure; times in microseconds since 1970."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
import orjson

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.compare.scalars import scalars
from driftline.pipeline.model import Change, micros
from driftline.pipeline.people.identity import UNKNOWN
from driftline.pipeline.state.resource import ChangeEvidence

MOST, LONGEST = 64, 48 * HOUR
"""Maximum number and age of changes kept."""
MOST_ACTORS = 32
"""Number of actors kept without their requests when there are more than MOST changes."""
MOST_VALUES, MOST_UNITS, DEEPEST = 96, 32, 4
"""Limits per request: scalars, groups, and nesting of documents inside strings."""
_DOCUMENT = ("{", "[", "%7B", "%5B", "%7b", "%5b")


class History(NamedTuple):
    """The remembered changes, by time."""

    changes: list[ChangeEvidence]
    forgotten: int
    """Time of the newest change that was dropped completely, including its actor; 0: none."""


def remembered(history: Sequence[ChangeEvidence], forgotten: int, change: Change) -> History | None:
    """The history with a change inserted in order of time; None if that adds nothing.

    An event may arrive with different contents (a truncated copy, or two accounts' views): the most complete one is kept,
    whichever arrives first, and marked. Above MOST, only the actors of the earliest changes are kept, so that they
    remain candidates."""
    new = _seen(change)
    for number, old in enumerate(history):
        if old.id == new.id:
            better = old if old.earlier else _fullest(old, new)
            if better == old:
                return None
            return History([*history[:number], better, *history[number + 1 :]], forgotten)
    whole = sorted([new, *(seen for seen in history if not seen.earlier)], key=_when)
    actors = {_who(seen): seen for seen in history if seen.earlier}
    for seen in whole[:-MOST]:
        actors[_who(seen)] = _faded(seen, actors.get(_who(seen)))
    out = [*sorted(actors.values(), key=_when)[-MOST_ACTORS:], *whole[-MOST:]]
    out = [seen for seen in out if seen.at > out[-1].at - LONGEST]
    kept = {seen.id for seen in out}
    lost = (seen.at for seen in [*actors.values(), *whole[-MOST:]] if seen.id not in kept)
    found = History(out, max(forgotten, *lost, 0))
    return None if found == (list(history), forgotten) else found


def _when(seen: ChangeEvidence) -> tuple[int, str]:
    return seen.at, seen.id


def _who(seen: ChangeEvidence) -> bytes:
    """Key of changes that one may represent: same actor, session and kind."""
    actor = [seen.actor.get(key) for key in ("id", "session", "session_name", "invoked_by")]
    person = seen.actor.get("person") or {"kind": UNKNOWN}
    one = seen.actor.get("session") or person["kind"] != UNKNOWN
    return orjson.dumps(
        [seen.kind, actor, person.get("id"), None if one else seen.shared or seen.id]
    )


def _faded(seen: ChangeEvidence, known: ChangeEvidence | None) -> ChangeEvidence:
    """A change without its request, which also represents `known`, another one of the same actor."""
    newest = max(seen, known or seen, key=_when)
    both = [one.actor for one in (seen, known) if one is not None]
    actor = newest.actor
    for other in both:
        actor = _with_chain(actor, other)
    parts = set(seen.parts) | set((known or seen).parts)
    every = not seen.parts or (known is not None and not known.parts)
    return ChangeEvidence(
        newest.id, newest.at, newest.action, newest.kind, actor, [] if every else sorted(parts), [], newest.shared,
        newest.deployment, opaque=True, differs=newest.differs, earlier=True,
    )  # fmt: skip


def _seen(change: Change) -> ChangeEvidence:
    request = document(change.request)
    found = units(request)
    every = frozenset().union(*found)
    values = sorted(every)[:MOST_VALUES]
    whole = len(every) <= MOST_VALUES and len(found) <= MOST_UNITS and not _cut(request)
    return ChangeEvidence(
        change.id, micros(change.occurred_at), change.action, change.kind,
        change.actor.model_dump(mode="json", exclude_none=True), change.parts, values, change.shared, change.deployment,
        [sorted(one) for one in found] if whole else [], not whole,
    )  # fmt: skip


def _cut(request: Any) -> bool:
    """Whether the request was truncated."""
    return isinstance(request, dict) and request.get("omitted") is True


def _fullest(old: ChangeEvidence, new: ChangeEvidence) -> ChangeEvidence:
    """The more complete of two copies of an event; marked if they differ in anything other than the detail about
    the actor."""
    if _said(old) == _said(new):
        known = old if _weight(old) >= _weight(new) else new
        return msgspec.structs.replace(
            known, actor=_with_chain(known.actor, old.actor), differs=old.differs
        )
    known = max(old, new, key=_weight)
    return msgspec.structs.replace(known, actor=_with_chain(known.actor, old.actor), differs=True)


def _said(seen: ChangeEvidence) -> tuple[Any, ...]:
    """What two copies of an event must have in common."""
    actor = [
        seen.actor.get(key)
        for key in ("issuer", "account", "session", "session_name", "invoked_by", "tool")
    ]
    return seen.at, seen.action, seen.kind, seen.parts, seen.values, actor


def _weight(seen: ChangeEvidence) -> tuple[Any, ...]:
    """Ranks copies by content; ties are broken deterministically."""
    actor = {key: value for key, value in seen.actor.items() if not key.startswith("chain")}
    known = (actor.get("person") or {"kind": UNKNOWN})["kind"] != UNKNOWN
    text = orjson.dumps(
        [actor, seen.action, seen.kind, seen.at, seen.parts, seen.values],
        option=orjson.OPT_SORT_KEYS,
    )
    return not seen.opaque, known, len(seen.values), len(actor), text


def _with_chain(actor: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Keeps the queried origin of the session, which a new copy of the event lacks."""
    past = {
        key: value for key, value in known.items() if key.startswith("chain") and key not in actor
    }
    same = actor.get("session") == known.get("session")
    return actor | past if past and same else actor


def document(value: Any, depth: int = 0) -> Any:
    """A request with embedded documents (policies) parsed."""
    if isinstance(value, dict):
        return {key: document(item, depth) for key, item in value.items()}
    if isinstance(value, list):
        return [document(item, depth) for item in value]
    if isinstance(value, str) and depth < DEEPEST and value.lstrip().startswith(_DOCUMENT):
        for text in (value, unquote(value)):
            try:
                found = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            return document(found, depth + 1) if isinstance(found, dict | list) else value
    return value


def units(value: Any) -> list[frozenset[int]]:
    """Hashes of a document's scalars, grouped: each list element with everything below it, and the
    fields of each map outside lists."""
    out: list[frozenset[int]] = []
    _gather(value, out)
    return [one for one in dict.fromkeys(out) if one]


def _gather(value: Any, out: list[frozenset[int]]) -> None:
    if isinstance(value, list):
        out += [scalars(item) for item in value]
    elif isinstance(value, dict):
        out.append(scalars([item for item in value.values() if not isinstance(item, dict | list)]))
        for item in value.values():
            if isinstance(item, dict | list):
                _gather(item, out)
    else:
        out.append(scalars(value))
