"""The catalogues of controls: whole, of one form, and what a rule answers follows through them."""

import re
from pathlib import Path

import pytest

from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.rulebook.frameworks import (
    FrameworkFile,
    Frameworks,
    built_in_frameworks,
    keys,
    load_frameworks,
)
from driftline.pipeline.rulebook.rule import load_rule
from driftline.pipeline.rulebook.shapes import builtin_shapes

FRAMEWORKS = built_in_frameworks()
FORMS = {
    "cis-aws-3.0": (62, r"[1-5](\.\d+){1,2}"), "cis-aws-4.0": (64, r"[1-5](\.\d+){1,2}"), "cis-aws-5.0": (63, r"[1-5](\.\d+){1,2}"),
    "cis-aws-6.0": (63, r"[2-6](\.\d+){1,2}"), "cis-aws-7.0": (70, r"[2-6](\.\d+){1,2}"), "csf-2.0": (106, r"(GV|ID|PR|DE|RS|RC)\.[A-Z]{2}-\d\d"),
    "fsbp": (366, r"[A-Z][A-Za-z0-9]+\.[1-9]\d*"), "iso-27001-2022": (93, r"A\.[5-8]\.[1-9]\d?"), "nist-800-53-r5": (275, r"[A-Z]{2}-[1-9]\d?(\([1-9]\d?\))?"),
    "pci-dss-4.0": (133, r"([1-9]|1[0-2])(\.\d+){2,3}"), "soc2": (38, r"(CC[1-9]|A1|C1)\.\d"),
}  # fmt: skip


def test_the_catalogues_are_whole() -> None:
    _, problems = load_frameworks()
    assert problems == []
    assert FRAMEWORKS.catalogues.keys() == FORMS.keys()
    for id, (count, form) in FORMS.items():
        controls = FRAMEWORKS.catalogues[id].controls
        assert [name for name in controls if not re.fullmatch(form, name)] == [], id
        assert len(controls) == count, id
        low = [name.lower() for name in controls]
        assert len(set(low)) == count, id


def test_the_annex_has_no_gap() -> None:
    sizes = {5: 37, 6: 8, 7: 14, 8: 34}
    expected = [f"A.{part}.{n}" for part, size in sizes.items() for n in range(1, size + 1)]
    assert list(FRAMEWORKS.catalogues["iso-27001-2022"].controls) == expected


def test_a_benchmark_keeps_the_words_of_the_one_before() -> None:
    """Each control that stood in an earlier edition is answered from there, and from one place only."""
    for new, old in (("4", "3"), ("5", "4"), ("6", "5"), ("7", "6")):
        before = FRAMEWORKS.catalogues[f"cis-aws-{old}.0"].controls
        taken = []
        for id, control in FRAMEWORKS.catalogues[f"cis-aws-{new}.0"].controls.items():
            for source in control.from_.get(f"cis-aws-{old}.0", ()):
                assert control.text == before[source].text, id
                taken.append(source)
        assert len(set(taken)) == len(taken)
        assert len(taken) >= len(before) - 2


@pytest.mark.parametrize(("named", "framework", "answered"), [
    ({"cis-aws-3.0": ["2.1.1"]}, "cis-aws-7.0", ["3.1.1"]), ({"cis-aws-3.0": ["5.6"]}, "cis-aws-5.0", ["5.7"]),
    ({"cis-aws-3.0": ["1.3"]}, "cis-aws-5.0", None), ({"cis-aws-3.0": ["1.13"]}, "cis-aws-7.0", None), ({"cis-aws-3.0": ["1.14"]}, "pci-dss-4.0", None),
    ({"nist-800-53-r5": ["SC-28"]}, "csf-2.0", ["PR.DS-01"]), ({"nist-800-53-r5": ["SC-8(1)"]}, "csf-2.0", ["PR.DS-02"]),
    ({"nist-800-53-r5": ["SC-28(1)"]}, "iso-27001-2022", ["A.8.24"]), ({"nist-800-53-r5": ["CP-9"]}, "soc2", ["CC7.5", "A1.2"]),
    ({"fsbp": ["RDS.2"]}, "pci-dss-4.0", ["1.4.4"]), ({"fsbp": ["RDS.5"]}, "cis-aws-7.0", ["3.2.4"]), ({"csf-2.0": ["PR.DS-01"]}, "nist-800-53-r5", None),
])  # fmt: skip
def test_what_follows_from_a_control(
    named: dict[str, list[str]], framework: str, answered: list[str] | None
) -> None:
    found = FRAMEWORKS.answered(named)
    assert found.get(framework) == answered
    assert {id: found[id] for id in named} == named


def test_what_follows_is_said_once_and_in_order() -> None:
    named = {"soc2": ["CC6.1"], "nist-800-53-r5": ["SC-28", "AC-3", "SC-28(1)"]}
    found = FRAMEWORKS.answered(named)
    assert found["nist-800-53-r5"] == ["SC-28", "AC-3", "SC-28(1)"]
    assert found["soc2"] == ["CC6.1", "C1.1"]
    assert found["csf-2.0"] == ["PR.AA-05", "PR.DS-01"]


