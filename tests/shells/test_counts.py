"""What the folds count becomes metrics: every kind has one, and none is taken for another."""

from typing import Any

import pytest

from driftline.pipeline.ops import metrics
from driftline.pipeline.records.counts import (
    GOOD,
    AlertCount,
    Count,
    DriftCount,
    FindingCount,
    Occurrence,
    Outcome,
)
from driftline.pipeline.state.shard import Shard
from driftline.pipeline.worker import status

ALL: list[tuple[Count, Any, dict[str, str]]] = [
    *((one, metrics.RECORDS, {"outcome": one.value}) for one in Outcome),
    (FindingCount("opened"), metrics.FINDINGS, {"reason": "opened"}),
    (DriftCount("attributed", "sweep"), metrics.DRIFTS, {"attribution": "attributed", "found_by": "sweep"}),
    (AlertCount("active", "high"), metrics.ALERTS, {"state": "active", "severity": "high"}),
    (Occurrence.FORGOTTEN_STATE, metrics.FORGOTTEN, {}),
    (Occurrence.SIGNAL, metrics.SIGNALS, {}),
    (Occurrence.UNFOLLOWED_MATCH, metrics.UNFOLLOWED, {}),
    (Occurrence.HELD_BACK_ALERT, metrics.HELD, {}),
]  # fmt: skip
KINDS = (metrics.RECORDS, metrics.FINDINGS, metrics.DRIFTS, metrics.ALERTS, metrics.FORGOTTEN, metrics.SIGNALS, metrics.UNFOLLOWED, metrics.HELD)  # fmt: skip


class OnlyCounts:
    """A fold, as far as the metrics look at it."""

    def __init__(self) -> None:
        self.counts = Shard(0, lambda _: None).counts


def values() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for kind in KINDS
        for family in kind.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def test_every_occurrence_is_here() -> None:
    assert set(Occurrence) <= {count for count, _, _ in ALL}


@pytest.mark.parametrize(("count", "metric", "labels"), ALL, ids=[str(one) for one, _, _ in ALL])
def test_a_count_moves_its_metric_alone(count: Count, metric: Any, labels: dict[str, str]) -> None:
    fold: Any = OnlyCounts()
    fold.counts[count] += 3
    before = values()
    status.export_counts([fold])
    after = values()
    moved = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key)}  # fmt: skip
    (family,) = metric.collect()
    assert moved == {(f"{family.name}_total", tuple(sorted(labels.items()))): 3}
    assert not fold.counts


def test_counts_of_different_kinds_are_never_equal() -> None:
    """As tuples an attribution and a state of the same words would be."""
    counts = [count for count, _, _ in ALL] + [DriftCount("x", "y"), AlertCount("x", "y"), FindingCount("changed")]  # fmt: skip
    assert len(set(counts)) == len(counts)


def test_the_bad_are_no_part_of_the_good() -> None:
    fold: Any = OnlyCounts()
    for outcome in Outcome:
        fold.counts[outcome] += 1
    assert status.good_elements(fold) == len(GOOD) == len(Outcome) - 3
