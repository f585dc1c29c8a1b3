"""A worker's metrics: readiness, assigned partitions, lag, and what its folds have counted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

from driftline.pipeline.ops import metrics
from driftline.pipeline.records.counts import (
    GOOD,
    AlertCount,
    Count,
    DriftCount,
    FindingCount,
    Occurrence,
    Outcome,
    TicketCount,
)
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker.stages import ShardFold


def good_elements(partition: ShardFold) -> int:
    """Elements processed without an error since the last export."""
    return sum(partition.counts[outcome] for outcome in GOOD)


def ready(app: Any, expected: Mapping[tuple[str, int], int], inputs: Sequence[str]) -> None:
    """Updates readiness, lag and the number of assigned partitions. A worker is ready when the state of its partitions is
    recovered. `expected`: the next offset by topic and partition; `inputs`: input topics, of which the first is counted."""
    recovered = faust_seam.recovered(app)
    held = faust_seam.assigned(app, inputs) if recovered else []
    for tp in held:
        high, at = app.consumer.highwater(tp), expected.get((tp.topic, tp.partition))
        if high is not None and at is not None:
            metrics.WAITING.labels(tp.topic, tp.partition).set(max(0, high - at))
    metrics.PARTITIONS.set(sum(tp.topic == inputs[0] for tp in held))
    metrics.READY.set(int(recovered))


def revoked() -> None:
    """Resets the metrics of assigned partitions: there are none."""
    metrics.READY.set(0)
    metrics.PARTITIONS.set(0)
    metrics.WAITING.clear()


def export_counts(partitions: Iterable[ShardFold]) -> None:
    """Moves the counts of folds into the metrics."""
    for partition in partitions:
        for count, number in partition.counts.items():
            _metric(count).inc(number)
        partition.counts.clear()


def _metric(count: Count) -> Any:
    match count:
        case Outcome():
            return metrics.RECORDS.labels(count.value)
        case FindingCount():
            return metrics.FINDINGS.labels(count.reason)
        case DriftCount():
            return metrics.DRIFTS.labels(count.attribution, count.found_by)
        case AlertCount():
            return metrics.ALERTS.labels(count.state, count.severity)
        case TicketCount():
            return metrics.TICKETS.labels(count.state, count.severity)
        case Occurrence.FORGOTTEN_STATE:
            return metrics.FORGOTTEN
        case Occurrence.SIGNAL:
            return metrics.SIGNALS
        case Occurrence.UNFOLLOWED_MATCH:
            return metrics.UNFOLLOWED
        case Occurrence.HELD_BACK_ALERT:
            return metrics.HELD
        case _:
            assert_never(count)
