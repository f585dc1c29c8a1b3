"""Paths in a JSON document: JSON Pointers (RFC 6901), and the value at a path."""

from collections.abc import Iterable
from typing import Any


def escaped(key: str) -> str:
    """Escapes a key as a segment of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def unescaped(step: str) -> str:
    """Unescapes a segment of a JSON Pointer."""
    return step.replace("~1", "/").replace("~0", "~")


def pointer(*path: str) -> str:
    """The JSON Pointer of a path."""
    return "".join(f"/{escaped(step)}" for step in path)


def steps(pointer: str) -> list[str]:
    """The path of a JSON Pointer. For an empty or invalid pointer, a single empty segment."""
    return [unescaped(step) for step in pointer.split("/")[1:]] or [""]


def value_at(document: Any, path: Iterable[str | int], default: Any = None) -> Any:
    """The value at a path; `default` if there is none. A list index may be a number or a string."""
    for step in path:
        if isinstance(document, dict):
            if step not in document:
                return default
            document = document[step]
            continue
        number = _number(step)
        if not isinstance(document, list) or number is None or number >= len(document):
            return default
        document = document[number]
    return document


def _number(step: str | int) -> int | None:
    if isinstance(step, int):
        return step if step >= 0 else None
    return int(step) if step.isascii() and step.isdigit() else None
