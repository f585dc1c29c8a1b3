"""The command line itself: what it finds, and the codes that it ends by."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from driftline.pipeline import cli
from driftline.pipeline.common.errors import RestartWanted, UserError
from tests.shells.command import Command

COMMANDS = ["alerts", "clock", "collect", "config", "coverage", "deadletter", "demo", "doctor", "findings", "permissions", "replay", "rules", "scan", "sink", "topics", "worker"]  # fmt: skip


def test_every_command_is_listed_and_explains_itself(driftline: Command) -> None:
    said = driftline("--help")
    assert said.code == 0
    group = cli.main
    assert isinstance(group, click.Group)
    names = group.list_commands(click.Context(group))
    assert set(COMMANDS) <= set(names)
    for name in names:
        assert name in said.out
        help_ = driftline(name, "--help")
        assert help_.code == 0
        assert "Usage:" in help_.out


def test_version_and_what_is_unknown(driftline: Command) -> None:
    assert driftline("--version").out.startswith("driftline")
    for wrong in (["skan"], ["scan", "azure"], ["--colour"], ["scan"]):
        said = driftline(*wrong)
        assert said.code == 2, said
        assert said.err


def test_a_settings_file_that_is_not_there(driftline: Command, tmp_path: Path) -> None:
    said = driftline("--config", tmp_path / "nowhere.yaml", "rules", "list")
    assert said.code == 2
    assert "nowhere.yaml" in said.err


@pytest.mark.parametrize(("error", "code", "told"), [
    (UserError("one", "two"), 2, "error: one\nerror: two\n"), (click.ClickException("no"), 2, "Error: no\n"), (RestartWanted("why"), 75, "restarting: why\n"),
    (KeyboardInterrupt(), 130, "interrupted\n"), (click.Abort(), 130, "interrupted\n"), (ValueError("ours"), 4, "internal error: ValueError: ours\n"),
])  # fmt: skip
def test_how_it_ends(
    driftline: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, told: str
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(
        "threading.active_count", lambda: 1
    )  # else it leaves at once, and pytest with it
    monkeypatch.setattr(cli.main, "main", fail)
    said = driftline("rules", "list")
    assert said.code == code
    assert said.err.startswith(told)


def test_debug_shows_where(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ValueError("ours")

    monkeypatch.setenv("DRIFTLINE_DEBUG", "1")
    monkeypatch.setattr(cli.main, "main", fail)
    monkeypatch.setattr(sys, "argv", ["driftline"])
    with pytest.raises(ValueError, match="ours"):
        cli.run()


def test_help_imports_no_client_library() -> None:
    """`driftline --help` is quick: libraries of clouds and brokers come with their commands."""
    code = "import sys, driftline.pipeline.cli; print([m for m in ('boto3', 'confluent_kafka', 'faust', 'elasticsearch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_letters_that_the_terminal_lacks(tmp_path: Path) -> None:
    rule = tmp_path / "rules" / "own-rule-one.yaml"
    rule.parent.mkdir()
    base = [sys.executable, "-m", "driftline.pipeline", "rules"]
    made = subprocess.run([*base, "new", "own-rule-one", "--type", "AWS::S3::Bucket", "--dir", str(rule.parent)], check=False, capture_output=True, cwd=tmp_path)  # fmt: skip
    assert made.returncode == 0, made.stderr
    rule.write_text(rule.read_text().replace("What is true if", "Was hält, wenn"))
    env = {"PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([*base, "show", "own-rule-one", "--rules", str(rule.parent)], check=False, capture_output=True, cwd=tmp_path, env=env)  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "hält".encode() in shown.stdout or rb"h\xe4lt" in shown.stdout


def test_a_reader_that_leaves_is_no_trouble(tmp_path: Path) -> None:
    child = subprocess.Popen([Path(sys.executable).with_name("driftline"), "rules", "list", "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)  # fmt: skip
    assert child.stdout is not None
    assert child.stderr is not None
    with child:
        child.stdout.read(1)
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


def groups(command: click.Command, name: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every group of commands."""
    if isinstance(command, click.Group):
        yield name
        for word in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), word)
            assert found is not None
            yield from groups(found, (*name, word))


@pytest.mark.parametrize("name", list(groups(cli.main)), ids=" ".join)
def test_every_command_has_a_whole_line_in_its_groups_help(
    name: tuple[str, ...], driftline: Command
) -> None:
    said = driftline(*name, "--help")
    assert said.code == 0
    cut = [line for line in said.out.splitlines() if line.endswith("...")]
    assert [line for line in cut if not line.startswith("Usage:")] == []
    assert max(map(len, said.out.splitlines())) <= 80
