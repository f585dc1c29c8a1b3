"""What `pip install .` brings: everything that the repository's packages hold, and a program that runs by it alone."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("pipeline", "collectors", "rules", "sinks")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, as it lies after an installation."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    source = folder / "source"
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, source],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder


def test_nothing_is_left_out(unpacked: Path) -> None:
    def files(root: Path) -> set[str]:
        found = (path for folder in FOLDERS for path in (root / folder).rglob("*"))
        return {str(p.relative_to(root)) for p in found if p.is_file() and "__pycache__" not in p.parts}  # fmt: skip

    assert files(unpacked / "site/driftline") == files(unpacked / "source")


def test_nothing_else_in_an_environment_is_shadowed(unpacked: Path) -> None:
    """Others install packages named `rules`, `sinks` or `pipeline`."""
    (info,) = (unpacked / "site").glob("*.dist-info")
    assert {path.name for path in (unpacked / "site").iterdir()} == {"driftline", info.name}


def test_it_runs_from_anywhere(unpacked: Path, tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("DRIFTLINE_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "driftline.pipeline", "rules", "list", "--format", "json"],
        cwd=tmp_path, env=env | {"PYTHONPATH": str(unpacked / "site")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(json.loads(done.stdout)) >= 25
    where = "from driftline import pipeline, rules; print(pipeline.__file__, rules.__file__)"
    told = subprocess.run(
        [sys.executable, "-P", "-c", where], cwd=tmp_path, env=env | {"PYTHONPATH": str(unpacked / "site")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.count(str(unpacked)) == 2
