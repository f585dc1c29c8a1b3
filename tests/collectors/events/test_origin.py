"""Forged events: whoever may put events on a bus, write into a folder of the bucket, or import findings, cannot speak for others."""

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest

from driftline.collectors.aws.events import origin
from driftline.collectors.aws.events.claims import SOURCES, claims
from driftline.collectors.aws.events.envelope import API_CALLS, FINDINGS, Contents, contents
from driftline.collectors.aws.events.origin import (
    NOBODY,
    ForgedEvent,
    TrustedOrigins,
    account_of,
    writer,
)
from driftline.pipeline.common.errors import Malformed
from tests.collectors.events.samples import (
    ACCOUNT,
    ASSUMED,
    LOG,
    OPENED,
    bridged,
    event,
    item_message,
    noticed,
    stored,
)

OTHER = "222222222222"


def opened(body: Any, trust: TrustedOrigins = NOBODY) -> Contents:
    return contents(json.dumps(body), trust)


def forged(body: Any, trust: TrustedOrigins = NOBODY) -> None:
    """Refused whole, with nothing taken from it; by SNS too."""
    for one in (body, noticed(json.dumps(body))):
        with pytest.raises(ForgedEvent) as told:
            opened(one, trust)
        assert 20 < len(str(told.value)) < 400
    found = opened([body, bridged(OPENED)], trust)
    assert found.records == [OPENED]
    assert [type(why) for why, _ in found.bad] == [ForgedEvent]


@pytest.mark.parametrize(
    "type_",
    [
        *sorted(API_CALLS),
        *FINDINGS,
        "Object Created",
        "Config Configuration Item Change",
        "Anything",
    ],
)
@pytest.mark.parametrize(
    "source", ["my.app", "", "ec2", "AWS.ec2", "aws", "aws.", "aws.partner/example.com/1/x", "aws.ec2/x", "awsx.ec2", " aws.ec2", "aws.ec2\n", "aws..ec2", "aws.ec2.", "aws.-ec2", "aws.a.b.c.d.e",
               None, 5, ["aws.ec2"], {"prefix": "aws."}],
    ids=repr,
)  # fmt: skip
def test_only_aws_writes_aws(type_: str, source: Any) -> None:
    forged(bridged(OPENED, type_) | {"source": source})


def test_an_event_without_a_source_is_forged() -> None:
    forged({k: v for k, v in bridged(OPENED).items() if k != "source"})


@pytest.mark.parametrize("type_", [*FINDINGS, "Object Created", "Config Configuration Item Change"])
@pytest.mark.parametrize("service", ["ec2", "cloudtrail", "guardduty2", "health"])
def test_a_detail_type_has_one_writer(type_: str, service: str) -> None:
    forged(bridged(OPENED, type_) | {"source": f"aws.{service}"})


@pytest.mark.parametrize("type_", sorted(API_CALLS))
def test_a_call_is_told_by_its_own_service(type_: str) -> None:
    assert opened(bridged(ASSUMED, type_)).records == [ASSUMED]
    forged(bridged(ASSUMED, type_) | {"source": "aws.ec2"})
    scaled = event("RegisterScalableTarget", "autoscaling")
    assert opened(bridged(scaled) | {"source": "aws.application-autoscaling"}).records == [scaled]


@pytest.mark.parametrize(
    ("source", "calls"),
    [("aws.models.lex", "models.lex"), ("aws.lex", "models.lex"), ("aws.models.lex", "lex"), ("aws.data.iot", "data.iot"),
     ("aws.data.jobs.iot", "iot"), ("aws.participant.connect", "participant.connect"), ("aws.controlplane.payment-cryptography", "payment-cryptography")],
)  # fmt: skip
def test_a_service_may_have_a_name_of_several_labels(source: str, calls: str) -> None:
    record = event("CreateThing", calls)
    assert opened(bridged(record) | {"source": source}).records == [record]
    china = record | {"eventSource": f"{calls}.amazonaws.com.cn"}
    assert opened(bridged(china) | {"source": source}).records == [china]


