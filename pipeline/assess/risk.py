"""Risk from 0 to 100, as a sum of named factors, each with its share. Pure."""

from collections.abc import Mapping
from typing import Any

from driftline.pipeline.common.durations import DAY

SEVERITY = {"critical": 50, "high": 40, "medium": 25, "low": 12, "informational": 3}
EXPOSURE = {"internet": 20, "organization": 10, "account": 5, "none": 0}
PRIVILEGE = {"admin": 12, "write": 8, "read": 4, "none": 0}
CRITICALITY = {"critical": 13, "high": 9, "medium": 5, "low": 0, "unknown": 4}
AGE_DAYS_A_POINT, AGE_MOST = 30, 5

NONE: dict[str, Any] = {"score": 0, "factors": []}
"""A finding that does not fail has no risk."""


def criticality(tags: Mapping[str, str], levels: Mapping[str, Mapping[str, str]]) -> str:
    """The highest level of any tag, from the settings' table tag -> value -> level; else `unknown`."""
    lower = {key.lower(): value.lower() for key, value in tags.items()}
    found = [values[lower[tag]] for tag, values in levels.items() if lower.get(tag, "") in values]
    return max(found, key=lambda level: CRITICALITY[level]) if found else "unknown"


def risk(
    severity: str, exposure: str, privilege: str, level: str, opened_at: int | None, at: int
) -> dict[str, Any]:
    """The score and its factors for a failing finding. Times in microseconds; level is from `criticality`."""
    days = max(0, at - opened_at) // DAY if opened_at is not None else 0
    factors = [
        {"name": "severity", "value": severity, "share": SEVERITY[severity]},
        {"name": "exposure", "value": exposure, "share": EXPOSURE[exposure]},
        {"name": "privilege", "value": privilege, "share": PRIVILEGE[privilege]},
        {"name": "criticality", "value": level, "share": CRITICALITY[level]},
        {"name": "age", "value": f"{days} d", "share": min(AGE_MOST, days // AGE_DAYS_A_POINT)},
    ]
    return {"score": sum(factor["share"] for factor in factors), "factors": factors}
