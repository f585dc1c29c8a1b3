"""What the product imports is what pyproject.toml declares: nothing comes only by way of another package."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {"pipeline/local/": "local", "pipeline/demo/": "demo"}
"""Folders that are used only where an extra is installed."""
NEVER_IMPORTED = {
    "cramjam": "aiokafka's codec of lz4, which our producers use",
    "moto": "its server is started as a program",
    "driftline": "an extra that includes another",
}


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[^\w.-]", one)[0].lower().replace("_", "-") for one in requirements}


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


@cache
def providers() -> dict[str, set[str]]:
    """The distributions of a top-level module."""
    return {top: names(found) for top, found in packages_distributions().items()}


def foreign() -> Iterator[tuple[str, set[str]]]:
    """Each file with the distributions that one of its imports may come from."""
    for folder in ("pipeline", "collectors", "sinks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for module in imported(ast.parse(path.read_text())):
                top = module.split(".")[0]
                if top not in sys.stdlib_module_names and top != "driftline":
                    assert top in providers(), f"{path} imports {module}, which is not installed"
                    yield str(path.relative_to(ROOT)), providers()[top]


def declared(path: str = "") -> set[str]:
    extras = PROJECT["optional-dependencies"]
    found = names(PROJECT["dependencies"])
    for folder, extra in EXTRAS.items():
        if path.startswith(folder):
            found |= names(extras[extra]) | (names(extras["local"]) if extra == "demo" else set())
    return found


def test_every_import_is_declared() -> None:
    assert {f"{path}: {sorted(from_)}" for path, from_ in foreign() if not from_ & declared(path)} == set()  # fmt: skip


def test_everything_declared_is_imported() -> None:
    used = set().union(*(from_ for _, from_ in foreign()))
    every = declared() | {n for extra in PROJECT["optional-dependencies"].values() for n in names(extra)}  # fmt: skip
    assert every - used == NEVER_IMPORTED.keys()


@pytest.mark.parametrize(
    ("code", "modules"),
    [("import a.b, c", ["a.b", "c"]), ("from a.b import c", ["a.b"]), ("from . import x", []), ("def f():\n import re2", ["re2"])],
)  # fmt: skip
def test_imports_are_found(code: str, modules: list[str]) -> None:
    assert [*imported(ast.parse(code))] == modules
