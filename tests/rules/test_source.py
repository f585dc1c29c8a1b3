"""YAML that strangers write: only what JSON has, of a bounded size and depth, each mistake with its place."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.common import yaml_source
from driftline.pipeline.common.errors import Problem
from driftline.pipeline.common.yaml_source import MORE, MOST_PROBLEMS, Source
from driftline.pipeline.rulebook import Rulebook
from driftline.pipeline.settings.exception_files import Checker
from driftline.pipeline.settings.people_files import _file

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))  # fmt: skip
REFUSED = {
    "aliases of aliases": (LAUGHS, "aliases ("),
    "an alias": ("a: &x 1\nb: *x\n", ":2:1: aliases ("),
    "an alias in a list": ("a: &x [1]\nb:\n  - 1\n  - *x\n", ":3:3: aliases ("),
    "an alias of what is around it": ("&x a: &y [*y]\n", "aliases ("),
    "a merge": ("a: &x {b: 1}\nc: {<<: *x}\n", "a key must be text"),
    "an alias as a key": ("a: &x b\n*x : 1\n", "a key must be"),
    "a mapping as a key": ("? {a: 1}\n: 2\n", "a key must be text"),
    "a timestamp": ("a: !!timestamp 2026-01-01\n", ":1:4: not a text"),
    "not a number": ("a: !!float .nan\n", "not a text"),
    "bytes": ("a: !!binary aGk=\n", "not a text"),
    "Python": ("a: !!python/object/apply:os.system [ls]\n", None),
    "a large number": ("a: 99999999999999999999\n", "not a text"),
    "a huge number": (f"a: {'9' * 5000}\n", "not a text"),
    "a whole number by sixties": (f"a: !!int \"{'1:' * 600_000}1\"\n", ":1:4: not a text"),
    "a number by sixties": (f"a: !!float \"{'1:' * 600_000}1\"\n", ":1:4: not a text"),
    "a number of ones and zeros": (f"a: !!int \"0b{'1' * 600_000}\"\n", ":1:4: not a text"),
    "a tag without end": (f"a: !<{'x' * 100_000}> b\n", ":1:4: not a text"),
    "a million keys": ("a: 1\n" * 20_000, "a mapping of more than"),
    "a million mistakes": ("- !!timestamp 2026-01-01\n" * 20_000, ":1:3: not a text"),
    "70 levels": ("a: " + "[" * 70 + "]" * 70, "nested deeper than 64"),
    "no end of levels": ("a: " + "[" * 100_000, "nesting depth"),
    "text that is none": ("a: \x00\n", None),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    text, wanted = REFUSED[name]
    began = time.process_time()
    found = Source(Path("x.yaml"), text)
    assert time.process_time() - began < 2
    if name == "Python":  # a list of texts is a list of texts, whatever its tag says
        assert found.data == {"a": ["ls"]}
        return
    assert 0 < len(found.problems) <= MOST_PROBLEMS + 1
    assert wanted is None or wanted in found.problems[0]
    assert all(problem.startswith("x.yaml:") and len(problem) < 500 for problem in found.problems)


def test_what_json_has_may_bear_its_tag() -> None:
    found = Source(Path("x.yaml"), 'a: !!int "5"\nb: !!str 5\nc: !!null ""\nd: !!bool true\ne: !!float "1.5"\nf:\ng: ~\nh: 1.0e5\n')  # fmt: skip
    assert found.problems == []
    assert found.data == {"a": 5, "b": "5", "c": None, "d": True, "e": 1.5, "f": None, "g": None, "h": "1.0e5"}  # fmt: skip


def test_an_anchor_alone_harms_nothing() -> None:
    found = Source(Path("x.yaml"), "a: &x 1\nb: 2\n")
    assert (found.problems, found.data) == ([], {"a": 1, "b": 2})


@pytest.mark.parametrize("name", ["pipe", "zero", "folder", "large"])
def test_what_is_no_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    made: dict[str, Any] = {
        "pipe": os.mkfifo, "zero": lambda p: p.symlink_to("/dev/zero"), "folder": Path.mkdir,
        "large": lambda p: p.write_bytes(b"#" * 5_000_000),
    }  # fmt: skip
    made[name](path)
    (problem,) = Source(path).problems
    assert problem.startswith(f"{path}:1:1: cannot be read: ")


def test_no_other_loader_of_yaml() -> None:
    """Everything that users write comes in by Source; one reads files of this package."""
    root = Path(__file__).parents[2]
    calls = {
        str(path.relative_to(root))
        for folder in ("pipeline", "collectors", "sinks", "rules")
        for path in (root / folder).rglob("*.py")
        if any(f"yaml.{word}" in path.read_text() for word in ("load", "safe_load", "full_load", "unsafe_load"))
    }  # fmt: skip
    # shipped() reads what comes with Driftline; kinds new edits the tables of its own checkout
    assert calls == {"pipeline/common/files.py", "collectors/aws/proposal/files.py"}


def test_of_a_flood_of_mistakes_only_so_many_are_told(tmp_path: Path) -> None:
    """In the files of exceptions and of people too."""
    path = tmp_path / "x.yaml"
    path.write_text("- x: 1\n" * 5000)
    found = Checker(Rulebook(()), datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=365)).folders([path])  # fmt: skip
    assert (len(found.problems) < 2 * MOST_PROBLEMS, found.problems[-1].endswith(MORE)) == (True, True)  # fmt: skip
    problems: list[Problem] = []
    assert list(_file(path, "people.0", problems)) == []
    assert (len(problems) < 2 * MOST_PROBLEMS, problems[-1].endswith(MORE)) == (True, True)


@pytest.mark.parametrize(
    "line", ["- a: 1\n", "- [a, b]\n", "- {a: }\n", "- - - a\n", '- ["x\n", y]\n']
)
def test_too_many_values_are_refused_before_they_are_made(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(_: object) -> None:
        raise AssertionError("all of it was made")

    monkeypatch.setattr(yaml_source._Loader, "get_single_node", made)
    (tmp_path / "many.yaml").write_text(line * (3_900_000 // len(line)))
    found = Source(tmp_path / "many.yaml")
    assert [problem for problem in found.problems if "more than 200000 values and keys" in problem]
    assert len(found.problems) == 1
