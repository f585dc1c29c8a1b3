"""Secrets in a configuration, which are redacted and hashed with a key: what of them is a difference, and how they are
displayed. Pure."""

import re
from typing import Any

REDACTED = {"redacted": True}
_REDACTED_TEXT = re.compile(r"(redacted:([0-9a-f]{8}):[0-9a-f]{32})(?::[\w.:-]{1,101})?")
"""A redacted secret inside a text, followed by what identified it as a secret, which may differ between versions."""


def has_redaction(value: Any) -> bool:
    """Returns whether a displayed value contains a redacted secret."""
    if isinstance(value, dict):
        return value == REDACTED or any(map(has_redaction, value.values()))
    if isinstance(value, list):
        return any(map(has_redaction, value))
    return isinstance(value, str) and _REDACTED_TEXT.search(value) is not None


def without_hashes(value: Any) -> Any:
    if is_redacted(value) or (isinstance(value, str) and _REDACTED_TEXT.fullmatch(value)):
        return REDACTED
    if isinstance(value, dict):
        return {key: without_hashes(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_hashes(item) for item in value]
    return value


def is_redacted(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() - {"kind"} == {"redacted", "hash", "key_id"}


def key_ids(value: Any) -> set[str]:
    """Returns the ids of the keys with which secrets were hashed."""
    if isinstance(value, str):
        mark = _REDACTED_TEXT.fullmatch(value)
        return {mark[2]} if mark else set()
    if is_redacted(value):
        return {str(value["key_id"])}
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(key_ids(item) for item in below))


def mask_foreign_hashes(value: Any, keys: set[str]) -> Any:
    """Masks hashes made with other keys, and removes what identified a secret: neither is a difference."""
    if isinstance(value, str):
        mark = _REDACTED_TEXT.fullmatch(value)
        if mark is None:
            return value
        return mark[1] if mark[2] in keys else REDACTED
    if is_redacted(value):
        known = {name: value[name] for name in ("redacted", "hash", "key_id")}
        return known if value["key_id"] in keys else REDACTED
    if isinstance(value, dict):
        return {key: mask_foreign_hashes(item, keys) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_foreign_hashes(item, keys) for item in value]
    return value
