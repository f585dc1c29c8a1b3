"""Paths into Terraform's values, and the marks (sensitive, known only after apply) that lie over them in the same form."""

import re
from typing import Any

import orjson

from driftline.pipeline.compare.paths import value_at

Path = tuple[str | int, ...]
ABSENT = object()
_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")
_KEY = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')


def path_of(text: str) -> Path:
    """`rule[0].status` as steps."""
    return tuple(name or int(number) for name, number in _STEP.findall(text))


def without_keys(address: str) -> str:
    """An instance's address as the code has it, without the keys of count and for_each."""
    return _KEY.sub("", address)


def key_of(address: str) -> str | int | None:
    """The key of an instance; None where it has none, or one in an escape that only Terraform's language has."""
    found = _KEY.findall(address)
    if not found or not address.endswith(found[-1]):
        return None
    try:
        key: str | int = orjson.loads(found[-1][1:-1])
    except orjson.JSONDecodeError:
        return None
    return key


def at(value: Any, path: Path) -> Any:
    """What stands at a path; ABSENT where nothing does."""
    return value_at(value, path, ABSENT)


def marked(marks: Any, path: Path) -> bool:
    """Whether the value at a path, something around it or something in it bears a mark. Marks have the form of the values:
    one of a nested block is a list of maps, and says nothing where nothing in it is true."""
    for step in path:
        if marks is True:
            return True
        if isinstance(marks, list) and isinstance(step, int):
            marks = marks[step] if step < len(marks) else None
        elif isinstance(marks, dict):
            marks = marks.get(step)
        else:
            return False
    return _any(marks)


def _any(marks: Any) -> bool:
    if isinstance(marks, dict):
        return any(_any(one) for one in marks.values())
    if isinstance(marks, list):
        return any(_any(one) for one in marks)
    return marks is True


def of_paths(paths: Any) -> dict[Any, Any]:
    """Marks out of the paths that a state file lists (`sensitive_attributes`)."""
    out: dict[Any, Any] = {}
    for path in paths or ():
        below = out
        steps = [_step(step) for step in path if isinstance(step, dict)]
        for number, step in enumerate(steps):
            if number == len(steps) - 1:
                below[step] = True
            elif below.get(step) is not True:
                below = below.setdefault(step, {})
            else:
                break  # what is around it is marked
    return out


def _step(step: dict[str, Any]) -> Any:
    value = step.get("value")
    return value.get("value") if isinstance(value, dict) else value
