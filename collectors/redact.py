"""Values that look like secrets never leave the collector: a keyed hash takes their place, so that a change still shows.

Three ways to look like one: by its form (a private key, a token, a password in an address), by the name it stands
under (in a map, a tag, a pair of name and value), or by its place (a row's `redact`)."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_WORDS = (
    r"passw(?:or)?d|passphrase|secret(?!s?[_-]?manager)|api[_-]?key|access[_-]?key|account[_-]?key|shared[_-]?key|"
    r"private[_-]?key|connection[_-]?string|user[_-]?data"
)
# Every repetition is bounded or cannot start anew within itself: a megabyte of text must cost no more than its length.
_LOOKS = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|"
    r"(?i:[a-z][a-z0-9+.-]{0,30}://[^/\s:@]{0,200}:(?!\d{1,5}/)[^\s@]{1,200}@)|"
    r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bglpat-[A-Za-z0-9_-]{20,}|"
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w{5,20}/B|"
    r"\beyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.|\bAIza[A-Za-z0-9_-]{35}|\b[rs]k_live_[A-Za-z0-9]{16,}|"
    r"(?i:(?:"
    + _WORDS
    + r"|pwd|token)[\"']?(?:[ \t]{0,3}=[ \t]{0,3}|[ \t]{0,3}:[ \t]{1,3}|\":)[\"']?[^\s;,&\"']{6,})"
)
_NAMED = re.compile(
    _WORDS + r"|(?:^|[_-])(?:pwd|pass|token)(?:$|[_-])|(?:token|pwd|credentials?|authorization)$",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"(?:(?<=[a-z0-9])(?:Id|Arn|ARN|Name|Date|Time|Age|Length|Policy|Status|State|Enabled|Required|Used|Type|Version|"
    r"Source|Mode|Count|Stage|Region|Present)|"
    r"[_-](?:id|arn|name|date|time|age|length|policy|status|state|enabled|required|used|type|version|source|mode|"
    r"count|stage|region|present))s?$"
)
"""Names of what is only about a secret: PasswordLastUsed, SecretArn, password_policy."""
IDENTIFIERS = frozenset({"accesskeyid", "clienttoken", "clientrequesttoken"})
"""Fields of AWS's own answers (in lower case) that look like a secret and are a name."""
_LABELS = ("key", "name", "tagkey", "parameterkey", "parametername", "optionname")
_VALUES = ("value", "tagvalue", "parametervalue", "optionvalue")
_DONE = re.compile(r"redacted:[0-9a-f]{8}:[0-9a-f]{32}")


class Redactor:
    """Replaces values by {redacted, hash, key_id}. The key never leaves the collector."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = hashlib.sha256(b"driftline key id" + key).hexdigest()[:8]

    def mark(self, value: Any) -> dict[str, Any]:
        """What stands in a secret's place."""
        return {"redacted": True, "hash": self._hash(value), "key_id": self.key_id}

    def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Tags are people's free text: what is named or looks like a secret is replaced, as text."""
        return {
            self._name(_text(name)): self._text(value) if _secret(name, value) else _text(value)
            for name, value in tags.items()
        }

    def config(self, config: Mapping[str, Any], paths: Sequence[str] = ()) -> dict[str, Any]:
        """The configuration with every value below `paths`, and every secret-looking text, replaced."""
        scrubbed: dict[str, Any] = self._map(config)
        for path in paths:
            self._below(scrubbed, path.split("."))
        return scrubbed

    def _hash(self, value: Any) -> str:
        # of one form, however its keys are ordered; ASCII, so that a lone surrogate is no trouble
        text = json.dumps(value, sort_keys=True, default=str)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]

    def _text(self, value: str) -> str:
        return value if _DONE.fullmatch(value) else f"redacted:{self.key_id}:{self._hash(value)}"

    def _name(self, name: str) -> str:
        return self._text(name) if _LOOKS.search(name) else name

    def _scrub(self, value: Any, *, named: bool = False) -> Any:
        """A value without secrets. `named`: it stands under a name that says that it is one."""
        if isinstance(value, str):
            found = (named and value and not _DONE.fullmatch(value)) or _LOOKS.search(value)
            return self.mark(value) if found else value
        if isinstance(value, dict):
            return self._pair(value) or self._map(value)
        if isinstance(value, list):
            return [self._scrub(item, named=named) for item in value]
        return value

    def _map(self, value: Mapping[str, Any]) -> dict[str, Any]:
        return {
            self._name(key): item
            if isinstance(item, str) and key.lower() in IDENTIFIERS
            else self._scrub(item, named=bool(_NAMED.search(key)) and not _ABOUT.search(key))
            for key, item in value.items()
        }

    def _pair(self, value: dict[str, Any]) -> dict[str, Any] | None:
        """A name and its value, as tags and environments are listed; None for any other map."""
        if len(value) > 4:
            return None
        low = {key.lower(): key for key in value}
        label = next((low[name] for name in _LABELS if name in low), None)
        holder = next((low[name] for name in _VALUES if name in low), None)
        if label is None or holder is None or not isinstance(value[holder], str):
            return None
        if not _secret(str(value[label]), value[holder]):
            return None
        return self._map({key: item for key, item in value.items() if key != holder}) | {
            holder: self._text(value[holder])
        }

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
            holder[steps[0]] = {
                key: item if _marked(item) else self.mark(item) for key, item in value.items()
            }
        elif value is not None and not _marked(value):
            holder[steps[0]] = self.mark(value)


def _text(value: str) -> str:
    """Text that can travel: a lone surrogate, which no JSON may hold, becomes a question mark."""
    return value if value.isascii() else value.encode(errors="replace").decode()


def _marked(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"redacted", "hash", "key_id"}


def _secret(name: str, value: str) -> bool:
    return bool(value) and bool(_NAMED.search(name) or _LOOKS.search(value))
