"""The known paths of every type, its provider, and the check of a rule's paths against them."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import nearest
from driftline.pipeline.providers.installed import providers
from driftline.pipeline.providers.provider import Provider

Shapes = dict[str, Any]
"""Type to {"provider": name, "parts": {part: shape}}; a shape is a scalar's name, "any", or {"list": s} | {"map": s} | {"fields": {…}}."""

RESOURCE = (
    "uid",
    "type",
    "provider",
    "organization",
    "account",
    "region",
    "name",
    "tags",
    "config",
)


@cache
def builtin_shapes() -> Shapes:
    """Returns the shapes generated from the collectors' tables: the types files of the installed providers. Raises
    UserError if two providers have a type of one name, or a file is not readable."""
    shapes: Shapes = {}
    for own in providers():
        for type, row in _types(own).items():
            if type in shapes:
                raise UserError(
                    f"the type {type} is {shapes[type]['provider']}'s and {own.name}'s",
                    fix="uninstall one of the packages",
                    place=str(own.types),
                )
            shapes[type] = row | {"provider": own.name}
    return shapes


def _types(own: Provider) -> Shapes:
    if own.types is None:
        return {}
    try:
        found: Shapes = json.loads(own.types.read_text("utf-8"))
    except (OSError, ValueError) as why:
        raise UserError(
            f"the types file of {own.title} cannot be read: {why}",
            fix="correct or reinstall its package",
            place=str(own.types),
        ) from why
    return found


def unknown_paths(type: str, paths: Iterable[tuple[str, ...]], shapes: Shapes) -> list[str]:
    """Checks paths under `resource` of a rule on a type; returns mistakes with the nearest name."""
    if type not in shapes:
        return [f"unknown resource type {type!r}{nearest(type, shapes)}"]
    parts = shapes[type]["parts"]
    out = []
    for path in sorted(paths):
        if not path:
            continue
        if path[0] not in RESOURCE:
            out.append(f"resource has no {path[0]!r}{nearest(path[0], RESOURCE)}")
        elif path[0] == "config" and len(path) > 1:
            if path[1] not in parts:
                out.append(f"{type} has no part {path[1]!r}{nearest(path[1], parts)}")
            elif why := _misfit(parts[path[1]], path[2:], f"config.{path[1]}"):
                out.append(why)
    return out


def _misfit(shape: Any, path: tuple[str, ...], where: str) -> str | None:
    for step in path:
        if shape == "any":
            return None
        if isinstance(shape, str):
            return f"{where} is a {shape}, it has no {step!r}"
        if "list" in shape:
            if step != "[]":
                return f"{where} is a list: {step!r} is a field of its elements (use exists() or all())"
            shape = shape["list"]
        elif "map" in shape:
            shape = shape["map"]
        elif step == "[]":
            return None  # the keys of an object
        elif step not in shape["fields"]:
            return f"{where} has no {step!r}{nearest(step, shape['fields'])}"
        else:
            shape = shape["fields"][step]
        where = f"{where}.{step}"
    return None
