"""Programs beside Python that a test runs: `@needs("promtool")`.

A test whose program is not there is skipped, and one line at the end of the run says so. With DRIFTLINE_PARTS=all (set by
`.ci/run` where it has every program of `.ci/parts.txt`) it fails."""

import os
import shutil
from pathlib import Path

import pytest

LIST = Path(__file__).parents[1] / ".ci" / "parts.txt"
ABSENT = "is not there (.ci/parts.txt says which package has it)"


def needs(*programs: str) -> pytest.MarkDecorator:
    """The mark of a test that runs these programs."""
    return pytest.mark.needs(*programs)


def known() -> set[str]:
    """Every program that `.ci/parts.txt` names."""
    lines = LIST.read_text().splitlines()
    return {line.partition(":")[0] for line in lines if line and not line.startswith("#")}


def require(item: pytest.Item) -> None:
    """Skips a test whose program is not there; fails it where all are said to be."""
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if program not in known():
                pytest.fail(f"{program} is not in .ci/parts.txt (add it, with its package)")
            if shutil.which(program) is None:
                told = f"{program} {ABSENT}"
                if os.environ.get("DRIFTLINE_PARTS") == "all":
                    pytest.fail(f"DRIFTLINE_PARTS=all, and {told}")
                pytest.skip(told)
