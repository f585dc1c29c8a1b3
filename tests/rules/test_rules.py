"""Every packaged rule: proven by its examples, complete, and mapped to controls that exist."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline.pipeline.cli.rules import command
from driftline.pipeline.model.finding import SEVERITIES
from driftline.pipeline.proof.rules.proof import cases, failures, survivors
from driftline.pipeline.rulebook import Rule, load
from driftline.pipeline.rulebook.baseline_rules import STANDING
from driftline.pipeline.rulebook.families import families
from driftline.pipeline.rulebook.frameworks import built_in_frameworks
from driftline.pipeline.rulebook.rule import load_rule
from driftline.pipeline.rulebook.shapes import builtin_shapes

ROOT = Path(__file__).parents[2]
RULES = load().rules
FRAMEWORKS = built_in_frameworks().catalogues

every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])


def test_every_rule_file_is_loaded() -> None:
    files = {path.stem for path in (ROOT / "rules" / "aws").rglob("*.yaml")}
    assert {rule.id for rule in RULES} == files


@every_rule
def test_every_example_holds(rule: Rule) -> None:
    assert failures(rule) == []
    said = {case.expected for case in cases(rule)}
    assert {"passed", "failed", "unknown"} <= said


@every_rule
def test_no_mutant_survives(rule: Rule) -> None:
    _, alive = survivors(rule)
    assert alive == []
    assert all(item.reason.strip() for item in rule.file.equivalent_mutants)


@every_rule
def test_the_rule_says_what_a_person_needs(rule: Rule) -> None:
    service = rule.path.parent
    assert rule.path.stem == rule.id
    assert rule.id.startswith(f"{service.parent.name}-{service.name}-")
    assert rule.provider == "aws"
    assert rule.file.family in families(), f"{rule.id}: name its family (rules/families.json)"
    assert rule.file.why.strip()
    for name, text in rule.file.remediation.model_dump().items():
        assert text.strip(), name
    assert rule.file.references
    for reference in rule.file.references:
        assert reference.startswith("https://"), reference


@every_rule
def test_names_only_controls_that_are_described(rule: Rule) -> None:
    assert rule.file.frameworks
    for framework, controls in rule.frameworks.items():
        assert controls
        assert len(set(controls)) == len(controls)
        assert set(controls) <= set(FRAMEWORKS[framework].controls), framework


def test_list_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no driftline.yaml of a developer
    result = CliRunner().invoke(command, ["list", "--format", "json"], catch_exceptions=False)
    listed = json.loads(result.stdout)
    assert [item["id"] for item in listed] == sorted(rule.id for rule in RULES)
    for item in listed:
        assert item["provider"] == "aws"
        assert item["resource_type"] in builtin_shapes()
        assert item["severity"] in SEVERITIES
        assert item["title"]
        assert item["frameworks"].keys() <= FRAMEWORKS.keys()


def test_an_example_less_and_a_mutant_survives() -> None:
    """The proof proves something: it notices what an example was for."""
    path = next(rule.path for rule in RULES if rule.id == "aws-cloudtrail-trail-logging")
    text = path.read_text()
    needed = "    - {name: management calls are not said"
    assert needed in text
    less = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(needed))
    rule, problems = load_rule(path, builtin_shapes(), less)
    assert rule is not None, problems
    assert failures(rule) == []
    _, alive = survivors(rule)
    assert any("must became" in line for line in alive)
    wrong, problems = load_rule(
        path, builtin_shapes(), text.replace("IsLogging: false", "IsLogging: true")
    )
    assert wrong is not None, problems
    assert [line for line in failures(wrong) if "'it is stopped' is passed" in line]


def without(rule_id: str, part_of_line: str) -> Rule:
    path = next(rule.path for rule in RULES if rule.id == rule_id)
    lines = path.read_text().splitlines(keepends=True)
    left = [line for line in lines if part_of_line not in line]
    assert len(left) == len(lines) - 1
    rule, problems = load_rule(path, builtin_shapes(), "".join(left))
    assert rule is not None, problems
    return rule


def test_unread_parts_are_proven_both_ways() -> None:
    id = "aws-s3-bucket-public-access-blocked"
    rule = without(id, "the account's switches may not be read, which does not matter")
    assert ["unknown where account_public_access_block is unread" in s for s in survivors(rule)[1]]
    rule = without(id, "the bucket's switches are enough; the bucket's switches may not be read")
    assert ["only part 'public_access_block' is unread" in line for line in failures(rule)] == [
        True
    ]


def test_families_are_questions_that_rules_ask() -> None:
    asked = {rule.file.family for rule in RULES} | {
        rule.ref["family"] for rule in STANDING.values()
    }
    assert asked == families().keys()
    for name, question in families().items():
        assert question.endswith("?"), name


def test_a_family_that_is_none_is_told_with_the_nearest() -> None:
    path = next(rule.path for rule in RULES if rule.file.family == "storage-public")
    for written, told in (("storage-publik", "did you mean 'storage-public'?"), ("own-things", ""), ('""', "")):  # fmt: skip
        text = path.read_text().replace("family: storage-public", f"family: {written}")
        rule, problems = load_rule(path, builtin_shapes(), text)
        assert (rule is None) == bool(told)
        assert not told or any(told in problem and "family" in problem for problem in problems)


def test_findings_carry_it() -> None:
    rule = next(rule for rule in RULES if rule.id == "aws-s3-bucket-acl-not-public")
    assert rule.ref("high")["family"] == "storage-public"
