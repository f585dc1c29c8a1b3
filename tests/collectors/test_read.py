"""Denied, throttled, absent, gone and failed are five different things, for every part of every row."""

import json
from functools import cache
from typing import Any

import orjson
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError

from driftline.collectors.aws.api.errors import NotOffered, trouble
from driftline.collectors.aws.api.to_json import decoded
from driftline.collectors.aws.row import Detail, Kind, kinds
from driftline.collectors.aws.shapes import service_model
from driftline.collectors.aws.sweep.read import items, resource
from driftline.collectors.base import Vanished
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Snapshot
from tests.collectors.answers import Replayed, context, read_all, recorded

XML = '<?xml version="1.0"?><{0}><Code>{1}</Code><Message>no</Message></{0}>'
PARTS = [
    (type_, detail.part, detail.service or kind.service, detail.operation)
    for type_, kind in sorted(kinds().items())
    for detail in kind.details
    if detail.operation != kind.listing.operation
]
ALONE = [part for part in PARTS if [p[::3] for p in PARTS].count(part[::3]) == 1]
"""Those whose call reads no other part."""


def event_name(service: str) -> str:
    """A service as botocore's events name it."""
    return str(service_model(service).service_id.hyphenize())


@cache
def services() -> dict[str, str]:
    """Those that rows ask, by their names in botocore's events."""
    asked = {service for kind in kinds().values() for service, *_ in kind.calls()}
    return {event_name(service): service for service in asked}


def failing(call: dict[str, Any], code: str, status: int, message: str = "no") -> dict[str, Any]:
    """The same call, answered by an error, in the form of its protocol."""
    if "headers" not in call:
        return {"call": call["call"], "error": code, "status": status, "message": message}
    service = call["call"].split(".")[0]
    # a simulated AWS may label JSON as HTML: the protocol is the service model's
    if "json" in service_model(services()[service]).metadata["protocol"]:
        body = orjson.dumps({"__type": code, "message": message, "Code": code}).decode()
        return call | {
            "status": status,
            "body": body,
            "headers": {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code},
        }
    inner = XML.format("Error", code)
    body = (
        inner
        if service == "s3"
        else f"<ErrorResponse>{inner[21:]}<RequestId>1</RequestId></ErrorResponse>"
    )
    if service == "ec2":
        body = f"<Response><Errors>{inner[21:]}</Errors><RequestID>1</RequestID></Response>"
    return call | {"status": status, "body": body, "headers": {"content-type": "text/xml"}}


def event_of(service: str, operation: str) -> str:
    """How botocore's events name an operation."""
    return f"{event_name(service)}.{operation}"


def broken(
    type_: str, event: str, code: str, status: int = 403, message: str = "no"
) -> list[Snapshot | Vanished]:
    calls = [
        failing(c, code, status, message) if c["call"] == event else c for c in recorded(type_)
    ]
    assert any(c["call"] == event for c in calls), event
    return read_all(Replayed(calls), kinds()[type_])


def snapshots(found: list[Snapshot | Vanished]) -> list[Snapshot]:
    out = [one for one in found if isinstance(one, Snapshot)]
    assert len(out) == len(found)
    return out


@pytest.mark.parametrize(("code", "status", "reason"), [
    ("AccessDenied", 403, "denied"), ("AccessDeniedException", 400, "denied"), ("UnauthorizedOperation", 403, "denied"),
    ("Throttling", 400, "throttled"), ("SlowDown", 503, "throttled"), ("InternalError", 500, "failed"), ("Surprise", 403, "failed"),
])  # fmt: skip
@pytest.mark.parametrize(
    ("type_", "part", "service", "operation"),
    [ALONE[0], ALONE[-1], *[p for p in PARTS if p[0] == "AWS::S3::Bucket"][:3]],
)
def test_an_error_hides_its_part_and_no_other(
    type_: str, part: str, service: str, operation: str, code: str, status: int, reason: str
) -> None:
    for snapshot in snapshots(broken(type_, event_of(service, operation), code, status)):
        assert [(u.part, u.reason, u.code) for u in snapshot.unread] == [(part, reason, code)]
        assert part not in snapshot.config
        assert [p.name for p in snapshot.parts] == [p for p in kinds()[type_].parts if p != part]


