"""What a worker shows of itself: ready or not, what it holds, what waits, what it has counted."""

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
)
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker.stages import Folding


def elements(partition: Folding) -> int:
    """Elements processed and not yet counted()."""
    return sum(partition.counts[outcome] for outcome in GOOD)


def ready(app: Any, expected: Mapping[tuple[str, int], int], inputs: Sequence[str]) -> None:
    """Ready is who holds partitions whose states are recovered. `expected`: the offset that
    comes next; `inputs`: topics, the first of which is counted."""
    recovered = faust_seam.recovered(app)
    held = faust_seam.assigned(app, inputs) if recovered else []
    for tp in held:
        high, at = app.consumer.highwater(tp), expected.get((tp.topic, tp.partition))
        if high is not None and at is not None:
            metrics.WAITING.labels(tp.topic, tp.partition).set(max(0, high - at))
    metrics.PARTITIONS.set(sum(tp.topic == inputs[0] for tp in held))
    metrics.READY.set(int(recovered))


def revoked() -> None:
    """Nothing is held any more."""
    metrics.READY.set(0)
    metrics.PARTITIONS.set(0)
    metrics.WAITING.clear()


def counted(partitions: Iterable[Folding]) -> None:
    """Moves what partitions have counted into the metrics."""
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
