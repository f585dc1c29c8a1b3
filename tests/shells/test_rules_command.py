"""`driftline rules`: list, show, test, new; every mistake in a rule or override is told with its place."""

import json
import re
from pathlib import Path

import pytest

from driftline.pipeline.model import SEVERITIES
from driftline.pipeline.proof.rules.proof import failures, survivors
from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.rulebook.rule import load_rule
from driftline.pipeline.rulebook.shapes import builtin_shapes
from tests.core.world import RULE
from tests.shells.command import Command
from tests.shells.hand_mutations import MUTATIONS

RULES = Path(__file__).parents[2] / "rules" / "aws"
GOOD = RULE.format(
    id="own-rotation-on", title="Rotation is on", severity="high", part="rotation", more="params: {days: 90, names: [a], on: true, word: x}",
    must="resource.config.rotation.KeyRotationEnabled", path="config.rotation.KeyRotationEnabled",
)  # fmt: skip


def own(folder: Path, text: str = GOOD, name: str = "own-rotation-on") -> Path:
    (folder / "own").mkdir(exist_ok=True)
    path = folder / "own" / f"{name}.yaml"
    path.write_text(text)
    return path


def test_list_as_json_and_as_a_table(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    said = driftline("rules", "list", "--format", "json")
    listed = json.loads(said.out)
    assert said.code == 0
    assert len(listed) == len(load().rules)
    for item in listed:
        assert item.keys() >= {"id", "provider", "resource_type", "severity", "title", "frameworks"}
        assert (item["provider"], item["severity"] in SEVERITIES) == ("aws", True)
    table = driftline("rules", "list")
    assert max(map(len, table.out.splitlines())) <= 80
    assert [line.split()[1] for line in table.out.splitlines()[:-1] if line[0] != " "] == [item["id"] for item in listed]  # fmt: skip
    monkeypatch.setenv("COLUMNS", "400")
    assert driftline("rules", "list").out.count("\n") == len(listed) + 1
    monkeypatch.delenv("COLUMNS")
    some = json.loads(driftline("rules", "list", "--format", "json", "--type", "AWS::SQS::Queue", "--framework", "fsbp").out)  # fmt: skip
    assert {item["resource_type"] for item in some} <= {"AWS::SQS::Queue"}
    for wrong in (("--type", "AWS::SQS::Kueue"), ("--framework", "fsbb")):
        said = driftline("rules", "list", *wrong)
        assert (said.code, "did you mean" in said.err) == (2, True)


def test_a_framework_shows_its_controls_without_a_rule_too(driftline: Command) -> None:
    asked = ("rules", "list", "--framework", "cis-aws-6.0")
    listed = json.loads(driftline(*asked, "--format", "json").out)
    assert "aws-s3-bucket-tls-only" in {item["id"] for item in listed}
    assert all(item["frameworks"]["cis-aws-6.0"] for item in listed)
    controls = json.loads(driftline(*asked, "--controls", "--format", "json").out)
    assert {tuple(item) for item in controls} == {("id", "text", "rules")}
    rules = {item["id"]: item["rules"] for item in controls}
    assert len(controls) == 63
    assert rules["3.1.1"] == ["aws-s3-bucket-tls-only"]
    assert rules["2.1"] == []
    assert {rule for some in rules.values() for rule in some} == {item["id"] for item in listed}
    empty = [id for id, some in rules.items() if not some]

    table = driftline(*asked).out
    above, below = table.split("\ncontrols without a rule:\n")
    assert max(map(len, table.splitlines())) <= 80
    assert [line.split()[1] for line in above.splitlines() if line[0] != " "] == [item["id"] for item in listed]  # fmt: skip
    assert [line.split()[0] for line in below.splitlines()[:-2] if line[0] != " "] == empty
    assert table.endswith(f"\n{len(listed)} rules, {len(empty)} controls without a rule\n")
    table = driftline(*asked, "--controls").out
    assert "3.1.1         Buckets refuse requests without TLS\n              - aws-s3-bucket-tls-only\n" in table  # fmt: skip
    assert table.endswith(f"63 controls, {63 - len(empty)} of them with rules\n")
    few = json.loads(driftline(*asked, "--controls", "--format", "json", "--type", "AWS::S3::Bucket").out)  # fmt: skip
    assert {rule for item in few for rule in item["rules"]} < {item["id"] for item in listed}
    for wrong, told in (((), "requires a framework"), (("--framework", "cis-aws-6"), "did you mean 'cis-aws-6.0'")):  # fmt: skip
        said = driftline("rules", "list", "--controls", *wrong)
        assert (said.code, said.out, told in said.err) == (2, "", True)


def test_a_catalogue_of_ones_own(driftline: Command, tmp_path: Path) -> None:
    """It lies beside one's own rules; a rule that comes with Driftline may answer its controls."""
    (tmp_path / "own" / "frameworks").mkdir(parents=True)
    catalogue = tmp_path / "own" / "frameworks" / "house-rules.yaml"
    text = """\
id: house-rules
title: House rules
url: https://example.com/house
controls:
  H.1: {text: Only by TLS, from: {csf-2.0: [PR.DS-02]}}
  H.2: Keys turn
  H.3: Doors are shut
"""
    catalogue.write_text(text)
    own(tmp_path, GOOD.replace("frameworks: {}", "frameworks: {house-rules: [H.2]}"))
    asked = ("rules", "list", "--rules", "own", "--framework", "house-rules", "--controls")
    said = driftline(*asked, "--format", "json")
    rules = {item["id"]: item["rules"] for item in json.loads(said.out)}
    assert "aws-s3-bucket-tls-only" in rules["H.1"]
    assert (rules["H.2"], rules["H.3"]) == (["own-rotation-on"], [])
    alone = text.replace("{text: Only by TLS, from: {csf-2.0: [PR.DS-02]}}", "Only by TLS")
    catalogue.write_text(alone)
    own(tmp_path)
    said = driftline("scan", "folder", ".", "--rules", "own", "--framework", "house-rules")
    assert (said.code, said.out) == (2, "")
    assert "--framework house-rules: no rule covers its controls yet" in said.err
    catalogue.write_text(text.replace("PR.DS-02", "PR.DS-2"))
    said = driftline(*asked)
    assert said.code == 2
    assert "own/frameworks/house-rules.yaml:5:45: csf-2.0 has no control 'PR.DS-2' (did you mean 'PR.DS-02'?)" in said.err  # fmt: skip


def test_show(driftline: Command) -> None:
    said = driftline("rules", "show", "aws-sqs-queue-policy-not-public")
    path = RULES / "sqs" / "aws-sqs-queue-policy-not-public.yaml"
    assert said.out == f"# {path}\n{path.read_text()}"
    said = driftline("rules", "show", "aws-sqs-queue-policy-not-publik")
    assert (said.code, "'aws-sqs-queue-policy-not-public'" in said.err) == (2, True)


@pytest.mark.parametrize("type_", sorted(builtin_shapes()))
def test_a_new_rule_loads_and_passes(driftline: Command, tmp_path: Path, type_: str) -> None:
    (tmp_path / "driftline.yaml").write_text("rules: {builtin: false}\n")
    made = driftline("rules", "new", "own-new-rule", "--type", type_, "--dir", "own/deep")
    assert made.code == 0
    assert "driftline rules test --rules own/deep own-new-rule" in made.out
    said = driftline("rules", "test", "--rules", "own/deep", "own-new-rule")
    assert (said.code, "; 0 problems" in said.out) == (0, True), said.out


@pytest.mark.parametrize(("id", "type_"), [
    ("../../outside", "AWS::S3::Bucket"), ("/tmp/outside", "AWS::S3::Bucket"), ("One", "AWS::S3::Bucket"), ("x", "AWS::S3::Bucket"),
    ("a-b\n", "AWS::S3::Bucket"), ("own-there", "AWS::S3::Bucket"), ("aws-s3-bucket-tls-only", "AWS::S3::Bucket"), ("own-other", "AWS::S3::Bukket"),
])  # fmt: skip
def test_what_can_be_no_new_rule(driftline: Command, tmp_path: Path, id: str, type_: str) -> None:
    there = own(tmp_path, "x", "own-there")
    said = driftline("rules", "new", id, "--type", type_, "--dir", "own")
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [there]


WRONG = {
    "a field twice": (GOOD.replace("severity: high", "severity: high\nseverity: low"), "5:1", "'severity' is defined twice"),
    "an inner field twice": (GOOD.replace("{days: 90,", "{days: 90, days: 80,"), "", "'days' is defined twice"),
    "an unknown field": (GOOD.replace("severity:", "severty:"), "4:1", "did you mean 'severity'?"),
    "an unknown inner field": (GOOD.replace("{name: off, set:", "{name: off, sett:"), "", "did you mean 'set'?"),
    "another severity": (GOOD.replace("severity: high", "severity: hihg"), "4:11", "severity"),
    "a title that is a number": (GOOD.replace("title: Rotation is on", "title: 12345678"), "3:8", "title"),
    "no version": (GOOD.replace("version: 1\n", ""), "1:1", "version is missing"),
    "another id": (GOOD.replace("id: own-rotation-on", "id: own-rotation"), "1:5", "not the file's name"),
    "no YAML": (GOOD.replace("needs: [rotation]", "needs: [rotation"), "", "YAML"),
    "a tab": (GOOD.replace("needs:", "\tneeds:"), "9:1", "YAML"),
    "an unknown part": (GOOD.replace("needs: [rotation]", "needs: [rotatoin]").replace("config.rotation.Key", "config.rotatoin.Key", 1), "10:7", "did you mean 'rotation'?"),
    "an unknown path": (GOOD.replace("must: resource.config.rotation.KeyRotationEnabled", "must: resource.config.rotation.KeyRotationEnable"), "10:7", "did you mean 'KeyRotationEnabled'?"),
    "an unknown type": (GOOD.replace("type: AWS::KMS::Key", "type: AWS::KMS::Kee"), "", "did you mean 'AWS::KMS::Key'?"),
    "a field of a scalar": (GOOD.replace("must: resource.config.rotation.KeyRotationEnabled", "must: resource.config.rotation.KeyRotationEnabled.On"), "10:7", "bool"),
    "a part that needs lacks": (GOOD.replace("KeyRotationEnabled\n", "KeyRotationEnabled && resource.config.key.Enabled\n", 1), "9:8", "'key'"),
    "a part that needs has too much": (GOOD.replace("needs: [rotation]", "needs: [rotation, key]"), "9:8", "never read"),
    "an unknown parameter": (GOOD.replace("KeyRotationEnabled\n", "KeyRotationEnabled && params.day > 1\n", 1), "10:7", "did you mean 'days'?"),
    "no CEL": (GOOD.replace("must: resource", "must: resource &&"), "10:", "must"),
    "CEL wrong in the second line": (GOOD.replace("must: resource.config.rotation.KeyRotationEnabled", "must: |\n  resource.config.rotation.KeyRotationEnabled\n  && nobody()"), "12:", "nobody"),
    "no truth": (GOOD.replace("must: resource.config.rotation.KeyRotationEnabled", "must: size('x')"), "10:7", "not true or false"),
    "the whole configuration": (GOOD.replace("must: resource.config.rotation.KeyRotationEnabled", "must: size(resource.config) > 0"), "10:7", "as a whole"),
    "no example that fails": (GOOD.replace("  failed: [{name: off, set: {config.rotation.KeyRotationEnabled: false}}]\n", ""), "", "examples.failed is missing"),
    "a wait that expected a duration": (GOOD.replace("params:", "for: soon\nparams:"), "", "for"),
    "a condition without its example": (GOOD.replace("params:", "when: resource.account != ''\nparams:"), "", "not_applicable"),
    "a control of no catalogue": (GOOD.replace("frameworks: {}", "frameworks: {fsbp: [KMS.1, KMS.55]}"), "15:28", "fsbp has no control 'KMS.55' (did you mean 'KMS.5'?)"),
    "no such framework": (GOOD.replace("frameworks: {}", "frameworks: {fsbb: [KMS.1]}"), "15:20", "no framework 'fsbb' (did you mean 'fsbp'?)"),
    "a list": ("- a\n", "1:1", "not a rule"), "nothing": ("", "1:1", "not a rule"), "bytes": ("\udcff", "1:1", "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "place", "what"), WRONG.values(), ids=WRONG)
def test_a_mistake_has_its_place(
    driftline: Command, tmp_path: Path, text: str, place: str, what: str
) -> None:
    (tmp_path / "driftline.yaml").write_text("rules: {builtin: false}\n")
    own(tmp_path, "").write_bytes(text.encode(errors="surrogateescape"))
    said = driftline("rules", "test", "--rules", "own")
    assert said.code == 2
    lines = [line for line in said.err.splitlines() if what in line]
    assert lines, said.err
    assert lines[0].startswith(f"error: own/own-rotation-on.yaml:{place}"), lines[0]
    number, column = lines[0].removeprefix("error: own/own-rotation-on.yaml:").split(":")[:2]
    assert (int(number) > 0, int(column) > 0) == (True, True)


def test_every_mistake_of_every_file_at_once(driftline: Command, tmp_path: Path) -> None:
    for name in ("own-rotation-on", "own-second-one"):
        own(tmp_path, GOOD.replace("severity: high", "severity: hihg").replace("version: 1", "version: one"), name)  # fmt: skip
    said = driftline("rules", "list", "--rules", "own")
    assert said.code == 2
    assert said.err.count("error: ") >= 4


def test_a_survivor_is_named(driftline: Command, tmp_path: Path) -> None:
    weak = GOOD.replace(
        "KeyRotationEnabled\n", "KeyRotationEnabled && resource.account != '2'\n", 1
    )
    (tmp_path / "driftline.yaml").write_text("rules: {builtin: false}\n")
    own(tmp_path, weak)
    said = driftline("rules", "test", "--rules", "own")
    assert said.code == 1
    assert (
        "no example detects that must became: resource.config.rotation.KeyRotationEnabled"
        in said.out
    )
    own(tmp_path, GOOD.replace("KeyRotationEnabled: false", "KeyRotationEnabled: true"))
    said = driftline("rules", "test", "--rules", "own")
    assert said.code == 1
    assert "example 'off' is passed, expected failed" in said.out


@pytest.mark.parametrize(("name", "old", "new"), MUTATIONS)
def test_a_mutation_by_hand_is_noticed(name: str, old: str, new: str) -> None:
    """Small wrong changes that a person may make, most of them beyond what `rules test` makes itself."""
    path = RULES / f"{name}.yaml"
    text = path.read_text()
    assert old in text, "the rule says it in other words now: change the mutation"
    rule, problems = load_rule(path, builtin_shapes(), text.replace(old, new, 1))
    if rule is None:
        assert all("needs" in problem or "needed" in problem for problem in problems), problems
    else:
        assert failures(rule) or survivors(rule)[1]


def book(tmp_path: Path, overrides: str) -> Rulebook:
    from driftline.pipeline.offline.content import rulebook_and_options
    from driftline.pipeline.settings.blocks import load_settings

    own(tmp_path)
    path = tmp_path / "driftline.yaml"
    path.write_text(f"rules:\n  builtin: false\n  paths: [{tmp_path / 'own'}]\n  overrides:\n{overrides}")  # fmt: skip
    return rulebook_and_options(load_settings(path, {}))[0]


def test_overrides_by_rule_account_and_tag(tmp_path: Path) -> None:
    rulebook = book(tmp_path, """\
    - {rule: own-rotation-on, severity: low, params: {days: 30}}
    - {rule: own-rotation-on, accounts: ["222222222222"], severity: critical}
    - {rule: own-rotation-on, tags: {env: test}, enabled: false}
    - {rule: own-rotation-on, tags: {env: test, keep: "yes"}, enabled: true}
""")  # fmt: skip

    def seen(account: str, tags: dict[str, str]) -> tuple[str, int] | None:
        rules = rulebook.select("AWS::KMS::Key", account, tags).rules
        return (rules[0].severity, rules[0].params["days"]) if rules else None

    assert seen("1", {}) == ("low", 30)
    assert seen("222222222222", {}) == ("critical", 30)
    assert seen("222222222222", {"env": "test"}) is None
    assert seen("1", {"env": "test", "keep": "yes"}) == ("low", 30)
    assert seen("1", {"env": "prod"}) == ("low", 30)


@pytest.mark.parametrize(("override", "what"), [
    ("{rule: own-rotation-onn}", "did you mean 'own-rotation-on'?"), ("{rule: own-rotation-on, params: {day: 1}}", "did you mean 'days'?"),
    ('{rule: own-rotation-on, params: {days: "1"}}', "must be a int"), ("{rule: own-rotation-on, params: {on: 1}}", "must be a bool"),
    ("{rule: own-rotation-on, params: {days: true}}", "must be a int"), ("{rule: own-rotation-on, params: {names: a}}", "must be a list"),
    ("{rule: own-rotation-on, severity: hihg}", "severity"), ("{rule: own-rotation-on, account: x}", "did you mean 'accounts'?"), ("{severity: low}", "rule"),
])  # fmt: skip
def test_a_wrong_override_is_told(
    driftline: Command, tmp_path: Path, override: str, what: str
) -> None:
    own(tmp_path)
    (tmp_path / "driftline.yaml").write_text(f"rules:\n  builtin: false\n  paths: [own]\n  overrides:\n    - {override}\n")  # fmt: skip
    said = driftline("rules", "list")
    assert said.code == 2
    assert what in said.err


def test_own_rules_beside_the_built_in(driftline: Command, tmp_path: Path) -> None:
    own(tmp_path)
    count = len(load().rules)
    listed = json.loads(driftline("rules", "list", "--rules", "own", "--format", "json").out)
    assert len(listed) == count + 1
    twice = driftline("rules", "list", "--rules", "own", "--rules", "own/own-rotation-on.yaml")
    assert twice.out.endswith(f"{count + 1} rules\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "own-rotation-on.yaml").write_text(GOOD)
    said = driftline("rules", "list", "--rules", "own", "--rules", "more")
    assert (said.code, "stands in" in said.err) == (2, True)


def test_the_recipe_of_contributing_works_as_it_is_written(
    driftline: Command, tmp_path: Path
) -> None:
    text = (RULES.parents[1] / "CONTRIBUTING.md").read_text()
    new = re.search(r"bin/driftline (rules new (\S+) --type \S+) --dir \S+\n", text)
    assert new is not None
    made = driftline(*new[1].split(), "--dir", tmp_path / "own")
    assert (made.code, made.err) == (0, "")
    assert re.search(rf"bin/driftline rules test {new[2]}\s", text)
    assert driftline("rules", "test", new[2], "--rules", tmp_path / "own").code == 0
