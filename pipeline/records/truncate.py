"""Statements that are too large for a record are cut to fit, and say so. Pure."""

from typing import Any

import orjson
from driftline.pipeline.common import limits

MOST = limits.VALUE
"""Bytes of a record's value."""
LIMITS = (65_536, 8192, 2100)
"""Characters of a text, tried in this order. No id is longer than the last."""
FREE = {"value", "before", "after"}
"""What a resource's configuration may have in them: of any shape, and cut as text."""
A_LIST = 16
"""A list may have so many times fewer elements."""


def truncate(document: dict[str, Any], most: int = MOST) -> bytes:
    """The document as JSON of at most so many bytes; where nothing helps, of more."""
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
