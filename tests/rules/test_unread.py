"""Unknown only where the answer hangs on what is unread: what is said with a part unread is said with every value of it."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.model import micros
from driftline.pipeline.proof.rules.outcomes import can_answer
from driftline.pipeline.proof.rules.proof import UnreadByExample, cases, document
from driftline.pipeline.rulebook import BoundRule, Rule, RuleSet, Verdict, load
from driftline.pipeline.rulebook.cel.expression import compile_text
from driftline.pipeline.rulebook.rule import RuleFile, load_rule
from driftline.pipeline.rulebook.shapes import builtin_shapes

RULES = load().rules
SEVERAL = [rule for rule in RULES if len(rule.file.needs) > 1]
BUCKET_BLOCKED = next(rule for rule in RULES if rule.id == "aws-s3-bucket-public-access-blocked")
NOTHINGS: list[Any] = [None, {}, [], "", 0, False]


def bound(rule: Rule, **params: Any) -> BoundRule:
    return BoundRule(rule, rule.file.severity, rule.file.params | params)


def said(rule: BoundRule, resource: dict[str, Any], now: int, *unread: str) -> Verdict:
    return RuleSet([rule]).evaluate(resource, {part: UnreadByExample() for part in unread}, now)[0]


@pytest.mark.parametrize("rule", SEVERAL, ids=lambda rule: rule.id)
def test_an_answer_without_a_part_is_the_answer_with_every_value_of_it(rule: Rule) -> None:
    documents = [(case.example, document(rule, case.example)) for case in cases(rule)]
    for part in rule.file.needs:
        values = [one["config"][part] for _, one in documents if part in one["config"]]
        for example, resource in documents:
            now = micros(datetime.fromisoformat(example.now))
            asked = bound(rule, **example.params)
            answer = said(asked, resource, now, part)
            if answer.evaluation == "unknown":
                continue
            assert not any(one["path"].startswith(f"config.{part}") for one in answer.evidence)
            for value in values + NOTHINGS:
                other = {**resource, "config": resource["config"] | {part: value}}
                whole = said(asked, other, now)
                assert whole.evaluation in (answer.evaluation, "unknown"), (example.name, value)
                assert whole.reason in ("", "error")


DENIES = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
DATA = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]
OTHERS: dict[str, list[Any]] = {
    "attached_policies": [[{"PolicyArn": "arn:aws:iam::aws:policy/AWSDenyAll"}]],
    "attached_documents": [{"arn:aws:iam::111111111111:policy/own": DENIES}],
    "group_policies": [{"g": {"inline_policies": {"d": DENIES}}}],
    "boundary": [{"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/AWSDenyAll"}],
    "user": [{"CreateDate": "2000-01-01T00:00:00Z"}],
    "policies": [[{"PolicyName": name, "PolicyTypeName": "SSLNegotiationPolicyType", "PolicyAttributeDescriptions": []} for name in ("sticky", "tls")]],
    "selectors": [[{"TrailARN": f"arn:aws:cloudtrail:us-east-1:111111111111:trail/{name}", "Selectors": {"EventSelectors": [{"DataResources": DATA}]}} for name in ("data", "rest")]],
}  # fmt: skip
"""Values of parts that no example has, and that can change what fails."""


@pytest.mark.parametrize("rule", SEVERAL, ids=lambda rule: rule.id)
def test_what_fails_is_unknown_without_a_part_only_where_that_may_change_it(rule: Rule) -> None:
    documents = [document(rule, case.example) for case in cases(rule)]
    failing = [one.example for one in cases(rule) if one.expected == "failed"]
    for example in (one for one in failing if not one.unread):
        now = micros(datetime.fromisoformat(example.now))
        asked, resource = bound(rule, **example.params), document(rule, example)
        for part in rule.file.needs:
            if said(asked, resource, now, part).evaluation != "unknown":
                continue
            values = [one["config"][part] for one in documents if part in one["config"]]
            assert any(
                said(
                    asked, {**resource, "config": resource["config"] | {part: value}}, now
                ).evaluation
                in ("passed", "not_applicable")
                for value in values + OTHERS.get(part, []) + NOTHINGS
            ), (example.name, part)


def test_the_old_value_of_an_unread_part_is_never_looked_at() -> None:
    config = {"public_access_block": None, "account_public_access_block": dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)}  # fmt: skip
    resource = document(BUCKET_BLOCKED, cases(BUCKET_BLOCKED)[0].example) | {"config": config}
    rule = bound(BUCKET_BLOCKED)
    assert said(rule, resource, 0).evaluation == "passed"
    hidden = said(rule, resource, 0, "account_public_access_block")
    assert (hidden.evaluation, hidden.reason) == ("unknown", "unread")
    assert hidden.detail == "account_public_access_block: denied AccessDenied"
    assert said(rule, resource, 0, "public_access_block").evaluation == "passed"


PARTS = ("a", "b", "c")
LEAVES = [
    "resource.config.{0} == null", "has(resource.config.{0}.x)", "resource.config.{0}.?x.orValue(false)",
    "is_true('{0}.x')", "resource.config.{0}.?list.orValue([]).exists(e, e == 1)",
    "resource.config.{0}.?list.orValue([]).all(e, e == 1)", "size(resource.config.{0}.?list.orValue([])) > 0",
    "resource.config.{0}.?x.or(resource.config.{1}.?x).orValue(false)", "resource.config.?{0}.?x.orValue(true)",
    "resource.config.{0}.?list.orValue([]).filter(e, e != 2).exists(e, resource.config.{1}.?x.orValue(false))",
    "resource.config.{0}.?list.orValue([]).exists_one(e, is_true('{1}.x'))", "2 in resource.config.{0}.?list.orValue([])",
    "(is_true('{0}.x') ? resource.config.{1} : resource.config.{0}) != null", "resource.config['{0}'] != null",
    "resource.config.{0}.?list.orValue([]).map(e, e + 1).exists(e, e == 3 || is_true('{1}.x'))",
    "resource.config.{0} == resource.config.{1}", "resource.config.{0}.x", "true", "false",
]  # fmt: skip
leaves = st.builds(
    lambda leaf, pair: f"({leaf.format(*pair)})",
    st.sampled_from(LEAVES),
    st.permutations(PARTS),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!{}".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("resource.config.{}.?list.orValue([1]).exists(v, {})".format, st.sampled_from(PARTS), inner),
        st.builds("resource.config.{}.?list.orValue([1]).all(v, {})".format, st.sampled_from(PARTS), inner),
    ),
    max_leaves=6,
)  # fmt: skip
values = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "x": st.booleans(),
            "list": st.lists(st.integers(0, 3), max_size=3),
        },
    ),
)


def rule_of(must: str, when: str) -> BoundRule:
    made = BUCKET_BLOCKED.file.model_dump(by_alias=True) | {"must": must, "when": when}
    file = RuleFile.model_validate(made | {"needs": list(PARTS)})
    return bound(Rule(file, BUCKET_BLOCKED.path, compile_text(when), compile_text(must), {}))


@settings(max_examples=400, deadline=None)
@given(conditions, conditions, st.fixed_dictionaries(dict.fromkeys(PARTS, values)), st.data())
def test_whatever_the_condition(
    must: str, when: str, config: dict[str, Any], data: st.DataObject
) -> None:
    rule = rule_of(must, when)
    resource = {"uid": "u", "type": "t", "account": "1", "region": "r", "name": "n", "tags": {}}
    unread = data.draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=2, unique=True))
    answer = said(rule, {**resource, "config": config}, 0, *unread)
    if answer.evaluation == "unknown":
        assert answer.reason in ("unread", "error")
        return
    if len(unread) == 1:
        assert can_answer(rule.when, rule.must, unread[0])
    for _ in range(5):
        other = config | {part: data.draw(values) for part in unread}
        whole = said(rule, {**resource, "config": other}, 0)
        assert whole.evaluation in (answer.evaluation, "unknown"), (must, when, other)


@pytest.mark.parametrize(
    ("must", "expected"),
    [
        ("is_true('a.x') || is_true('b.x')", "passed"),
        ("is_true('a.x') && is_true('b.y')", "failed"),
        ("(is_true('a.x') ? is_true('b.x') : is_true('b.x'))", "passed"),
        ("(is_true('a.x') ? is_true('b.x') : is_true('b.y'))", "unknown"),
        ("resource.config.b.list.exists(e, e == 1 || is_true('a.x'))", "passed"),
        ("resource.config.b.list.all(e, e == 1 && is_true('a.x'))", "failed"),
        ("resource.config.b.?x.or(resource.config.a.?x).orValue(false)", "passed"),
        ("resource.config.a.?x.or(resource.config.b.?x).orValue(false)", "unknown"),
        ("resource.config.b.list.exists(e, e == 3) || is_true('a.x')", "unknown"),
        ("!(is_true('a.x') || is_true('b.x'))", "failed"),
        ("resource.config.a.list.exists(e, e == 1 && is_true('b.y'))", "failed"),
        ("resource.config.a.list.exists(e, e == 1 && is_true('b.x'))", "unknown"),
        ("resource.config.a.list.all(e, e == 1 || is_true('b.x'))", "passed"),
        ("resource.config.a.list.all(e, e == 1 || is_true('b.y'))", "unknown"),
        (
            "resource.config.?a.?list.orValue([]).exists(e, e.inner.exists(i, i == e && is_true('b.y')))",
            "failed",
        ),
        ("resource.config.a.list.filter(e, e > 1).exists(e, is_true('b.y'))", "failed"),
        (
            "resource.config.b.list.exists(v, resource.config.a.list.exists(e, e == v && v == 3))",
            "failed",
        ),
    ],
)
def test_where_it_hangs_on_it(must: str, expected: str) -> None:
    config = {"b": {"x": True, "y": False, "list": [1, 2]}, "c": None}
    resource = {"uid": "u", "type": "t", "account": "1", "region": "r", "name": "n", "tags": {}}
    for more in ({}, {"a": {"x": True}}):  # never read, and read once
        answer = said(rule_of(must, "true"), {**resource, "config": config | more}, 0, "a")
        assert answer.evaluation == expected


def test_tags_are_unread_too() -> None:
    tagged = rule_of("resource.tags.?owner.orValue('') != '' || is_true('b.x')", "true")
    config: dict[str, Any] = {"a": None, "b": {"x": False}, "c": None}
    resource = {"uid": "u", "type": "t", "account": "1", "region": "r", "name": "n", "tags": {}}
    assert said(tagged, {**resource, "config": config}, 0).evaluation == "failed"
    assert said(tagged, {**resource, "config": config}, 0, "tags").evaluation == "unknown"
    config["b"] = {"x": True}
    assert said(tagged, {**resource, "config": config}, 0, "tags").evaluation == "passed"


def test_no_rule_can_write_the_name_of_the_stand_in() -> None:
    text = BUCKET_BLOCKED.path.read_text()
    wrong, problems = load_rule(
        BUCKET_BLOCKED.path, builtin_shapes(), text.replace("must: |", "must: |\n  @unread('a') ||")
    )
    assert wrong is None
    assert problems
