"""Loads extensions from other packages: entry points by group and name."""

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from driftline.pipeline.common.errors import UserError


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """All entry points of a group, sorted by name. Raises UserError if two packages use the same name."""
    found: dict[str, EntryPoint] = {}
    for one in sorted(entry_points(group=group), key=lambda one: one.name):
        other = found.setdefault(one.name, one)
        if other.value != one.value:
            raise UserError(
                f"{one.name} is both {other.value} and {one.value}",
                fix="uninstall one of the packages",
                place=group,
            )
    return found


def load(group: str, name: str) -> Any:
    """The object that an entry point names. Raises UserError if it cannot be imported."""
    one = installed(group)[name]
    try:
        return one.load()
    except Exception as error:  # the package's own code runs on import and may raise anything
        package = one.dist.name if one.dist else "an unknown package"
        raise UserError(
            f"{name} of {package} cannot be imported: {type(error).__name__}: {error}",
            fix="correct or uninstall the package",
            place=group,
        ) from error


def imported(group: str) -> list[ModuleType]:
    """The modules of a group that this process has imported."""
    names = {one.module for one in installed(group).values()}
    return [module for name in sorted(names) if (module := sys.modules.get(name)) is not None]
