"""What a queue's message holds: events, the names of objects that hold some, items of AWS Config, findings, or nothing
that is of use. Pure.

Shapes: the user guides of EventBridge, S3 notifications, SNS, CloudTrail and AWS Config."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import unquote_plus

import msgspec

from pipeline import wire
from pipeline.errors import Malformed

API_CALLS = frozenset({
    "AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail", "AWS Service Event via CloudTrail",
    "AWS Console Action via CloudTrail", "AWS Console Signin via CloudTrail",
})  # fmt: skip
FINDINGS = frozenset({"GuardDuty Finding", "Security Hub Findings - Imported", "Inspector2 Finding"})  # fmt: skip
MOST_UNPACKED = 256_000_000
"""Bytes of an unpacked object: CloudTrail's are some 50 MB at most."""
DEEPEST = 4
"""Envelopes in envelopes: SNS around EventBridge around a notification."""


@dataclass(frozen=True)
class Object:
    """A file in S3 to be read."""

    bucket: str
    key: str
    version: str | None = None
    region: str | None = None
    kind: str = "log"
    """`log` of CloudTrail, or `config`: a snapshot or history of AWS Config, or one oversized item of it."""


@dataclass
class Contents:
    """What a message holds."""

    records: list[dict[str, Any]] = field(default_factory=list)
    """CloudTrail records."""
    objects: list[Object] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    """Configuration items of AWS Config."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    """Findings of other services, as they came."""
    skipped: list[str] = field(default_factory=list)
    """Why something is passed over."""


def contents(body: str | bytes) -> Contents:
    """What a message's body holds. Raises Malformed where that is nothing known: poison."""
    found = Contents()
    _open(wire.decode(body.encode(errors="replace") if isinstance(body, str) else body), found, 0)
    return found


def _open(document: Any, found: Contents, depth: int) -> None:
    if depth > DEEPEST:
        raise Malformed("envelopes in envelopes")
    if isinstance(document, list):
        for one in document:  # a pipe's batch
            _open(one, found, depth + 1)
        return
    if not isinstance(document, dict):
        raise Malformed("no JSON object")
    if isinstance(document.get("Message"), str) and "TopicArn" in document:
        _notice(document, found, depth)
    elif document.get("Event") == "s3:TestEvent":
        found.skipped.append("S3's test event")
    elif isinstance(document.get("Records"), list):
        for one in document["Records"]:
            _record(one, found)
    else:
        _single(document, found)


def _single(document: dict[str, Any], found: Contents) -> None:
    if "detail-type" in document:
        _bridged(document, found)
    elif "messageType" in document:
        _config(document, found)
    elif "s3Bucket" in document and "s3ObjectKey" in document:
        _delivered(document, found)
    elif "eventName" in document and "eventSource" in document:
        found.records.append(document)
    elif "configurationItem" in document:
        _item(document, found)
    else:
        raise Malformed(
            f"nothing known: its fields are {', '.join(sorted(map(str, document))[:8])}"
        )


def _notice(document: Mapping[str, Any], found: Contents, depth: int) -> None:
    """SNS's wrapping."""
    message = document["Message"]
    if document.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        found.skipped.append("SNS's word on a subscription")
        return
    if message.startswith("CloudTrail validation message"):
        found.skipped.append("CloudTrail's validation message")
        return
    _open(wire.decode(message.encode(errors="replace")), found, depth + 1)


def _bridged(document: Mapping[str, Any], found: Contents) -> None:
    """EventBridge's envelope."""
    type_, detail = str(document["detail-type"]), document.get("detail")
    if not isinstance(detail, dict):
        raise Malformed("an event of EventBridge without a detail")
    if type_ in API_CALLS:
        if document.get("account") and not detail.get("recipientAccountId"):
            detail = {"recipientAccountId": document["account"], **detail}
        found.records.append(detail)
    elif type_ == "Object Created":
        bucket, object_ = detail.get("bucket"), detail.get("object")
        if not isinstance(bucket, dict) or not isinstance(object_, dict):
            raise Malformed("an event of S3 without bucket and object")
        _object(bucket.get("name"), object_.get("key"), object_.get("version-id"), document.get("region"), found)  # fmt: skip
    elif type_ == "Config Configuration Item Change":
        _config(detail, found)
    elif type_ in FINDINGS:
        found.findings.append(dict(document))
    elif document.get("source") == "aws.config" or type_.endswith("via CloudTrail"):
        found.skipped.append(type_)
    else:
        raise Malformed(f"an event of EventBridge that is none of ours: {type_[:100]}")


