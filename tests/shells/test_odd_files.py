"""Every command that takes a file: a named pipe, a device, a huge file or a bomb in its place is an error that names it, at
once. (A command that waited would hang the test: each has a time of its own.)"""

import gzip
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.rules.test_source import LAUGHS
from tests.shells.command import Command, Said

SOON = 60
"""Seconds: on a busy machine the rules alone take some."""


@contextmanager
def soon() -> Iterator[None]:
    def late(*_: Any) -> None:
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SOON)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(100):
            file.write(b" " * 1_000_000)


def aliases(path: Path) -> None:
    path.write_text(LAUGHS)


COMMANDS: dict[str, tuple[str, ...]] = {
    "settings": ("--config", "X", "config", "check"),
    "exceptions": ("exceptions", "check", "X"),
    "detections": ("detections", "check", "X"),
    "rules": ("rules", "list", "--rules", "X"),
    "snapshots": ("scan", "folder", "X"),
    "tape": ("replay", "X"),
    "tapes": ("replay", "--tape", "X"),
    "logs": ("replay", "--cloudtrail", "X"),
    "backtest's logs": ("backtest", "--detections", "rules", "--cloudtrail", "X"),
    "backtest's rules": ("backtest", "--detections", "X", "--cloudtrail", "logs"),
    "report": ("owners", "check", "--report", "X"),
    "plan": ("baseline", "declare", "--plan", "X", "--workspace", "w", "--dry-run"),
}
YAML = ("settings", "exceptions", "detections", "rules", "backtest's rules")


SIGMA = """\
title: Anything
id: 6f0a2f4e-3a51-4d2c-9a0e-0c1d5d0f9b11
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: StopLogging}, condition: s}
level: low
"""


def called(driftline: Command, name: str, tmp_path: Path) -> Said:
    for folder in ("rules", "logs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "logs" / "a.json").write_text(json.dumps({"Records": []}))
    (tmp_path / "rules" / "r.yml").write_text(SIGMA)
    with soon():
        return driftline(*COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("make", [pipe, device])
def test_what_is_no_file(name: str, make: Any, driftline: Command, tmp_path: Path) -> None:
    make(tmp_path / "X")
    said = called(driftline, name, tmp_path)
    assert said.code in (1, 2, 3), said
    assert "X" in said.err + said.out
    assert "internal error" not in said.err


@pytest.mark.parametrize("name", YAML)
def test_aliases_of_aliases(name: str, driftline: Command, tmp_path: Path) -> None:
    aliases(tmp_path / "X")
    said = called(driftline, name, tmp_path)
    assert said.code in (1, 2, 3), said
    assert "X:" in said.err + said.out
    assert "aliases (" in said.err + said.out
    assert len(said.err + said.out) < 50_000


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in YAML])
def test_a_bomb(name: str, driftline: Command, tmp_path: Path) -> None:
    bomb(tmp_path / "X")
    said = called(driftline, name, tmp_path)
    assert said.code in (2, 3), said
    assert "X" in said.err


KEYS = {
    "redaction.key_file": {}, "kafka.sasl_password_file": {"sasl_mechanism": "PLAIN", "sasl_username": "u"}, "kafka.ca_file": {},
    "kafka.certificate_file": {}, "elasticsearch.password_file": {"username": "u"},
}  # fmt: skip


@pytest.mark.parametrize("field", KEYS)
@pytest.mark.parametrize("make", [pipe, device])
def test_a_key_that_is_no_file(field: str, make: Any, driftline: Command, tmp_path: Path) -> None:
    make(tmp_path / "X")
    block, _, name = field.partition(".")
    more: dict[str, Any] = {"security_protocol": "SASL_SSL" if "sasl" in name else "SSL"} if block == "kafka" else {}  # fmt: skip
    own = {block: {name: str(tmp_path / "X"), **KEYS[field], **more}}
    (tmp_path / "driftline.yaml").write_text(json.dumps(own))
    with soon():
        said = driftline("--config", tmp_path / "driftline.yaml", "config", "check")
    assert said.code == 2
    assert f"{field}: cannot be read: is not a regular file" in said.err