@pytest.mark.parametrize(
    ("source", "calls"),
    [("aws.models.lex", "iam"), ("aws.iam.lex", "models.iam"), ("aws.lex", "complex"), ("aws.lex", "models.lexical"), ("aws.iot", "iam")],
)  # fmt: skip
def test_whose_name_is_another_is_forged(source: str, calls: str) -> None:
    forged(bridged(event("CreateThing", calls)) | {"source": source})


def test_every_service_of_the_sdk_has_a_source_that_may_be() -> None:
    session = botocore.session.get_session()
    for name in session.get_available_services():
        prefix = session.get_service_model(name).endpoint_prefix
        assert writer({"source": f"aws.{prefix.lower()}"}) == prefix.lower()


def test_every_service_that_a_row_knows_has_a_source_that_fits() -> None:
    for source, name in claims():
        record = event(name, source)
        assert opened(bridged(record)).records == [record]
    assert SOURCES


def test_an_envelope_that_a_users_own_rule_has_made_smaller() -> None:
    """EventBridge writes the account always; an input transformer may leave it out. The record then says it itself."""
    smaller = {k: v for k, v in bridged(OPENED).items() if k != "account"}
    assert opened(smaller).records == [OPENED]
    forged(
        bridged({k: v for k, v in OPENED.items() if k != "recipientAccountId"}) | {"account": None}
    )


@pytest.mark.parametrize("account", [OTHER, "", 5, [ACCOUNT], {"a": 1}], ids=repr)
def test_a_call_is_of_the_envelopes_account(account: Any) -> None:
    forged(bridged(OPENED) | {"account": account})
    forged(bridged(OPENED | {"recipientAccountId": account or "x"}))


def finding(type_: str, account: Any = ACCOUNT) -> dict[str, Any]:
    own = {"id": "f", FINDINGS[type_]: account}
    return bridged({"findings": [own]} if type_.startswith("Security Hub") else own, type_)


@pytest.mark.parametrize("type_", FINDINGS)
def test_a_finding_is_of_the_envelopes_account_or_told_by_an_administrator(type_: str) -> None:
    assert len(opened(finding(type_)).findings) == 1
    other = opened(finding(type_, OTHER), TrustedOrigins(administrators=[ACCOUNT]))
    assert len(other.findings) == 1
    for account in (OTHER, None, 5):
        body = finding(type_, account)
        try:
            found = opened(body, TrustedOrigins(administrators=["333333333333"]))
        except ForgedEvent:
            continue
        assert found.findings == []
        assert [type(why) for why, _ in found.bad] == [ForgedEvent]
        assert "aws.events.administrators" in str(found.bad[0][0])


def test_findings_of_one_event_are_each_for_itself() -> None:
    type_ = "Security Hub Findings - Imported"
    body = finding(type_)
    body["detail"]["findings"] += [
        {"id": "g", "AwsAccountId": OTHER},
        5,
        {"id": "h", "AwsAccountId": ACCOUNT},
    ]
    found = opened(body)
    assert [one["detail"]["findings"][0]["id"] for one in found.findings] == ["f", "h"]
    assert len(found.bad) == 2


def test_an_item_is_of_the_envelopes_account_and_about_its_own_resource() -> None:
    good = item_message()
    assert len(opened(bridged(good, "Config Configuration Item Change")).items) == 1
    forged(bridged(good, "Config Configuration Item Change") | {"account": OTHER})
    good["configurationItem"]["ARN"] = f"arn:aws:ec2:eu-west-1:{OTHER}:volume/vol-1"
    with pytest.raises(ForgedEvent, match=OTHER):
        opened(good)


NOTICES = [
    stored(), {"s3Bucket": "trail", "s3ObjectKey": [LOG]},
    item_message("OversizedConfigurationItemChangeNotification", s3DeliverySummary={"s3BucketLocation": "trail/AWSLogs/1/Config/x.json.gz"}),
    item_message("ConfigurationSnapshotDeliveryCompleted", s3Bucket="trail", s3ObjectKey="AWSLogs/1/Config/s.json.gz"),
    bridged({"bucket": {"name": "trail"}, "object": {"key": LOG}}, "Object Created"),
]  # fmt: skip


