"""Truncates documents that are too large for a record, and marks them. Pure."""

from typing import Any

import orjson

from driftline.pipeline.common import limits

MOST = limits.VALUE
"""Maximum size of a record's value in bytes."""
LIMITS = (65_536, 8192, 2100)
"""Maximum text lengths in characters, tried in this order. No id is longer than the last."""
FREE = {"value", "before", "after"}
"""Fields that hold free-form configuration, which is truncated as text."""
A_LIST = 16
"""Lists are limited to this fraction of the text length."""


def truncate(document: dict[str, Any], most: int = MOST) -> bytes:
    """Returns the document as JSON of at most `most` bytes; larger only if truncation does not help."""
    value = orjson.dumps(document)
    for limit in LIMITS:
        if len(value) <= most:
            break
        value = orjson.dumps(_cut(document, limit) | {"truncated": True})
    return value


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[:limit]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [_cut(one, limit) for one in value[: limit // A_LIST]]
    if isinstance(value, dict):
        some = list(value.items())[: limit // A_LIST]
        return {name: _free(one, limit) if name in FREE else _cut(one, limit) for name, one in some}
    return value


def _free(value: Any, limit: int) -> Any:
    text = orjson.dumps(value)
    return value if len(text) <= limit else _cut(text.decode(), limit)
