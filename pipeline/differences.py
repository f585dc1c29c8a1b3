"""What differs between two readings of a part, as people mean it: the order of a set is no difference, nor is what
changes by itself, nor a secret that was hashed with another key. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

MOST = 200
"""Places told of one part; beyond it the part as a whole."""
LONGEST = 16_384
"""Bytes of a value's JSON; of a longer one only its size is told."""
REDACTED = {"redacted": True}
_TEXT_MARK = re.compile(r"redacted:([0-9a-f]{8}):[0-9a-f]{32}")
_LISTS = ("Action", "NotAction", "Resource", "NotResource")


@dataclass(frozen=True)
class Hints:
    """What a type's row says about its configuration. Paths are dotted, begin with the part and go through lists."""

    quiet: frozenset[str] = frozenset()
    """What changes by itself; with all that is below."""
    sets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Lists without an order, and the fields by which an element is the same one (none: by all of it)."""
    policies: frozenset[str] = frozenset()
    """Policy documents: many spellings of one meaning."""
    unordered: bool = False
    """Every list is a set."""


NO_HINTS = Hints()


def diff(part: str, before: Any, after: Any, hints: Hints = NO_HINTS) -> list[dict[str, Any]]:
    """The places that differ: {op: add|remove|replace, path: JSON Pointer beginning with the part, before, after}.

    A pointer leads through `after`, or for what was removed, through `before`."""
    if before == after and _text(before) == _text(after):
        return []
    found: list[dict[str, Any]] = []
    both = _key_ids(before) & _key_ids(after)
    before, after = _veiled(before, both), _veiled(after, both)
    _walk(part, f"/{_escaped(part)}", before, after, hints, found)
    if len(found) > MOST:
        return [_entry(f"/{_escaped(part)}", before, after)]
    return found


def for_rules(changes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The places as a rule's expression sees them: with both values, null where there is none."""
    return [{"before": None, "after": None, **change} for change in changes]


def _walk(
    path: str, at: str, before: Any, after: Any, hints: Hints, found: list[dict[str, Any]]
) -> None:
    if path in hints.quiet or (before == after and _text(before) == _text(after)):
        return  # Python's own == takes True for 1
    if path in hints.policies:
        inside = Hints(sets={f"{path}.Statement": ("Sid",)}, unordered=True)
        _walk(path, at, policy(before), policy(after), inside, found)
    elif isinstance(before, dict) and isinstance(after, dict):
        if _marked(before) or _marked(after):
            found.append(_entry(at, before, after))
            return
        for key in sorted(before.keys() | after.keys()):
            below, there = f"{path}.{key}", f"{at}/{_escaped(key)}"
            if key in before and key in after:
                _walk(below, there, before[key], after[key], hints, found)
            elif below not in hints.quiet:
                missing = key not in before
                found.append(_one_sided(there, after[key] if missing else before[key], missing))
    elif isinstance(before, list) and isinstance(after, list):
        unordered = hints.unordered or path in hints.sets
        (_unordered if unordered else _ordered)(path, at, before, after, hints, found)
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
    """Elements are matched by their keys where these are told and unique, else by all that they are."""
    fields = hints.sets.get(path, ())
    old, new = _keyed(before, fields), _keyed(after, fields)
    if old is None or new is None:
        old, new = _counted(path, before, hints), _counted(path, after, hints)
    for key in [key for key in old if key not in new]:
        number, element = old[key]
        found.append(_one_sided(f"{at}/{number}", element, False))
    for key, (number, element) in new.items():
        if key in old:
            _walk(path, f"{at}/{number}", old[key][1], element, hints, found)
        else:
            found.append(_one_sided(f"{at}/{number}", element, True))


def _keyed(elements: list[Any], fields: Sequence[str]) -> dict[Any, tuple[int, Any]] | None:
    """Elements by their key; None where they have none, or one twice."""
    out: dict[Any, tuple[int, Any]] = {}
    for number, element in enumerate(elements):
        if not fields or not isinstance(element, dict):
            return None
        key = tuple(_text(element.get(name)) for name in fields)
        if key in out or all(element.get(name) is None for name in fields):
            return None
        out[key] = (number, element)
    return out


def _counted(path: str, elements: list[Any], hints: Hints) -> dict[Any, tuple[int, Any]]:
    """Elements by all that they are; the second of the same is another one."""
    seen: Counter[bytes] = Counter()
    out: dict[Any, tuple[int, Any]] = {}
    for number, element in enumerate(elements):
        text = _text(_plain(path, element, hints))
        seen[text] += 1
        out[text, seen[text]] = (number, element)
    return out