def own(folder: Path, **texts: str) -> list[str]:
    """The problems of catalogues, each file with its head before it."""
    (folder / "frameworks").mkdir()
    for name, text in texts.items():
        head = f"id: {name}\ntitle: Own\nurl: https://example.com\ncontrols:\n"
        whole = text if text.startswith(("id:", "- ")) else head + text
        (folder / "frameworks" / f"{name}.yaml").write_text(whole)
    _, problems = load_frameworks([folder])
    return [problem.removeprefix(f"{folder}/frameworks/") for problem in problems]


@pytest.mark.parametrize(("text", "place", "told"), [
    ("  one: First\n  one: Again\n", "6:3", "defined twice"), ("  one: {text: First, from: {fsbb: [S3.1]}}\n", "5:35", "no framework 'fsbb' (did you mean 'fsbp'?)"),
    ("  one: {text: First, from: {fsbp: [S3.1, S3.55]}}\n", "5:42", "fsbp has no control 'S3.55' (did you mean 'S3.5'?)"),
    ("  one: {text: First, from: {own: [two]}}\n  two: {text: Second, from: {own: [one]}}\n", "5:", "in a circle: own one → own two → own one"),
    ("  one: {text: First, from: {own: [one]}}\n", "5:", "in a circle: own one → own one"), ("  one: {text: First, txt: x}\n", "5:27", "unknown field 'txt' (did you mean 'text'?)"),
    ("  one: {from: {fsbp: [S3.1]}}\n", "5:", "controls.one.text is missing"), ("  one: {text: First, from: [S3.1]}\n", "5:28", "dictionary"),
    ("  1.10: First\n", "5:3", "a key must be text"), ("  one: 5\n", "5:8", "controls.one is not understood"), ("  {}\n", "", "controls"), ("- a\n", "1:1", "a framework is not understood"),
    ("id: other\ntitle: Own\nurl: https://example.com\ncontrols: {one: First}\n", "1:5", "is not the file's name"),
    ("id: own\ntitle: Own\nurl: http://example.com\ncontrols: {one: First}\n", "3:6", "url"), ("id: own\ntitle: Own\nurl: https://a.b\n", "1:1", "controls is missing"),
    ("id: own\ntitle: Own\nurl: https://a.b\ncontrols: {one: First}\nmore: x\n", "5:7", "unknown field 'more'"),
])  # fmt: skip
def test_a_mistake_in_a_catalogue_has_its_place(
    tmp_path: Path, text: str, place: str, told: str
) -> None:
    problems = own(tmp_path, own=text)
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"own.yaml:{place}"), problems
    assert told in problems[0]


def test_a_circle_through_two_catalogues(tmp_path: Path) -> None:
    problems = own(tmp_path, one="  a: {text: First, from: {two: [b]}}\n  c: Third\n", two="  b: {text: Second, from: {one: [a, c]}}\n")  # fmt: skip
    assert len(problems) == 1
    assert "one a → two b → one a" in problems[0]


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    problems = own(tmp_path, fsbp="  one: First\n")
    assert len(problems) == 1
    assert "there is a framework fsbp already" in problems[0]


def test_a_mistake_stops_the_rulebook_and_its_folder_is_no_rule(tmp_path: Path) -> None:
    assert own(tmp_path, own="  one: {text: First, from: {fsbp: [S3.1]}}\n") == []
    rulebook = load([tmp_path])
    assert "own" in rulebook.frameworks.catalogues
    assert "own" not in built_in_frameworks().catalogues
    assert "own" in rulebook.only(framework="own").frameworks.catalogues


def test_a_finding_carries_what_follows_and_a_changed_catalogue_judges_anew() -> None:
    """The hash of a type changes with what its rules answer, so that findings are said again with it."""
    rule = next(rule for rule in load().rules if rule.id == "aws-s3-bucket-tls-only")
    carried = rule.ref("high")["frameworks"]
    assert carried == rule.frameworks
    assert carried["cis-aws-6.0"] == ["3.1.1"]
    assert set(keys(rule.file.frameworks)) < set(keys(carried))
    catalogues = list(FRAMEWORKS.catalogues.values())
    more = FrameworkFile.model_validate(
        {"id": "own", "title": "Own", "url": "https://example.com",
         "controls": {"1": {"text": "One", "from": {"cis-aws-7.0": ["3.1.1"]}}}}
    )  # fmt: skip
    changed, problems = load_rule(rule.path, builtin_shapes(), None, Frameworks([*catalogues, more]))  # fmt: skip
    assert changed is not None, problems
    assert changed.frameworks == rule.frameworks | {"own": ["1"]}
    assert Rulebook([changed]).type_hash(rule.type) != Rulebook([rule]).type_hash(rule.type)
