"""Lists of which botocore knows no pages are read to their end all the same."""

from typing import Any

import pytest

from collectors.aws.read import items
from collectors.table import kinds
from tests.collectors.answers import Replayed, context

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
