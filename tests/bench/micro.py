"""The core alone, no Kafka: an unchanged reading from bytes in to bytes out; twenty rules on one document."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import micros
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.topics import SNAPSHOTS
from driftline.pipeline.rulebook import BoundRule, RuleSet, load
from tests.bench import buckets

START = datetime(2026, 1, 1, tzinfo=UTC)
N, ROUNDS = 2000, 7
WANTED_RULES = 20


def run() -> dict[str, Any]:
    """Microseconds: unchanged_us, changed_us, rules_us (all twenty), and each rule of the type alone."""
    return unchanged() | rules()


def unchanged() -> dict[str, Any]:
    """A sweep in which nothing, and one in which everything, differs from the one before."""
    store: dict[bytes, bytes | None] = {}
    partition = Partition(0, store.get, load())
    offset, said = 0, 0

    def sweep(at: datetime, round_: int) -> float:
        nonlocal offset, said
        values = [value for _, value, _ in buckets.sweep(range(N), at, 1.0, round_)]
        began = time.thread_time()
        for value in values:
            offset += 1
            partition.apply(SNAPSHOTS.name, value, offset)
            work = partition.take()
            store.update(work.rows)
            said += len(work.outputs)
        return (time.thread_time() - began) / N * 1e6

    sweep(START, 0)
    same = [
        sweep(START + timedelta(seconds=m), 0) for m in range(1, ROUNDS + 1)
    ]  # hardly one is due to be restated
    counts = partition.counts
    if counts[Outcome.UNCHANGED] < 0.99 * N * ROUNDS:
        raise RuntimeError(f"the short cut was not taken: {dict(counts)}")
    other = [sweep(START + timedelta(minutes=60 + m), m) for m in range(1, 4)]
    return {
        "unchanged_us": statistics.median(same), "unchanged_us_range": [min(same), max(same)],
        "changed_us": statistics.median(other), "config_bytes": buckets.size(), "rules_of_type": len(load().only(types=[buckets.TYPE]).rules),
    }  # fmt: skip


def rules() -> dict[str, Any]:
    """The real rules of the type; as there are fewer than twenty, some stand more than once, under other ids."""
    rulebook = load()
    own = list(rulebook.select(buckets.TYPE, "111111111111", {}).rules)
    twenty = [_copy(own[n % len(own)], n) for n in range(WANTED_RULES)]
    document = {
        "uid": buckets.uid(1), "type": buckets.TYPE, "provider": "aws", "account": "111111111111",
        "region": "eu-west-1", "name": "bench", "tags": {"env": "prod"}, "config": buckets.config(1),
    }  # fmt: skip
    now = micros(START)

    alone = {rule.id: median_us(judging([rule], document, now)) for rule in own}
    return {
        "rules_us": median_us(judging(twenty, document, now)),
        "rules_real": len(own),
        "rule_us": dict(sorted(alone.items(), key=lambda item: -item[1])),
    }


def _copy(bound: BoundRule, number: int) -> BoundRule:
    rule = bound.rule
    file = rule.file.model_copy(update={"id": f"{rule.id}-{number}"})
    return BoundRule(replace(rule, file=file), bound.severity, bound.params)


def judging(chosen: list[BoundRule], resource: dict[str, Any], now: int) -> Callable[[], Any]:
    """One judgement of a resource by some rules, to be measured."""
    rule_set = RuleSet(chosen)
    return lambda: rule_set.evaluate(resource, {}, now)


def median_us(work: Callable[[], Any], n: int = 400, rounds: int = ROUNDS) -> float:
    """Microseconds of one call, the median of some rounds of n."""
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(n):
            work()
        times.append((time.thread_time() - began) / n * 1e6)
    return statistics.median(times)


if __name__ == "__main__":
    import pprint

    pprint.pp(run())
