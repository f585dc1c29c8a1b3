"""The systemd units: real commands, real settings, the exit codes understood, and nothing more allowed than needed."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.pipeline.common import exit_codes
from tests.deploy.words import DEPLOY, mentioned, parse, settings_of
from tests.parts import needs

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SPECIFIERS = {"%i": "6067", "%d": "/run/credentials/x"}
CONFIG = (DEPLOY / "systemd" / "example.yaml").read_text()

every_unit = pytest.mark.parametrize("unit", UNITS, ids=[path.name for path in UNITS])


def read(unit: Path) -> dict[str, list[str]]:
    """A unit's keys, each with all of its values, specifiers filled in."""
    out: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            for sign, filled in SPECIFIERS.items():
                value = value.replace(sign, filled)
            out.setdefault(key, []).append(value)
    return out


def environment(keys: dict[str, list[str]]) -> dict[str, str]:
    """What Environment= gives."""
    return dict(one.partition("=")[::2] for one in keys["Environment"])


def test_every_program_that_runs_on_has_a_unit() -> None:
    given = [shlex.split(read(unit)["ExecStart"][0])[1:] for unit in UNITS]
    started = {" ".join(words[: 2 if words[2:3] < ["a"] else 3]) for words in given}
    assert started == {
        "worker",
        "correlate",
        "clock",
        "collect aws",
        "collect aws events",
        "collect aws reads",
        "sink elasticsearch",
        "coverage --serve",
    }


@every_unit
def test_starts_a_real_command_with_real_settings(unit: Path, tmp_path: Path) -> None:
    keys = read(unit)
    program, *words = shlex.split(keys["ExecStart"][0])
    assert program == "/opt/driftline/bin/driftline"
    parse(words)
    password = {"DRIFTLINE_KAFKA__SASL_PASSWORD": "of driftline.env"}
    settings_of(environment(keys) | password, tmp_path, CONFIG)


@every_unit
def test_starts_again_only_where_that_helps(unit: Path) -> None:
    keys = read(unit)
    assert keys["Restart"] == ["on-failure"]
    assert keys["RestartForceExitStatus"] == [str(exit_codes.EXIT_RESTART)]
    newer = (
        f" {exit_codes.EXIT_NEWER} {exit_codes.EXIT_OTHER_TOPIC}"
        if keys["ExecStart"][0].endswith((" worker", " correlate"))
        else ""
    )
    assert keys["RestartPreventExitStatus"] == [
        f"{exit_codes.EXIT_USAGE} {exit_codes.EXIT_OWN_ERROR}{newer}"
    ]
    assert keys["StartLimitIntervalSec"] == ["0"]
    stopped_by_signal = (
        [str(exit_codes.EXIT_INTERRUPTED)] if "collect" in keys["ExecStart"][0] else None
    )
    assert keys.get("SuccessExitStatus") == stopped_by_signal


@every_unit
def test_may_do_little(unit: Path) -> None:
    keys = read(unit)
    assert keys["User"] == ["driftline"]
    assert keys["CapabilityBoundingSet"] == [""]
    assert keys["UMask"] == ["0077"]
    assert keys["ProtectSystem"] == ["strict"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces", "LockPersonality"):  # fmt: skip
        assert keys[name] == ["yes"], name


def test_workers_of_one_machine_share_neither_state_nor_port(tmp_path: Path) -> None:
    keys = read(DEPLOY / "systemd" / "driftline-worker@.service")
    settings = settings_of(environment(keys), tmp_path)
    assert settings.worker.port == 6067
    assert str(settings.worker.state_dir) == f"/var/lib/{keys['StateDirectory'][0]}"
    assert keys["StateDirectory"] == ["driftline/worker-6067"]
    assert keys["StateDirectoryMode"] == ["0700"]


@every_unit
def test_a_secret_is_in_no_unit_but_where_it_is_used(unit: Path) -> None:
    keys = read(unit)
    needed = {"collect": ["redaction.key"], "sink": ["elasticsearch.api_key"]}
    want = needed.get(shlex.split(keys["ExecStart"][0])[1], [])
    assert [one.partition(":")[0] for one in keys.get("LoadCredential", [])] == want
    for name, value in environment(keys).items():
        if name.endswith("_FILE"):
            assert value == f"/run/credentials/x/{want[0]}"


def test_the_readme_calls_real_commands() -> None:
    found = list(mentioned((DEPLOY / "systemd" / "README.md").read_text()))
    assert len(found) >= 2
    for words in found:
        parse(words)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with a program that is there."""
    real = str(Path(sys.executable).with_name("driftline"))
    for unit in UNITS:
        text = unit.read_text().replace("/opt/driftline/bin/driftline", real)
        (tmp_path / unit.name.replace("@", "@6067")).write_text(text)
    return tmp_path


@needs("systemd-analyze")
def test_systemd_takes_them(installed: Path) -> None:
    units = sorted(str(path) for path in installed.glob("*.service"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60)  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "driftline" in line]
    assert (done.returncode, ours) == (0, [])
