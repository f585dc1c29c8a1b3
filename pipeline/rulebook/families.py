"""Rule families: one name for one question across all clouds (rules/families.json)."""

import json
from functools import cache
from importlib.resources import files

from driftline.pipeline.common.yaml_source import nearest

OWN = "own-"
"""Prefix of user-defined families."""


@cache
def families() -> dict[str, str]:
    """Returns the question of every family, by name."""
    found: dict[str, str] = json.loads(
        (files("driftline.rules") / "families.json").read_text("utf-8")
    )
    return found


def unknown_family(name: str) -> str | None:
    """Returns what is wrong with a family's name; None if it is valid. User rules may have none."""
    if not name or name in families() or name.startswith(OWN):
        return None
    return (
        f"unknown family {name!r}{nearest(name, families())}, or begin one of your own with {OWN}"
    )
