"""All rules of a type asked in one question say what each says alone, and one that errs spoils none."""

from datetime import datetime
from typing import Any

import pytest

from driftline.pipeline.model import micros
from driftline.pipeline.proof.rules.proof import UnreadByExample, cases, document
from driftline.pipeline.rulebook import BoundRule, Rule, RuleSet, Verdict, load

RULES = load().rules
TYPES = sorted({rule.type for rule in RULES})


def bound(rule: Rule) -> BoundRule:
    return BoundRule(rule, rule.file.severity, rule.file.params)


def told(verdicts: list[Verdict]) -> list[tuple[Any, ...]]:
    return [(v.rule.id, v.evaluation, v.reason, v.detail, v.evidence) for v in verdicts]


@pytest.mark.parametrize("type_", TYPES)
def test_together_they_say_what_each_says_alone(type_: str) -> None:
    rules = [rule for rule in RULES if rule.type == type_]
    parts: dict[str, Any] = {}
    for rule in rules:
        parts = rule.file.examples.base["config"] | parts
    copies = [bound(rule) for rule in rules] + [bound(rule) for rule in rules]  # a pair is two
    one_by_one, all_at_once = [RuleSet([b]) for b in copies], RuleSet(copies)
    for rule in rules:
        for case in (case for case in cases(rule) if not case.example.params):
            resource = document(rule, case.example)
            resource["config"] = parts | resource["config"]
            now = micros(datetime.fromisoformat(case.example.now))
            for hidden in ({}, {part: UnreadByExample() for part in case.example.unread}):
                alone = [rules_.evaluate(resource, hidden, now)[0] for rules_ in one_by_one]
                together = all_at_once.evaluate(resource, hidden, now)
                assert sorted(told(together)[::2]) == sorted(told(alone)[: len(rules)]), (
                    case.example.name
                )


def test_one_that_errs_spoils_no_other() -> None:
    rules = [rule for rule in RULES if rule.type == "AWS::S3::Bucket"]
    config: dict[str, Any] = {}
    for rule in rules:
        config = rule.file.examples.base["config"] | config
    config["policy"] = {"Statement": "not a policy"}
    resource = document(rules[0], cases(rules[0])[0].example) | {"config": config}
    verdicts = RuleSet([bound(rule) for rule in rules]).evaluate(resource, {}, 0)
    by_rule = {verdict.rule.id: verdict.evaluation for verdict in verdicts}
    assert by_rule["aws-s3-bucket-policy-not-public"] == "unknown"
    assert by_rule["aws-s3-bucket-public-access-blocked"] in ("passed", "failed")
    assert sum(evaluation == "unknown" for evaluation in by_rule.values()) < len(rules) / 2
