"""Whatever stands in a configuration: a rule that cannot judge it says where and what in plain words, never in its language's."""

import copy
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from driftline.pipeline.model import micros
from driftline.pipeline.proof.rules.proof import Case, cases, document
from driftline.pipeline.rulebook import BoundRule, Rule, RuleSet, Verdict, load
from driftline.pipeline.rulebook.cel.unexpected_values import NEXT

RULES = load().rules
ODD: list[Any] = [
    None, True, -1, 1.5, 10**30, float("inf"), "", "x", "\ud800", "300.1.1.1/8", "10.0.0.0/33", "::/200", "2026-13-45T99:00:00Z",
    "2026-02-30T00:00:00Z", "0001-01-01", [], [None], ["x"], [[]], {}, {"a": 1}, {"a": None}, {"\ud800": 1},
]  # fmt: skip
VALUE = r"(true|false|null|a list|an object|the number \S+|the text ('[^\n]*'|\"[^\n]*\"))"
PLACE = r"config\.[^\n]*?"
REASONS = "|".join((
    "not a policy document", f"not a policy statement: ({VALUE}|its Effect is {VALUE}|no Effect)",
    f"not a policy condition: ({VALUE}|(an operator with|a value is) {VALUE})", "a resource policy's statement names no principal",
    f"its (Not)?(Action|Resource) (is|holds) {VALUE}", "a statement has (no (Action|Resource)|(Action and NotAction|Resource and NotResource))",
    f"not a (principal|kind of principals): {VALUE}", f"not policies by their ARNs: {VALUE}", f"not policies of a group: {VALUE}",
    f"not a permission: {VALUE}", f"its (IpPermissions|IpRanges|Ipv6Ranges|PrefixListIds|CidrIp|CidrIpv6|PrefixListId) (is|holds) {VALUE}",
    f"not a (policy|permissions boundary) with its ARN: {VALUE}", f"{VALUE} is no (principal|range of addresses|time|number|port)", "too many (combinations|patterns|patterns of actions) to judge",
    "too long a pattern of resources to judge", "a claim is held to a variable", f"not policies (of groups )?by their names: {VALUE}",
    "a Null condition asks for something else than true or false", f"a condition operator that is not known: {VALUE}",
    "whether a Deny holds for the anonymous, who fill no variable, is not said",
    "open to a prefix list, whose entries are not read",
    "whose a canonical user, an id or a bucket is, the policy does not say",
))  # fmt: skip
WORDS = re.compile(
    f"({PLACE} (is missing|has no [^\n]+|is an empty list|is not of the form that it should have|cannot be judged"
    f"|is {VALUE}, (where (a list|an object|a text|a number|true or false) was expected|which is too large)"
    "|(is a text|has a name) with half of a character in it|holds something without '[^\n]*')"
    f"|({PLACE}|{VALUE}) cannot be judged \\(({REASONS})\\)"
    f"|({PLACE} is {VALUE}, )*{PLACE} is {VALUE}(, …)? cannot be judged): {re.escape(NEXT)}"
)
"""All that is said of what cannot be judged: our own words, the place, and what stands there."""


def said(rule: RuleSet, case: Case, resource: dict[str, Any]) -> Verdict:
    return rule.evaluate(resource, {}, micros(datetime.fromisoformat(case.example.now)))[0]


def alone_of(rule: Rule) -> RuleSet:
    return RuleSet([BoundRule(rule, rule.file.severity, rule.file.params)])


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
    alone = alone_of(rule)
    wholes = rule.must.paths | (rule.when.paths if rule.when else frozenset())
    some = [case for case in cases(rule) if not case.example.unread and not case.example.params][:3]
    places = {path[:end] for path in wholes if path[0] == "config" for end in range(2, len(path) + 1)}  # fmt: skip
    assert places
    for case in some:
        resource = document(rule, case.example)
        for place in sorted(places):
            for odd in ODD:
                config = changed(resource["config"], place[1:], copy.deepcopy(odd))
                verdict = said(alone, case, {**resource, "config": config})
                in_our_words(verdict, place, odd)


def in_our_words(verdict: Verdict, *why: Any) -> None:
    if verdict.reason == "error":
        assert WORDS.fullmatch(verdict.detail), (*why, verdict.detail)
        assert len(verdict.detail) <= 500


def steps(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for step, one in inside:
        yield from steps(one, (*path, step))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    new = copy.copy(value)
    new[path[0]] = put(value[path[0]], path[1:], odd)
    return new


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_whatever_stands_in_whichever_field(rule: Rule) -> None:
    alone = alone_of(rule)
    every = [case for case in cases(rule) if not case.example.unread and not case.example.params]
    for case in every[:1] + [case for case in every if case.expected == "failed"][:1]:
        resource = document(rule, case.example)
        for place in list(steps(resource["config"]))[1:]:
            for odd in ODD:
                changed = {**resource, "config": put(resource["config"], place, odd)}
                in_our_words(said(alone, case, changed), place, odd)


@pytest.mark.parametrize(("id", "place", "odd", "words"), [
    ("aws-s3-bucket-acl-not-public", "acl", 5, "config.acl is the number 5, where an object was expected"),
    ("aws-s3-bucket-acl-not-public", "acl.Grants", {"a": 1}, "config.acl.Grants is an object, where a list was expected"),
    ("aws-ec2-vpc-flow-logs-enabled", "flow_logs", [None], "config.flow_logs[0] is null, where an object was expected"),
    ("aws-kms-key-not-pending-deletion", "key", {}, "config.key has no KeyManager"),
    ("aws-s3-bucket-policy-not-public", "policy", {}, "config.policy cannot be judged (not a policy document)"),
    ("aws-ec2-network-acl-no-admin-ports-from-internet", "acl.Entries", [{"CidrBlock": "0.0.0.0/0"}], "config.acl holds something without 'RuleNumber'"),
    ("aws-iam-user-access-key-rotated", "access_keys", [{"Status": "Active", "CreateDate": "soon"}], "the text 'soon' cannot be judged (the text 'soon' is no time)"),
    ("aws-ec2-launch-template-imdsv2-required", "default_version", [], "config.default_version is an empty list"),
    ("aws-ec2-network-acl-no-admin-ports-from-internet", "acl.Entries", [{"RuleNumber": 1, "CidrBlock": "10.0.0.0/33"}], "config.acl cannot be judged (the text '10.0.0.0/33' is no range of addresses)"),
    ("aws-s3-bucket-acl-not-public", "acl.Owner", "\ud800", "config.acl.Owner is a text with half of a character in it"),
    ("aws-iam-user-no-direct-admin", "inline_policies", {"own": []}, "config.inline_policies, config.attached_policies, config.attached_documents, config.group_policies, config.boundary cannot be judged (not a policy document)"),
])  # fmt: skip
def test_in_words(id: str, place: str, odd: Any, words: str) -> None:
    rule = next(rule for rule in RULES if rule.id == id)
    case = cases(rule)[0]
    resource = document(rule, case.example)
    config = changed(resource["config"], tuple(place.split(".")), odd)
    verdict = said(alone_of(rule), case, {**resource, "config": config})
    assert (verdict.evaluation, verdict.reason) == ("unknown", "error")
    assert verdict.detail == f"{words}: {NEXT}"
