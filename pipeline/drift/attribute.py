"""Who caused a drift: the changes that may have, ranked; never a guess. Pure; times in microseconds since 1970."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.state import Seen

SKEW = 60_000_000
"""How far a service's clock, and the time its answers lag behind, may be off."""
ANY_PART, THIS_PART, BY_VALUE = 0.5, 0.7, 0.3
"""A change that may touch any part; one that touches this one; the new values stand in its request."""


class Cause(NamedTuple):
    attribution: str
    """`attributed`, `ambiguous`, or `none`: nothing seen so far can have done it."""
    candidates: list[tuple[Seen, float]]
    """The likeliest first, with the confidence in each."""


def attribute(
    history: Sequence[Seen], part: str, since: int, at: int, values: frozenset[int],
    shown: frozenset[str] = frozenset(),
) -> Cause:  # fmt: skip
    """The causes of a drift in `part` that a reading of `at` shows and the one of `since` did not.

    `values`: hashes of the scalars that are new or gone; `shown`: ids of changes that an earlier drift shows: less
    likely here (what no drift shows yet may only have been read too early). Candidates are the successful changes in (since, at], the
    skew allowed on both sides, that can touch the part. The order in time decides nothing: both of two people who
    touched it may have done it. Two accounts' evidence of one cause counts once."""
    found: dict[str, tuple[Seen, float]] = {}
    for seen in history:
        if not since - SKEW < seen.at <= at + SKEW:
            continue
        if seen.parts and part not in seen.parts:
            continue
        confidence = THIS_PART if seen.parts else ANY_PART
        if values:
            confidence += BY_VALUE * len(values.intersection(seen.values)) / len(values)
        if seen.at > at or (seen.at <= since and seen.id in shown):
            confidence -= 0.1
        known = found.get(seen.shared or seen.id)
        if known is None or (confidence, seen.id) > (known[1], known[0].id):
            found[seen.shared or seen.id] = (seen, round(confidence, 3))
    ranked = sorted(found.values(), key=lambda pair: (-pair[1], pair[0].at, pair[0].id))
    if not ranked:
        return Cause("none", [])
    best = [seen.actor["id"] for seen, confidence in ranked if confidence == ranked[0][1]]
    return Cause("attributed" if len(set(best)) == 1 else "ambiguous", ranked)
