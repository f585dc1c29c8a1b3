"""Values that look like secrets never leave the collector: a keyed hash takes their place, so that a change still shows."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Every repetition is bounded or cannot start anew within itself: a megabyte of text must cost no more than its length.
_LOOKS = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|"
    r"(?i:\b(?:AccountKey|SharedAccessKey|Password|Pwd)=[^;\s]{6,})|"
    r"(?i:[a-z][a-z0-9+.-]{0,30}://[^/\s:@]{0,200}:[^/\s:@]{1,200}@)|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
)
_NAMED = re.compile(
    r"passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|connection[_-]?string|(?:^|[_-])(?:pwd|token)(?:$|[_-])",
    re.IGNORECASE,
)
IDENTIFIERS = frozenset({"AccessKeyId"})
"""Fields of AWS's own answers that look like a secret and are a name."""


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
            name: self._text(value) if _secret(name, value) else value
            for name, value in tags.items()
        }

    def config(self, config: Mapping[str, Any], paths: Sequence[str] = ()) -> dict[str, Any]:
        """The configuration with every value below `paths`, and every secret-looking text, replaced."""
        scrubbed = {part: self._scrub(value) for part, value in config.items()}
        for path in paths:
            self._below(scrubbed, path.split("."))
        return scrubbed

    def _hash(self, value: Any) -> str:
        return hmac.new(
            self._key, repr(value).encode(errors="surrogatepass"), hashlib.sha256
        ).hexdigest()[:32]

    def _text(self, value: str) -> str:
        return f"redacted:{self.key_id}:{self._hash(value)}"

    def _scrub(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.mark(value) if _LOOKS.search(value) else value
        if isinstance(value, dict):
            if value.keys() == {"Key", "Value"} and _secret(str(value["Key"]), str(value["Value"])):
                return {"Key": value["Key"], "Value": self._text(str(value["Value"]))}  # a tag
            return {
                key: item if key in IDENTIFIERS else self._scrub(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._scrub(item) for item in value]
        return value

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
        if isinstance(value, dict) and not value.get("redacted"):
            holder[steps[0]] = {
                key: item if isinstance(item, dict) and item.get("redacted") else self.mark(item)
                for key, item in value.items()
            }
        elif value is not None:
            holder[steps[0]] = self.mark(value)


def _secret(name: str, value: str) -> bool:
    return bool(value) and bool(_NAMED.search(name) or _LOOKS.search(value))