@pytest.mark.parametrize("body", NOTICES)
def test_only_the_buckets_that_are_named_are_read(body: Any) -> None:
    for trust in (NOBODY, TrustedOrigins(buckets=["trail"])):
        assert len(opened(body, trust).objects) == 1
    try:
        found = opened(body, TrustedOrigins(buckets=["other"]))
    except ForgedEvent:
        return
    assert found.objects == []
    assert [type(why) for why, _ in found.bad] == [ForgedEvent]


FILES: list[Callable[[str, str], dict[str, Any]]] = [
    lambda bucket, key: bridged({"bucket": {"name": bucket}, "object": {"key": key}}, "Object Created"),
    lambda bucket, key: told_by_config("OversizedConfigurationItemChangeNotification", s3DeliverySummary={"s3BucketLocation": f"{bucket}/{key}"}),
    lambda bucket, key: told_by_config("ConfigurationSnapshotDeliveryCompleted", s3Bucket=bucket, s3ObjectKey=key),
    lambda bucket, key: told_by_config("ConfigurationHistoryDeliveryCompleted", s3Bucket=bucket, s3ObjectKey=key),
]  # fmt: skip


def told_by_config(type_: str, **more: Any) -> dict[str, Any]:
    return bridged(item_message(type_, **more), "Config Configuration Item Change")


@pytest.mark.parametrize("made", FILES)
@pytest.mark.parametrize("folder", ["CloudTrail", "Config"])
def test_whoever_has_a_bucket_tells_only_of_the_own_account(made: Any, folder: str) -> None:
    """AWS tells truly that somebody has put a file into a bucket of theirs: what is in it is nobody's word but theirs."""
    own = made("mine", f"AWSLogs/{ACCOUNT}/{folder}/eu-west-1/x.json.gz")
    assert len(opened(own).objects) == 1
    for key in (f"AWSLogs/{OTHER}/{folder}/eu-west-1/x.json.gz", f"{folder}/x.json.gz", f"AWSLogs/o-abc/{OTHER}/{folder}/x.json.gz"):  # fmt: skip
        forged(made("mine", key))
        assert len(opened(made("trail", key), TrustedOrigins(buckets=["trail"])).objects) == 1
        forged(made("mine", key), TrustedOrigins(buckets=["trail"]))
    forged({k: v for k, v in own.items() if k != "account"})


@pytest.mark.parametrize("made", [stored, lambda key: {"s3Bucket": "trail", "s3ObjectKey": key}])
def test_a_folder_of_one_account_in_that_of_another(made: Any) -> None:
    """Whoever may write below the outer folder would speak for the inner account, or the other way round."""
    found = opened(made(f"AWSLogs/{OTHER}/CloudTrail/AWSLogs/{ACCOUNT}/CloudTrail/x.json.gz"))
    assert (found.objects, [type(why) for why, _ in found.bad]) == ([], [ForgedEvent])


def test_a_notice_of_s3_is_by_s3() -> None:
    body = stored()
    body["Records"][0]["eventSource"] = "my:app"
    found = opened(body)
    assert found.objects == []
    assert [type(why) for why, _ in found.bad] == [ForgedEvent]


@pytest.mark.parametrize(
    ("key", "account"),
    [(LOG, ACCOUNT), (f"prefix/{LOG}", ACCOUNT), (f"AWSLogs/o-0123456789/{ACCOUNT}/CloudTrail/x.json.gz", ACCOUNT), ("x.json.gz", None),
     ("AWSLogs/CloudTrail/eu-west-1/a.json", None), (f"notAWSLogs/{ACCOUNT}/x", None), ("AWSLogs/1/x", None)],
)  # fmt: skip
def test_the_account_in_a_key(key: str, account: str | None) -> None:
    assert account_of(key) == account


def test_a_reason_repeats_only_plain_words() -> None:
    with pytest.raises(Malformed) as told:
        opened(bridged(OPENED) | {"source": "password=hunter2 \x1b[31m"})
    assert "hunter2" not in str(told.value)
    assert origin.shown("a" * 81) == "(str)"
