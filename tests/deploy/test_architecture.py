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


def test_the_files_exist() -> None:
    named = re.findall(r"`((?:pipeline|collectors|sinks|rules)/[\w./-]+)(?::(\w+))?`", PAGE)
    assert len(named) > 15
    for path, function in named:
        assert (ROOT / path).exists(), path
        assert not function or f"def {function}(" in (ROOT / path).read_text(), (path, function)
