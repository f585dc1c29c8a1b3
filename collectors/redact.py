"""Values that look like secrets never leave the collector: a keyed hash takes their place, so that a change still shows."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any

_LOOKS = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|"
    r"\b(?:AccountKey|SharedAccessKey|Password|Pwd)=[^;\s]{6,}|"
    r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
)


class Redactor:
    """Replaces values by {redacted, hash, key_id}. The key never leaves the collector."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = hashlib.sha256(b"driftline key id" + key).hexdigest()[:8]

    def mark(self, value: Any) -> dict[str, Any]:
        digest = hmac.new(self._key, repr(value).encode(), hashlib.sha256).hexdigest()[:32]
        return {"redacted": True, "hash": digest, "key_id": self.key_id}

    def config(self, config: dict[str, Any], paths: Sequence[str]) -> dict[str, Any]:
        """The configuration with every value below `paths`, and every secret-looking text, replaced."""
        scrubbed = {part: self._scrub(value) for part, value in config.items()}
        for path in paths:
            self._below(scrubbed, path.split("."))
        return scrubbed

    def _scrub(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.mark(value) if _LOOKS.search(value) else value
        if isinstance(value, dict):
            return {key: self._scrub(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._scrub(item) for item in value]
        return value

    def _below(self, holder: Any, steps: Sequence[str]) -> None:
        if not isinstance(holder, dict) or steps[0] not in holder:
            return
        if len(steps) > 1:
            self._below(holder[steps[0]], steps[1:])
            return
        value = holder[steps[0]]
        if isinstance(value, dict) and not value.get("redacted"):
            holder[steps[0]] = {
                k: v if isinstance(v, dict) and v.get("redacted") else self.mark(v) for k, v in value.items()
            }
        elif value is not None:
            holder[steps[0]] = self.mark(value)
