"""The evidence of a verdict: the paths that decided, with their values as a finding shows them. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from driftline.pipeline.compare.paths import value_at
from driftline.pipeline.rulebook.cel.expression import ELEMENT, Path

MOST_EVIDENCE, LONGEST, LARGEST = 10, 500, 3000
"""Limits of a finding's evidence: paths; characters of a text; bytes of a value shown in full."""


def evidence_paths(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Returns the paths whose values are shown: those that end before the elements of a list, the longest of each
    branch."""
    whole = {path[: path.index(ELEMENT)] if ELEMENT in path else path for path in paths}
    shown = [path for path in sorted(whole) if path not in ((), ("config",))]
    return tuple(
        path for path in shown if not any(o[: len(path)] == path and o != path for o in shown)
    )[:MOST_EVIDENCE]


def evidence(
    paths: Sequence[Path], resource: dict[str, Any], seen: dict[Path, dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Returns the paths that decided, with their values, trimmed if long. `seen` caches what other rules showed."""
    seen = {} if seen is None else seen
    for path in paths:
        if path not in seen:
            seen[path] = {"path": ".".join(path), "value": _shown(value_at(resource, path))}
    return [seen[path] for path in paths]


def _shown(value: Any) -> Any:
    """Returns the value if it is short, else its beginning."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict | list) and _small(value):
        return value
    return _trimmed(value)


def _small(value: Any) -> bool:
    try:
        return len(msgspec.json.encode(value)) <= LARGEST
    except UnicodeEncodeError:  # a lone surrogate, which no record can carry
        return False


def _trimmed(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST] + "…"
    if isinstance(value, list):
        return [_trimmed(item, depth + 1) for item in value[:MOST_EVIDENCE]]
    if isinstance(value, dict):
        if depth > 5:
            return "…"
        return {key: _trimmed(item, depth + 1) for key, item in list(value.items())[:30]}
    return value
