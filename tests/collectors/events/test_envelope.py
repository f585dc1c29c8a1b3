"""What messages hold: every wrapping that AWS knows, what is passed over, and what is poison."""

import contextlib
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.aws.events.envelope import Contents, S3Object, contents
from driftline.pipeline.common.errors import Malformed
from tests.collectors.events.samples import (
    LOG,
    OPENED,
    bridged,
    item_message,
    noticed,
    stored,
)
from tests.collectors.events.test_record import JSON


def opened(body: Any) -> Contents:
    return contents(json.dumps(body))


def twice(body: Any) -> list[Any]:
    """As it is, and wrapped by SNS."""
    return [body, noticed(json.dumps(body))]


@pytest.mark.parametrize("body", [*twice(bridged(OPENED)), *twice(OPENED), [bridged(OPENED)], {"Records": [OPENED]}])  # fmt: skip
def test_events(body: Any) -> None:
    assert opened(body).records == [OPENED]


def test_an_event_without_its_recipient_has_the_envelopes_account() -> None:
    record = {k: v for k, v in OPENED.items() if k != "recipientAccountId"}
    assert opened(bridged(record)).records[0]["recipientAccountId"] == "111111111111"


CREATED = {
    "version": "0", "detail-type": "Object Created", "source": "aws.s3", "region": "eu-west-1", "account": "111111111111",
    "detail": {"bucket": {"name": "trail"}, "object": {"key": LOG, "size": 5, "version-id": "v1"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "want"),
    [
        *((body, S3Object("trail", LOG, None, "eu-west-1")) for body in twice(stored())),
        *((body, S3Object("trail", LOG, "v1", "eu-west-1")) for body in twice(CREATED)),
        *((body, S3Object("trail", LOG)) for body in twice({"s3Bucket": "trail", "s3ObjectKey": [LOG]})),
        (item_message("OversizedConfigurationItemChangeNotification", s3DeliverySummary={"s3BucketLocation": "conf/AWSLogs/1/Config/x.json.gz"}),
         S3Object("conf", "AWSLogs/1/Config/x.json.gz", kind="config")),
        (item_message("ConfigurationSnapshotDeliveryCompleted", s3Bucket="conf", s3ObjectKey="AWSLogs/1/Config/s.json.gz"),
         S3Object("conf", "AWSLogs/1/Config/s.json.gz", kind="config")),
        (item_message("ConfigurationHistoryDeliveryCompleted", s3Bucket="conf", s3ObjectKey="AWSLogs/1/Config/h.json.gz"),
         S3Object("conf", "AWSLogs/1/Config/h.json.gz", kind="config")),
    ],
)  # fmt: skip
def test_objects(body: Any, want: S3Object) -> None:
    assert opened(body).objects == [want]


def test_a_key_is_written_as_in_an_address() -> None:
    key = LOG.replace("trail", "a b").replace("/2026/", "/with space+plus/2026/")
    (found,) = opened(stored(quote_plus(key))).objects
    assert found.key == key


@pytest.mark.parametrize("body", [*twice(item_message()), bridged(item_message(), "Config Configuration Item Change")])  # fmt: skip
def test_configuration_items(body: Any) -> None:
    assert [item["resourceId"] for item in opened(body).items] == ["vol-1"]


@pytest.mark.parametrize(
    "body",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"},
        stored(LOG.replace("/CloudTrail/", "/CloudTrail-Digest/")),
        stored(LOG.replace("/CloudTrail/", "/CloudTrail-Insight/")),
        stored(LOG, "ObjectRemoved:Delete"),
        stored("AWSLogs/1/Config/ConfigWritabilityCheckFile"),
        item_message("ComplianceChangeNotification"),
        bridged(OPENED, "AWS Insight via CloudTrail"),
        noticed("CloudTrail validation message."),
        noticed("x") | {"Type": "SubscriptionConfirmation"},
    ],
)
def test_what_is_passed_over_is_said(body: Any) -> None:
    found = opened(body)
    assert found.skipped
    assert not (found.records)
    assert not (found.objects)
    assert not (found.items)


def test_findings_of_other_services_are_kept_as_they_come() -> None:
    finding = {
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": "1",
        "detail": {"id": "f", "accountId": "1"},
    }
    assert opened(finding).findings == [finding]


@pytest.mark.parametrize(
    "body",
    ["", "hello", "[1]", "{}", '{"Records": [5]}', '{"Records": [{"s3": 5}]}', '{"Records": [{"s3": {"bucket": {}, "object": {}}}]}',
     json.dumps(bridged(OPENED) | {"detail": 5}), json.dumps(bridged(OPENED, "Something Else")), json.dumps(noticed("{}")),
     '{"messageType": "New"}', '{"messageType": "ConfigurationItemChangeNotification"}'],
)  # fmt: skip
def test_poison(body: str) -> None:
    """Told whole, or element by element."""
    try:
        found = contents(body)
    except Malformed:
        return
    assert found.bad
    assert [found.records, found.objects, found.items, found.findings] == [[], [], [], []]


def test_one_bad_element_does_not_bury_the_others() -> None:
    found = opened({"Records": [OPENED, 5, {"s3": 5}, stored()["Records"][0], {"x": 1}]})
    assert (len(found.records), len(found.objects)) == (1, 1)
    assert [str(why) for why, _ in found.bad] == [
        "a record that is no JSON object",
        "a record of no known kind",
        "a record of no known kind",
    ]


def test_envelopes_without_end_are_poison() -> None:
    body = json.dumps(OPENED)
    for _ in range(6):
        body = json.dumps(noticed(body))
    with pytest.raises(Malformed):
        contents(body)


@settings(max_examples=300, deadline=None)
@given(JSON | st.fixed_dictionaries({"detail-type": JSON, "detail": JSON}) | st.fixed_dictionaries({"Records": JSON})
       | st.fixed_dictionaries({"messageType": st.sampled_from(["ConfigurationItemChangeNotification", "x"]), "configurationItem": JSON}))  # fmt: skip
def test_whatever_comes_is_understood_or_malformed(body: Any) -> None:
    with contextlib.suppress(Malformed):
        assert isinstance(opened(body), Contents)
