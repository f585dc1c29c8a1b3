"""Durations: the units in which people write them, and the microseconds of the core."""

import re

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Microseconds."""
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
"""Seconds per unit."""
WHOLE = r"^(\d+)(s|m|h|d)$"
"""Durations in rules and detections: a whole number and a unit, at least one second."""
_ANY = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_WHOLE = re.compile(WHOLE)


def seconds(text: str) -> float | None:
    """Parses 500ms, 30s, 1.5h, 1d, or a number of seconds. None if it is not a duration."""
    found = _ANY.fullmatch(text.strip())
    return float(found[1]) * UNITS[found[2] or "s"] if found else None


def whole_seconds(text: str) -> int | None:
    """Parses a duration of the form `WHOLE`. None if it is not one."""
    found = _WHOLE.fullmatch(text)
    return int(found[1]) * int(UNITS[found[2]]) if found else None


def written(seconds: float) -> str:
    """Formats seconds in the largest unit that gives a whole number: 6h, 30s."""
    for unit in ("d", "h", "m"):
        size = UNITS[unit]
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
