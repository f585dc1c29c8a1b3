"""Equivalent spellings of one value, whatever the provider: empty and absent, numbers and documents as text. Pure."""

from typing import Any

import orjson

NOTHING: tuple[Any, ...] = (None, "", [], {})


def is_empty(value: Any) -> bool:
    """Returns whether a value means "none": null, an empty text, list or map. 0 and false do not."""
    return any(type(value) is type(none) and value == none for none in NOTHING)


def is_same(one: Any, other: Any) -> bool:
    """Returns whether two values mean the same although their types differ: both empty, or a number or boolean as
    text."""
    if is_empty(one) and is_empty(other):
        return True
    if isinstance(one, dict | list) or isinstance(other, dict | list) or one is None or other is None:  # fmt: skip
        return False
    if isinstance(one, str) == isinstance(other, str):
        return bool(type(one) is type(other) and one == other) or (
            {type(one), type(other)} == {int, float} and one == other
        )
    return scalar(one) == scalar(other)


def scalar(value: Any) -> str:
    """Returns a scalar as text; 3.0 becomes 3."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def parse_document(value: Any) -> Any:
    """Returns the document that a text contains; any other value unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
