"""Access to the fields of an event, and the text of a value that is compared. Pure.

A list stands for its elements and has no text of its own. Nor does an object; `contains` and regular expressions look
inside it: at its scalars, and at its members in JSON notation (`"fromPort":22`)."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

folded = str.casefold
"""Returns a text casefolded."""


class EventView:
    """An event as rules see it; lookups are shared between rules."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.event = event
        self._fields: dict[str, list[Any]] = {}
        self._words: list[str] | None = None
        self._folded: list[str] | None = None

    def values(self, field: str) -> list[Any]:
        """Returns the scalars and objects at a dotted path, every element of lists on the way; None for null and for
        an empty list; nothing if the path does not exist. A key may itself contain dots."""
        found = self._fields.get(field)
        if found is None:
            found = self._fields[field] = list(_found(self.event, field))
        return found

    def words(self) -> list[str]:
        """Returns every scalar of the event as text."""
        if self._words is None:
            self._words = list(_scalars(self.event))
        return self._words

    def folded_words(self) -> list[str]:
        """Returns every scalar of the event as casefolded text."""
        if self._folded is None:
            self._folded = [folded(text) for text in self.words()]
        return self._folded


def _found(holder: Any, field: str) -> Iterator[Any]:
    if isinstance(holder, list):
        for item in holder:
            yield from _found(item, field)
        return
    if not isinstance(holder, Mapping):
        return
    if field in holder:
        yield from _elements(holder[field])
        return
    first, dot, rest = field.partition(".")
    while dot:
        if first in holder:
            yield from _found(holder[first], rest)
        more, dot, rest = rest.partition(".")
        first = f"{first}.{more}"


def _elements(value: Any) -> Iterator[Any]:
    if not isinstance(value, list):
        yield value
    elif not value:
        yield None
    for item in value if isinstance(value, list) else ():
        yield from _elements(item)


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif (text := text_of(value)) is not None:
        yield text


def text_of(value: Any) -> str | None:
    """Returns a scalar as text for comparison; None for null, lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None


def inside(value: Any) -> Iterator[str]:
    """Returns the texts searched by `contains`; for an object, those of everything inside it."""
    if isinstance(value, Mapping):
        yield from _scalars(value)
        yield from _members(value)
    elif (text := text_of(value)) is not None:
        yield text


def _members(value: Any) -> Iterator[str]:
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if isinstance(item, Mapping | list):
            yield from _members(item)
        else:
            yield orjson.dumps({key: item}, default=str).decode()[1:-1]
    for item in value if isinstance(value, list) else ():
        yield from _members(item)