@pytest.mark.parametrize(("type_", "part", "service", "operation"), PARTS)
def test_every_part_can_be_denied(type_: str, part: str, service: str, operation: str) -> None:
    detail = next(d for d in kinds()[type_].details if d.part == part)
    asked = 0
    for snapshot in snapshots(broken(type_, event_of(service, operation), "AccessDenied")):
        hidden = {unread.part for unread in snapshot.unread}
        if detail.given and part not in hidden:
            assert snapshot.config[part] is None
            continue
        asked += 1
        assert part in hidden
        assert hidden.isdisjoint(snapshot.config)
        assert {unread.reason for unread in snapshot.unread} == {"denied"}
    assert asked


@pytest.mark.parametrize(
    ("type_", "detail"), [(t, d) for t, k in sorted(kinds().items()) for d in k.details if d.absent]
)
def test_not_configured_is_null_and_read(type_: str, detail: Any) -> None:
    kind = kinds()[type_]
    event = event_of(detail.service or kind.service, detail.operation)
    told = detail.absent_text or "no"
    for snapshot in snapshots(broken(type_, event, detail.absent[0], 404, told)):
        assert snapshot.config[detail.part] is None
        assert detail.part in [part.name for part in snapshot.parts]
        assert snapshot.unread == []


@pytest.mark.parametrize(
    ("kind", "detail"),
    [(k, d) for _, k in sorted(kinds().items()) for d in k.details if set(k.gone) - set(d.absent)],
    ids=lambda one: one.type if isinstance(one, Kind) else one.part,
)
def test_a_call_that_does_not_find_it_hides_its_part_alone(kind: Kind, detail: Detail) -> None:
    """The list names it, so it is there: what one call of several does not know takes nothing away."""
    code = next(code for code in kind.gone if code not in detail.absent)
    whole = snapshots(read_all(Replayed(recorded(kind.type)), kind))
    event = event_of(detail.service or kind.service, detail.operation)
    found = broken(kind.type, event, code, 404)
    left = [one.left if isinstance(one, Vanished) else one for one in found]
    assert [one.uid for one in left if one] == [one.uid for one in whole]
    asked = 0
    for was, one in zip(whole, found, strict=True):
        read = one.left if isinstance(one, Vanished) else one
        assert read is not None
        hidden = {unread.part: (unread.reason, unread.code) for unread in read.unread}
        assert set(hidden.values()) <= {("failed", code)}
        assert {*read.config, *hidden} - {"tags"} == {*was.config}
        assert isinstance(one, Vanished) == (not read.parts)
        asked += detail.part in hidden
    assert asked or detail.given or detail.each


def test_denied_tags_are_unread_and_not_empty() -> None:
    for snapshot in snapshots(broken("AWS::S3::Bucket", "s3.GetBucketTagging", "AccessDenied")):
        assert [(u.part, u.reason) for u in snapshot.unread] == [("tags", "denied")]


def test_a_bucket_keeps_its_own_region_and_is_asked_there() -> None:
    found = {
        one.name: one
        for one in snapshots(
            read_all(Replayed(recorded("AWS::S3::Bucket")), kinds()["AWS::S3::Bucket"])
        )
    }
    assert {name: one.region for name, one in found.items()} == {
        "bare": "us-east-1",
        "full": "eu-west-1",
        "logs": "eu-west-1",
    }
    assert found["full"].config["bucket"]["BucketRegion"] == "eu-west-1"
    assert found["bare"].config["public_access_block"] is None
    assert found["full"].config["public_access_block"]["RestrictPublicBuckets"] is False
    assert found["full"].config["policy"]["Statement"][0]["Principal"] == "*"
    assert found["full"].tags["env"] == "prod"


def test_a_bucket_without_a_region_says_so() -> None:
    for snapshot in broken("AWS::S3::Bucket", "s3.GetBucketLocation", "AccessDenied"):
        assert isinstance(snapshot, Snapshot)
        assert snapshot.region == "global"
        assert ("bucket", "denied") in [(u.part, u.reason) for u in snapshot.unread]
        assert "bucket" not in snapshot.config


def test_an_account_wide_part_is_asked_once() -> None:
    account = Replayed(recorded("AWS::S3::Bucket"))
    found = snapshots(read_all(account, kinds()["AWS::S3::Bucket"]))
    whole = {orjson.dumps(one.config["account_public_access_block"]) for one in found}
    assert len(found) == 3
    assert len(whole) == 1
    assert account.asked.count("s3-control.GetPublicAccessBlock") == 1


