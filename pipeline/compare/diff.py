"""Compares two readings of a part by meaning: the order of a set, quiet fields, and secrets hashed with another key
are not differences. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from driftline.pipeline.compare.paths import escaped
from driftline.pipeline.compare.redacted import (
    REDACTED,
    has_redaction,
    is_redacted,
    key_ids,
    mask_foreign_hashes,
    without_hashes,
)

MAX_PLACES = 200
"""Maximum number of places reported per part; above it the part is reported as a whole."""
MAX_VALUE_BYTES = 16_384
"""Maximum size of a value's JSON in bytes; for larger values only the size is reported."""


def _itself(value: Any) -> Any:
    return value


def _none(_: Any) -> Any:
    return None


@dataclass(frozen=True)
class Canonical:
    """The canonical forms of what only one provider writes in many equivalent ways."""

    policy: Callable[[Any], Any] = _itself
    """Of a policy document."""
    element: Callable[[Any], Any] = _none
    """Of an element of a set that has a form of its own; None for any other."""


PLAIN = Canonical()


@dataclass(frozen=True)
class Hints:
    """What a type's row says about its configuration. Paths are dotted, begin with the part, and pass through lists;
    `*` is any key of a map."""

    quiet: frozenset[str] = frozenset()
    """Fields that change by themselves, including everything below them."""
    ordered: frozenset[str] = frozenset()
    """Lists whose order matters. All others are treated as sets, because clouds do not promise an order."""
    policies: frozenset[str] = frozenset()
    """Policy documents, which have many equivalent spellings."""
    canonical: Canonical = PLAIN
    """The provider's."""


NO_HINTS = Hints()
KEYS = ("Key", "Name", "Id", "ID", "Sid", "RuleNumber", "Arn", "ARN", "key", "name", "id", "arn")
"""Fields that identify an element of a set, if all elements have the field and no two share a value."""


def hints_of(said: Mapping[str, Sequence[str]] | None, canonical: Canonical) -> Hints:
    """Builds the hints from a row of the types file: quiet, ordered, policies."""
    named = {name: frozenset(paths) for name, paths in (said or {}).items()}
    return Hints(**named, canonical=canonical)


def diff(part: str, before: Any, after: Any, hints: Hints = NO_HINTS) -> list[dict[str, Any]]:
    """Returns the places that differ: {op: add|remove|replace, path: JSON Pointer beginning with the part, before,
    after}.

    A pointer refers to `after`, or for a removed value to `before`."""
    if _equal(before, after):
        return []
    found: list[dict[str, Any]] = []
    both = key_ids(before) & key_ids(after)
    before, after = mask_foreign_hashes(before, both), mask_foreign_hashes(after, both)
    _walk(part, f"/{escaped(part)}", before, after, hints, found)
    if len(found) > MAX_PLACES:
        found = [_entry(f"/{escaped(part)}", before, after)]
    return _mask_one_sided(found)


