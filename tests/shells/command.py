"""A command as a person calls it: arguments in; exit code, output and messages out."""

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from driftline.pipeline import cli


@contextmanager
def given_back() -> Iterator[None]:
    """A command that runs on takes the process for its own: signals and logs are as before, after it."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    logs = list(logging.root.handlers)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    logging.root.handlers[:] = logs
    logging.disable(logging.NOTSET)


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
