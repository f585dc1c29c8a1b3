"""What is asked for is read to its end, whether botocore knows the operation's pages or not."""

from typing import Any

import pytest
from botocore.exceptions import PaginationError

from driftline.collectors.aws.row import kinds
from driftline.collectors.aws.sweep.read import items
from tests.collectors.answers import Replayed, context

PAGES: list[dict[str, Any]] = [
    {"NextToken": "1", "WorkGroups": [{"Name": "a"}]},
    {"WorkGroups": [{"Name": "b"}]},
]
SHARED = [
    {"AccountIds": ["111111111111"], "NextToken": "1"},
    {"AccountIds": ["222222222222"], "NextToken": "2"},
    {"AccountIds": ["all"]},
]


def replayed(call: str, pages: list[dict[str, Any]]) -> Replayed:
    return Replayed([{"call": call, "answer": page} for page in pages])


@pytest.mark.parametrize("pages", [PAGES, PAGES[1:]])
def test_pages_that_botocore_does_not_know_are_read(pages: list[dict[str, Any]]) -> None:
    account = replayed("athena.ListWorkGroups", pages)
    assert not account.client("athena", "us-east-1").can_paginate("list_work_groups")
    found = account.pages("athena", "us-east-1", "ListWorkGroups", {"MaxResults": 50})
    assert [page["WorkGroups"] for page in found] == [page["WorkGroups"] for page in pages]
    assert account.asked == ["athena.ListWorkGroups"] * len(pages)


@pytest.mark.parametrize("pages", [SHARED, SHARED[2:]])
def test_so_are_those_of_a_detail(pages: list[dict[str, Any]]) -> None:
    account = replayed("ssm.DescribeDocumentPermission", pages)
    params = {"Name": "x", "PermissionType": "Share"}
    found = account.call("ssm", "us-east-1", "DescribeDocumentPermission", params)
    assert found == {"AccountIds": [page["AccountIds"][0] for page in pages]}


def test_what_never_ends_is_not_read_for_ever() -> None:
    account = replayed("athena.ListWorkGroups", [PAGES[0]] * 3)
    with pytest.raises(PaginationError):
        list(account.pages("athena", "us-east-1", "ListWorkGroups", {}))


ACL = {"Id": "1", "ARN": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/x/1"}


def listed(*pages: dict[str, Any]) -> tuple[list[str], int]:
    """The names that a list gives, and how often was asked."""
    account = Replayed([{"call": "wafv2.ListWebACLs", "answer": page} for page in pages])
    kind = kinds()["AWS::WAFv2::WebACL"]
    names = [item["Name"] for item, _ in items(kind, context(account, kind))]
    return names, len(account.asked)


def page(*names: str, **more: str) -> dict[str, Any]:
    return {"WebACLs": [ACL | {"Name": name} for name in names]} | more


@pytest.mark.parametrize(("pages", "names"), [
    ([page("a", "b")], ["a", "b"]),
    ([page("a", NextMarker="a"), page("b", NextMarker="b"), page()], ["a", "b"]),
    ([page("a", NextMarker="a"), page(NextMarker="a")], ["a"]),
])  # fmt: skip
def test_every_page_is_read_and_no_more(pages: list[dict[str, Any]], names: list[str]) -> None:
    assert listed(*pages) == (names, len(pages))


def test_each_page_is_asked_for_by_the_one_before() -> None:
    asked: list[Any] = []
    kind = kinds()["AWS::S3::AccessPoint"]
    point = {"Name": "abc", "NetworkOrigin": "Internet", "Bucket": "abc", "AccessPointArn": "arn:aws:s3:us-east-1:123456789012:accesspoint/a"}  # fmt: skip
    pages = [{"AccessPointList": [point], "NextToken": "more"}, {"AccessPointList": [point]}]
    account = Replayed([{"call": "s3-control.ListAccessPoints", "answer": one} for one in pages])
    client = account.client("s3control", "us-east-1")
    client.meta.events.register(
        "before-parameter-build", lambda params, **_: asked.append(params.get("NextToken"))
    )
    assert len(list(items(kind, context(account, kind)))) == 2
    assert asked == [None, "more"]
