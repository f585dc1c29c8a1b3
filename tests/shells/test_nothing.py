"""What looked at nothing says so, and ends with 3: it is no clean result."""

import json
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.aws.sweep import collect
from tests.shells.command import Command


def config(*items: dict[str, Any]) -> str:
    return json.dumps({"fileVersion": "1.0", "configurationItems": list(items)})


UNKNOWN = {
    "resourceType": "AWS::Nobody::Knows", "resourceId": "x", "ARN": "arn:aws:nobody:eu-west-1:111111111111:x", "awsRegion": "eu-west-1",
    "awsAccountId": "111111111111", "configurationItemCaptureTime": "2026-11-01T10:00:00.000Z", "configurationItemStatus": "OK", "configuration": {},
}  # fmt: skip


@pytest.mark.parametrize("text", [config(), config(UNKNOWN)])
def test_a_file_without_a_resource_that_is_judged(text: str, driftline: Command, tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "snapshot.json").write_text(text)
    said = driftline("scan", "folder", "snapshot.json")
    assert said.code == 3
    assert "nothing was evaluated" in said.err


KNOWN = UNKNOWN | {"resourceType": "AWS::EC2::Volume"}


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        (config(), "", "the files hold no resource\n"),
        (config(UNKNOWN), "", "can be judged from files"),
        (config(UNKNOWN | {"resourceType": "AWS::SQS::Queue"}), "", "can be judged from files"),
        (config(KNOWN), "--service s3", "that the chosen rules are about"),
        (config(KNOWN, UNKNOWN), "--type AWS::S3::Bucket", "that the chosen rules are about"),
        (config(KNOWN), "--framework fsbp --service kms", "that the chosen rules are about"),
        ("{", "", "no file could be read"),
        ('{"configurationItems": [[1], {}, {"resourceType": 5}]}', "", "no file could be read"),
    ],
)  # fmt: skip
def test_why_nothing_was_looked_at(text: str, options: str, why: str, driftline: Command, tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "snapshot.json").write_text(text)
    said = driftline("scan", "folder", "snapshot.json", *options.split())
    assert said.code == 3
    assert why in said.err
    assert "Error" not in said.err


def test_what_the_options_leave_out_is_not_told_as_not_judged(driftline: Command, tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "snapshot.json").write_text(config(KNOWN, KNOWN, UNKNOWN))
    said = driftline("scan", "folder", "snapshot.json", "--service", "s3", "--format", "json")
    found = json.loads(said.out)
    assert (found["left_out"], found["not_judged"]) == ({"AWS::EC2::Volume": 2}, {"AWS::Nobody::Knows": 1})  # fmt: skip
    assert "left out, as the options say: 2 resources (AWS::EC2::Volume)" in said.err
    assert "not judged: AWS::EC2::Volume" not in said.err


@pytest.mark.parametrize("command", ["replay", "backtest"])
@pytest.mark.parametrize("text", [None, '{"Records": []}'])
def test_a_folder_without_a_record(command: str, text: str | None, driftline: Command, tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "logs").mkdir()
    if text:
        (tmp_path / "logs" / "log.json").write_text(text)
    said = driftline(
        command, "--cloudtrail", "logs", *(["--builtin"] if command == "backtest" else [])
    )
    assert said.code == 3
    assert "nothing was evaluated" in said.err


def test_no_account(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "sweep", lambda *_, **__: [])
    said = driftline("scan", "aws", "--accounts", "all")
    assert said.code == 3
    assert "no account is to be read" in said.err


def test_choices_that_leave_no_rule(driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").write_text(config())
    said = driftline("scan", "folder", "--rule", "aws-sqs-queue-policy-not-public", "--type", "AWS::S3::Bucket", "snapshot.json")  # fmt: skip
    assert said.code == 2
    assert "exclude each other" in said.err
