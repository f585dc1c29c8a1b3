"""Whatever JSON stands in a policy, or in what a function is given: an answer, or that there is none, in plain words."""

import copy
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.model import micros
from driftline.pipeline.proof.rules.proof import Case, cases, document
from driftline.pipeline.rulebook import BoundRule, Rule, RuleSet, load
from driftline.pipeline.rulebook.aws import efs_policy, federation, grants, reasons, resource_policy
from driftline.pipeline.rulebook.aws.functions import FUNCTIONS
from driftline.pipeline.rulebook.aws.identity import judges
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import PARTS, subject
from driftline.pipeline.rulebook.unjudged import CannotEvaluate
from driftline.pipeline.rulebook.wording.sentence import Situation
from tests.rules.test_oddities import put, steps

OWN = "111111111111"
USER = Holder(OWN, f"arn:aws:iam::{OWN}:user/ann", 1_790_000_000_000_000)
WORDS = [
    "*", "Allow", "Deny", "s3:GetObject", "iam:*", "sts:AssumeRoleWithWebIdentity", f"arn:aws:iam::{OWN}:root", "arn:aws:s3:::b/*", "0.0.0.0/0", "true", "x", "",
    "lambda.amazonaws.com", f"arn:aws:iam::{OWN}:oidc-provider/token.actions.githubusercontent.com", "2020-01-01", "5",
]  # fmt: skip
NAMES = [
    "Statement", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition", "Sid", "AWS", "Service", "Federated",
    "StringEquals", "StringNotLike", "IpAddress", "NumericEquals", "DateLessThan", "Null", "Bool", "aws:PrincipalArn", "aws:SourceIp", "aws:PrincipalAccount",
    "aws:SecureTransport", "PolicyArn", "PermissionsBoundaryArn", "arn", *sorted(PARTS),
]  # fmt: skip
leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.sampled_from(WORDS)
json = st.recursive(
    leaves,
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inside, max_size=4)
    ),
    max_leaves=12,
)
STATEMENT = {
    "Sid": "One", "Effect": "Allow", "Principal": {"AWS": "*", "Federated": WORDS[13], "Service": WORDS[12]}, "Action": ["*"], "Resource": ["*"],
    "Condition": {"StringEquals": {"aws:username": ["x"]}, "IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
}  # fmt: skip
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        STATEMENT,
        STATEMENT | {"Effect": "Deny"},
        {k: v for k, v in STATEMENT.items() if k != "Condition"},
    ],
}
PLACES = list(steps(POLICY))
JUDGES: list[Callable[[Any], bool]] = [
    lambda one: resource_policy.allows_public(one, OWN),
    lambda one: resource_policy.allows_cross_account(one, OWN),
    lambda one: resource_policy.requires_tls(one, "arn:aws:s3:::b"),
    lambda one: efs_policy.allows_public(one, OWN),
    lambda one: grants.gives_others(one, OWN, "s3:GetObject"),
    lambda one: grants.allows_service(one, OWN, "lambda.amazonaws.com"),
    lambda one: grants.allows_service_for_anybody(one, OWN, "lambda.amazonaws.com"),
    lambda one: federation.trusts_any_tenant(one, OWN),
    lambda one: federation.trusts_whole_provider(one, OWN),
    *(
        lambda one, asked=asked: asked(subject({"document": one}), USER) is not None
        for asked in (judges.is_admin, judges.decrypts_everything)
    ),
]  # fmt: skip
FOREIGN = re.compile(r"[{}\[\]]|\bNone\b|\bTrue\b|\bFalse\b|0x[0-9a-f]{6}|Traceback|Error\b")
"""What no sentence has: another language's values and errors."""


def said(asked: Callable[[], Any]) -> Any:
    """What is said, or why nothing can be."""
    try:
        return asked()
    except CannotEvaluate as why:
        return [str(why)]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PLACES), json)
def test_any_json_in_a_policy(place: tuple[Any, ...], odd: Any) -> None:
    policy = put(copy.deepcopy(POLICY), place, odd)
    for judge in JUDGES:
        answer = said(lambda: judge(policy))  # noqa: B023 - asked at once
        words = said(lambda: reasons.deciding(policy, judge))  # noqa: B023 - asked at once
        assert answer in (True, False) or not FOREIGN.search(answer[0])
        assert not FOREIGN.search(" ".join(words))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(PARTS)), json, max_size=6))
def test_any_json_in_the_parts_of_an_identity(parts: dict[str, Any]) -> None:
    for judge in (judges.holds_iam, judges.escalates):
        answer = said(lambda: judge(subject(parts, "user", sorted(PARTS)), USER))  # noqa: B023 - asked at once
        if isinstance(answer, judges.Answer):
            answer = [answer.what, *answer.actions, *answer.places]
        assert not FOREIGN.search(" ".join(answer or ()))


CALLING = [rule for rule in load().rules if any(f"{name}(" in str(rule.file.model_dump()) for name in FUNCTIONS)]  # fmt: skip
ODD: list[Any] = [
    None,
    True,
    5,
    "x",
    "*",
    [],
    ["a"],
    [None],
    {},
    {"a": 1},
    {"a": ["b"]},
    [{"a": 1}],
]


def changed(rule: Rule) -> Iterator[tuple[Case, dict[str, Any], Any]]:
    """A failing example of a rule with something else in each of its places, once or twice."""
    random = Random(rule.id)
    case = next(
        one
        for one in cases(rule)
        if one.expected == "failed" and not one.example.unread and not one.example.params
    )
    resource = document(rule, case.example)
    for place in list(steps(resource["config"]))[1:]:
        for odd in random.sample(ODD, 2):
            yield case, {**resource, "config": put(resource["config"], place, odd)}, (place, odd)


@pytest.mark.parametrize("rule", CALLING, ids=[rule.id for rule in CALLING])
def test_no_sentence_has_a_foreign_word(rule: Rule) -> None:
    bound = BoundRule(rule, rule.file.severity, rule.file.params)
    for case, resource, why in changed(rule):
        now = micros(datetime.fromisoformat(case.example.now))
        verdict = RuleSet([bound]).evaluate(resource, {}, now)[0]
        assert verdict.evaluation in ("passed", "failed", "unknown", "not_applicable")
        if verdict.evaluation == "failed" and rule.sentence is not None:
            told = rule.sentence.said(Situation(resource, resource["config"], now, bound.params))
            assert told is None or not FOREIGN.search(told[0]), (why, told)
