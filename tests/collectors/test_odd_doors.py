"""Every way in with odd values in every place: Malformed or understood, never another error; a queue's reader goes on.

DRIFTLINE_FUZZ=50 tries fifty times as many."""

import gzip
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import orjson
import pytest

from driftline.collectors.aws.events import reported
from driftline.collectors.aws.events.envelope import contents
from driftline.collectors.aws.events.logfile import records
from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.files.config import snapshot_of
from driftline.collectors.aws.files.snapshots import config_items
from driftline.collectors.aws.sources.dispatch import MOST_LETTERS, EventDispatcher
from driftline.collectors.aws.sources.lookup import Lookup, poll
from driftline.collectors.aws.sources.queue import Queue, read
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.records import codec
from tests.collectors.config_items import ITEMS, config_file
from tests.collectors.events.odd import ODD, odd, put
from tests.collectors.events.samples import (
    ACCOUNT,
    ASSUMED,
    LOG,
    OPENED,
    bridged,
    item_message,
    noticed,
    stored,
)
from tests.collectors.test_queue import Sent, Sqs, Trail

REDACTOR = Redactor(b"k" * 32)
GUARDDUTY = bridged({
    "id": "f", "accountId": ACCOUNT, "region": "eu-west-1", "partition": "aws", "type": "Recon:X", "severity": 5.5,
    "resource": {"instanceDetails": {"instanceId": "i-1"}, "s3BucketDetails": [{"arn": "arn:aws:s3:::a", "name": "a"}],
                 "accessKeyDetails": {"userName": "ann", "userType": "IAMUser"}, "eksClusterDetails": {"arn": "arn:aws:eks:x:1:cluster/c"}},
    "service": {"action": {"awsApiCallAction": {"remoteIpDetails": {"ipAddressV4": "192.0.2.1"}}}},
}, "GuardDuty Finding")  # fmt: skip
INSPECTOR = bridged({
    "findingArn": "arn:f", "awsAccountId": ACCOUNT, "severity": "HIGH", "status": "ACTIVE", "title": "CVE-1",
    "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-1"}, "resources": [{"id": "i-1", "region": "eu-west-1"}, {"id": "x:function:y"}],
}, "Inspector2 Finding")  # fmt: skip
HUB = bridged({"findings": [{
    "Id": "f", "AwsAccountId": ACCOUNT, "Region": "eu-west-1", "Title": "T", "Severity": {"Label": "HIGH"}, "RecordState": "ACTIVE",
    "Workflow": {"Status": "NEW"}, "Compliance": {"Status": "FAILED"}, "ProductName": "Macie", "Resources": [{"Id": "arn:aws:s3:::a"}],
}]}, "Security Hub Findings - Imported")  # fmt: skip
CREATED = bridged({"bucket": {"name": "trail"}, "object": {"key": LOG, "version-id": "v"}}, "Object Created")  # fmt: skip
MESSAGES = [
    bridged(OPENED), bridged(ASSUMED), {"Records": [OPENED, ASSUMED]}, stored(), CREATED, GUARDDUTY, INSPECTOR, HUB, item_message(),
    bridged(item_message(), "Config Configuration Item Change"), {"s3Bucket": "trail", "s3ObjectKey": [LOG]},
    item_message("OversizedConfigurationItemChangeNotification", s3DeliverySummary={"s3BucketLocation": "conf/AWSLogs/1/Config/x.json.gz"}),
    item_message("ConfigurationSnapshotDeliveryCompleted", s3Bucket="conf", s3ObjectKey="AWSLogs/1/Config/s.json.gz"),
    [bridged(OPENED), stored()],
]  # fmt: skip


def text(body: Any) -> str | None:
    """A message's text; None for what no JSON can say."""
    try:
        return json.dumps(body, allow_nan=True)
    except (TypeError, ValueError, RecursionError):
        return None


