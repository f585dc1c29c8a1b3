"""`driftline scan aws` against a simulated AWS: what it reports, and by which code it ends."""

import csv
import io
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.model import Finding, Sweep
from tests.collectors.moto import ENV, MASTER, Moto, organization
from tests.core.world import RULE
from tests.shells.command import Command, Said

pytestmark = pytest.mark.live

HERE = ("--regions", "us-east-1")
SQS, QUEUE = "aws-sqs-queue-policy-not-public", "AWS::SQS::Queue"
OPEN = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})  # fmt: skip

UNANSWERED = dict.fromkeys(
    (
        "AWS::AccessAnalyzer::Settings",
        "AWS::Config::RegionSettings",
        "AWS::EC2::ClientVpnEndpoint",
        "AWS::EC2::RegionSettings",
        "AWS::SSM::Settings",
    ),
    "partial",
)
"""moto knows no answer to one of their calls; tests/collectors/answers.py holds them to answers by hand."""


def whole(said: Said) -> dict[str, Any]:
    """The one object; every finding and sweep holds to its model."""
    found: dict[str, Any] = json.loads(said.out)
    assert {"summary", "coverage", "findings"} <= found.keys()
    for finding in found["findings"]:
        Finding.model_validate(finding)
    for sweep in found["coverage"]:
        Sweep.model_validate(sweep)
    return found


def queues(moto: Moto, region: str = "us-east-1", account: str | None = None) -> None:
    """One that everybody may use, and one that nobody else may."""
    sqs = moto.client("sqs", region, account)
    sqs.create_queue(QueueName="open", Attributes={"Policy": OPEN})
    sqs.create_queue(QueueName="closed")


def user(moto: Moto, actions: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """From now on the caller is a user who may do only this; its secret."""
    iam = moto.client("iam")
    iam.create_user(UserName="reader")
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    iam.put_user_policy(UserName="reader", PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))  # fmt: skip
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", made["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"])
    moto.post("reset-auth", b"0")
    return str(made["SecretAccessKey"])


def test_an_account_as_json(moto: Moto, driftline: Command) -> None:
    queues(moto)
    moto.client("s3").create_bucket(Bucket="bucket")
    moto.client("iam").create_user(UserName="u", Tags=[{"Key": "pwd", "Value": "hunter22"}])
    said = driftline("scan", "aws", *HERE, "--format", "json")
    found = whole(said)
    assert said.code == 1
    assert found["summary"]["accounts"] == [MASTER]
    assert found["summary"]["findings"] == len(found["findings"]) > 15
    assert found["summary"]["evaluations"].keys() >= {"passed", "failed"}
    by = {sweep["scope"]["type"]: sweep["status"] for sweep in found["coverage"]}
    assert {kind: status for kind, status in by.items() if status != "complete"} == UNANSWERED
    assert {sweep["scope"]["region"] for sweep in found["coverage"]} == {"us-east-1", "global"}
    assert len({f["id"] for f in found["findings"]}) == len(found["findings"])
    assert "hunter22" not in said.out + said.err
    assert ENV["AWS_SECRET_ACCESS_KEY"] not in said.out + said.err


def test_table_and_csv(moto: Moto, driftline: Command) -> None:
    queues(moto)
    only = ("scan", "aws", *HERE, "--rule", SQS)
    table = driftline(*only)
    assert table.code == 1
    assert SQS in table.out
    assert "open" in table.out
    assert "1 failed" in table.out
    sheet = driftline(*only, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(sheet.out)))
    assert sorted((row["resource"].rsplit(":")[-1], row["evaluation"]) for row in rows) == [
        ("closed", "passed"), ("open", "failed"),
    ]  # fmt: skip


def test_a_file_is_the_owners_alone_and_holds_all(
    moto: Moto, driftline: Command, tmp_path: Path
) -> None:
    queues(moto)
    path = tmp_path / "report.json"
    path.write_text("x" * 1_000_000)
    path.chmod(0o644)
    for form in ("json", "csv", "table"):
        said = driftline("scan", "aws", *HERE, "--rule", SQS, "--format", form, "--output", path)
        assert (said.code, said.out) == (1, "")
        assert SQS in path.read_text()
        assert "xxx" not in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        if form == "json":
            whole(Said(1, path.read_text(), ""))
    for bad in (tmp_path / "no" / "such" / "folder.json", tmp_path):
        assert driftline("scan", "aws", *HERE, "--output", bad).code == 2


