"""What is generated is as it stands in the repository; a change of what it is made from shows as a difference."""

import re
import shutil
from functools import cache
from pathlib import Path

import click
import pytest

from driftline.collectors.aws import type_pages
from driftline.pipeline.reference import anchor, commands, generate, rules, settings, stream
from driftline.pipeline.rulebook import load
from driftline.pipeline.rulebook.frameworks import FrameworkFile
from driftline.pipeline.rulebook.rule import load_rule
from driftline.pipeline.rulebook.shapes import builtin_shapes
from driftline.pipeline.settings.blocks import load_settings
from tests.deploy.words import ROOT, mentioned, parse

BY_HAND = {
    "docs/architecture.md",
    "docs/glossary.md",
    "docs/identity.md",
    "docs/operating.md",
    "docs/owners.md",
    "docs/tickets.md",
    "docs/sizing.md",
    "docs/upgrading.md",
}


def test_everything_is_as_generated(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(check=True) == 0, capsys.readouterr().err


def test_nothing_else_lies_there() -> None:
    """A page or a policy that is generated no more is deleted with what made it."""
    made = {path for generator in generate.GENERATORS for path, _ in generator()}
    there = [*ROOT.glob("docs/**/*.*"), *ROOT.glob("deploy/aws/*.json"), *ROOT.glob("pipeline/schemas/*.json")]  # fmt: skip
    assert {str(path.relative_to(ROOT)) for path in there} - BY_HAND <= made


def test_a_changed_rule_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = load().rules[0]
    text = one.path.read_text().replace(f"severity: {one.file.severity}", "severity: informational")
    changed, problems = load_rule(one.path, builtin_shapes(), text)
    assert changed is not None, problems
    others = [rule for rule in load().rules if rule.id != one.id]
    monkeypatch.setattr(generate, "GENERATORS", (lambda: iter([("docs/rules.md", rules.rules_page([changed, *others]))]),))  # fmt: skip
    assert generate.main(check=True) == 1
    told = capsys.readouterr().err
    assert "docs/rules.md is out of date" in told
    assert "make docs" in told
    assert f"{one.id}](#{one.id}) | informational" in told

    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "rules.md", tmp_path / "docs")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(check=False) == 0
    assert "severity **informational**" in (tmp_path / "docs" / "rules.md").read_text()
    assert generate.main(check=True) == 0


def test_every_control_is_shown_with_its_rules() -> None:
    file = {
        "id": "own", "title": "Own", "url": "https://example.com",
        "controls": {"1": "One", "2": {"text": "Two", "from": {"fsbp": ["S3.5"]}}},
    }  # fmt: skip
    own = FrameworkFile.model_validate(file)
    page = rules.framework_page([], own)
    assert "2 controls, 2 of them without a rule" in page
    assert "| 1 | One | no rule yet |  |" in page
    assert "| 2 | Two | no rule yet | fsbp S3.5 |" in page
    assert "| [Own](frameworks/own.md) | `--framework own` | 2 | 0 |" in rules.frameworks_page([], [own])  # fmt: skip
    rulebook = load()
    page = rules.framework_page(rulebook.rules, rulebook.frameworks.catalogues["cis-aws-6.0"])
    link = "[aws-s3-bucket-tls-only](../rules.md#aws-s3-bucket-tls-only)"
    assert f"| 3.1.1 | Buckets refuse requests without TLS | {link} | cis-aws-5.0 2.1.1 |" in page


@cache
def anchors(file: Path) -> set[str]:
    """Where links into a page may lead."""
    return {anchor(head) for head in re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)}


def test_every_link_leads_somewhere() -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", path.read_text()):
            file = path if not target[0] else (path.parent / target[0]).resolve()
            assert file.exists(), f"{path.name}: {target[0]}"
            if target[1]:
                assert target[1] in anchors(file), f"{path.name}: {target}"


def test_every_setting_says_what_it_is_and_can_be_set() -> None:
    found = settings.settings()
    assert [one.name for one in found if not one.meaning] == []
    numbers = [one for one in found if one.type in ("whole number", "number", "duration")]
    assert len(numbers) > 5
    env = {one.variable: one.default for one in numbers}
    assert load_settings(None, env) == load_settings(
        None, {}
    )  # every variable is known, every default allowed


def test_every_command_and_option_has_its_words() -> None:
    plain = {"--format", "--rules", "--fail-on"}  # wherever they stand, they mean the same
    for words, command in commands.commands():
        assert command.help, words
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert [one.opts for one in options if not one.help and not plain & set(one.opts)] == []


def test_every_type_and_part_has_its_place() -> None:
    ((_, page),) = type_pages.pages()
    for name, shape in builtin_shapes().items():
        own = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for part in shape["parts"]:
            assert f"\n- `{part}`: " in own, (name, part)
            assert f"| `{part}` | `" in own, (name, part)


def test_a_topic_says_who_writes_it() -> None:
    rows = {line.split("`")[1]: line for line in stream.topics_page().splitlines() if line.startswith("| `")}  # fmt: skip
    assert "| collector | worker |" in rows["driftline.snapshots"]
    assert "| worker | sink |" in rows["driftline.findings"]
    assert "| cases |  |" in rows["driftline.tickets"]


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_commands_in_the_pages_are_real(path: Path) -> None:
    if path.name == "commands.md":
        return  # made from the commands themselves
    for words in mentioned(path.read_text()):
        if not words[0].isupper():  # COMMAND
            parse(words)


def test_the_readme_counts_what_there_is() -> None:
    said = re.search(r"AWS today: (\d+) resource types, (\d+) rules, (\d+) framework catalogues, (\d+) detections, (\d+) correlations", (ROOT / "README.md").read_text())  # fmt: skip
    assert said is not None
    files = [len(list(ROOT.glob(f"rules/{place}"))) for place in ("aws/*/*.yaml", "frameworks/*.yaml", "detections/**/*.yml", "correlations/*.yml")]  # fmt: skip
    assert [int(number) for number in said.groups()] == [len(builtin_shapes()), *files]
