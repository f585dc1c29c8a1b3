"""`driftline sinks new`: what it writes is a sink that passes (tests/shells/test_contributing.py runs it); names that cannot be are told."""

import ast
import shutil
import tomllib
from pathlib import Path

import pytest

from driftline.pipeline.tasks import sink_files
from tests.shells.command import Command
from tests.shells.conftest import driftline  # noqa: F401 - the command line in this process

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("pyproject.toml", sink_files.EXAMPLE, sink_files.EXAMPLE_TEST):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "sinks").mkdir()
    (tmp_path / "sinks" / "pace.py").touch()
    monkeypatch.setattr(sink_files, "checkout", lambda: tmp_path)
    return tmp_path


def test_what_it_writes(driftline: Command, tree: Path) -> None:  # noqa: F811
    before = tomllib.loads((tree / "pyproject.toml").read_text())
    said = driftline("sinks", "new", "acme_hook")
    assert (said.code, said.err) == (0, "")
    *files, last = said.out.splitlines()
    assert files == ["sinks/acme_hook/__init__.py", "tests/sinks/test_acme_hook.py", "pyproject.toml"]  # fmt: skip
    assert "tests/sinks/test_acme_hook.py" in last
    for name in files[:2]:
        text = (tree / name).read_text()
        ast.parse(text)
        assert "xample" not in text
        assert "sinks new" not in text
    names = {node.name for node in ast.parse((tree / files[0]).read_text()).body if isinstance(node, ast.ClassDef)}  # fmt: skip
    assert names == {"AcmeHookSettings", "AcmeHookSink"}
    after = tomllib.loads((tree / "pyproject.toml").read_text())
    points = after["project"]["entry-points"]["driftline.sinks"]
    assert points.pop("acme_hook") == "driftline.sinks.acme_hook"
    assert after == before


@pytest.mark.parametrize(
    ("name", "told"),
    [("Acme", "not a sink's name"), ("acme-hook", "not a sink's name"), ("1x", "not a sink's name"), ("a__b", "not a sink's name"),
     ("pace", "there is a sink, or a module, of this name"), ("example", "of this name")],
)  # fmt: skip
def test_a_name_that_cannot_be(driftline: Command, tree: Path, name: str, told: str) -> None:  # noqa: F811
    before = sorted(tree.rglob("*"))
    said = driftline("sinks", "new", name)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert sorted(tree.rglob("*")) == before


def test_without_a_checkout_it_says_so(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811 # fmt: skip
    monkeypatch.setattr(sink_files, "EXAMPLE", "tests/not/there.py")
    said = driftline("sinks", "new", "acme")
    assert (said.code, "run it from a checkout" in said.err) == (2, True)
