"""SIGHUP to `collect`: accounts are added to, and taken from, what is swept without a restart."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.collectors.aws.settings import aws_settings
from driftline.pipeline.cli.collect import inventory
from driftline.pipeline.common.errors import UserError
from tests.shells.command import Command

ONE, TWO = "111111111111", "222222222222"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTLINE_REDACTION__KEY", "k" * 32)

    def write(text: str) -> None:
        (tmp_path / "driftline.yaml").write_text(f"aws: {text}\n")

    write(f"{{accounts: ['{ONE}'], interval: 12h}}")
    return write


def swept(
    driftline: Command, monkeypatch: pytest.MonkeyPatch, *between: Callable[[], None]
) -> tuple[list[list[str]], str]:
    """The accounts of each sweep, and the messages. Between two sweeps: something, and SIGHUP."""
    sweeps: list[list[str]] = []
    changes = iter(between)

    def sweep(_: object, plan: inventory._Plan) -> bool:
        sweeps.append(aws_settings(plan.context.settings).accounts)
        if (change := next(changes, None)) is None:
            raise UserError("enough")  # (an interrupt ends the process where threads are left)
        change()
        handler = signal.getsignal(signal.SIGHUP)
        assert callable(handler)
        handler(signal.SIGHUP, None)  # (a signal to ourselves would be one to the whole run)
        return True

    monkeypatch.setattr(inventory, "_sweep", sweep)
    before = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM)
    try:
        said = driftline("collect", "aws")
    finally:
        signal.signal(signal.SIGHUP, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert said.code == 2
    return sweeps, said.err


def test_an_account_is_added_and_taken_away(
    driftline: Command, settings: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps, said = swept(
        driftline, monkeypatch,
        lambda: settings(f"{{accounts: ['{ONE}', '{TWO}'], interval: 12h}}"),
        lambda: settings(f"{{accounts: ['{TWO}'], interval: 12h}}"),
    )  # fmt: skip
    assert sweeps == [[ONE], [ONE, TWO], [TWO]]
    assert said.count("the settings were read again") == 2


def test_settings_with_a_mistake_are_not_taken_up(
    driftline: Command, settings: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps, said = swept(driftline, monkeypatch, lambda: settings("{interval: soon}"))
    assert sweeps == [[ONE], [ONE]]
    assert "the settings are not taken up: driftline.yaml:1:17: aws.interval: expected a duration" in said  # fmt: skip
