"""What organizations, analyzers and root users answer in accounts of different kinds."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from driftline.collectors.aws.row import kinds
from driftline.pipeline.model import Snapshot
from tests.collectors.answers import Replayed, read_all, recorded
from tests.collectors.test_read import failing

ORGANIZATION, SUMMARY = "AWS::Organizations::Organization", "AWS::IAM::AccountSummary"


def read(type_: str, calls: list[dict[str, Any]]) -> list[Any]:
    return read_all(Replayed(calls), kinds()[type_])


def test_an_account_without_an_organization_has_none() -> None:
    first = failing(recorded(ORGANIZATION)[0], "AWSOrganizationsNotInUseException", 400)
    assert read(ORGANIZATION, [first]) == []


def test_an_organization_that_may_not_be_seen_is_not_none() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        read(ORGANIZATION, [failing(recorded(ORGANIZATION)[0], "AccessDeniedException", 400)])


def test_a_member_leaves_the_organization_to_its_management_account() -> None:
    first = recorded(ORGANIZATION)[0]
    body = first["body"].replace('"MasterAccountId": "123456789012"', '"MasterAccountId": "999999999999"')  # fmt: skip
    assert body != first["body"]
    assert read(ORGANIZATION, [first | {"body": body}]) == []


def test_only_the_root_users_virtual_devices_count() -> None:
    devices = {"IsTruncated": False, "VirtualMFADevices": [
        {"SerialNumber": "arn:aws:iam::123456789012:mfa/ann", "User": {"Arn": "arn:aws:iam::123456789012:user/root", "Path": "/", "UserName": "root", "UserId": "AIDAEXAMPLE12345678", "CreateDate": "2025-01-01T00:00:00+00:00"}},
        {"SerialNumber": "arn:aws:iam::123456789012:mfa/left"},
        {"SerialNumber": "arn:aws:iam::123456789012:mfa/phone", "User": {"Arn": "arn:aws:iam::123456789012:root", "Path": "/", "UserName": "example", "UserId": "123456789012345678", "CreateDate": "2025-01-01T00:00:00+00:00"}},
    ]}  # fmt: skip
    name = "iam.ListVirtualMFADevices"
    calls = [{"call": name, "answer": devices} if c["call"] == name else c for c in recorded(SUMMARY)]  # fmt: skip
    [found] = read(SUMMARY, calls)
    assert isinstance(found, Snapshot)
    assert found.unread == []
    assert found.config["root_virtual_mfa"] == ["arn:aws:iam::123456789012:mfa/phone"]
