"""Families of rules: one name for one question over all clouds (rules/families.json)."""

import json
from functools import cache
from importlib.resources import files

from driftline.pipeline.common.yaml_source import nearest

OWN = "own-"
"""How a family begins that is not one of ours."""


@cache
def families() -> dict[str, str]:
    """Every family's question, by its name."""
    found: dict[str, str] = json.loads(
        (files("driftline.rules") / "families.json").read_text("utf-8")
    )
    return found


def unknown_family(name: str) -> str | None:
    """What is wrong with a family's name; None where nothing is. A rule of one's own may have none."""
    if not name or name in families() or name.startswith(OWN):
        return None
    return (
        f"unknown family {name!r}{nearest(name, families())}, or begin one of your own with {OWN}"
    )
