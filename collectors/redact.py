"""Redaction: values that look like secrets never leave the collector; a keyed hash replaces them, so that changes remain visible.

A value is recognized by its format (a private key, a token, a password in a URL), by its name (in a
map, a tag, a name/value pair, a command option), or by its location (a row's `redact`, driftline.collectors.aws.places). If a
value is a secret by format or name, the mark says so (`kind`), for use by rules; for a location alone it does not."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from driftline.collectors.secrets.names import NameVerdict, measure
from driftline.collectors.secrets.pairs import MOST_PAIR, facts_of, pair_of
from driftline.collectors.secrets.texts import hinted, in_command, option, seen
from driftline.collectors.secrets.values import plausible, unlike_words


class Places(NamedTuple):
    """Fields of events that are always secret, by lower-case name."""

    fields: Mapping[str, frozenset[str] | None]
    """The parent names under which each is secret (None: any)."""
    maps: frozenset[str]
    """Fields that are secret if they are maps of strings: their values."""


REFERRING = frozenset({"SECRETS_MANAGER", "PARAMETER_STORE", "SecureString"})
"""Types of name/value pairs whose value is a reference or encrypted."""
WRAPPERS = frozenset({"items", "item", "member", "members"})
"""Wrappers of lists in the events of some services."""
_INSIDE = {
    NameVerdict.SECRET: NameVerdict.WITHIN, NameVerdict.WITHIN: NameVerdict.WITHIN, NameVerdict.HIDDEN: NameVerdict.INSIDE, NameVerdict.INSIDE: NameVerdict.INSIDE,
}  # fmt: skip
NAMED = "named"
"""Reason: recognized by name only."""
_DONE = re.compile(
    r"(redacted:([0-9a-f]{8}):[0-9a-f]{32})(?::([a-z0-9-]{1,40}(?::[\w.-]{1,60})?))?"
)


class Redactor:
    """Replaces values with {redacted, hash, key_id}, and `kind` if known. The key never leaves the collector."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = hashlib.sha256(b"driftline key id" + key).hexdigest()[:8]

    def mark(self, value: Any, why: str | None = None) -> dict[str, Any]:
        """The replacement of a secret. `why`: the format or name that identified it; None if only its location did."""
        mark = {"redacted": True, "hash": self._hash(value), "key_id": self.key_id}
        return mark | {"kind": why} if why else mark

    def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Tags are free text: values that are named or look like a secret are replaced, as text."""
        out = {}
        for name, value in tags.items():
            key = facts_of(name)
            why = None if key.counts and measure(value) else _why(key.said, value)
            out[self._name(_text(name))] = _text(value) if why is None else self._text(value, why)
        return out

    def config(self, config: Mapping[str, Any], paths: Sequence[str] = ()) -> dict[str, Any]:
        """The configuration with all values below `paths`, and all strings that look like secrets, replaced."""
        scrubbed: dict[str, Any] = self._map(config)
        for path in paths:
            self._below(scrubbed, path.split("."))
        return scrubbed

    def event(self, event: Mapping[str, Any], places: Places) -> dict[str, Any]:
        """The same for an event, with all values of `places` replaced, at any depth and in any case."""
        scrubbed: dict[str, Any] = self._map(event)
        self._everywhere(scrubbed, "", places)
        return scrubbed

    def _hash(self, value: Any) -> str:
        # canonical, regardless of key order; ASCII, so that lone surrogates are harmless
        text = json.dumps(value, sort_keys=True, default=str)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def _text(self, value: str, why: str = "") -> str:
        return f"redacted:{self.key_id}:{self._hash(value)}" + (f":{why}" if why else "")

    def _name(self, name: str) -> str:
        return self._text(name) if facts_of(name).formed else name

    def _scrub(self, value: Any, said: NameVerdict = NameVerdict.NOTHING) -> Any:
        """A value without secrets. `said`: what its parent's name indicates."""
        if isinstance(value, str):
            why = _why(said, value)
            if (
                value[:1] in ("{", "[")
                and said <= NameVerdict.PERHAPS
                and (why is not None or hinted(value))
            ):
                return self._json(value, why)
            return value if why is None else self.mark(value, why)
        if isinstance(value, dict):
            return self._map(value, under=said)
        if isinstance(value, list):
            return self._list(value, said)
        if (
            said >= NameVerdict.INSIDE
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        ):
            return self.mark(value, NAMED)
        return value

    def _json(self, text: str, why: str | None) -> Any:
        """JSON text with secrets replaced; the whole text, if that is not sufficient (`why`)."""
        try:
            whole = orjson.loads(text)
            clean = self._scrub(whole)
            if clean != whole:
                inner = orjson.dumps(clean).decode()
                return inner if seen(inner) is None else self.mark(text, why)
        except (orjson.JSONDecodeError, TypeError, RecursionError):
            pass
        return text if why is None else self.mark(text, why)

    def _list(self, items: list[Any], said: NameVerdict) -> list[Any]:
        """A list. In a command, the element after `--password` is a secret, as is any secret in the command line."""
        out, before = [], ""
        if said is NameVerdict.NOTHING and any(
            isinstance(one, str) and one[:1] == "-" for one in items
        ):
            for place, why in in_command(items):
                items = [*items[:place], self.mark(items[place], why), *items[place + 1 :]]
        for item in items:
            if before and isinstance(item, str) and plausible(item):
                out.append(self.mark(item, f"assigned:{before.lstrip('-')}"))
            else:
                out.append(self._scrub(item, said))
            before = item if isinstance(item, str) and option(item) else ""
        return out

    def _map(
        self, value: Mapping[str, Any], *, under: NameVerdict = NameVerdict.NOTHING
    ) -> dict[str, Any]:
        """`under`: what its parent's name indicates."""
        if _marked(value):
            return dict(value)
        inside = _INSIDE.get(under, NameVerdict.NOTHING)
        keys = [facts_of(name) for name in value]
        holder, told = pair_of(value, keys) if 1 < len(keys) <= MOST_PAIR else (None, None)
        out = {}
        for key, (name, item) in zip(keys, value.items(), strict=True):
            said, measures = key.said, key.counts
            if told is not None and key is holder:
                said, measures = max(said, told.said), told.counts
                if (
                    said > NameVerdict.HIDDEN
                    and (value.get("type") or value.get("Type")) in REFERRING
                ):
                    said = NameVerdict.HIDDEN
            elif inside and said <= NameVerdict.PERHAPS and not key.about:
                said = inside
            clean: Any
            if (key.identifier and isinstance(item, str)) or (
                (measures or key.counts)
                and (isinstance(item, int | float) or (isinstance(item, str) and measure(item)))
            ):
                clean = item
            elif told is not None and key is holder and isinstance(item, str):
                why = _why(said, item)
                clean = item if why is None else self._text(item, why)
            else:
                clean = self._scrub(item, said)
            out[self._text(name) if key.formed else name] = clean
        return out

    def _below(self, holder: Any, steps: Sequence[str]) -> None:
        if isinstance(holder, list):
            for item in holder:
                self._below(item, steps)
            return
        if not isinstance(holder, dict) or steps[0] not in holder:
            return
        if len(steps) > 1:
            self._below(holder[steps[0]], steps[1:])
            return
        value = holder[steps[0]]
        if isinstance(value, dict) and not _marked(value):
            holder[steps[0]] = {key: self._placed(item) for key, item in value.items()}
        elif value is not None:
            holder[steps[0]] = self._placed(value)

    def _placed(self, value: Any) -> dict[str, Any]:
        """Replaces the value at a secret location; the known kind of secret is kept."""
        if _marked(value):
            return dict(value)
        done = _DONE.fullmatch(value) if isinstance(value, str) else None
        return self.mark(done[1], done[3]) if done else self.mark(value)

    def _everywhere(self, value: Any, above: str, places: Places) -> None:
        if isinstance(value, list):
            for item in value:
                self._everywhere(item, above, places)
        if not isinstance(value, dict) or _marked(value):
            return
        for name, item in value.items():
            low = name.lower()
            under = places.fields.get(low, frozenset())
            if under is None or above in under or (low in places.maps and _texts(item)):
                value[name] = self._hidden(item)
            else:
                self._everywhere(item, above if low in WRAPPERS else low, places)

    def _hidden(self, value: Any) -> Any:
        """An event's value at a secret location; in a list of name/value pairs, the values."""
        if isinstance(value, list):
            return [self._hidden(item) for item in value]
        if isinstance(value, dict) and not _marked(value):
            keys = [facts_of(name) for name in value]
            holder, told = pair_of(value, keys) if len(keys) <= MOST_PAIR else (None, None)
            whole = told is None and not any(name.lower() in WRAPPERS for name in value)
            return {
                name: self._hidden(item)
                if whole or key is holder or name.lower() in WRAPPERS
                else item
                for key, (name, item) in zip(keys, value.items(), strict=True)
            }
        return value if value is None else self._placed(value)