def test_what_is_chosen(moto: Moto, driftline: Command) -> None:
    queues(moto)
    moto.client("s3").create_bucket(Bucket="bucket")

    def types(*chosen: str) -> set[str]:
        found = whole(driftline("scan", "aws", *HERE, "--format", "json", *chosen))
        read = {sweep["scope"]["type"] for sweep in found["coverage"]}
        assert {f["resource"]["type"] for f in found["findings"]} <= read
        return read

    assert types("--type", QUEUE) == {QUEUE}
    assert types("--rule", SQS, "--rule", "aws-s3-bucket-tls-only") == {QUEUE, "AWS::S3::Bucket"}
    framework = types("--framework", "cis-aws-3.0")
    assert QUEUE not in framework
    assert "AWS::S3::Bucket" in framework
    assert types("--framework", "cis-aws-6.0") == framework  # answered by way of 3.0
    assert QUEUE in types("--framework", "soc2", "--type", QUEUE)


@pytest.mark.parametrize(("wrong", "nearest"), [
    (["--rule", "aws-sqs-queue-policy-not-publik"], SQS), (["--type", "AWS::SQS::Queues"], QUEUE), (["--framework", "cis-aws-3"], "cis-aws-3.0"),
    (["--regions", "[/b]"], "eu-west-1"), (["--regions", "eu-west"], "eu-west-1"), (["--accounts", "1234"], "twelve"), (["--format", "xml"], "json"),
    (["--fail-on", "hihg"], "high"), (["--rules", "/nowhere"], "/nowhere"), (["--profile", "nobody"], "--profile"), (["--output"], "argument"),
    (["--colour"], "--colour"),
])  # fmt: skip
def test_a_mistake_is_told_with_what_to_write(
    moto: Moto, driftline: Command, wrong: list[str], nearest: str
) -> None:
    said = driftline("scan", "aws", *wrong)
    assert (said.code, said.out) == (2, "")
    assert nearest in said.err


def test_without_credentials(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    said = driftline("scan", "aws", *HERE)
    assert said.code == 2
    assert "AWS_PROFILE" in said.err


def test_settings_that_are_wrong(moto: Moto, driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "driftline.yaml").write_text("aws:\n  regoins: [eu-west-1]\n")
    said = driftline("scan", "aws")
    assert said.code == 2
    assert "driftline.yaml:2:" in said.err
    assert "regions" in said.err


def test_nothing_fails(moto: Moto, driftline: Command) -> None:
    moto.client("sqs").create_queue(QueueName="closed")
    said = driftline("scan", "aws", *HERE, "--rule", SQS, "--format", "json")
    assert said.code == 0
    assert [f["evaluation"] for f in whole(said)["findings"]] == ["passed"]


def test_what_fails_below_the_limit_is_no_failure(moto: Moto, driftline: Command) -> None:
    moto.client("dynamodb").create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
    )  # fmt: skip
    only = ("scan", "aws", *HERE, "--rule", "aws-dynamodb-table-point-in-time-recovery")
    severity = whole(driftline(*only, "--format", "json"))["findings"][0]["rule"]["severity"]
    assert severity == "medium"
    codes = [driftline(*only, "--fail-on", s).code for s in ("informational", "low", "medium", "high", "critical")]  # fmt: skip
    assert codes == [1, 1, 1, 0, 0]


