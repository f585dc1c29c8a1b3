"""Opens the messages of a queue: events, names of objects that contain events, AWS Config items, findings, or nothing of
use. Pure.

Shapes: the user guides of EventBridge, S3 notifications, SNS, CloudTrail and AWS Config. For who
may have written a message, and what is verified, see driftline.collectors.aws.events.origin."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from driftline.collectors.aws.events import origin
from driftline.collectors.aws.events.logfile import insight, kind_of
from driftline.collectors.aws.events.origin import NOBODY, TrustedOrigins
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.records import codec

API_CALLS = frozenset({
    "AWS API Call via CloudTrail", "AWS Console Sign In via CloudTrail", "AWS Service Event via CloudTrail",
    "AWS Console Action via CloudTrail", "AWS Console Signin via CloudTrail",
})  # fmt: skip
FINDINGS = {"GuardDuty Finding": "accountId", "Inspector2 Finding": "awsAccountId", "Security Hub Findings - Imported": "AwsAccountId"}  # fmt: skip
"""Maps the detail-type to the field with the account of a finding."""
DEEPEST = 4
"""Maximum depth of nested envelopes: SNS around EventBridge around a notification."""
_IGNORED = ("ComplianceChangeNotification", "ConfigRulesEvaluationStarted", "ScheduledNotification",
            "ConfigurationSnapshotDeliveryStarted", "ConfigurationSnapshotDeliveryFailed")  # fmt: skip


@dataclass(frozen=True)
class S3Object:
    """A file in S3 to read."""

    bucket: str
    key: str
    version: str | None = None
    region: str | None = None
    kind: str = "log"
    """`log` of CloudTrail, or `config`: a snapshot or history of AWS Config, or one oversized item of it."""

    @property
    def name(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass
class Contents:
    """The contents of a message."""

    records: list[dict[str, Any]] = field(default_factory=list)
    """CloudTrail records."""
    objects: list[S3Object] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    """Configuration items of AWS Config."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    """Findings of other services, each in the envelope it arrived in."""
    bad: list[tuple[Malformed, Any]] = field(default_factory=list)
    """Elements that are malformed or forged, with the reason."""
    skipped: list[str] = field(default_factory=list)
    """Reasons for elements that are skipped."""
    trust: TrustedOrigins = NOBODY


def contents(body: str | bytes, trust: TrustedOrigins = NOBODY) -> Contents:
    """Returns the contents of a message body. A malformed element is listed in `bad`. Raises Malformed if the whole body is
    unknown or forged."""
    found = Contents(trust=trust)
    document = codec.decode(body.encode(errors="replace") if isinstance(body, str) else body)
    with codec.one_record("a message"):
        _open(document, found, 0)
    return found


def _each(elements: Iterable[Any], found: Contents, work: Callable[[Any], None]) -> None:
    """Processes the elements independently of each other."""
    for one in elements:
        try:
            with codec.one_record("an element of a message"):
                work(one)
        except Malformed as why:
            found.bad.append((why, one))


def _open(document: Any, found: Contents, depth: int) -> None:
    if depth > DEEPEST:
        raise Malformed("envelopes in envelopes")
    if isinstance(document, list):  # a pipe's batch
        _each(document, found, lambda one: _open(one, found, depth + 1))
        return
    if not isinstance(document, dict):
        raise Malformed("no JSON object")
    if isinstance(document.get("Message"), str) and "TopicArn" in document:
        _notice(document, found, depth)
    elif document.get("Event") == "s3:TestEvent":
        found.skipped.append("S3's test event")
    elif isinstance(document.get("Records"), list):
        _each(document["Records"], found, lambda one: _record(one, found))
    else:
        _single(document, found)


def _single(document: dict[str, Any], found: Contents) -> None:
    if "detail-type" in document:
        _bridged(document, found)
    elif "messageType" in document:
        _config(document, found)
    elif "s3Bucket" in document and "s3ObjectKey" in document:
        keys = document["s3ObjectKey"]  # CloudTrail's notification about log files
        _each(
            keys if isinstance(keys, list) else [keys],
            found,
            lambda key: _object(document["s3Bucket"], key, None, None, found),
        )
    elif "eventName" in document and "eventSource" in document:
        found.records.append(document)
    elif insight(document):
        found.skipped.append("an Insight event")
    elif "configurationItem" in document:
        _item(document, found)
    else:
        names = ", ".join(sorted(map(origin.shown, document))[:8])
        raise Malformed(f"nothing known: its fields are {names}")


def _notice(document: Mapping[str, Any], found: Contents, depth: int) -> None:
    """Opens the envelope of SNS."""
    message = document["Message"]
    if document.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        found.skipped.append("SNS's word on a subscription")
        return
    if message.startswith("CloudTrail validation message"):
        found.skipped.append("CloudTrail's validation message")
        return
    _open(codec.decode(message.encode(errors="replace")), found, depth + 1)


def _bridged(document: Mapping[str, Any], found: Contents) -> None:
    """Opens the envelope of EventBridge."""
    service = origin.writer(document)
    type_, detail, account = (
        str(document["detail-type"]),
        document.get("detail"),
        document.get("account"),
    )
    if not isinstance(detail, dict):
        raise Malformed("an event of EventBridge without a detail")
    if type_ in API_CALLS:
        found.records.append(origin.called(detail, service, account))
    elif type_ == "Object Created":
        bucket, object_ = detail.get("bucket"), detail.get("object")
        if not isinstance(bucket, dict) or not isinstance(object_, dict):
            raise Malformed("an event of S3 without bucket and object")
        _object(bucket.get("name"), object_.get("key"), object_.get("version-id"), document.get("region"), found,
                account=account or "")  # fmt: skip
    elif type_ == "Config Configuration Item Change":
        _config(detail, found, account or "")
    elif type_ in FINDINGS:
        _findings(document, detail, found)
    elif service == "config" or type_.endswith("via CloudTrail"):
        found.skipped.append(type_)
    else:
        raise Malformed(f"an event of EventBridge that is none of ours: {origin.shown(type_)}")


def _findings(document: Mapping[str, Any], detail: Mapping[str, Any], found: Contents) -> None:
    """Splits the findings of another service."""
    type_ = str(document["detail-type"])
    several = detail.get("findings") if type_.startswith("Security Hub") else None

    def one(finding: Any) -> None:
        if not isinstance(finding, dict):
            raise Malformed("a finding that is no JSON object")
        origin.told(finding.get(FINDINGS[type_]), document.get("account"), found.trust)
        inside = finding if several is None else {**detail, "findings": [finding]}
        found.findings.append({**document, "detail": inside})

    if several is None:
        one(detail)
    elif isinstance(several, list):
        _each(several, found, one)
    else:
        raise Malformed("an event of Security Hub without findings")


def _record(record: Any, found: Contents) -> None:
    """Reads an element of `Records`, of an S3 notification or of CloudTrail."""
    if not isinstance(record, dict):
        raise Malformed("a record that is no JSON object")
    if isinstance(stored := record.get("s3"), dict):
        _stored(record, stored, found)
    elif isinstance(record.get("Sns"), dict):
        _notice({"TopicArn": "", **record["Sns"]}, found, 1)
    elif insight(record):
        found.skipped.append("an Insight event")
    elif "eventName" in record:
        found.records.append(record)
    else:
        raise Malformed("a record of no known kind")


def _stored(record: Mapping[str, Any], stored: Mapping[str, Any], found: Contents) -> None:
    """Reads S3's notification about an object."""
    if record.get("eventSource") not in (None, "aws:s3"):
        raise origin.ForgedEvent(f"a notification of S3 whose source is {origin.shown(record['eventSource'])}")  # fmt: skip
    bucket, object_, event = stored.get("bucket"), stored.get("object"), record.get("eventName")
    if not isinstance(bucket, dict) or not isinstance(object_, dict):
        raise Malformed("a notification of S3 without bucket and object")
    if not isinstance(event, str):
        raise Malformed("a notification of S3 that does not say what happened")
    if not event.removeprefix("s3:").startswith("ObjectCreated:"):
        found.skipped.append(f"S3's {event}")
        return
    key = object_.get("key")
    _object(bucket.get("name"), unquote_plus(key) if isinstance(key, str) else key, object_.get("versionId"),
            record.get("awsRegion"), found)  # fmt: skip


