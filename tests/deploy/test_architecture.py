"""docs/architecture.md says what there is: folders in the order that import-linter holds, and files that exist."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text()


def test_the_folders_are_those_that_imports_follow() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (
        one["layers"] for one in contracts if one.get("containers") == ["driftline.pipeline"]
    )
    ordered = [name.strip() for layer in layers for name in layer.split("|")]
    told = re.findall(r"^\| `(\w+)` \| [^|]*\|$", PAGE, re.M)  # steps: 3 columns
    assert told == ordered
    assert {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")} == set(told)
    collectors = set(re.findall(r"^\| `collectors/(\w+)` \|", PAGE, re.M))
    assert {path.parent.name for path in (ROOT / "collectors").glob("*/__init__.py")} == collectors


OF_TESTS = {"tests.core", "tests.collectors.events.samples", "tests.sinks.findings"}
"""What tests of the core may import from the tests: what makes records, and nothing that starts or measures something."""


def test_tests_of_the_core_import_no_harness() -> None:
    found = {
        (path.name, name)
        for path in (ROOT / "tests/core").rglob("*.py")
        for name in re.findall(r"^from (tests\.[\w.]+) import", path.read_text(), re.M)
        if not any(name == one or name.startswith(f"{one}.") for one in OF_TESTS)
    }
    assert found == set()


def test_the_files_exist() -> None:
    named = re.findall(r"`((?:pipeline|collectors|sinks|rules)/[\w./-]+)(?::(\w+))?`", PAGE)
    assert len(named) > 15
    for path, function in named:
        assert (ROOT / path).exists(), path
        assert not function or f"def {function}(" in (ROOT / path).read_text(), (path, function)


def test_the_steps_are_those_of_the_core() -> None:
    assess = ROOT / "pipeline/assess"
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", PAGE, re.M)
    assert len(rows) > 8
    called = (assess / "step.py").read_text()
    for step, named in rows:
        paths = [assess / path for path in re.findall(r"`([\w/]+\.py)`", named)]
        paths = [path if path.exists() else assess / "drift" / path.name for path in paths]
        assert all(path.exists() for path in paths), step
        assert any(f"def {step}(" in path.read_text() for path in paths), step
        assert f"{step}(" in called, step


def test_the_pure_folders_are_those_that_the_contract_names() -> None:
    first, last = re.findall(r"from `(\w+)` down to `(\w+)`", PAGE)[0]
    told = re.findall(r"^\| `(\w+)` \| [^|]*\|$", PAGE, re.M)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]  # fmt: skip
    (pure,) = (one["source_modules"] for one in contracts if one["name"].startswith("The core is pure"))  # fmt: skip
    folders = {name.removeprefix("driftline.pipeline.") for name in pure} - {"offline.fold"}
    assert folders == set(told[told.index(first) : told.index(last) + 1])
