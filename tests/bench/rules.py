"""What each rule costs, on the document of its own proof; and all rules of a type together, on all their parts."""

import statistics
from collections import defaultdict
from datetime import datetime
from typing import Any

from driftline.pipeline.model import micros
from driftline.pipeline.proof.rules.proof import cases, document
from driftline.pipeline.rulebook import BoundRule, load
from tests.bench.micro import judging, median_us

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
        alone[rule.id] = median_us(judging([bound], resource, now), N, ROUNDS)
        rules[rule.type].append(bound)
        times[rule.type] = now
        whole = documents.setdefault(rule.type, resource | {"config": {}})
        whole["config"] = resource["config"] | whole["config"]
    by_type = {
        type_: median_us(judging(own, documents[type_], times[type_]), N, ROUNDS) / len(own) for type_, own in rules.items()
    }  # fmt: skip
    dearest = sorted(alone.items(), key=lambda item: -item[1])[:SHOWN]
    return {
        "rules": len(alone), "median_us": statistics.median(alone.values()), "dearest": dict(dearest),
        "us_a_rule_by_type": dict(sorted(by_type.items(), key=lambda item: -item[1])),
    }  # fmt: skip


if __name__ == "__main__":
    import pprint

    pprint.pp(run(), sort_dicts=False)
