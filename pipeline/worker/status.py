"""What a worker shows of itself: ready or not, what it holds, what waits, what it has counted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from driftline.pipeline.ops import metrics
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker.stages import Folding

GOOD = ("unchanged", "changed", "duplicates", "older", "changes", "evidence", "signals", "late", "unknown", "marks")  # fmt: skip


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
        counts = partition.counts
        for outcome in (*GOOD, "bad"):
            if counts[outcome]:
                metrics.RECORDS.labels(outcome).inc(counts.pop(outcome))
        for reason, count in counts.items():
            word, _, rest = reason.partition(" ")
            if word == "drift":
                metrics.DRIFTS.labels(*rest.split()).inc(count)
            elif word == "alert":
                metrics.ALERTS.labels(*rest.split()).inc(count)
            elif word == "held":
                metrics.HELD.inc(count)
            elif reason == "forgotten states":
                metrics.FORGOTTEN.inc(count)
            elif word == "mark":
                pass  # only time
            elif word == "signal":
                metrics.SIGNALS.inc(count)
            elif word == "unfollowed":
                metrics.UNFOLLOWED.inc(count)
            else:
                metrics.FINDINGS.labels(reason).inc(count)
        counts.clear()
