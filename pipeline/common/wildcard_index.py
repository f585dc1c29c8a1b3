"""Finds the patterns with `*` that match a text, without testing each of them. Pure."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from driftline.pipeline.common.wildcards import matches

T = TypeVar("T")


class PatternIndex(Generic[T]):
    """Values by pattern. A text is tested only against patterns with the same beginning: one lookup per length of
    beginning. (Patterns that begin with `*` are tested against every text.)"""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, T]] = {}
        self._begins: dict[int, dict[str, dict[str, tuple[str, T]]]] = {}
        """By length of the text before the first star, by that text, by key: the pattern and its value."""
        self._patterns: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._patterns)

    def patterns(self) -> list[str]:
        """Returns every pattern, once per key."""
        return list(self._patterns.values())

    def put(self, key: str, pattern: str, value: T) -> None:
        """Stores a value under a pattern, replacing the key's previous one."""
        self.drop(key)
        self._patterns[key] = pattern
        if "*" not in pattern:
            self._exact.setdefault(pattern, {})[key] = value
        else:
            begin = pattern.partition("*")[0]
            same = self._begins.setdefault(len(begin), {}).setdefault(begin, {})
            same[key] = (pattern, value)

    def drop(self, key: str) -> None:
        pattern = self._patterns.pop(key, None)
        if pattern is None:
            return
        if "*" not in pattern:
            del self._exact[pattern][key]
            if not self._exact[pattern]:
                del self._exact[pattern]
            return
        begin = pattern.partition("*")[0]
        of_length = self._begins[len(begin)]
        del of_length[begin][key]
        if not of_length[begin]:
            del of_length[begin]
        if not of_length:
            del self._begins[len(begin)]

    def find(self, text: str) -> Iterator[T]:
        """Yields the values whose pattern matches a text."""
        yield from self._exact.get(text, {}).values()
        for length, by_begin in self._begins.items():
            for pattern, value in by_begin.get(text[:length], {}).values():
                if matches(pattern, text):
                    yield value

    def fits(self, text: str) -> bool:
        """Returns whether any pattern matches."""
        return next(self.find(text), None) is not None