def bodies(count: int, seed: int) -> list[str]:
    random = Random(seed)
    found = [text(one) for message in MESSAGES for one in odd(message, count, random)]
    wrapped = [text(noticed(one)) for one in found[::7] if one]
    return [one for one in [*found, *wrapped] if one is not None]


FILE = gzip.compress(json.dumps({"Records": [OPENED]}).encode())


@contextmanager
def open_(_: Any) -> Any:
    yield io.BytesIO(FILE)


def hearer(sent: Sent) -> EventDispatcher:
    return EventDispatcher(sent, ChangeReader(REDACTOR, "eventbridge", NoNames()), REDACTOR, open_)  # type: ignore[arg-type]


def safe(sent: Sent) -> None:
    """Everything that was sent can travel."""
    for change in sent.all_changes:
        codec.change(change.encode())
    for wish in sent.all_reads:
        codec.decode(wish.encode())
    for snapshot in sent.snapshots:
        codec.snapshot(codec.encode_snapshot(snapshot))


def test_a_queues_reader_goes_on_whatever_comes() -> None:
    """Every message is deleted: understood, or its letters are written; and a good one behind them all is heard."""
    some = bodies(25, 1)
    sqs, sent = Sqs(*some, json.dumps(bridged(OPENED | {"eventID": "last"}))), Sent()
    queue = Queue(sqs, "http://queue", now=lambda: 0.0)
    read(queue, sent, hearer(sent), threading.Event(), once=True)  # type: ignore[arg-type]
    assert len(sqs.deleted) == len(some) + 1
    assert sent.all_changes[-1].id == "last"
    assert sent.buried
    assert all(0 < len(why) < 1000 for why, _ in sent.buried)
    safe(sent)


def test_no_value_stands_in_a_letter() -> None:
    """Whatever is wrong with it: what a bad record holds may be a secret."""
    sent = Sent()
    mine = hearer(sent)
    for message in MESSAGES:
        for place in (("detail", "eventTime"), ("source",), ("account",), ("Records", 0, "eventTime"), ("configurationItem", "configurationItemCaptureTime"),
                      ("detail", "severity"), ("messageType",), ("detail-type",)):  # fmt: skip
            try:
                body = put(message, place, "password=hunter2hunter2")
            except (KeyError, IndexError, TypeError):
                continue
            for why, what in mine.message(json.dumps(body)).letters():
                assert "hunter2" not in why
                assert b"hunter2" not in what


@pytest.mark.parametrize("document", [GUARDDUTY, INSPECTOR, HUB], ids=["guardduty", "inspector", "securityhub"])  # fmt: skip
def test_odd_findings(document: dict[str, Any]) -> None:
    good = 0
    for one in arrived(odd(document, 400, Random(2))):
        try:
            found = reported.changes(one, REDACTOR, "eventbridge")
        except Malformed:
            continue
        good += 1
        for change in found:
            codec.change(change.encode())
    assert good > 20


def test_odd_items() -> None:
    """Of every mapped type, as an item, in a message and in a delivery."""
    random, good = Random(3), 0
    for raw in ITEMS.values():
        for item in arrived(odd(raw, 40, random)):
            try:
                snapshot = snapshot_of(item, REDACTOR)
            except Malformed:
                continue
            good += 1
            if snapshot:
                codec.snapshot(codec.encode_snapshot(snapshot))
    assert good > 100


def test_odd_times_of_items() -> None:
    raw = next(iter(ITEMS.values()))
    for value in [
        *ODD,
        "2026-11-01T10:00:00",
        "2026-11-01",
        "0000-00-00T00:00:00Z",
        "2026-11-01T10:00:00+99:00",
        1e18,
    ]:
        item = raw | {"configurationItemCaptureTime": value}
        with pytest.raises(Malformed):
            snapshot_of(item, REDACTOR)
        sent = Sent()
        for type_ in (raw["resourceType"], "AWS::KMS::Key"):
            body = text(
                {
                    "messageType": "ConfigurationItemChangeNotification",
                    "configurationItem": item | {"resourceType": type_},
                }
            )
            if body:
                list(hearer(sent).message(body).letters())
        assert sent.snapshots == []
        safe(sent)


