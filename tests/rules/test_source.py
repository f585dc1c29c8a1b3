"""YAML that strangers write: only what JSON has, of a bounded size and depth, each mistake with its place."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.rulebook.source import Source

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))  # fmt: skip
REFUSED = {
    "aliases of aliases": (LAUGHS, "an alias"),
    "an alias": ("a: &x 1\nb: *x\n", ":2:1: an alias"),
    "an alias in a list": ("a: &x [1]\nb:\n  - 1\n  - *x\n", ":3:3: an alias"),
    "an alias of what is around it": ("&x a: &y [*y]\n", "an alias"),
    "a merge": ("a: &x {b: 1}\nc: {<<: *x}\n", "merge"),
    "an alias as a key": ("a: &x b\n*x : 1\n", "a key must be"),
    "a mapping as a key": ("? {a: 1}\n: 2\n", "a key must be text"),
    "a timestamp": ("a: !!timestamp 2026-01-01\n", ":1:4: neither text"),
    "not a number": ("a: !!float .nan\n", "neither text"),
    "bytes": ("a: !!binary aGk=\n", "neither text"),
    "Python": ("a: !!python/object/apply:os.system [ls]\n", None),
    "a large number": ("a: 99999999999999999999\n", "neither text"),
    "a huge number": (f"a: {'9' * 5000}\n", "cannot be read"),
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
    assert found.problems
    assert wanted is None or wanted in found.problems[0]
    assert all(problem.startswith("x.yaml:") and len(problem) < 500 for problem in found.problems)


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
    """Everything that users write comes in by Source; the two others read files of this package."""
    root = Path(__file__).parents[2]
    calls = {
        str(path.relative_to(root))
        for folder in ("pipeline", "collectors", "sinks", "rules")
        for path in (root / folder).rglob("*.py")
        if any(f"yaml.{word}" in path.read_text() for word in ("load", "safe_load", "full_load", "unsafe_load"))
    }  # fmt: skip
    assert calls <= {"pipeline/reference/detections.py", "collectors/aws/terraform/__init__.py"}