def _record(record: Any, found: Contents) -> None:
    """An element of `Records`: of an S3 notification, or of CloudTrail."""
    if not isinstance(record, dict):
        raise Malformed("a record that is no JSON object")
    if isinstance(stored := record.get("s3"), dict):
        bucket, object_ = stored.get("bucket"), stored.get("object")
        if not isinstance(bucket, dict) or not isinstance(object_, dict):
            raise Malformed("a notification of S3 without bucket and object")
        if not isinstance(record.get("eventName"), str):
            raise Malformed("a notification of S3 that does not say what happened")
        if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
            found.skipped.append(f"S3's {record['eventName']}")
            return
        key = object_.get("key")
        _object(bucket.get("name"), unquote_plus(key) if isinstance(key, str) else key, object_.get("versionId"),
                record.get("awsRegion"), found)  # fmt: skip
    elif isinstance(record.get("Sns"), dict):
        _notice({"TopicArn": "", **record["Sns"]}, found, 1)
    elif "eventName" in record:
        found.records.append(record)
    else:
        raise Malformed("a record of no known kind")


def _delivered(document: Mapping[str, Any], found: Contents) -> None:
    """CloudTrail's own notice of log files."""
    keys = document["s3ObjectKey"]
    for key in keys if isinstance(keys, list) else [keys]:
        _object(document["s3Bucket"], key, None, None, found)


def _object(bucket: Any, key: Any, version: Any, region: Any, found: Contents) -> None:
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise Malformed("a notification of S3 without the names of bucket and object")
    kind = kind_of(key)
    if kind is None:
        found.skipped.append(f"an object that is no log of changes: {key[-100:]}")
        return
    found.objects.append(
        Object(bucket, key, version if isinstance(version, str) and version else None,
               region if isinstance(region, str) else None, kind)
    )  # fmt: skip


def kind_of(key: str) -> str | None:
    """What an object is by its key: `log`, `config`, or None for digests, Insight events and whatever else."""
    if "/CloudTrail-Digest/" in key or "/CloudTrail-Insight/" in key:
        return None
    if "/CloudTrail/" in key or "/CloudTrail-NetworkActivity/" in key or key.endswith((".json", ".json.gz")):  # fmt: skip
        return "config" if "/Config/" in key else "log"
    return "config" if "/Config/" in key and not key.endswith("ConfigWritabilityCheckFile") else None  # fmt: skip


_IGNORED = ("ComplianceChangeNotification", "ConfigRulesEvaluationStarted", "ScheduledNotification",
            "ConfigurationSnapshotDeliveryStarted", "ConfigurationSnapshotDeliveryFailed")  # fmt: skip


def _config(document: Mapping[str, Any], found: Contents) -> None:
    """A message of AWS Config."""
    type_ = document.get("messageType")
    if type_ == "ConfigurationItemChangeNotification":
        _item(document, found)
    elif type_ == "OversizedConfigurationItemChangeNotification":
        where = document.get("s3DeliverySummary")
        location = where.get("s3BucketLocation") if isinstance(where, dict) else None
        bucket, _, key = str(location or "").partition("/")
        if not key:
            raise Malformed("an oversized configuration item without its place")
        found.objects.append(Object(bucket, key, kind="config"))
    elif type_ in ("ConfigurationSnapshotDeliveryCompleted", "ConfigurationHistoryDeliveryCompleted"):  # fmt: skip
        if not isinstance(document.get("s3Bucket"), str) or not isinstance(document.get("s3ObjectKey"), str):  # fmt: skip
            raise Malformed(f"{type_} without its place")
        found.objects.append(Object(document["s3Bucket"], document["s3ObjectKey"], kind="config"))
    elif type_ in _IGNORED:
        found.skipped.append(str(type_))
    else:
        raise Malformed(f"a message of AWS Config that is not known: {str(type_)[:100]}")


def _item(document: Mapping[str, Any], found: Contents) -> None:
    item = document.get("configurationItem")
    if not isinstance(item, dict):
        raise Malformed("no configuration item in a message that is to hold one")
    found.items.append(item)


class _Log(msgspec.Struct):
    Records: list[msgspec.Raw]


_LOG = msgspec.json.Decoder(_Log)


def records(file: BinaryIO) -> Iterator[dict[str, Any] | Malformed]:
    """The records of a log file (gz or not); a Malformed in the place of one that is none.

    Raises Malformed where it is no log file, is cut off, or unpacks to more than a log file ever is."""
    try:
        log = _LOG.decode(_unpacked(file))
    except (msgspec.DecodeError, UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise Malformed(f"no log file of CloudTrail, or not whole: {str(error)[:200]}") from None
    for raw in log.Records:
        try:
            record = wire.decode(bytes(raw))
        except Malformed as why:
            yield why
            continue
        yield record if isinstance(record, dict) else Malformed("a record that is no JSON object")


def _unpacked(file: BinaryIO) -> bytes:
    start = file.read(2)
    packed = start == b"\x1f\x8b"
    reader: Any = _Joined(start, file)
    if packed:
        reader = gzip.GzipFile(fileobj=reader)
    data = bytes(reader.read(MOST_UNPACKED + 1))
    if len(data) > MOST_UNPACKED:
        raise Malformed(f"a log file of more than {MOST_UNPACKED} bytes")
    return data


class _Joined:
    """What was read already, then the rest."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = start, rest

    def read(self, size: int = -1) -> bytes:
        start, self._start = self._start, b""
        return start + self._rest.read(size - len(start) if size >= 0 else -1)
