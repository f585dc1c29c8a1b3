"""What each rule costs, on the document of its own proof; and all rules of a type together, on all their parts."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pipeline.model import micros
from pipeline.rulebook import BoundRule, RuleSet, load
from pipeline.rulebook.proof import cases, document

N, ROUNDS, SHOWN = 100, 5, 10


def run() -> dict[str, Any]:
    """us_a_rule_by_type (all rules of a type in one judgement, divided), dearest (ten rules alone), median_us."""
    alone: dict[str, float] = {}
    documents: dict[str, dict[str, Any]] = {}
    times: dict[str, int] = {}
    rules: dict[str, list[BoundRule]] = defaultdict(list)
    for rule in load().rules:
        example = next(case.example for case in cases(rule) if case.expected != "unknown")
        bound, resource = BoundRule(rule, rule.file.severity, rule.file.params), document(rule, example)  # fmt: skip
        now = micros(datetime.fromisoformat(example.now))
        alone[rule.id] = _median(judging([bound], resource, now))
        rules[rule.type].append(bound)
        times[rule.type] = now
        whole = documents.setdefault(rule.type, resource | {"config": {}})
        whole["config"] = resource["config"] | whole["config"]
    by_type = {
        type_: _median(judging(own, documents[type_], times[type_])) / len(own) for type_, own in rules.items()
    }  # fmt: skip
    dearest = sorted(alone.items(), key=lambda item: -item[1])[:SHOWN]
    return {
        "rules": len(alone), "median_us": statistics.median(alone.values()), "dearest": dict(dearest),
        "us_a_rule_by_type": dict(sorted(by_type.items(), key=lambda item: -item[1])),
    }  # fmt: skip


def judging(chosen: list[BoundRule], resource: dict[str, Any], now: int) -> Callable[[], Any]:
    rule_set = RuleSet(chosen)
    return lambda: rule_set.judge(resource, {}, now)


def _median(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(N):
            work()
        times.append((time.thread_time() - began) / N * 1e6)
    return statistics.median(times)


if __name__ == "__main__":
    import pprint

    pprint.pp(run(), sort_dicts=False)