def test_a_regions_part_is_asked_once_a_region() -> None:
    account, kind = Replayed(recorded("AWS::EC2::Snapshot") * 2), kinds()["AWS::EC2::Snapshot"]
    here, there = (context(account, kind, region) for region in ("us-east-1", "eu-west-1"))
    there = there._replace(once=here.once)
    item = {"SnapshotId": "snap-1", "VolumeId": "vol-1"}
    for where in (here, here, there):
        assert isinstance(resource(kind, where, dict(item), where.now()), Snapshot)
    assert account.asked.count("ec2.GetSnapshotBlockPublicAccessState") == 2


def test_lists_are_asked_for_only_where_a_group_names_them() -> None:
    account, kind = (
        Replayed(recorded("AWS::EC2::SecurityGroup")),
        kinds()["AWS::EC2::SecurityGroup"],
    )
    found = snapshots(read_all(account, kind))
    lists = {bool(one.config["prefix_lists"]): one.config["prefix_lists"] for one in found}
    assert lists.keys() == {True, False}
    assert lists[False] is None
    assert [entry["Cidr"] for entry in lists[True][0]["Entries"]] == ["203.0.113.0/24"]
    assert account.asked.count("ec2.DescribeManagedPrefixLists") == 1


def test_what_looks_like_a_secret_stays_in_the_account() -> None:
    functions = snapshots(
        read_all(Replayed(recorded("AWS::Lambda::Function")), kinds()["AWS::Lambda::Function"])
    )
    buckets = snapshots(read_all(Replayed(recorded("AWS::S3::Bucket")), kinds()["AWS::S3::Bucket"]))
    for snapshot in functions + buckets:
        assert b"hunter22" not in snapshot.encode()
    value = functions[0].config["function"]["Environment"]["Variables"]["DB"]
    assert value["redacted"] is True
    assert len(value["hash"]) == 32
    assert any(one.tags.get("db-password", "").startswith("redacted:") for one in buckets)


def test_what_changes_by_itself_is_dropped_within_lists_too() -> None:
    kind = kinds()["AWS::EC2::VPNConnection"]
    found = snapshots(read_all(Replayed(recorded(kind.type)), kind))
    assert len(found) == 2, "the deleted one is left out"
    for snapshot in found:
        assert b"hunter22" not in snapshot.encode()
        connection = snapshot.config["connection"]
        assert "CustomerGatewayConfiguration" not in connection
        assert all(one.keys() == {"OutsideIpAddress", "Status"} for one in connection["VgwTelemetry"])  # fmt: skip
        assert connection["Options"]["TunnelOptions"][0]["PreSharedKey"]["redacted"] is True


def test_a_method_says_who_may_call_and_nothing_of_what_it_calls() -> None:
    kind = kinds()["AWS::ApiGateway::RestApi"]
    full = next(one for one in snapshots(read_all(Replayed(recorded(kind.type)), kind)) if one.name == "full")  # fmt: skip
    (root,) = full.config["resources"]
    assert root["path"] == "/"
    assert root["resourceMethods"]["GET"]["authorizationType"] == "AWS_IAM"
    gone = {"methodIntegration", "methodResponses", "requestModels", "requestParameters"}
    assert not root["resourceMethods"]["GET"].keys() & gone
    assert full.config["api"]["policy"]["Statement"][0]["Effect"] == "Allow", "it comes escaped"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("times", [0, 1])
def test_a_document_is_decoded_escaped_once_or_not(indent: int | None, times: int) -> None:
    document = {"Version": "2012-10-17", "Id": 'a "b" \\ / é', "Statement": [{"Sid": "{}"}]}
    text = json.dumps(document, indent=indent)
    for _ in range(times):
        text = json.dumps(text)[1:-1]
    assert decoded(text) == document


@pytest.mark.parametrize("text", ['{\\"a', '{\\"a\\": 1}"', "{a}", '{\\\\"a\\\\": 1}'])
def test_what_is_no_document_either_way_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decoded(text)


def test_inline_policies_and_keys_are_whole() -> None:
    users = {
        one.name: one
        for one in snapshots(
            read_all(Replayed(recorded("AWS::IAM::User")), kinds()["AWS::IAM::User"])
        )
    }
    assert users["bare"].config["inline_policies"] == {}
    assert users["bare"].config["access_keys"] == []
    assert users["full"].config["inline_policies"]["own"]["Statement"][0]["Action"] == "*"
    assert users["full"].config["access_keys"][0]["AccessKeyId"].startswith("AKIA")
    assert "LastUsed" in users["full"].config["access_keys"][0]


