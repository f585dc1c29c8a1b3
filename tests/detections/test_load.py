"""Folders of Sigma files: what loads, and what is told of what does not; correlations and filters; the command."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline.pipeline.correlate.runs import runs
from driftline.pipeline.detections import DetectionSet, EventView, load
from driftline.pipeline.detections.load import MOST_DOCUMENTS
from driftline.pipeline.detections.windows import Hit
from driftline.pipeline.state.rows import NEVER
from tests.shells.command import Command

RULE: dict[str, Any] = {
    "title": "Logging is switched off", "id": "11111111-1111-4111-8111-111111111111", "name": "logging_off", "status": "test",
    "level": "high", "tags": ["attack.t1562.008"], "logsource": {"product": "aws", "service": "cloudtrail"},
    "detection": {"sel": {"eventName": ["StopLogging", "DeleteTrail"]}, "condition": "sel"},
}  # fmt: skip
SIGN_IN = "22222222-2222-4222-8222-222222222222"
OTHER = RULE | {"title": "Sign-in", "id": SIGN_IN, "name": "sign_in", "detection": {"sel": {"eventName": "ConsoleLogin"}, "condition": "sel"}}  # fmt: skip
COUNT: dict[str, Any] = {
    "title": "Again and again", "id": "3", "level": "critical",
    "correlation": {"type": "event_count", "rules": ["logging_off"], "group-by": ["userIdentity.arn"], "timespan": "10m",
                    "condition": {"gte": 2, "lt": 5}},
}  # fmt: skip


def loaded(folder: Path, *documents: dict[str, Any] | str) -> DetectionSet:
    for number, document in enumerate(documents):
        text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
        (folder / f"{number}.yml").write_text(text)
    return load([folder])


def test_a_rule_and_what_it_says(tmp_path: Path) -> None:
    found = loaded(tmp_path, RULE)
    assert found.problems == []
    (rule,) = found.rules.values()
    assert (rule.title, rule.level, rule.tags) == (
        RULE["title"],
        "high",
        ("attack.t1562.008",),
    )
    assert rule.anchor == {"eventName": frozenset({"stoplogging", "deletetrail"})}
    assert found.matching(EventView({"eventName": "stoplogging"}), "aws", "cloudtrail") == [rule]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"detecton": {}}, "0.yml:1:1"),
        ({"level": "urgent"}, "urgent"),
        ({"detection": {"sel": {"a": "x"}, "condition": "nothing"}}, "nothing"),
        ({"detection": {"sel": {"a": "x"}}}, "ondition"),
        ({"detection": {"sel": {"a|containz": "x"}, "condition": "sel"}}, "containz"),
        ({"logsource": {}}, "log source"),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    found = loaded(tmp_path, RULE | change)
    assert found.rules == {}
    assert any(told in problem for problem in found.problems) or told.startswith("0.yml")
    assert all(problem.startswith(str(tmp_path / "0.yml")) for problem in found.problems)


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    found = loaded(tmp_path, yaml.safe_dump(RULE, sort_keys=False) + "falsepositive: [x]\n")
    assert any("did you mean 'falsepositives'" in problem for problem in found.problems)


def test_a_key_twice_and_no_yaml(tmp_path: Path) -> None:
    found = loaded(tmp_path, yaml.safe_dump(RULE) + "level: low\n", "a: [", "5")
    assert len(found.documents) == 3
    assert all(one.problems for one in found.documents)


def test_a_flood_of_documents_is_not_read_to_its_end(tmp_path: Path) -> None:
    found = loaded(tmp_path, "a: 1\n---\n" * (MOST_DOCUMENTS + 100))
    assert len(found.documents) == MOST_DOCUMENTS + 1
    assert f":{2 * MOST_DOCUMENTS}:1: more than" in found.documents[-1].problems[0]


def test_the_same_id_twice(tmp_path: Path) -> None:
    found = loaded(tmp_path, RULE, RULE)
    assert len(found.rules) == 1
    assert "another file" in found.problems[0]


def test_several_documents_in_a_file_keep_their_lines(tmp_path: Path) -> None:
    first = yaml.safe_dump(RULE, sort_keys=False)
    found = loaded(tmp_path, first + "---\n" + yaml.safe_dump(COUNT | {"lvel": 1}, sort_keys=False))
    line = int(found.problems[0].split(":")[1])
    assert line > len(first.splitlines())


def test_a_filter_takes_away(tmp_path: Path) -> None:
    sieve = {"title": "Not our robot", "id": "9", "logsource": RULE["logsource"],
             "filter": {"rules": ["logging_off"], "sel": {"user": "robot"}, "condition": "not sel"}}  # fmt: skip
    found = loaded(tmp_path, RULE, sieve)
    assert found.problems == []
    (rule,) = found.rules.values()
    assert rule.matches(EventView({"eventName": "StopLogging", "user": "eve"}))
    assert not rule.matches(EventView({"eventName": "StopLogging", "user": "robot"}))


def test_a_filter_of_nothing_is_told(tmp_path: Path) -> None:
    sieve = {"title": "t", "id": "9", "logsource": RULE["logsource"], "filter": {"rules": ["loging_off"], "s": {"a": 1}, "condition": "s"}}  # fmt: skip
    assert "did you mean 'logging_off'" in loaded(tmp_path, RULE, sieve).problems[0]


# Correlations


def correlated(tmp_path: Path, **block: Any) -> DetectionSet:
    return loaded(tmp_path, RULE, OTHER, COUNT | {"correlation": COUNT["correlation"] | block})


def test_a_correlation_becomes_what_is_looked_for(tmp_path: Path) -> None:
    found = correlated(tmp_path)
    (one,) = found.correlations.values()
    assert one.rules == (RULE["id"],)
    assert one.group_by == ("userIdentity.arn",)
    spec = one.spec()
    assert (spec.timespan, spec.conditions) == (600_000_000, (("gte", 2.0), ("lt", 5.0)))


def test_a_condition_over_names(tmp_path: Path) -> None:
    found = correlated(tmp_path, type="temporal", rules=["logging_off", "sign_in"], condition="logging_off and not sign_in")  # fmt: skip
    assert found.problems == []
    spec = found.correlations["3"].spec()
    assert spec.absent == frozenset({SIGN_IN})
    off, login = Hit(0, "x", RULE["id"]), Hit(1_000_000, "y", SIGN_IN)
    assert runs(spec, "3", "", [off], NEVER)
    assert not runs(spec, "3", "", [off, login], NEVER)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "events"}, "not one of event_count"),
        ({"rules": []}, "needs the names"),
        ({"rules": ["loging_off"]}, "did you mean 'logging_off'"),
        ({"timespan": "soon"}, "10m, 1h, 2d"),
        ({"condition": None}, "needs a comparison"),
        ({"condition": {"above": 3}}, "unknown 'above'"),
        ({"condition": {"field": "x"}}, "needs a comparison"),
        ({"type": "value_count"}, "needs the field"),
        ({"type": "temporal", "condition": {"gte": 1}}, "expression over rule names"),
        ({"type": "temporal", "condition": "logging_off and other"}, "not among the rules"),
        ({"type": "temporal", "condition": "(logging_off"}, "not closed"),
        ({"type": "temporal", "condition": "not logging_off"}, "at least one rule must not be negated"),
        ({"type": "temporal", "rules": ["logging_off", "sign_in"], "condition": "logging_off or not sign_in"}, "two correlations"),
        ({"type": "temporal", "rules": ["logging_off", "sign_in"], "condition": "logging_off sign_in"}, "`and` or `or`"),
        ({"within": "5m"}, "unknown key 'within'"),
        ({"rules": ["3"]}, "refers to itself"),
        ({"generate": "yes"}, "true or false"),
        ({"type": "value_count", "condition": {"field": [], "gte": 2}}, "needs the field"),
        ({"type": "value_sum", "condition": {"field": ["a", "b"], "gte": 2}}, "needs the field"),
    ],
)  # fmt: skip
def test_a_correlation_that_is_wrong(tmp_path: Path, block: dict[str, Any], told: str) -> None:
    found = correlated(tmp_path, **block)
    assert found.correlations == {}
    assert any(told in problem for problem in found.problems), found.problems


# The command


def test_check_says_what_loads(tmp_path: Path, driftline: Command) -> None:
    loaded(tmp_path, RULE, COUNT)
    said = driftline("detections", "check", tmp_path)
    assert said.code == 0
    assert "1 rule, 1 correlation load; 0 of 2" in said.out
    (tmp_path / "bad.yml").write_text("title: x\ndetecton: {}\n")
    said = driftline("detections", "check", tmp_path, "--format", "json")
    told = json.loads(said.out)
    assert (said.code, told["loaded"], told["refused"]) == (2, 2, 1)
    said = driftline("detections", "list", tmp_path)
    assert "Logging is switched off" in said.out
    assert driftline("detections", "check", tmp_path / "nowhere").code == 2


def test_a_checkout_s_own_rules_load_without_a_word(driftline: Command) -> None:
    """The folder holds posture rules and frameworks too."""
    from driftline.pipeline.rulebook import builtin_folder

    rules = builtin_folder()
    found = load([rules, rules / "detections"])
    assert found.problems == []
    own = load([rules / "detections", rules / "correlations"])
    assert (found.rules.keys(), found.correlations.keys()) == (own.rules.keys(), own.correlations.keys())  # fmt: skip
    assert found.others > 300
    said = driftline("detections", "check", rules)
    assert (said.code, said.err) == (0, "")
    assert "posture rules and frameworks skipped" in said.out


def test_another_rule_that_is_named_itself_is_no_detection(tmp_path: Path) -> None:
    path = tmp_path / "posture.yaml"
    path.write_text("id: x\ntype: AWS::S3::Bucket\nmust: 'true'\n")
    (tmp_path / "typo.yaml").write_text("id: x\ntitle: t\nlogsource: {product: aws}\ndetecton: {}\n")  # fmt: skip
    assert [problem.partition(":")[0] for problem in load([tmp_path]).problems] == [str(tmp_path / "typo.yaml")]  # fmt: skip
    assert load([path]).problems != []
