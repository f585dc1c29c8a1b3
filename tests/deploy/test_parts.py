"""Programs beside Python: a test without its program is skipped in one line, and fails where all are said to be there."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import parts
from tests.parts import needs

ROOT = Path(__file__).parents[2]
USED = re.compile(r'needs\(("[\w", -]+")\)')


def test_every_program_is_named_once_and_used() -> None:
    lines = [line for line in parts.LIST.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == len(parts.known())
    assert all(re.fullmatch(r"[\w-]+: (-|(\S+=\S+ ?)+)", line) for line in lines)
    used = {
        name.strip('" ')
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in USED.findall(path.read_text())
        for name in found.split(",")
    }
    assert used == parts.known()


def test_no_test_starts_a_program_that_it_does_not_name() -> None:
    """`make test` needs Python only: what a test calls by its name is one of the parts."""
    called = {
        first.value
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("run", "Popen", "call", "check_call", "check_output")
        if node.args and isinstance(node.args[0], ast.List)
        for first in node.args[0].elts[:1]
        if isinstance(first, ast.Constant)
    }
    brought = {"git", "/bin/sh"}  # the tree comes by git, and make runs a shell
    assert called - brought == parts.known()


@pytest.mark.parametrize(("sets", "outcome"), [(None, pytest.skip.Exception), ("all", pytest.fail.Exception)])  # fmt: skip
def test_without_its_program_it_is_skipped_or_fails(
    sets: str | None, outcome: type[BaseException], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    item = request.node
    item.add_marker(needs("promtool", "terraform"))
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/it" if name == "promtool" else None)
    monkeypatch.delenv("DRIFTLINE_PARTS", raising=False)
    if sets:
        monkeypatch.setenv("DRIFTLINE_PARTS", sets)
    with pytest.raises(outcome, match=r"terraform is not there \(\.ci/parts\.txt"):
        parts.require(item)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    parts.require(item)


def test_where_nothing_can_be_fetched_one_line_says_so(tmp_path: Path) -> None:
    """A machine without these programs and without apt-get."""
    (tmp_path / "bin").mkdir()
    env = os.environ | {"PATH": str(tmp_path / "bin"), "DRIFTLINE_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, ROOT / ".ci/parts.py"], env=env, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.splitlines() == [f"export PATH={tmp_path}/bin:{tmp_path}/parts/bin"]
    told = done.stderr.splitlines()
    assert {line.split()[0] for line in told} == parts.known()
    assert all("its tests are skipped: " in line for line in told)
