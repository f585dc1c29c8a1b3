"""Accounts by name, with the units above them; and only what may be asked."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from driftline.collectors.aws.reread.resource import ResourceReader
from driftline.collectors.aws.sweep import accounts as module
from driftline.collectors.aws.sweep.accounts import Accounts, accounts
from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.base import Emitted
from driftline.collectors.redact import Redactor
from driftline.pipeline.model import Read, Snapshot
from tests.collectors.moto import MASTER, Moto, organization

TREE = {
    "ListRoots": [{"Id": "r-1"}],
    "ListAccountsForParent r-1": [{"Id": "1", "Name": "main"}],
    "ListAccountsForParent ou-1": [],
    "ListAccountsForParent ou-2": [{"Id": "2", "Name": "shop"}],
    "ListOrganizationalUnitsForParent r-1": [{"Id": "ou-1", "Name": "Workloads"}],
    "ListOrganizationalUnitsForParent ou-1": [{"Id": "ou-2", "Name": "Production"}],
    "ListOrganizationalUnitsForParent ou-2": [],
    "ListAccounts": [{"Id": "1", "Name": "main"}, {"Id": "2", "Name": "shop"}],
}  # fmt: skip


class Asked:
    """Organizations' answers; some calls fail."""

    def __init__(self, caller: str = "1", **wrong: str | Exception) -> None:
        self.account, self.wrong = caller, wrong

    def _may(self, operation: str) -> None:
        why = self.wrong.get(operation)
        if isinstance(why, str):
            raise ClientError({"Error": {"Code": why}}, operation)
        if why is not None:
            raise why

    def describe(self) -> str:
        self._may("DescribeOrganization")
        return "o-1"

    def list(self, operation: str, items: str, **params: str) -> Any:
        self._may(operation)
        return iter(TREE[" ".join([operation, *params.values()])])


def known(**wrong: str | Exception) -> Accounts:
    return accounts(Asked(**wrong))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_last", {})


def test_an_account_has_its_name_and_what_stands_above_it() -> None:
    found = known()
    shop = found.of("2")
    assert (shop.kind, shop.id, shop.name, shop.organization) == ("account", "2", "shop", "o-1")
    assert [(one.kind, one.id, one.name) for one in shop.ancestors] == [
        ("organizational_unit", "ou-2", "Production"), ("organizational_unit", "ou-1", "Workloads"), ("organization", "o-1", ""),
    ]  # fmt: skip
    assert [one.id for one in found.of("1").ancestors] == ["o-1"]
    assert found.of("3").ancestors == [], "an account of somebody else"
    assert found.missing == ""


@pytest.mark.parametrize("operation", ["ListRoots", "ListOrganizationalUnitsForParent", "ListAccountsForParent"])  # fmt: skip
def test_without_the_right_to_walk_names_come_from_the_list_and_it_is_said(operation: str) -> None:
    found = known(**{operation: "AccessDeniedException"})
    assert found.missing == f"organizations:{operation} (AccessDeniedException)"
    assert (found.of("2").name, found.of("2").organization) == ("shop", "o-1")
    assert [one.kind for one in found.of("2").ancestors] == ["organization"]


def test_without_any_list_only_the_callers_own_is_sure() -> None:
    found = known(ListRoots="AccessDeniedException", ListAccounts="AccessDeniedException")
    assert (found.of("1").organization, found.of("2").organization) == ("o-1", None)


def test_where_there_is_no_organization_accounts_stand_alone() -> None:
    found = known(DescribeOrganization="AWSOrganizationsNotInUseException")
    assert (found.of("1").ancestors, found.missing) == ([], "")
    denied = known(DescribeOrganization="AccessDeniedException")
    assert denied.missing.startswith("organizations:DescribeOrganization")


@pytest.mark.parametrize("why", ["TooManyRequestsException", EndpointConnectionError(endpoint_url="x")])  # fmt: skip
def test_what_aws_does_not_answer_now_is_as_it_was(why: str | Exception) -> None:
    first = known()
    assert known(ListRoots=why) is first
    assert known(DescribeOrganization=why) is first
    assert accounts(Asked("2", DescribeOrganization=why)).known == {}  # type: ignore[arg-type]


@pytest.mark.live
def test_a_sweep_and_a_reading_of_one_say_the_same_of_the_account(moto: Moto) -> None:
    [member] = organization(moto, 1)
    client = moto.client("organizations")
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="Workloads")["OrganizationalUnit"]["Id"]  # fmt: skip
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    moto.client("sqs", "us-east-1", member).create_queue(QueueName="q")
    options = CollectOptions(accounts=["all"], regions=["us-east-1"], types=["AWS::SQS::Queue"], redactor=Redactor(b"k" * 32))  # fmt: skip
    out: list[Emitted] = []
    sweep(options, {}, out.append)
    [swept] = [one for one in out if isinstance(one, Snapshot)]
    owner = swept.cloud_account
    assert owner is not None
    assert (owner.id, owner.name, [one.name for one in owner.ancestors]) == (member, "a0", ["Workloads", ""])  # fmt: skip
    assert swept.organization == owner.organization
    wish = Read(uid=swept.uid, type=swept.type, account=member, region="us-east-1", reason="change", after=datetime.now(UTC))  # fmt: skip
    again = ResourceReader(options).one(wish)
    assert again is not None
    assert (again.cloud_account, again.organization, again.class_) == (owner, swept.organization, "integration")  # fmt: skip
    gone = ResourceReader(options).one(wish.model_copy(update={"uid": f"{swept.uid}-2"}))
    assert gone is not None
    assert (gone.deleted, gone.cloud_account) == (True, owner)


@pytest.mark.live
@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1"])
def test_an_organization_of_another_partition(moto: Moto, monkeypatch: pytest.MonkeyPatch, region: str) -> None:  # fmt: skip
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    client = moto.client("organizations", region)
    client.create_organization(FeatureSet="ALL")
    client.create_account(Email="a@example.com", AccountName="a")
    options = CollectOptions(accounts=["all"], regions=[region], types=["AWS::SQS::Queue"], redactor=Redactor(b"k" * 32))  # fmt: skip
    headers = sweep(options, {}, lambda _: None)
    assert len({header.scope.account for header in headers}) == 2
    assert MASTER in {header.scope.account for header in headers}
    assert json.dumps([header.status for header in headers]) == '["complete", "complete"]'
