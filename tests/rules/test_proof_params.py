"""A parameter's entry that is dropped, added or shifted is noticed by an example, as a condition's change is."""

from typing import Any

import pytest

from driftline.pipeline.proof.rules.params import changed, spread
from driftline.pipeline.proof.rules.proof import failures, survivors
from driftline.pipeline.rulebook import Rule, load
from driftline.pipeline.rulebook.rule import Table, load_rule
from driftline.pipeline.rulebook.shapes import builtin_shapes

RULES = {rule.id: rule for rule in load().rules}
PORTS, RUNTIMES = "aws-ec2-security-group-no-risky-ports-from-internet", "aws-lambda-function-runtime-supported"  # fmt: skip


def other(id: str, *changes: tuple[str, str]) -> Rule:
    text = RULES[id].path.read_text()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    rule, problems = load_rule(RULES[id].path, builtin_shapes(), text)
    assert rule is not None, problems
    return rule


def test_every_kind_of_parameter_has_its_changes() -> None:
    rule = other("aws-iam-user-access-key-rotated")
    assert [text for text, _ in changed(rule)] == ["params.max_age_days is 89", "params.max_age_days is 91"]  # fmt: skip
    found = [text for text, _ in changed(RULES["aws-ec2-security-group-no-consoles-from-internet"])]
    assert found[:2] == ["params.ports without 3000", "params.ports without 5000"]
    assert found[-1] == "params.ports with 51820"
    spans = [text for text, _ in changed(RULES[PORTS])]
    assert {"params.ports without 20-21", "params.ports without 20", "params.ports without 21"} <= set(spans)  # fmt: skip
    days = {text for text, _ in changed(RULES[RUNTIMES]) if "java11" in text}
    assert days == {f"params.deprecated_from {how}" for how in ("without java11=2027-06-30", "with java11=2027-06-29", "with java11=2027-07-01")}  # fmt: skip
    assert ("params.watched_by_organization is true") in [text for text, _ in changed(RULES["aws-accessanalyzer-external-access-watched"])]  # fmt: skip


@pytest.mark.parametrize(("id", "before", "after"), [
    (PORTS, " 61613, 61616\n", " 61616\n"), (PORTS, "27017-27019", "27017-27018"), (PORTS, "ports: >-\n    20-21", "ports: >-\n    443, 20-21"),
    (RUNTIMES, "python3.8=2024-10-14", "python3.8=2025-10-14"), (RUNTIMES, " ruby3.3=2027-03-31,", ""),
    ("aws-eks-cluster-version-supported", "1.30=2025-07-23", "1.30=2025-07-24"),
])  # fmt: skip
def test_a_wrong_parameter_is_told(id: str, before: str, after: str) -> None:
    """What a hand could do to the file: an entry left out, one too many, a year late."""
    text = RULES[id].path.read_text()
    assert text.count(before) == 1
    assert failures(other(id, (before, after)))


def test_a_row_less_and_a_change_survives() -> None:
    rule = other(
        PORTS, ("61613, 61616, 8161, 1883,  # messages", "61613, 61616, 8161,  # messages")
    )
    assert failures(rule) == []
    alive = [line.rpartition(": ")[2] for line in survivors(rule)[1]]
    assert alive == ["no example detects that params.ports without 1883"]


def test_a_table_is_as_many_examples() -> None:
    table = Table(name="t", gives="failed", turns="{1}", rows=[["a", "2024-03-01"]], set={"config.x": "{0}", "config.y": ["{0}-{1}"]})  # fmt: skip
    said: list[tuple[str, str, Any]] = [(gives, one.now, one.set) for gives, one in spread(table)]
    filled = {"config.x": "a", "config.y": ["a-2024-03-01"]}
    assert said == [("failed", "2024-03-01T00:00:00Z", filled), ("passed", "2024-02-29T23:59:59Z", filled)]  # fmt: skip
    plain = Table(name="t", gives="passed", rows=[5], set={"config.x": {"y": "{0}"}})
    assert [one.set for _, one in spread(plain)] == [{"config.x": {"y": 5}}]
