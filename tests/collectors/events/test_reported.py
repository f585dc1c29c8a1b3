"""Findings of GuardDuty, Inspector and Security Hub, as EventBridge brings them."""

from typing import Any

import pytest

from driftline.collectors.aws.events import reported
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change

ACCOUNT, REGION = "111111111111", "eu-west-1"


def told(type_: str, detail: dict[str, Any], at: str = "2026-11-01T00:00:00Z") -> list[Change]:
    document = {
        "detail-type": type_,
        "account": ACCOUNT,
        "region": REGION,
        "time": at,
        "detail": detail,
    }
    return reported.changes(document, Redactor(b"k" * 32), "eventbridge")


def guardduty(resource: dict[str, Any], severity: float = 5.0, **more: Any) -> list[Change]:
    detail = {"id": "f1", "accountId": ACCOUNT, "region": REGION, "partition": "aws", "type": "Recon:X", "severity": severity,
              "resource": resource, "service": {"count": 1}}  # fmt: skip
    return told("GuardDuty Finding", detail | more)


@pytest.mark.parametrize(
    ("resource", "uids"),
    [
        ({"instanceDetails": {"instanceId": "i-1"}}, [f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"]),
        ({"s3BucketDetails": [{"arn": "arn:aws:s3:::a", "name": "a"}, {"name": "b"}]}, ["arn:aws:s3:::a", "arn:aws:s3:::b"]),
        ({"lambdaDetails": {"functionArn": "arn:aws:lambda:x:1:function:f"}}, ["arn:aws:lambda:x:1:function:f"]),
        ({"accessKeyDetails": {"userName": "ann", "userType": "IAMUser"}}, [f"arn:aws:iam::{ACCOUNT}:user/ann"]),
        ({}, [f"account:aws:{ACCOUNT}"]),
    ],
)  # fmt: skip
def test_guardduty_says_what_it_is_about(resource: dict[str, Any], uids: list[str]) -> None:
    found = guardduty(resource)
    assert [one.uid for one in found] == uids
    assert {(one.kind, one.service, one.action, one.type) for one in found} == {("reported", "guardduty.amazonaws.com", "Recon:X", None)}  # fmt: skip


def test_guardduty_says_whose_credential_it_was() -> None:
    for type_, name, id in (
        ("IAMUser", "ann", f"arn:aws:iam::{ACCOUNT}:user/ann"), ("AssumedRole", "web", f"arn:aws:iam::{ACCOUNT}:role/web"),
        ("Root", "x", f"arn:aws:iam::{ACCOUNT}:root"), ("Strange", "x", "guardduty.amazonaws.com"),
    ):  # fmt: skip
        (one,) = guardduty({"accessKeyDetails": {"userName": name, "userType": type_}})
        assert one.actor.id == id


def test_one_that_goes_on_is_one_until_it_becomes_worse() -> None:
    first, again, worse = (guardduty({}, severity, service={"count": count})[0].id for severity, count in ((5, 1), (5.5, 9), (8, 20)))  # fmt: skip
    assert first == again != worse


def test_inspector() -> None:
    detail = {"findingArn": "arn:f", "awsAccountId": ACCOUNT, "severity": "HIGH", "status": "ACTIVE", "title": "CVE-1 - x",
              "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-1"},
              "resources": [{"id": "i-1", "region": REGION}, {"id": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:$LATEST"},
                            {"id": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/r/sha256:00"}]}  # fmt: skip
    found = told("Inspector2 Finding", detail)
    assert [one.uid for one in found] == [
        f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1",
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/r",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
    ]
    assert {(one.id, one.action) for one in found} == {("inspector:arn:f:HIGH", "CVE-1")}
    assert told("Inspector2 Finding", detail | {"status": "CLOSED"}) == []


def test_security_hub_tells_what_stands_and_is_not_ours() -> None:
    def finding(**more: Any) -> dict[str, Any]:
        return {"Id": "f", "AwsAccountId": "222222222222", "Region": REGION, "Title": "T", "Severity": {"Label": "HIGH"},
                "RecordState": "ACTIVE", "Workflow": {"Status": "NEW"}, "ProductName": "Macie",
                "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::a"}, {"Type": "Other", "Id": "x"}]} | more  # fmt: skip

    findings = [finding(), finding(RecordState="ARCHIVED"), finding(Workflow={"Status": "SUPPRESSED"}),
                finding(Compliance={"Status": "PASSED"}), finding(ProductName="Driftline")]  # fmt: skip
    (one,) = told("Security Hub Findings - Imported", {"findings": findings})
    assert (one.uid, one.account, one.id) == (
        "arn:aws:s3:::a",
        "222222222222",
        "securityhub:f:HIGH",
    )


def test_a_secret_in_a_finding_is_redacted() -> None:
    (one,) = guardduty({}, service={"evidence": {"password": "hunter2hunter2"}})
    assert "hunter2" not in one.encode().decode()


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"severity": "x", "id": 1, "type": "t"},
        {"severity": None, "id": 1},
        {"id": "a", "severity": 5, "type": "t", "resource": ["x"]},
    ],
)
def test_what_is_no_finding_is_told(detail: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        told("GuardDuty Finding", detail)
