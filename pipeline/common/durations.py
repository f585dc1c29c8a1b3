"""Lengths of time: the units in which people write them, and microseconds, in which the core counts."""

import re

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Microseconds."""
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
"""Seconds of each unit."""
WHOLE = r"^(\d+)(s|m|h|d)$"
"""How rules and detections write a duration: a whole number and its unit, no shorter than a second."""
_ANY = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_WHOLE = re.compile(WHOLE)


def seconds(text: str) -> float | None:
    """500ms, 30s, 1.5h, 1d; without a unit it is seconds. None: it is no duration."""
    found = _ANY.fullmatch(text.strip())
    return float(found[1]) * UNITS[found[2] or "s"] if found else None


def whole_seconds(text: str) -> int | None:
    """A duration of the form `WHOLE`. None: it is none."""
    found = _WHOLE.fullmatch(text)
    return int(found[1]) * int(UNITS[found[2]]) if found else None


def written(seconds: float) -> str:
    """Seconds in the largest unit that leaves a whole number: 6h, 30s."""
    for unit in ("d", "h", "m"):
        size = UNITS[unit]
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