def _plain(path: str, value: Any, hints: Hints) -> Any:
    """A value of one form: equal where nothing differs that counts."""
    if path in hints.policies:
        return _plain(path, policy(value), Hints(unordered=True))
    if isinstance(value, dict):
        return {
            key: _plain(f"{path}.{key}", item, hints)
            for key, item in value.items()
            if f"{path}.{key}" not in hints.quiet
        }
    if isinstance(value, list):
        items = [_plain(path, item, hints) for item in value]
        return sorted(items, key=_text) if hints.unordered or path in hints.sets else items
    return value


def policy(document: Any) -> Any:
    """A policy document of one form: what may be one or a list is a sorted list, an account is its number, actions are
    lower case, `"*"` is everybody in every spelling. Anything else comes back as it is."""
    if not isinstance(document, dict) or "Statement" not in document:
        return document
    statements = document["Statement"]
    return document | {
        "Statement": [
            _statement(one) for one in (statements if isinstance(statements, list) else [statements])
        ]
    }  # fmt: skip


def _statement(statement: Any) -> Any:
    if not isinstance(statement, dict):
        return statement
    out = dict(statement)
    for name in _LISTS:
        if name in out:
            out[name] = _listed(out[name], lower=name.endswith("Action"))
    for name in ("Principal", "NotPrincipal"):
        if name in out:
            out[name] = _principal(out[name])
    if isinstance(condition := out.get("Condition"), dict):
        out["Condition"] = {
            operator: {key: _listed(value) for key, value in keys.items()}
            if isinstance(keys, dict)
            else keys
            for operator, keys in condition.items()
        }
        if not condition:
            del out["Condition"]
    return out


def _principal(principal: Any) -> Any:
    if not isinstance(principal, dict):
        principal = {"AWS": principal}
    return {
        kind: _listed(
            [_account(one) for one in (value if isinstance(value, list) else [value])]
            if kind == "AWS"
            else value
        )
        for kind, value in principal.items()
    }


def _account(principal: Any) -> Any:
    if isinstance(principal, str) and principal.startswith("arn:") and principal.endswith(":root"):
        return principal.split(":")[4]
    return principal


def _listed(value: Any, *, lower: bool = False) -> list[Any]:
    items = value if isinstance(value, list) else [value]
    texts = {
        (item.lower() if lower else item) if isinstance(item, str) else _text(item).decode() for item in items
    }  # fmt: skip
    return sorted(texts)


def _one_sided(at: str, value: Any, added: bool) -> dict[str, Any]:
    if added:
        return {"op": "add", "path": at, "after": _told(value)}
    return {"op": "remove", "path": at, "before": _told(value)}


def _entry(at: str, before: Any, after: Any) -> dict[str, Any]:
    return {"op": "replace", "path": at, "before": _told(before), "after": _told(after)}


def _told(value: Any) -> Any:
    """A value as a drift tells it: secrets only as that, what is too long only by its size."""
    size = len(_text(value))
    if size > LONGEST:
        return {"omitted": True, "size": size}
    return _without_hashes(value)


def _without_hashes(value: Any) -> Any:
    if _marked(value) or (isinstance(value, str) and _TEXT_MARK.fullmatch(value)):
        return REDACTED
    if isinstance(value, dict):
        return {key: _without_hashes(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_hashes(item) for item in value]
    return value


def _marked(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"redacted", "hash", "key_id"}


def _key_ids(value: Any) -> set[str]:
    """With which keys secrets were hashed."""
    if isinstance(value, str):
        mark = _TEXT_MARK.fullmatch(value)
        return {mark[1]} if mark else set()
    if _marked(value):
        return {str(value["key_id"])}
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(_key_ids(item) for item in below))


def _veiled(value: Any, keys: set[str]) -> Any:
    """The value without the hashes of other keys: they tell nothing of a difference."""
    if isinstance(value, str):
        mark = _TEXT_MARK.fullmatch(value)
        return REDACTED if mark and mark[1] not in keys else value
    if _marked(value):
        return value if value["key_id"] in keys else REDACTED
    if isinstance(value, dict):
        return {key: _veiled(item, keys) for key, item in value.items()}
    if isinstance(value, list):
        return [_veiled(item, keys) for item in value]
    return value


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _escaped(key: str) -> str:
    """One step of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
