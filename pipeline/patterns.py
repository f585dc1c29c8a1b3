"""Texts with `*`, which stands for any text, as people write them in scopes. Pure."""

import re
from functools import lru_cache


@lru_cache(4096)  # the same few are asked of every resource, and of every change
def compiled(pattern: str) -> re.Pattern[str]:
    """What the whole of a text must fit."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern."""
    return text == pattern if "*" not in pattern else bool(compiled(pattern).fullmatch(text))
