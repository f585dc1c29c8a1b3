"""A scan of an account whose flaws are known: none is missed, and nothing else is called one."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.rulebook import load
from tests.collectors.moto import Moto, running
from tests.collectors.truth import Truth, blocked_account
from tests.collectors.truth_data import build

SETTINGS = {
    "aws": {"requests_per_second": 1000, "regions": ["eu-west-1", "us-east-1"]},
    # nothing here is older than a minute: no age is allowed
    "rules": {"overrides": [{"rule": "aws-iam-user-access-key-rotated", "params": {"max_age_days": -1}}]},
}  # fmt: skip


def scan(folder: Path, *more: str) -> dict[str, Any]:
    path = folder / "driftline.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    path.chmod(0o600)
    result = CliRunner(env={"DRIFTLINE_CONFIG": str(path)}).invoke(
        main, ["scan", "aws", "--format", "json", *more], standalone_mode=False
    )
    assert result.return_value == 1, result.output[:2_000]
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running(tmp_path_factory.mktemp("moto"), managed=True) as moto:
        yield moto


@pytest.fixture(scope="module")
def truth(server: Moto) -> Truth:
    return build(server)


@pytest.fixture(autouse=True)
def _environment(server: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)


def test_every_flaw_is_found_and_nothing_else(truth: Truth, tmp_path: Path) -> None:
    wanted = {(name, f"aws-{rule}") for name, rules in truth.items() for rule in rules}
    report = scan(tmp_path)
    found = report["findings"]

    def name(finding: dict[str, Any]) -> str:
        resource = finding["resource"]
        there = f"{resource['name']}@{resource['region']}", resource["uid"].rpartition("/")[2]
        return next((one for one in there if one in truth), str(resource["name"]))

    failed = {(name(f), f["rule"]["id"]) for f in found if f["evaluation"] == "failed"}
    assert wanted - failed == set()
    assert failed - wanted == set()
    assert [(name(f), f["rule"]["id"], f["reason"]) for f in found if f["evaluation"] == "unknown"] == []  # fmt: skip
    assert Counter(f["id"] for f in found).most_common(1)[0][1] == 1
    assert {sweep["status"] for sweep in report["coverage"]} == {"complete"}
    judged = {name(f) for f in found}
    assert {one for one in truth if one not in judged and truth[one]} == set()
    for evaluation in ("failed", "passed"):
        rules = {f["rule"]["id"] for f in found if f["evaluation"] == evaluation}
        # moto's root user never has a key, nor a second factor; one account has one password policy
        never = {"failed": {"aws-iam-root-no-access-keys"}, "passed": {"aws-iam-root-mfa-enabled", "aws-iam-password-policy-strong"}}  # fmt: skip
        assert {rule.id for rule in load().rules} - rules == never[evaluation]


def test_the_accounts_own_block_mends_every_bucket(
    truth: Truth, server: Moto, tmp_path: Path
) -> None:
    mended = {f"aws-s3-bucket-{name}" for name in ("public-access-blocked", "policy-not-public", "acl-not-public")}  # fmt: skip
    with blocked_account(server):
        report = scan(tmp_path, "--type", "AWS::S3::Bucket")
    found = [f for f in report["findings"] if f["rule"]["id"] in mended]
    assert len(found) > 3 * 10
    assert {f["evaluation"] for f in found} == {"passed"}
    assert {f"aws-{rule}" for rules in truth.values() for rule in rules} >= mended
