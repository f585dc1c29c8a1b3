"""CONTRIBUTING's recipes, run as they stand in a copy of the tree: `sh` blocks are run, blocks with a path are written there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", ".*_cache", ".hypothesis", "bench.json")  # fmt: skip
FOLDERS = ("pipeline", "collectors", "rules", "sinks")
MODULE = re.compile(r"One module, `(\w+)/NAME\.py`")


class Block(NamedTuple):
    language: str
    path: str
    text: str


def sections() -> dict[str, str]:
    """Heading to text."""
    found = re.split(r"^##+ (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def blocks(text: str) -> Iterator[Block]:
    """The code blocks of a section. One without a path is written nowhere, but for a module's that the text names."""
    module = MODULE.search(text)
    for language, path, body in re.findall(r"^```(\w*) ?(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):  # fmt: skip
        if module and language == "python" and not path:
            yield Block(language, f"{module[1]}/example.py", body.replace("NAME", "example"))
            made = f"from driftline.{module[1]} import example; example.create(None)"
            yield Block("sh", "", f".venv/bin/python -c '{made}'\n")
        else:
            yield Block(language, path, body)


RECIPES = {name: [one for one in blocks(text) if one.path or one.language == "sh"] for name, text in sections().items()}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree, with an environment that imports it."""
    copy = tmp_path / "driftline"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    environment = copy / ".venv"
    (environment / "src" / "driftline").mkdir(parents=True)
    for folder in FOLDERS:
        (environment / "src" / "driftline" / folder).symlink_to(copy / folder)
    for name in ("bin", "lib"):
        (environment / name).symlink_to(Path(sys.prefix) / name)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", environment)
    (environment / ".done").touch()  # as `make venv` leaves it: nothing is to be installed
    return copy


def run(tree: Path, text: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env["PYTHONPATH"] = str(tree / ".venv" / "src")
    env["PYTHONDONTWRITEBYTECODE"] = (
        ""  # what is compiled came with the copy, and is used by each command
    )
    done = subprocess.run(["/bin/sh", "-euxc", text], cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_what_is_recommended_has_a_recipe() -> None:
    """The sink of another package is run through the conformance suite too (tests/sinks/test_recipe.py), the provider through
    every command (tests/collectors/test_provider_recipe.py)."""
    assert {name for name, found in RECIPES.items() if found} >= {
        "A rule", "A detection or correlation", "A resource type (a kind)", "A sink", "A provider",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name, found in RECIPES.items() if found])
def test_a_recipe_works_as_it_stands(name: str, tree: Path) -> None:
    run(tree, f'test "$(.venv/bin/python -c "import driftline.pipeline as p; print(p.__path__[0])")" = {tree}/.venv/src/driftline/pipeline')  # fmt: skip
    for block in RECIPES[name]:
        if block.path:
            path = tree / block.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        else:
            run(tree, block.text)