def test_half_of_a_list_is_not_the_list() -> None:
    found = {
        one.name: one
        for one in snapshots(broken("AWS::IAM::User", "iam.GetUserPolicy", "AccessDenied"))
    }
    assert [(u.part, u.reason) for u in found["full"].unread] == [("inline_policies", "denied")]
    assert found["bare"].unread == []


@pytest.mark.parametrize(
    "text", ["{", '{"a": 99999999999999999999999}', '{"a": "\\ud800"}', "[" * 80 + "]" * 80]
)
def test_a_policy_that_cannot_travel_is_unread(text: str) -> None:
    calls = [
        c | {"body": text} if c["call"] == "s3.GetBucketPolicy" else c | {}
        for c in recorded("AWS::S3::Bucket")
    ]
    for call in calls:
        if call["call"] == "s3.GetBucketPolicy":
            call["status"] = 200
    for snapshot in snapshots(read_all(Replayed(calls), kinds()["AWS::S3::Bucket"])):
        assert [(u.part, u.reason, u.code) for u in snapshot.unread] == [
            ("policy", "failed", "Malformed")
        ]


def test_what_does_not_fit_is_unread_and_the_rest_travels() -> None:
    text = orjson.dumps({"Statement": ["x" * 950_000]}).decode()
    calls = [
        c | {"body": text, "status": 200} if c["call"] == "s3.GetBucketPolicy" else c
        for c in recorded("AWS::S3::Bucket")
    ]
    for snapshot in snapshots(read_all(Replayed(calls), kinds()["AWS::S3::Bucket"])):
        assert [(u.part, u.reason) for u in snapshot.unread] == [("policy", "oversize")]
        assert "acl" in snapshot.config
        assert len(snapshot.encode()) < 900_000


def test_times_are_before_the_calls() -> None:
    kind = kinds()["AWS::S3::Bucket"]
    account = Replayed(recorded(kind.type))
    where = context(account, kind)
    made: list[int] = []

    def now() -> Any:
        made.append(len(account.asked))
        return context(account, kind).now()

    from driftline.collectors.aws.sweep.read import resource

    where = where._replace(now=now)
    listed = list(items(kind, where))
    assert made[0] == 0
    first = resource(kind, where, *listed[0])
    assert isinstance(first, Snapshot)
    assert first.captured_at == first.parts[0].captured_at
    assert first.captured_at <= min(part.captured_at for part in first.parts)


def test_an_error_that_is_no_answer_has_failed() -> None:
    assert trouble(OSError("x")).reason == "failed"


def test_an_answer_that_is_none_has_failed() -> None:
    """A page of a proxy's, where XML should be."""
    calls = [c | {"status": 500, "body": "<!doctype html><title>500"} if c["call"] == "sns.GetTopicAttributes" else c
             for c in recorded("AWS::SNS::Topic")]  # fmt: skip
    for snapshot in snapshots(read_all(Replayed(calls), kinds()["AWS::SNS::Topic"])):
        assert [(u.part, u.reason, u.code) for u in snapshot.unread] == [
            ("attributes", "failed", "ResponseParserError")
        ]


@pytest.mark.parametrize(
    ("type_", "event", "mine", "other"),
    [
        ("AWS::CloudTrail::Trail", "cloudtrail.DescribeTrails", ":123456789012:trail", ":999999999999:trail"),
        ("AWS::EC2::SecurityGroup", "ec2.DescribeSecurityGroups", "<ownerId>123456789012<", "<ownerId>999999999999<"),
    ],
)  # fmt: skip
def test_what_another_account_shares_is_read_by_its_owner(
    type_: str, event: str, mine: str, other: str
) -> None:
    """An organization's trail and a shared security group are seen in every account."""
    calls = [c | {"body": c["body"].replace(mine, other)} if c["call"] == event else c for c in recorded(type_)]  # fmt: skip
    assert calls != recorded(type_)
    assert snapshots(read_all(Replayed(recorded(type_)), kinds()[type_]))
    assert read_all(Replayed(calls), kinds()[type_]) == []


def test_a_key_in_a_state_without_rotation_is_read() -> None:
    for snapshot in snapshots(broken("AWS::KMS::Key", "kms.GetKeyRotationStatus", "KMSInvalidStateException", 400)):  # fmt: skip
        assert snapshot.config["rotation"] is None
        assert snapshot.unread == []


