"""How correlations stand over one another, and how long each may let late hits wait. Pure."""

from driftline.pipeline.detections.engine import Watch

MAX_DEFERRAL = 120_000_000
"""Microseconds that late hits wait at most, by the watermark; a quarter of a timespan that is shorter."""


def max_deferrals(content: Watch) -> dict[str, int]:
    """How long the late ones of each correlation may wait: not at all where another looks for its alerts."""
    above = {rule for id, one in content.correlations.items() for rule in one.rules if rule != id}
    return {
        id: 0 if id in above else min(MAX_DEFERRAL, one.timespan // 4)
        for id, one in content.correlations.items()
    }


def levels(content: Watch) -> dict[str, int]:
    """How high each correlation stands: 1 over rules, 2 over one of those, and so on."""
    out: dict[str, int] = {}

    def level(id: str) -> int:
        if id not in out:
            below = [rule for rule in content.correlations[id].rules if rule != id and rule in content.found.correlations]  # fmt: skip
            out[id] = 1 + max(map(level, below), default=0)
        return out[id]

    for id in content.correlations:
        level(id)
    return out


def extra_delay(content: Watch) -> dict[int, int]:
    """How much further behind their watermark than the lateness the correlations of a level tell of an alert, where another
    looks for it: what must not follow is known to be absent only a timespan later. In microseconds."""
    out: dict[int, int] = {}
    stands = levels(content)
    above = {rule for one in content.correlations.values() for rule in one.rules}
    for id, level in stands.items():
        spec = content.correlations[id].spec()
        if id in above and spec.absent:
            out[level] = max(out.get(level, 0), spec.timespan)
    return out
