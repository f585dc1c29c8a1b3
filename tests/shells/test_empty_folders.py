"""A folder that holds nothing of what it is named for is a mistake, and is said to be one."""

from pathlib import Path

import pytest

from tests.shells.command import Command


@pytest.mark.parametrize(("command", "what"), [
    ("rules list --rules {}", "--rules {}: contains no rule"),
    ("rules test --rules {}", "--rules {}: contains no rule"),
    ("rules show aws-kms-key-rotation-enabled --rules {}", "--rules {}: contains no rule"),
    ("scan folder {} --rules {}", "--rules {}: contains no rule"),
    ("scan folder {} --exceptions {}", "--exceptions {}: contains no exception"),
    ("replay tape.jsonl --rules {}", "--rules {}: contains no rule"),
    ("replay tape.jsonl --detections {}", "--detections {}: contains no detection"),
    ("replay tape.jsonl --exceptions {}", "--exceptions {}: contains no exception"),
    ("detections list {}", "{}: contains no detection"),
    ("exceptions apply {}", "{}: contains no exception"),
    ("baseline apply {}", "{}: contains no baseline"),
])  # fmt: skip
def test_an_empty_folder(command: str, what: str, driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "tape.jsonl").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("nothing yet")
    said = driftline(*(word.format("empty") for word in command.split()))
    assert said.code == 2
    assert said.err.startswith(f"error: {what.format('empty')} (name the folder that holds them")


@pytest.mark.parametrize("block", ["rules", "detections", "exceptions"])
def test_an_empty_folder_of_the_settings(block: str, driftline: Command, tmp_path: Path) -> None:
    """Is no mistake, for it may be filled later; `config check` tells of it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "driftline.yaml").write_text(f"{block}: {{paths: [empty]}}\n")
    said = driftline("config", "check")
    assert said.code == 0
    assert f"{block}.paths.0: empty contains no file (*.yaml)" in said.err
