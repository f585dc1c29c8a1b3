"""Explains why a rule could not evaluate a resource: which place of its configuration differs from what the rule, or
the type's shape, expects. Never the rule language's own error. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from driftline.pipeline.rulebook.cel.expression import ELEMENT, Path
from driftline.pipeline.rulebook.cel.functions import FORM, Current
from driftline.pipeline.rulebook.shapes import builtin_shapes
from driftline.pipeline.rulebook.unjudged import kind, shown

MOST_NAMED = 3
NEXT = "read the resource again; if it stays so, the rule does not fit it"
_HALF = re.compile("[\ud800-\udfff]")
_KEY = re.compile(r'[Kk]ey not found in map : "?([^"\n]*)"?|no such key: (\S+)')


def describe_unexpected(type: str, paths: Iterable[Path], config: Mapping[str, Any], error: str, current: Current) -> str:  # fmt: skip
    """Returns one line: the place, its value, what to do. `paths`: what the rule reads; `error`: CEL's message."""
    paths = sorted(path[1:] for path in paths if path[:1] == ("config",) and len(path) > 1)
    parts = sorted({path[0] for path in paths})
    strange = (one for part in parts for one in _strange(config.get(part), f"config.{part}"))
    why = next(strange, None) or _why(type, paths, config, error, current)
    return f"{why}: {NEXT}"


def _why(type: str, paths: Sequence[Path], config: Mapping[str, Any], error: str, current: Current) -> str:  # fmt: skip
    if current.odd and not current.odd[0].endswith(FORM):
        return current.odd[0]
    if found := _KEY.search(error):
        key = found[1] or found[2]
        for path in paths:
            for place, value in _places(config, path, key):
                return f"{place}.{key} is missing" if value else f"{place} has no {key}"
    if "ndex error" in error:
        for path in paths:
            for number in (n for n, step in enumerate(path) if step == ELEMENT):
                for place, value in _all(config, path[:number], "config"):
                    if value == []:
                        return f"{place} is an empty list"
    parts = builtin_shapes().get(type, {}).get("parts", {})
    wrong = [
        one
        for path in paths
        for one in _misfits(config.get(path[0]), parts.get(path[0], "any"), path[1:], f"config.{path[0]}")
    ]  # fmt: skip
    wrong.sort(key=lambda one: " is null, " in one)  # null may be valid where another value is not
    if wrong or current.odd:
        return [*wrong, *current.odd][0]
    named = [f"config.{'.'.join(p)} is {shown(_at(config, p))}" for p in paths if ELEMENT not in p]
    more = ", …" if len(named) > MOST_NAMED else ""
    return (", ".join(named[:MOST_NAMED]) or f"config.{paths[0][0]}" if paths else "it") + f"{more} cannot be judged"  # fmt: skip


def _strange(value: Any, place: str) -> Iterator[str]:
    """Yields what CEL cannot represent: a lone surrogate, an integer that does not fit in 64 bits."""
    if isinstance(value, str) and _HALF.search(value):
        yield f"{place} is a text with half of a character in it"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield f"{place} is {shown(value)}, which is too large"
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _strange(one, f"{place}[{number}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            if isinstance(key, str) and _HALF.search(key):
                yield f"{place} has a name with half of a character in it"
            yield from _strange(one, f"{place}.{key}")


def _places(config: Any, path: Path, key: str) -> Iterator[tuple[str, Any]]:
    """Yields the places where a path passes through an object that lacks a key."""
    for number, step in enumerate(path):
        if step == key:
            for place, value in _all(config, path[:number], "config"):
                if isinstance(value, dict) and key not in value:
                    yield place, value


def _all(value: Any, path: Sequence[str], place: str) -> Iterator[tuple[str, Any]]:
    """Yields the values at a path, one for each element on the way."""
    if not path:
        yield place, value
    elif path[0] == ELEMENT:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []  # fmt: skip
        for number, one in enumerate(islice(inside, 1000)):
            yield from _all(one, path[1:], f"{place}[{number}]")
    elif isinstance(value, dict) and path[0] in value:
        yield from _all(value[path[0]], path[1:], f"{place}.{path[0]}")


def _at(config: Any, path: Sequence[str]) -> Any:
    return next((value for _, value in _all(config, path, "")), None)


def _misfits(value: Any, shape: Any, path: Sequence[str], place: str) -> Iterator[str]:
    """Yields the places on a path whose value has another type than the rule's path or the shape expects."""
    wanted = _wanted(shape, path)
    if wanted and kind(value) != wanted:
        yield f"{place} is {shown(value)}, where {wanted} was expected"
        return
    if not path:
        return
    below = _below(shape, path[0])
    if path[0] == ELEMENT:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []  # fmt: skip
        for number, one in enumerate(islice(inside, 1000)):
            yield from _misfits(one, below, path[1:], f"{place}[{number}]")
    elif isinstance(value, dict) and path[0] in value:
        yield from _misfits(value[path[0]], below, path[1:], f"{place}.{path[0]}")
    elif isinstance(value, list):  # an index
        for number, one in enumerate(value[:1]):
            yield from _misfits(one, _below(shape, ELEMENT), path, f"{place}[{number}]")


def _wanted(shape: Any, path: Sequence[str]) -> str:
    """Returns the type that a shape or the rest of a path requires; empty if any will do."""
    if isinstance(shape, dict):
        return "a list" if "list" in shape else "an object"
    if shape in SCALARS:
        return SCALARS[shape]
    return "an object" if path and path[0] != ELEMENT and shape == "any" else ""


def _below(shape: Any, step: str) -> Any:
    if not isinstance(shape, dict):
        return "any"
    if "fields" in shape:
        return shape["fields"].get(step, "any")
    return shape.get("list", shape.get("map", "any"))


SCALARS = {
    "string": "a text", "timestamp": "a text", "int": "a number", "double": "a number", "bool": "true or false",
}  # fmt: skip