def test_what_may_not_be_read_is_three_unless_something_fails(
    moto: Moto, driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues(moto)
    moto.client("s3").create_bucket(Bucket="bucket")
    secret = user(moto, ["sts:*", "sqs:*", "s3:ListAllMyBuckets"], monkeypatch)
    only = ("scan", "aws", *HERE, "--format", "json")
    hidden = driftline(*only, "--rule", "aws-s3-bucket-tls-only")
    found = whole(hidden)
    assert hidden.code == 3
    assert [f["evaluation"] for f in found["findings"]] == ["unknown"]
    assert found["findings"][0]["cause"].startswith("policy: denied")
    assert found["coverage"][0]["status"] == "partial"
    denied = driftline(*only, "--rule", "aws-kms-key-rotation-enabled")
    assert denied.code == 3
    assert [(s["status"], s["count"]) for s in whole(denied)["coverage"]] == [("denied", 0)]
    both = driftline(*only, "--rule", SQS, "--rule", "aws-s3-bucket-tls-only")
    assert both.code == 1
    shown = driftline("scan", "aws", *HERE, "--rule", "aws-kms-key-rotation-enabled")
    assert "denied: ListKeys" in shown.out
    for said in (hidden, denied, both, shown):
        assert secret not in said.out + said.err


def test_the_organization_by_list_and_whole(moto: Moto, driftline: Command) -> None:
    [first, second] = organization(moto, 2)
    queues(moto)
    queues(moto, account=first)
    queues(moto, "eu-west-1", second)
    only = ("scan", "aws", "--rule", SQS, "--format", "json")

    def read(*where: str) -> list[tuple[str, str]]:
        found = whole(driftline(*only, *where))
        assert {s["status"] for s in found["coverage"]} == {"complete"}
        return sorted({(f["resource"]["account"], f["resource"]["region"]) for f in found["findings"]})  # fmt: skip

    assert read(*HERE) == [(MASTER, "us-east-1")]
    assert read(*HERE, "--accounts", f"{MASTER},{first}") == sorted(
        [(MASTER, "us-east-1"), (first, "us-east-1")]
    )
    everywhere = sorted([(MASTER, "us-east-1"), (first, "us-east-1"), (second, "eu-west-1")])
    assert read("--regions", "us-east-1,eu-west-1", "--accounts", "all") == everywhere
    taken = f"arn:aws:iam::{first}:role/Auditor"
    assert read(*HERE, "--role-arn", taken) == [(first, "us-east-1")]


def test_a_profile(
    moto: Moto, driftline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues(moto)
    (tmp_path / "aws").write_text(
        "[profile audit]\nregion = us-east-1\naws_access_key_id = AKIAPROFILE000000000\naws_secret_access_key = pr0file-s3cret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    said = driftline("scan", "aws", *HERE, "--rule", SQS, "--profile", "audit", "--format", "json")
    assert said.code == 1
    assert len(whole(said)["findings"]) == 2
    assert "pr0file" not in said.out + said.err


def test_a_rule_that_waits_opens_at_once_and_says_so(
    moto: Moto, driftline: Command, tmp_path: Path
) -> None:
    rule = RULE.format(
        id="t-patient", title="Rotation stays on", severity="high", part="rotation",
        must="resource.config.rotation.KeyRotationEnabled", path="config.rotation.KeyRotationEnabled", more="for: 10m",
    )  # fmt: skip
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "t-patient.yaml").write_text(rule)
    moto.client("kms").create_key()
    only = ("scan", "aws", *HERE, "--rules", "own", "--rule", "t-patient")
    said = driftline(*only, "--format", "json")
    [finding] = whole(said)["findings"]
    assert (said.code, finding["status"], finding["pending_for"]) == (1, "open", 600)
    assert finding["opened_at"]
    assert "would open after 600 s" in " ".join(driftline(*only).out.split())


def test_our_own_error_is_four_and_no_trace(
    driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("driftline.collectors.aws.sweep.collect.sweep", broken)
    said = driftline("scan", "aws")
    assert said.code == 4
    assert "ZeroDivisionError: of ours" in said.err
    assert "DRIFTLINE_DEBUG" in said.err


def test_only_the_report_goes_to_standard_output(moto: Moto, tmp_path: Path) -> None:
    """As a program calls it: through a pipe, by the installed command."""
    queues(moto)
    done = subprocess.run(
        [Path(sys.executable).with_name("driftline"), "scan", "aws", *HERE, "--rule", SQS, "--format", "json"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(whole(Said(1, done.stdout, ""))["findings"]) == 2
    assert ENV["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
