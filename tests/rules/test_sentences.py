"""Sentences of rules: what a template may hold, what values become, and that nothing in them can do harm."""

import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.proof.rules.pinning import write
from driftline.pipeline.proof.rules.sentences import render_examples, unsaid
from driftline.pipeline.rulebook import Rule, load
from driftline.pipeline.rulebook.rule import load_rule
from driftline.pipeline.rulebook.shapes import builtin_shapes
from driftline.pipeline.rulebook.wording.phrases import LONGEST, clean, fill, format_list, standard
from driftline.pipeline.rulebook.wording.sentence import Situation

RULES = load().rules
WRITTEN = [rule for rule in RULES if rule.sentence is not None]
VERSIONING = next(rule for rule in RULES if rule.id == "aws-s3-bucket-versioning-enabled")
HARM = "a\u202eb\u2066\x1b[31m\x00\n<script>`x`</script> [x](http://y) {name} {0}"
HERE: dict[str, Any] = {
    "uid": "arn:aws:s3:::example", "type": "AWS::S3::Bucket", "provider": "aws", "account": "111111111111",
    "region": "eu-west-1", "name": "example", "tags": {}, "config": {},
}  # fmt: skip


def test_every_rule_has_a_sentence() -> None:
    assert [rule.id for rule in RULES if rule.sentence is None] == []


@pytest.mark.parametrize("rule", WRITTEN, ids=[rule.id for rule in WRITTEN])
def test_every_failing_example_says_what_it_pins(rule: Rule) -> None:
    assert unsaid(rule) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x", "x"),
        ("", None),
        (None, None),
        ([], None),
        ({}, None),
        ({"a": 1}, None),
        (True, "true"),
        (22, "22"),
        (22.0, "22"),
        (0.5, "0.5"),
        (float("nan"), None),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "a"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b and 2 more"),
        ([str(n) for n in range(14)], "0, 1 and 12 more"),
        (["a", None], None),
        ({"redacted": True, "hash": "0" * 32, "key_id": "0" * 8}, "(redacted)"),
        (f"--password redacted:{'0' * 8}:{'0' * 32} x", "--password (redacted) x"),
        ("x" * 100, "x" * 53 + "…" + "x" * 26),
        ("a\nb\tc  d", "a b c d"),
        ("a\u202eb", "a\ufffdb"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("<b>`a`</b>", "\u2039b\u203a'a'\u2039/b\u203a"),
    ],
)
def test_values_in_words(value: object, words: str | None) -> None:
    assert format_list(value) == words


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ({}, "example"),
        ({"uid": "arn:aws:ec2:eu-west-1:1:security-group/sg-1", "name": "web"}, "sg-1 (web)"),
        ({"uid": "arn:aws:ec2:eu-west-1:1:instance/i-1", "name": "i-1", "tags": {"Name": "web"}}, "i-1 (web)"),
        ({"uid": "arn:aws:ec2:eu-west-1:1:instance/i-1", "name": "i-1", "tags": {"Name": "all is fine)"}}, 'i-1 ("all is fine)")'),
        ({"uid": "arn:aws:sns:eu-west-1:1:alarms", "name": "arn:aws:sns:eu-west-1:1:alarms"}, "alarms"),
        ({"uid": "arn:aws:sqs:eu-west-1:1:jobs", "name": "https://sqs.eu-west-1.amazonaws.com/1/jobs"}, "jobs"),
        ({"uid": "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf", "name": "db"}, "db"),
        ({"uid": "arn:aws:wafv2:eu-west-1:1:regional/webacl/front/0-1", "name": "front"}, "front"),
        ({"name": ""}, "example"),
    ],
)  # fmt: skip
def test_a_resource_by_its_name(resource: dict[str, Any], named: str) -> None:
    assert standard(HERE | resource)["resource"] == named


def test_an_account_by_its_name() -> None:
    assert standard(HERE)["account"] == "111111111111"
    assert standard(HERE | {"cloud_account": {"name": "prod"}})["account"] == "prod (111111111111)"


texts = st.text() | st.sampled_from([HARM, HARM * 50, "{x}", "}{", "a" * 5000, "\u202e", "]("])
values = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=40,
)


def harmless(text: str) -> bool:
    return (
        len(text) <= LONGEST
        and not re.search(r'[<>`"\\]|\]\(', text.replace('"', ""))
        and not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") for c in text)
    )


@given(st.dictionaries(st.sampled_from(["x", "y"]), values), texts, texts)
def test_whatever_the_values_a_sentence_is_short_and_harmless(
    given_: dict[str, Any], name: str, tag: str
) -> None:
    resource = HERE | {
        "name": name,
        "tags": {"Name": tag},
        "region": name,
        "cloud_account": {"name": tag},
    }
    names = standard(resource)
    said = fill("{resource} in {account} and {region} is open to {x}, by {y}", names | given_)
    assert said is None or harmless(said)
    assert (said is None) == any(format_list(given_.get(one)) is None for one in ("x", "y"))


