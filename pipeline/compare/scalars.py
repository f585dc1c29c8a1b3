"""The scalars of a document, used to compare requests with configurations. Pure."""

import zlib
from collections.abc import Iterator
from typing import Any


def scalars(value: Any) -> frozenset[int]:
    """Returns hashes of the texts and numbers in a document, ignoring case. Booleans and nulls are too common to
    identify anything."""
    return frozenset(zlib.crc32(text.encode(errors="replace")) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value).lower()
