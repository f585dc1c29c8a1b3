"""The command line in this process, in an empty folder, with nobody's settings."""

import os
from pathlib import Path

import pytest

from tests.collectors.moto import Moto
from tests.shells.command import Command


@pytest.fixture
def driftline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "DRIFTLINE_CONFIG", ""
    )  # --config sets it for the process: put back afterwards
    for name in [name for name in os.environ if name.startswith(("AWS_", "DRIFTLINE_"))]:
        monkeypatch.delenv(name)
    return Command(monkeypatch, capsys)


@pytest.fixture
def moto(moto_server: Moto, driftline: Command, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """An empty simulated AWS that every client of this process talks to."""
    moto_server.begin_anew()
    for name, value in moto_server.env.items():
        monkeypatch.setenv(name, value)
    return moto_server
