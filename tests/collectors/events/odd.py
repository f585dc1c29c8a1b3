"""Odd values in every place of a document: what someone might write, or a cloud might begin to write, one day."""

import copy
import os
from collections.abc import Iterator
from random import Random
from typing import Any

MUCH = int(os.environ.get("DRIFTLINE_FUZZ", "1"))
"""How many times the usual number of documents is tried."""
DEEP: Any = "x"
for _ in range(60):
    DEEP = [DEEP]
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**30, 1e308, float("nan"), "", " ", "x", "null", "NaN", "-", "*", "\x00", "\ud800", "arn:",
    "arn:" + ":ec2:" * 400, "2026-01-01", "2026-01-01T00:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "x" * 100_000,
    [], [None], [[]], [{}], ["x", 1, None, {"a": []}], {}, {"": None}, {"items": None}, {"items": [None, 1, "x", {}]}, {"x": {"y": None}}, DEEP,
)  # fmt: skip
Place = tuple[Any, ...]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place of a document but its root."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for key, below in inside:
        yield (*here, key)
        yield from places(below, (*here, key))


def put(document: Any, place: Place, value: Any) -> Any:
    """The document with another value at a place."""
    out = copy.deepcopy(document)
    holder = out
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    return out


def without(document: Any, place: Place) -> Any:
    """The document without what stands at a place."""
    out = copy.deepcopy(document)
    holder = out
    for step in place[:-1]:
        holder = holder[step]
    del holder[place[-1]]
    return out


def odd(document: Any, count: int, random: Random) -> Iterator[Any]:
    """`count` times the document, each with one or two places spoiled."""
    for _ in range(count * MUCH):
        spoiled = document
        for _ in range(random.choice((1, 1, 2))):
            where = list(places(spoiled))
            if not where:
                break
            place = random.choice(where)
            spoiled = without(spoiled, place) if random.random() < 0.1 else put(spoiled, place, random.choice(ODD))  # fmt: skip
        yield spoiled
