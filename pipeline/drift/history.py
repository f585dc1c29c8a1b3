"""What a resource remembers of the changes that it was named in. Pure; times in microseconds since 1970."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.model import Change, micros
from pipeline.state import Seen

MOST, LONGEST = 64, 48 * 3_600_000_000
"""So many, and so long."""
MOST_VALUES = 96


def remembered(history: Sequence[Seen], change: Change) -> list[Seen] | None:
    """The history with a change in its place in time; None where it is there already, or too old to matter."""
    at = micros(change.occurred_at)
    if any(seen.id == change.id for seen in history):
        return None
    new = Seen(
        change.id, at, change.action, change.kind, change.actor.model_dump(mode="json", exclude_none=True),
        change.parts, sorted(scalars(change.request)), change.shared, change.deployment,
    )  # fmt: skip
    out = sorted([*history, new], key=lambda seen: (seen.at, seen.id))
    out = [seen for seen in out if seen.at > out[-1].at - LONGEST][-MOST:]
    return out if new in out else None


def scalars(value: Any) -> frozenset[int]:
    """Hashes of the scalars in a document, by which a request is compared with what became different."""
    found: set[int] = set()
    for text in _texts(value):
        if len(found) == MOST_VALUES:
            break
        found.add(zlib.crc32(text.encode(errors="replace")))
    return frozenset(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value).lower()