@given(texts)
def test_a_value_is_no_template(text: str) -> None:
    said = fill("{x} {y}", {"x": text, "y": "{x}"})
    assert said is None or said.endswith("{x}")
    assert clean(clean(text[:100])) == clean(text[:100])


def test_a_long_list_of_long_names_still_fits() -> None:
    said = fill(
        "{x} and {y}", {"x": [letter * 200 for letter in "abcde"], "y": ["f" * 100, "g" * 90]}
    )
    assert said is not None
    assert len(said) <= LONGEST
    assert "more" in said


def test_an_expression_that_errs_costs_only_its_sentence() -> None:
    assert VERSIONING.sentence is not None
    odd: list[dict[str, Any]] = [{}, {"versioning": None}, {"versioning": []}]
    odd.append({"versioning": {"Status": {"a": 1}}})
    for config in odd:
        situation = Situation(HERE, config, 0, {})
        said = VERSIONING.sentence.said(situation)
        assert said is None or said == ("Versioning was never enabled on bucket example", 1)


def changed(rule: Rule, old: str, new: str) -> tuple[Rule | None, list[Problem]]:
    text = rule.path.read_text()
    assert old in text
    return load_rule(rule.path, builtin_shapes(), text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("is {status}", "is {stats}", "{stats} is none of `values`, `params` and resource, name, id, region, account, type"),
        ("is {status}", "is off", "no sentence has {status} (remove it)"),
        ("is {status}", "is {status} {", "a brace that is no {name}"),
        ("is {status}", "is {status}.", "ends without a full stop"),
        ("is {status}", "is {status}" + "x" * 200, "longer than 200 characters"),
        ("  status: resource", "  name: resource", "the sentence has 'name' already"),
        ('resource.config.versioning.?Status.orValue(null)', "resource.config.versioning.?Status", "may give nothing (end it with .orValue(null))"),
        ("versioning.?Status.orValue(null)", "versioning.?Stage.orValue(null)", "config.versioning has no 'Stage'"),
        ("versioning.?Status.orValue(null)", "policy", "reads part 'policy', which `needs` does not name"),
        ("versioning.?Status.orValue(null)", "versioning.(", "Syntax error"),
    ],
)  # fmt: skip
def test_mistakes_in_a_sentence_are_told_with_their_place(old: str, new: str, problem: str) -> None:
    rule, problems = changed(VERSIONING, old, new)
    assert rule is None
    assert any(problem in one for one in problems), problems
    assert all(re.match(r".+\.yaml:\d+:\d+: ", one) for one in problems)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("is Suspended", "is off", "has the sentence 'Versioning of bucket example is Suspended', expected"),
        ("name: suspended, says: \"Versioning of bucket example is Suspended\"", "name: suspended", "does not pin its sentence"),
        ('versioning.?Status.orValue(null)', 'versioning.?MFADelete.orValue(null)', "no failing example has the sentence"),
        ('  - "Versioning was never enabled on bucket {name}"\n', "", "no sentence has values for all its names"),
        ('resource.config.versioning.?Status.orValue(null)', "string(1 + 1)", "status is '2' in every failing example"),
        ("passed: [{name: enabled}]", "passed: [{name: enabled, says: x}]", "does not fail, so it has no sentence"),
    ],
)  # fmt: skip
def test_the_proof_notices(old: str, new: str, problem: str) -> None:
    rule, problems = changed(VERSIONING, old, new)
    assert rule is not None, problems
    assert any(problem in one for one in unsaid(rule)), unsaid(rule)


def test_a_sentence_that_names_nothing_is_noticed() -> None:
    rule, problems = changed(
        VERSIONING,
        '  - "Versioning of bucket {name} is {status}"\n  - "Versioning was never enabled on bucket {name}"\n'
        "values:\n  status: resource.config.versioning.?Status.orValue(null)\n",
        "  - Versioning is off\n",
    )
    assert rule is not None, problems
    assert any("the same for every resource" in one for one in unsaid(rule))


def test_sentences_are_written_into_the_file_and_nothing_else_of_it_changes(tmp_path: Path) -> None:
    for rule in WRITTEN:
        text = rule.path.read_text()
        path = tmp_path / rule.path.name
        bare = re.sub(r'(, |\n +)says: "(?:[^"\\]|\\.)*"', "", text)
        for before in (bare, text.replace('says: "', 'says: "not ')):
            path.write_text(before)
            copy, problems = load_rule(path, builtin_shapes())
            assert copy is not None, problems
            assert len(list(write(copy))) == sum(
                one.text is not None for one in render_examples(copy)
            )
            assert path.read_text() == text
        assert list(write(replace(rule, path=path))) == []  # of the same text
