"""What a worker shows of itself: ready or not, what it holds, what waits, what it has counted."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline import metrics
from pipeline.partition import Partition
from pipeline.topics import CHANGES, CONTROL, SNAPSHOTS

INPUTS = (SNAPSHOTS.name, CHANGES.name, CONTROL.name)
GOOD = ("unchanged", "changed", "duplicates", "older", "changes", "evidence")


def elements(partition: Partition) -> int:
    """Elements processed and not yet counted()."""
    return sum(partition.counts[outcome] for outcome in GOOD)


def ready(app: Any, expected: Mapping[tuple[str, int], int]) -> None:
    """Ready is who holds partitions whose states are recovered. `expected`: the offset that comes next."""
    recovered = app.tables.recovery.completed.is_set() and not app.rebalancing
    held = [tp for tp in app.consumer.assignment() if tp.topic in INPUTS] if recovered else []
    for tp in held:
        high, at = app.consumer.highwater(tp), expected.get((tp.topic, tp.partition))
        if high is not None and at is not None:
            metrics.WAITING.labels(tp.topic, tp.partition).set(max(0, high - at))
    metrics.PARTITIONS.set(sum(tp.topic == SNAPSHOTS.name for tp in held))
    metrics.READY.set(int(recovered))


def revoked() -> None:
    """Nothing is held any more."""
    metrics.READY.set(0)
    metrics.PARTITIONS.set(0)
    metrics.WAITING.clear()


def counted(partitions: Iterable[Partition]) -> None:
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
            else:
                metrics.FINDINGS.labels(reason).inc(count)
        counts.clear()
