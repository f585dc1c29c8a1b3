"""Secrets by form: the rows of forms.yaml, matched by RE2 in one pass over a text."""

import re
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped]

from driftline.collectors.secrets.values import placeholder
from driftline.pipeline.common.files import load_shipped

SHORTEST = 8
"""No form is shorter than this."""
FEW = 4
_COUNT = re.compile(r"(?<!\\)\{(\d+)(,\d*)?\}")
LETTERS = 20
"""No form made of letters only is shorter than this."""
_MEMORY = 64 << 20


class SecretForm(NamedTuple):
    """A row."""

    id: str
    pattern: Any
    refuse: Any
    """Matches of this pattern are not secrets; None if the form has no exclusion."""


@cache
def forms() -> tuple[SecretForm, ...]:
    """Compiles all rows."""
    return tuple(
        SecretForm(row["id"], compile_(row["pattern"]), compile_(row["refuse"]) if "refuse" in row else None)
        for row in _rows()
    )  # fmt: skip


def union() -> str:
    """Returns a pattern that matches wherever a row does, and occasionally elsewhere: long repetitions are shortened,
    because counting them for all rows at once is the main cost."""
    return "|".join(f"(?:{_COUNT.sub(_fewer, row['pattern'])})" for row in _rows())


def _fewer(count: re.Match[str]) -> str:
    least = int(count[1])
    if least == 0:
        return "*"
    return count[0] if count[2] is None and least <= FEW else f"{{{min(least, FEW)},}}"


@cache
def _rows() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = load_shipped(
        files("driftline.collectors.secrets").joinpath("forms.yaml")
    )
    return rows


@cache
def _any() -> Any:
    return compile_(union())


def compile_(pattern: str) -> Any:
    """Returns a pattern over UTF-8 bytes."""
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    return re2.compile(pattern.encode(), options)


def form(text: bytes) -> tuple[str, bool] | None:
    """Returns the first form found in a text: its id, and whether the match may be a real secret (not a placeholder)."""
    if len(text) < SHORTEST or _any().search(text) is None:
        return None
    weak = None
    for row in forms():
        for found in row.pattern.finditer(text):
            match = found.group(0)
            if row.refuse is not None and row.refuse.search(match):
                continue
            if not placeholder(match.decode(errors="replace").rstrip("@").rpartition(":")[2]):
                return row.id, True
            weak = weak or (row.id, False)
    return weak