def _object(bucket: Any, key: Any, version: Any, region: Any, found: Contents, kind: str | None = None,
            account: Any = None) -> None:  # fmt: skip
    """Adds an object. `account`: that of the EventBridge event that names it, if any."""
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise Malformed("a notification of S3 without the names of bucket and object")
    origin.file(bucket, key, found.trust, account)
    kind = kind or kind_of(key)
    if kind is None:
        found.skipped.append(f"an object that is no log of changes: {key[-100:]}")
        return
    found.objects.append(
        S3Object(bucket, key, version if isinstance(version, str) and version else None,
               region if isinstance(region, str) else None, kind)
    )  # fmt: skip


def _config(document: Mapping[str, Any], found: Contents, account: Any = None) -> None:
    """Reads a message of AWS Config. `account`: that of its envelope."""
    type_ = document.get("messageType")
    if type_ == "ConfigurationItemChangeNotification":
        _item(document, found, account)
    elif type_ == "OversizedConfigurationItemChangeNotification":
        where = document.get("s3DeliverySummary")
        location = where.get("s3BucketLocation") if isinstance(where, dict) else None
        bucket, _, key = str(location or "").partition("/")
        if not key:
            raise Malformed("an oversized configuration item without its place")
        _object(bucket, key, None, None, found, "config", account)
    elif type_ in ("ConfigurationSnapshotDeliveryCompleted", "ConfigurationHistoryDeliveryCompleted"):  # fmt: skip
        if not isinstance(document.get("s3Bucket"), str) or not isinstance(document.get("s3ObjectKey"), str):  # fmt: skip
            raise Malformed(f"{type_} without its place")
        _object(document["s3Bucket"], document["s3ObjectKey"], None, None, found, "config", account)
    elif type_ in _IGNORED:
        found.skipped.append(str(type_))
    else:
        raise Malformed(f"a message of AWS Config that is not known: {origin.shown(type_)}")


def _item(document: Mapping[str, Any], found: Contents, account: Any = None) -> None:
    item = document.get("configurationItem")
    if not isinstance(item, dict):
        raise Malformed("no configuration item in a message that is to hold one")
    origin.item(item, account, "an event of EventBridge")
    found.items.append(item)
