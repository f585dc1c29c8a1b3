"""What is asked for is read to its end, whether botocore knows the operation's pages or not."""

from typing import Any

import pytest
from botocore.exceptions import PaginationError

from tests.collectors.answers import Replayed

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