def test_a_bad_item_of_a_delivery_is_alone() -> None:
    raws = list(ITEMS.values())
    data = config_file(raws[0], 5, raws[1] | {"configurationItemCaptureTime": None}, raws[1])
    found = list(config_items(io.BytesIO(gzip.compress(data))))
    assert [isinstance(one, Malformed) for one in found] == [False, True, False, False]


def test_log_files_of_odd_records() -> None:
    reader = ChangeReader(REDACTOR, "log", NoNames(), lambda _: True)
    some = [orjson.dumps(one) for one in odd(OPENED, 300, Random(4)) if encodes(one)]
    data = b'{"Records":[' + b",".join(some) + b"]}"
    found = list(records(io.BytesIO(gzip.compress(data)), LOG))
    assert 200 < len(found) <= len(some)
    for _, record in found:
        if not isinstance(record, Malformed):
            try:
                reader.changes(record)
            except Malformed:
                continue


def arrived(documents: Iterator[Any]) -> Iterator[Any]:
    """Those that come through the door at all: no lone surrogate, no number beyond 64 bit."""
    for one in documents:
        try:
            yield codec.decode(orjson.dumps(one))
        except (TypeError, Malformed):
            continue


def encodes(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def test_a_lookup_goes_on_whatever_comes() -> None:
    page = [{"EventId": str(n), "CloudTrailEvent": body} for n, body in enumerate(bodies(5, 5))]
    page += [{"EventId": "x"}, {}, {"EventId": "y", "CloudTrailEvent": json.dumps(OPENED)}]
    sent, lookup = Sent(), Lookup(Trail(page), "eu-west-1")  # type: ignore[arg-type]
    poll(lookup, sent, hearer(sent), Quick(), once=True)  # type: ignore[arg-type]
    assert OPENED["eventID"] in {change.id for change in sent.all_changes}
    assert len(sent.buried) > 20
    assert lookup.until
    safe(sent)


class Quick(threading.Event):
    """Never waits."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


def test_a_message_of_a_hundred_thousand_bad_ones_is_a_hundred_letters() -> None:
    sent = Sent()
    found = list(hearer(sent).message('{"Records": [' + "5," * 100_000 + "5]}").letters())
    assert len(found) == MOST_LETTERS + 1
    assert found[-1][0] == f"{100_001 - MOST_LETTERS} more of the same message or file"


def test_a_name_that_cannot_be_asked_for_is_nobodys_dead_letter() -> None:
    """What says nothing of the record passes, and the message stays in the queue."""
    from driftline.pipeline.common.errors import NotThere

    class Away(NoNames):
        def uid(self, *_: Any) -> str | None:
            raise NotThere("Kafka is away")

        def region(self, uid: str) -> str | None:
            raise NotThere("Kafka is away")

    sqs, sent = (
        Sqs(
            json.dumps(
                {
                    "Records": [
                        OPENED,
                        put(OPENED, ("eventSource",), "s3.amazonaws.com")
                        | {"eventName": "PutBucketAcl", "requestParameters": {"bucketName": "b"}},
                    ]
                }
            )
        ),
        Sent(),
    )
    mine = EventDispatcher(sent, ChangeReader(REDACTOR, "log", Away()), REDACTOR, open_)  # type: ignore[arg-type]
    with pytest.raises(NotThere):
        read(Queue(sqs, "http://queue", now=lambda: 0.0), sent, mine, threading.Event(), once=True)  # type: ignore[arg-type]
    assert (sqs.deleted, sent.buried) == ([], [])


def test_what_contents_finds_is_known_or_bad() -> None:
    for body in bodies(10, 6):
        try:
            found = contents(body)
        except Malformed:
            continue
        assert (
            found.records
            or found.objects
            or found.items
            or found.findings
            or found.bad
            or found.skipped
            or body in ("[]",)
            or "[]" in body
        )