@pytest.mark.parametrize(("constraint", "region"), [("", "us-east-1"), ("EU", "eu-west-1"), ("eu-central-2", "eu-central-2")])  # fmt: skip
def test_old_ways_to_say_where_a_bucket_lies(constraint: str, region: str) -> None:
    body = f'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{constraint}</LocationConstraint>'
    calls = [c | {"body": body} if c["call"] == "s3.GetBucketLocation" else c for c in recorded("AWS::S3::Bucket")]  # fmt: skip
    found = snapshots(read_all(Replayed(calls), kinds()["AWS::S3::Bucket"]))
    assert {one.region for one in found} == {region}


@pytest.mark.parametrize(
    ("code", "status"), [("PermanentRedirect", 301), ("IllegalLocationConstraintException", 400)]
)
def test_a_bucket_that_moved_is_asked_where_it_lies(code: str, status: int) -> None:
    """Made anew in another region meanwhile: even who may not look at it is told where it is."""
    calls = []
    for call in recorded("AWS::S3::Bucket"):
        if call["call"] == "s3.GetBucketPolicy":
            moved = call | {"call": "s3.HeadBucket", "status": 403, "body": "", "headers": {"x-amz-bucket-region": "eu-central-1"}}  # fmt: skip
            calls += [failing(call, code, status), moved]
            call = failing(call, "NoSuchBucketPolicy", 404)
        calls.append(call)
    account = Replayed(calls)
    for snapshot in snapshots(read_all(account, kinds()["AWS::S3::Bucket"])):
        assert snapshot.unread == []
        assert snapshot.config["policy"] is None
    assert account.asked.count("s3.HeadBucket") == 3


class _Nobody(Replayed):
    """An account for whose service nobody answers."""

    listed = True

    def offers(self, service: str, region: str) -> bool:
        return self.listed

    def _answer(self, request: Any, event_name: str, **more: Any) -> AWSResponse:
        raise EndpointConnectionError(endpoint_url=request.url)


@pytest.mark.parametrize("listed", [True, False])
def test_where_a_service_is_not_offered_there_is_nothing(listed: bool) -> None:
    """Only where botocore does not list it either: else the network is broken, and nothing is known."""
    account = _Nobody(recorded("AWS::Lambda::Function"))
    account.listed = listed
    with pytest.raises(EndpointConnectionError if listed else NotOffered) as told:
        read_all(account, kinds()["AWS::Lambda::Function"])
    assert trouble(told.value).reason == ("failed" if listed else "unsupported")


@pytest.mark.parametrize(
    ("message", "reason"), [("Macie is not enabled.", "absent"), ("not authorized", "denied")]
)
def test_a_code_that_could_be_a_denial_needs_the_text_too(message: str, reason: str) -> None:
    error = ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "X")
    assert trouble(error, ["AccessDeniedException"], (), "is not enabled").reason == reason


def test_an_element_is_asked_for_in_its_own_region() -> None:
    kind = kinds()["AWS::CloudTrail::AccountSettings"]
    account, asked = Replayed(recorded(kind.type)), []

    class Noting(Replayed):
        def call(self, service: str, region: str, operation: str, params: Any) -> Any:
            asked.append((operation, region))
            return account.call(service, region, operation, params)

    [found] = snapshots(read_all(Noting(recorded(kind.type)), kind))
    homes = [trail["HomeRegion"] for trail in found.config["trails"]]
    assert homes == ["us-east-1", "eu-west-1"]
    for operation in ("GetTrailStatus", "GetEventSelectors"):
        assert [region for name, region in asked if name == operation] == homes


def test_an_organizations_trail_stays_without_what_only_its_owner_sees() -> None:
    found = broken("AWS::CloudTrail::AccountSettings", "cloudtrail.GetEventSelectors", "TrailNotFoundException", 400)  # fmt: skip
    for snapshot in snapshots(found):
        assert snapshot.unread == []
        assert [sorted(one) for one in snapshot.config["selectors"]] == [["HomeRegion", "TrailARN"]] * 2  # fmt: skip


def test_a_list_that_botocore_takes_for_one_page_is_read_to_its_end() -> None:
    pages = [
        {"EventBuses": [{"Name": name, "Arn": f"arn:aws:events:us-east-1:123456789012:event-bus/{name}"}]} | more
        for name, more in (("a", {"NextToken": "1"}), ("b", {"NextToken": "2"}), ("c", {}))
    ]  # fmt: skip
    kind = kinds()["AWS::Events::EventBus"]
    account = Replayed([{"call": "eventbridge.ListEventBuses", "answer": page} for page in pages])
    found = [item["Name"] for item, _ in items(kind, context(account, kind))]
    assert found == ["a", "b", "c"]
    assert account.asked == ["eventbridge.ListEventBuses"] * 3
