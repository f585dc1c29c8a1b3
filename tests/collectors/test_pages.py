"""A list is read to its end, whether botocore knows its pages or not."""

import pytest

from tests.collectors.answers import Replayed

PAGES = [{"NextToken": "1", "WorkGroups": [{"Name": "a"}]}, {"WorkGroups": [{"Name": "b"}]}]


@pytest.mark.parametrize("pages", [PAGES, PAGES[1:]])
def test_pages_that_botocore_does_not_know_are_read(pages: list[dict[str, object]]) -> None:
    account = Replayed([{"call": "athena.ListWorkGroups", "answer": page} for page in pages])
    assert not account.client("athena", "us-east-1").can_paginate("list_work_groups")
    found = account.pages("athena", "us-east-1", "ListWorkGroups", {"MaxResults": 50})
    assert [page["WorkGroups"] for page in found] == [page["WorkGroups"] for page in pages]
    assert account.asked == ["athena.ListWorkGroups"] * len(pages)