def hides(name: str, value: Any) -> bool:
    """Whether any part of a value would be replaced."""
    own = {name: value}
    return Redactor(b"").config(own) != own


def safe(text: str) -> str:
    """An error's text, safe for logs."""
    return text if seen(text) is None else "(its text looks like a secret)"


def _why(said: NameVerdict, value: str) -> str | None:
    """Why a string is replaced: a format, NAMED, or empty if that alone does not make it a secret; None if it is kept."""
    if not value or (value.startswith("redacted:") and _DONE.fullmatch(value)):
        return None
    found = seen(value)
    if found is not None and found.real:
        return found.why
    if (
        (said in (NameVerdict.SECRET, NameVerdict.WITHIN) and plausible(value))
        or (said is NameVerdict.PERHAPS and unlike_words(value))
    ):  # fmt: skip
        return NAMED
    hidden = said >= NameVerdict.HIDDEN or (said is NameVerdict.INSIDE and plausible(value))
    return "" if found is not None or hidden else None


def _texts(value: Any) -> bool:
    """Whether it is a map of strings."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(one, str) for one in value.values())
    )


def _bytes(value: str) -> bytes:
    return value.encode(errors="replace")


def _text(value: str) -> str:
    """Replaces lone surrogates, which JSON cannot contain, with question marks."""
    return value if value.isascii() else _bytes(value).decode()


def _marked(value: Any) -> bool:
    """Whether it is already a redaction mark."""
    return (
        isinstance(value, dict)
        and value.get("redacted") is True
        and value.keys() - {"kind"} == {"redacted", "hash", "key_id"}
        and _DONE.fullmatch(_spelled(value)) is not None
    )


def _spelled(mark: Mapping[str, Any]) -> str:
    """A mark as text."""
    why = mark.get("kind")
    return f"redacted:{mark['key_id']}:{mark['hash']}" + (f":{why}" if why is not None else "")
