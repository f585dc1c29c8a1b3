"""How correlations build on each other, and how long each may defer late hits. Pure."""

from driftline.pipeline.detections.engine import DetectionEngine

MAX_DEFERRAL = 120_000_000
"""Longest deferral of late hits by the watermark, in microseconds; a quarter of the timespan if that is shorter."""


def max_deferrals(content: DetectionEngine) -> dict[str, int]:
    """Returns the longest deferral by correlation, in microseconds; 0 where another correlation uses its alerts."""
    above = {rule for id, one in content.correlations.items() for rule in one.rules if rule != id}
    return {
        id: 0 if id in above else min(MAX_DEFERRAL, one.timespan // 4)
        for id, one in content.correlations.items()
    }


def levels(content: DetectionEngine) -> dict[str, int]:
    """Returns the level of every correlation: 1 if it uses rules only, 2 if it uses a correlation of level 1, and so
    on."""
    out: dict[str, int] = {}

    def level(id: str) -> int:
        if id not in out:
            below = [rule for rule in content.correlations[id].rules if rule != id and rule in content.found.correlations]  # fmt: skip
            out[id] = 1 + max(map(level, below), default=0)
        return out[id]

    for id in content.correlations:
        level(id)
    return out


def extra_delay(content: DetectionEngine) -> dict[int, int]:
    """Returns, by level, how much later than the lateness the alerts of its correlations can be known, in
    microseconds. Only correlations that another one uses count: absence is known only after a timespan."""
    out: dict[int, int] = {}
    stands = levels(content)
    above = {rule for one in content.correlations.values() for rule in one.rules}
    for id, level in stands.items():
        spec = content.correlations[id].spec()
        if id in above and spec.absent:
            out[level] = max(out.get(level, 0), spec.timespan)
    return out