def _mask_one_sided(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Masks a value that only one of the readings redacts: it may have been recognized as a secret only since."""
    hiding = {
        side: {_parent(one) for one in found if has_redaction(one.get(side))}
        for side in ("before", "after")
    }
    out = []
    for one in found:
        for side, other in (("before", "after"), ("after", "before")):
            beside = has_redaction(one[other]) if other in one else _parent(one) in hiding[other]
            if side in one and beside and not has_redaction(one[side]):
                one = one | {side: REDACTED}
        out.append(one)
    return out


def _parent(one: Mapping[str, Any]) -> str:
    return str(one["path"]).rsplit("/", 1)[0]


@lru_cache(100_000)
def _is_listed(path: str, names: frozenset[str]) -> bool:
    """Returns whether a path is one of the names."""
    if path in names:
        return True
    steps = path.split(".")
    return any(
        "*" in name
        and len(steps) == name.count(".") + 1
        and all(own in ("*", step) for own, step in zip(name.split("."), steps, strict=True))
        for name in names
    )


def for_rules(changes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the places as a rule's expression sees them: with both values, null if there is none."""
    return [{"before": None, "after": None, **change} for change in changes]


def _walk(
    path: str, at: str, before: Any, after: Any, hints: Hints, found: list[dict[str, Any]]
) -> None:
    if _is_listed(path, hints.quiet) or _equal(before, after):
        return
    if _is_listed(path, hints.policies):
        form = hints.canonical.policy
        _walk(path, at, form(before), form(after), NO_HINTS, found)
    elif isinstance(before, dict) and isinstance(after, dict):
        if is_redacted(before) or is_redacted(after):
            found.append(_entry(at, before, after))
            return
        for key in sorted(before.keys() | after.keys()):
            below, there = f"{path}.{key}", f"{at}/{escaped(key)}"
            if key in before and key in after:
                _walk(below, there, before[key], after[key], hints, found)
            elif not _is_listed(below, hints.quiet):
                missing = key not in before
                found.append(_one_sided(there, after[key] if missing else before[key], missing))
    elif isinstance(before, list) and isinstance(after, list):
        ordered = _is_listed(path, hints.ordered)
        (_ordered if ordered else _unordered)(path, at, before, after, hints, found)
    elif _text(before) != _text(after):
        found.append(_entry(at, before, after))


def _ordered(
    path: str, at: str, before: list[Any], after: list[Any], hints: Hints, found: list[dict[str, Any]]
) -> None:  # fmt: skip
    for number in range(max(len(before), len(after))):
        there = f"{at}/{number}"
        if number >= len(before):
            found.append(_one_sided(there, after[number], True))
        elif number >= len(after):
            found.append(_one_sided(there, before[number], False))
        else:
            _walk(path, there, before[number], after[number], hints, found)


def _unordered(
    path: str, at: str, before: list[Any], after: list[Any], hints: Hints, found: list[dict[str, Any]]
) -> None:  # fmt: skip
    """Matches elements by their key if all have a unique one, otherwise by their whole content."""
    field = _key_of([*before, *after])
    old, new = _keyed(before, field), _keyed(after, field)
    keyed = old is not None and new is not None
    if old is None or new is None:
        old, new = _counted(path, before, hints), _counted(path, after, hints)
    for key in [key for key in old if key not in new]:
        number, element = old[key]
        found.append(_one_sided(f"{at}/{number}", element, False))
    for key, (number, element) in new.items():
        if key not in old:
            found.append(_one_sided(f"{at}/{number}", element, True))
        elif keyed:  # otherwise they are equal in everything that counts
            _walk(path, f"{at}/{number}", old[key][1], element, hints, found)


def _key_of(elements: Sequence[Any]) -> str | None:
    """Returns the field that identifies the elements; None if there is none."""
    if not elements or not all(isinstance(element, dict) for element in elements):
        return None
    return next(
        (name for name in KEYS if all(element.get(name) is not None for element in elements)), None
    )


def _keyed(elements: list[Any], field: str | None) -> dict[Any, tuple[int, Any]] | None:
    """Returns elements by key; None if a key is missing or not unique."""
    if field is None:
        return None
    out = {_text(element[field]): (number, element) for number, element in enumerate(elements)}
    return out if len(out) == len(elements) else None


def _counted(path: str, elements: list[Any], hints: Hints) -> dict[Any, tuple[int, Any]]:
    """Returns elements by content; equal elements are numbered."""
    seen: Counter[bytes] = Counter()
    out: dict[Any, tuple[int, Any]] = {}
    for number, element in enumerate(elements):
        text = _text(_canonical(path, element, hints))
        seen[text] += 1
        out[text, seen[text]] = (number, element)
    return out


def _canonical(path: str, value: Any, hints: Hints) -> Any:
    """Returns the canonical form of a value: equal if nothing that counts differs."""
    if _is_listed(path, hints.policies):
        return _canonical(path, hints.canonical.policy(value), NO_HINTS)
    if (form := hints.canonical.element(value)) is not None:
        return form
    if isinstance(value, dict):
        return {
            key: _canonical(f"{path}.{key}", item, hints)
            for key, item in value.items()
            if not _is_listed(f"{path}.{key}", hints.quiet)
        }
    if isinstance(value, list):
        items = [_canonical(path, item, hints) for item in value]
        return items if _is_listed(path, hints.ordered) else sorted(items, key=_text)
    return value


def _one_sided(at: str, value: Any, added: bool) -> dict[str, Any]:
    if added:
        return {"op": "add", "path": at, "after": _for_display(value)}
    return {"op": "remove", "path": at, "before": _for_display(value)}


def _entry(at: str, before: Any, after: Any) -> dict[str, Any]:
    return {
        "op": "replace",
        "path": at,
        "before": _for_display(before),
        "after": _for_display(after),
    }


def _for_display(value: Any) -> Any:
    """Returns a value as a drift displays it: secrets masked, large values as their size."""
    size = len(_text(value))
    if size > MAX_VALUE_BYTES:
        return {"omitted": True, "size": size}
    return without_hashes(value)


def _equal(before: Any, after: Any) -> bool:
    """Python's == treats True and 1 as equal. (Keys are usually in the same order; sorting them would double the
    cost.)"""
    return before == after and (
        orjson.dumps(before) == orjson.dumps(after) or _text(before) == _text(after)
    )


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
