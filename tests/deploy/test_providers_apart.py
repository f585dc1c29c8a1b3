"""The cores know no provider: what is AWS's is in its facts (pipeline/providers/aws) and its rule functions."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("assess", "people", "detections", "correlate", "state", "compare", "cases")
NAMES = re.compile(
    r"(?<![a-z])aws|amazon|\barn:|\biam\b|\bec2\b|\bsts\b|cloudtrail|akia|aroa|azure|gcp|microsoft\.|google",
    re.I,
)
ARGUED: dict[str, str] = {}
"""Files that name a provider all the same, and why."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_provider_is_named(folder: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "pipeline" / folder).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in ARGUED
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if NAMES.search(line)
    }
    assert found == set()
