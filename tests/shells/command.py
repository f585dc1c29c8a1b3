"""A command as a person calls it: arguments in; exit code, output and messages out."""

import sys
from typing import NamedTuple

import pytest

from pipeline import cli


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Command:
    """Runs commands in this process, through the real entry point."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Said:
        self._patch.setattr(sys, "argv", ["driftline", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.run()
        said = self._capsys.readouterr()
        assert isinstance(end.value.code, int)
        assert "Traceback" not in said.err
        return Said(end.value.code, said.out, said.err)
