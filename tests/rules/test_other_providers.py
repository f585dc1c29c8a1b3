"""Rules about another provider's types: with its own functions, and no one else's."""

import json
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.proof.rules.proof import document, failures, survivors
from driftline.pipeline.providers.provider import AuditLog, Provider
from driftline.pipeline.reference import functions as page
from driftline.pipeline.rulebook import load
from driftline.pipeline.rulebook.cel.expression import ExpressionError, compile_text
from driftline.pipeline.rulebook.cel.functions import CURRENT, Function, at_path, functions_of
from tests.core.installing import others as others

TYPE = "cloud.storage/Box"
TYPES = {
    TYPE: {
        "parts": {"box": {"fields": {"lid": {"fields": {"open": "bool"}}, "made": "timestamp"}}},
        "hints": {},
        "actions": {},
    }
}
RULE = """\
id: t-box-closed
version: 1
title: The box is closed
severity: high
type: cloud.storage/Box
section: Storage
exposure: none
privilege: none
needs: [box]
must: "{must}"
sentence: "{{resource}} is open at {{places}}"
values: {{places: "open_lids('box.lid')"}}
why: Only for tests.
remediation: {{console: "", cli: "", terraform: ""}}
references: []
frameworks: {{}}
examples:
  base: {{config: {{box: {{lid: {{open: false}}}}}}}}
  passed: [{{name: as it is}}]
  failed: [{{name: open, set: {{config.box.lid.open: true}}, says: "{says}"}}]
  unknown: [{{name: unread, unread: [box]}}]
"""


def lid_open(path: str) -> bool:
    return at_path(CURRENT.get().config, path)["open"] is True


def open_lids(path: str) -> list[str]:
    return [path] if lid_open(path) else []


OWN = {
    "lid_open": Function(lid_open, ("STRING",), "BOOL", True, "'box.lid'", "A lid is open"),
    "open_lids": Function(open_lids, ("STRING",), "LIST", True, "'box.lid'", "Those that are open"),
}
HIDING = {"is_true": OWN["lid_open"]}
NO_FUNCTIONS = {"lid_open": lid_open}


@pytest.fixture
def cloud(others: dict[str, object], tmp_path: Path) -> Provider:
    types = tmp_path / "types.json"
    types.write_text(json.dumps(TYPES))
    made = Provider(
        "cloud", "Cloud", AuditLog("cloud", "calls"), types=types, functions=f"{__name__}:OWN",
        sample_uids=("//cloud/boxes/example", "//cloud/boxes/other"),
    )  # fmt: skip
    others["cloud"] = made
    return made


def write(folder: Path, must: str = "!lid_open('box.lid')") -> Path:
    says = "example is open at box.lid"
    path = folder / "rules" / "t-box-closed.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(RULE.format(must=must, says=says))
    return path.parent


@pytest.mark.usefixtures("cloud")
def test_a_rule_calls_its_providers_functions_and_proves_itself(tmp_path: Path) -> None:
    [rule] = load([write(tmp_path)], builtin=False).rules
    assert rule.provider == "cloud"
    assert failures(rule) == []
    assert survivors(rule)[1] == []
    made = document(rule, rule.file.examples.failed[0])
    assert (made["provider"], made["uid"]) == ("cloud", "//cloud/boxes/example")


@pytest.mark.usefixtures("cloud")
def test_a_sentence_calls_them_too(tmp_path: Path) -> None:
    from driftline.pipeline.proof.rules.sentences import unsaid

    [rule] = load([write(tmp_path)], builtin=False).rules
    [problem] = unsaid(rule)
    assert "places is ['box.lid'] in every failing example" in problem


@pytest.mark.usefixtures("cloud")
def test_another_providers_function_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load([write(tmp_path, "!lid_open('box.lid') && !policy_allows_public('box.lid')")], builtin=False)  # fmt: skip
    [problem] = caught.value.problems
    assert problem.text == "must: policy_allows_public() is only for rules about AWS; this rule is about Cloud"  # fmt: skip
    assert problem.fix == "call a general function or one of Cloud (docs/functions.md)"
    assert problem.place.endswith("t-box-closed.yaml:10:52")


@pytest.mark.usefixtures("cloud")
def test_ours_do_not_call_those_of_others() -> None:
    with pytest.raises(ExpressionError, match="only for rules about Cloud; this rule is about AWS"):
        compile_text("lid_open('box.lid')", "aws")
    assert compile_text("lid_open('box.lid')").provider is None  # of which it is is not known
    with pytest.raises(ExpressionError, match="undeclared reference to 'lid_opne'"):
        compile_text("lid_opne('box.lid')", "cloud")


@pytest.mark.usefixtures("cloud")
def test_the_general_ones_are_for_all() -> None:
    assert functions_of("cloud").keys() == {"holds_secret", "plain_secrets", "is_true", "age_days", *OWN}  # fmt: skip
    assert functions_of("azure").keys() == {"holds_secret", "plain_secrets", "is_true", "age_days"}
    assert compile_text("is_true('box.lid.open')", "cloud").parts == {"box"}


@pytest.mark.usefixtures("cloud")
def test_the_page_has_them_under_their_provider() -> None:
    [(_, text)] = page.pages()
    assert text.index("## Of rules about AWS") < text.index("## Of rules about Cloud")
    assert "`lid_open('box.lid')`" in text.partition("## Of rules about Cloud")[2]


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("HIDING", "is_true of cloud is not a Function, or has the name of a general one"),
        ("NO_FUNCTIONS", "lid_open of cloud is not a Function"),
        ("ELSEWHERE", "the functions of cloud cannot be loaded"),
    ],
)
def test_functions_that_are_none_are_refused(
    named: str, why: str, others: dict[str, object]
) -> None:
    made: Any = Provider("cloud", "Cloud", AuditLog("cloud", ""), functions=f"{__name__}:{named}")
    others["cloud"] = made
    with pytest.raises(UserError, match=why):
        functions_of("cloud")


def test_two_providers_have_no_type_of_one_name(cloud: Provider, others: dict[str, object]) -> None:
    from dataclasses import replace

    from driftline.pipeline.rulebook.shapes import builtin_shapes

    others["sky"] = replace(cloud, name="sky", title="Sky")
    with pytest.raises(UserError, match=f"the type {TYPE} is cloud's and sky's"):
        builtin_shapes()
