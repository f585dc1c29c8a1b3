"""Kinds of resources without which there is no request for an action, as AWS documents them (resources.json, which
`python -m tests.rules.resources` writes)."""

from functools import cache
from importlib.resources import files

import msgspec

Kinds = tuple[str, ...]
"""What follows `arn:PARTITION:`, with holes {region} and {account}; of several any one is enough."""


@cache
def _known() -> dict[str, tuple[Kinds, ...]]:
    data = (files(__package__) / "resources.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, tuple[Kinds, ...]])


def required(action: str) -> tuple[Kinds, ...]:
    """All of these; none for an action (in small letters) that is not asked for here, or has none."""
    return _known().get(action, ())
