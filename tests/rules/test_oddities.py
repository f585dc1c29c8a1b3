"""Whatever stands in a configuration: a rule that cannot judge it says where and what in plain words, never in its language's."""

import copy
import re
from datetime import datetime
from typing import Any

import pytest

from pipeline.model import micros
from pipeline.rulebook import BoundRule, Rule, RuleSet, Verdict, load
from pipeline.rulebook.oddities import NEXT
from pipeline.rulebook.proof import Case, cases, document

RULES = load().rules
ODD: list[Any] = [None, True, -1, 1.5, "", "x", "2026-13-45T99:00:00Z", [], [None], ["x"], [[]], {}, {"a": 1}, {"a": None}]  # fmt: skip
LANGUAGE = re.compile(
    "overload|matching|index error|not found in map|no such|INVALID_ARGUMENT|NOT_FOUND|OUT_OF_RANGE|UNKNOWN|INTERNAL|"
    r"truth value|object has no|NoneType|Traceback|<input>|invalid literal|argument|SELECT to|iter_range|_\?|container type|"
    "keyword|positional|subscript|unhashable|not iterable|must be a str|expected str|unpack",
    re.IGNORECASE,
)


def said(rule: BoundRule, case: Case, resource: dict[str, Any]) -> Verdict:
    return RuleSet([rule]).judge(resource, {}, micros(datetime.fromisoformat(case.example.now)))[0]


def changed(value: Any, path: tuple[str, ...], odd: Any) -> Any:
    """A copy with something else at a path; in a list at its first element."""
    if not path:
        return odd
    if isinstance(value, list):
        rest = path[1:] if path[0] == "[]" else path
        return [changed(value[0], rest, odd), *value[1:]] if value else [odd]
    if isinstance(value, dict):
        if path[0] == "[]":
            return {key: changed(one, path[1:], odd) for key, one in value.items()}
        return value | {path[0]: changed(value.get(path[0]), path[1:], odd)}
    return odd


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_no_error_of_the_language_reaches_a_person(rule: Rule) -> None:
    bound = BoundRule(rule, rule.file.severity, rule.file.params)
    wholes = rule.must.paths | (rule.when.paths if rule.when else frozenset())
    some = [case for case in cases(rule) if not case.example.unread and not case.example.params][:3]
    places = {path[:end] for path in wholes if path[0] == "config" for end in range(2, len(path) + 1)}  # fmt: skip
    assert places
    for case in some:
        resource = document(rule, case.example)
        for place in sorted(places):
            for odd in ODD:
                config = changed(resource["config"], place[1:], copy.deepcopy(odd))
                verdict = said(bound, case, {**resource, "config": config})
                if verdict.evaluation != "unknown":
                    continue
                assert not LANGUAGE.search(verdict.detail), (place, odd, verdict.detail)
                if verdict.reason == "error":
                    assert verdict.detail.endswith(NEXT)
                    assert "config." in verdict.detail or verdict.detail.startswith("'")
                    assert len(verdict.detail) <= 500


def rule_of(id: str) -> BoundRule:
    rule = next(rule for rule in RULES if rule.id == id)
    return BoundRule(rule, rule.file.severity, rule.file.params)


@pytest.mark.parametrize(("id", "place", "odd", "words"), [
    ("aws-s3-bucket-acl-not-public", "acl", 5, "config.acl is the number 5, where an object was expected"),
    ("aws-s3-bucket-acl-not-public", "acl.Grants", {"a": 1}, "config.acl.Grants is an object, where a list was expected"),
    ("aws-ec2-vpc-flow-logs-enabled", "flow_logs", [None], "config.flow_logs[0] is null, where an object was expected"),
    ("aws-kms-key-not-pending-deletion", "key", {}, "config.key has no KeyManager"),
    ("aws-s3-bucket-policy-not-public", "policy", {}, "config.policy cannot be judged (not a policy document)"),
    ("aws-ec2-network-acl-no-admin-ports-from-internet", "acl.Entries", [{"CidrBlock": "0.0.0.0/0"}], "config.acl holds something without 'RuleNumber'"),
    ("aws-iam-user-access-key-rotated", "access_keys", [{"Status": "Active", "CreateDate": "soon"}], "'soon' cannot be judged (Invalid isoformat string: 'soon')"),
    ("aws-ec2-launch-template-imdsv2-required", "default_version", [], "config.default_version is an empty list"),
])  # fmt: skip
def test_in_words(id: str, place: str, odd: Any, words: str) -> None:
    rule = rule_of(id)
    case = cases(rule.rule)[0]
    resource = document(rule.rule, case.example)
    config = changed(resource["config"], tuple(place.split(".")), odd)
    verdict = said(rule, case, {**resource, "config": config})
    assert (verdict.evaluation, verdict.reason) == ("unknown", "error")
    assert verdict.detail == f"{words}: {NEXT}"
