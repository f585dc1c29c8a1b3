"""What events call resources: every spelling that AWS takes leads to the uid that AWS keeps, and nothing else does."""

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.aws.events.claims import RowMatch, bare, claims
from driftline.collectors.aws.events.names import (
    CallSite,
    NoNames,
    fits,
    kept,
    partition,
    spelled,
    uid_of,
    uncertain,
)
from driftline.collectors.aws.events.reads import reads
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.sources.listen import region_of
from driftline.collectors.aws.sources.name_index import SweepIndex, UidIndex
from driftline.collectors.redact import Redactor
from tests.collectors.events.samples import ACCOUNT, event
from tests.collectors.events.spellings import own_id, own_uid, spellings
from tests.collectors.events.test_rows import model, services

REDACTOR = Redactor(b"k" * 32)
HERE = CallSite(ACCOUNT, "eu-west-1", "aws")
REQUEST = re.compile(r"requestParameters((?:\.\w+(?:\[\])?)+)")
WITH_ID = [kind for kind in kinds().values() if any(touch.id for touch in kind.events)]
TYPES = [pytest.param(kind, id=kind.type) for kind in WITH_ID]
OTHERWISE = {
    "resourcesSet.items", "instancesSet.items[].instanceId",  # CloudTrail's own form of a list
    "resourceType", "scope", "name", "id", "domainNameId",  # what only says which of them is meant
}  # fmt: skip
CONTEXT = {
    "AWS::DocDB::DBCluster": {"responseElements": {"engine": "docdb"}},
    "AWS::Neptune::DBCluster": {"responseElements": {"engine": "neptune"}},
    "AWS::RDS::DBCluster": {"responseElements": {"engine": "aurora-mysql"}},
    "AWS::Route53::HostedZone": {"requestParameters": {"resourceType": "hostedzone"}},
    "AWS::SSM::Document": {"requestParameters": {"resourceType": "Document"}},
    "AWS::SSM::Parameter": {"requestParameters": {"resourceType": "Parameter"}},
    "AWS::WAFv2::WebACL": {"requestParameters": {"scope": "REGIONAL"}},
    "AWS::WAFv2::CloudFrontWebACL": {"requestParameters": {"scope": "CLOUDFRONT"}},
}  # fmt: skip


def seen(kind: Kind, *uids: str) -> UidIndex:
    region = "global" if kind.scope == "global" else "eu-west-1"
    return UidIndex([(kind.type, ACCOUNT, region, uids or (own_uid(kind),))])


def members(claim: RowMatch) -> Iterator[str]:
    """The places in the request that a claim looks at."""
    for path in claim.touch.paths:
        for found in REQUEST.findall(path):
            place = found.strip(".")
            if place not in OTHERWISE or (place in ("name", "id") and "join" not in path):
                yield place


def record(claim: RowMatch, source: str, name: str, place: str, value: Any) -> dict[str, Any]:
    """An event whose request has a value in a place."""
    out = event(
        name, source, awsRegion="us-east-1" if claim.kind.scope == "global" else "eu-west-1"
    )
    out |= {k: dict(v) for k, v in CONTEXT.get(claim.kind.type, {}).items()}
    holder = out["requestParameters"] = dict(out["requestParameters"] or {})
    *above, last = place.split(".")
    for step in above:
        inner: dict[str, Any] = {}
        holder[step.removesuffix("[]")] = [inner] if step.endswith("[]") else inner
        holder = inner
    holder[last.removesuffix("[]")] = value
    return out


def named(claim: RowMatch, found: dict[str, Any], resolver: NoNames) -> list[str]:
    """The uids of the claim's type that come of an event."""
    reader = ChangeReader(REDACTOR, "eventbridge", resolver, lambda _: True)
    return [change.uid for change in reader.changes(found) if change.type == claim.kind.type]


@pytest.mark.parametrize("kind", TYPES)
def test_every_spelling_in_every_request_is_the_uid_that_aws_keeps(kind: Kind) -> None:
    for (source, name), found in claims().items():
        for claim in (c for c in found if c.kind.type == kind.type):
            for place in members(claim):
                for how, text in spellings(kind).items():
                    if kind.service == "ec2" and how.startswith("arn:"):
                        continue  # the API of EC2 takes no ARN
                    told = named(claim, record(claim, source, name, place, text), seen(kind))
                    assert told == [own_uid(kind)], (name, place, how, text)


# What botocore's documentation says that a request takes

LOWER = re.compile(r"stored as a lowercase string|(?:not|n't) case[- ]sensitive", re.IGNORECASE)
QUALIFIED = re.compile(r"(?:append a version number|with alias|with version)", re.IGNORECASE)
PARTIAL = re.compile(r"partial ARN", re.IGNORECASE)
EITHER = re.compile(r"\bARN\b", re.IGNORECASE)


def documented() -> dict[str, set[str]]:
    """By type: what the documentation of a request's member says of how it may be spelled."""
    out: dict[str, set[str]] = {}
    for (source, name), found in claims().items():
        for claim in found:
            for place in members(claim):
                for text, pattern in _told(source, name, place):
                    words = out.setdefault(claim.kind.type, set())
                    words |= {"lower"} if LOWER.search(text) else set()
                    words |= {"qualified"} if QUALIFIED.search(text) else set()
                    words |= {"partial"} if PARTIAL.search(text) else set()
                    words |= {"arn"} if EITHER.search(text) or "arn:" in pattern else set()
    return out


def _told(source: str, name: str, place: str) -> Iterator[tuple[str, str]]:
    for service in services(source):
        for operation in model(service).operation_names:
            shape = model(service).operation_model(operation).input_shape if bare(operation) == name else None  # fmt: skip
            for step in place.replace("[]", "").split("."):
                while shape is not None and shape.type_name == "list":
                    shape = shape.member
                inner = getattr(shape, "members", {})
                shape = next((inner[key] for key in inner if key.lower() == step.lower()), None)
            if shape is not None:
                text = html.unescape(re.sub(r"<[^>]+>", "", shape.documentation or ""))
                yield re.sub(r"\s+", " ", text), str(shape.metadata.get("pattern") or "")


def test_every_form_that_the_documentation_tells_is_known() -> None:
    told = documented()
    for type, words in told.items():
        named = kinds()[type].named
        if "lower" in words:
            assert named.case == "lower", type
        if "qualified" in words:
            assert any("{rest}" in one for one in named.also), type
        if "partial" in words:
            assert named.also, type
    assert len([type for type, words in told.items() if "arn" in words]) > 40
    lower = {type for type, words in told.items() if "lower" in words}
    assert lower >= {"AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::DAX::Cluster", "AWS::ElastiCache::CacheCluster"}  # fmt: skip
    assert told["AWS::Lambda::Function"] >= {"qualified", "partial", "arn"}
    assert "partial" in told["AWS::SecretsManager::Secret"]


# What must not be named

WRONG = [
    ("AWS::KMS::Key", "alias/orders"), ("AWS::KMS::Key", f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/orders"),
    ("AWS::EC2::SecurityGroup", "default"), ("AWS::EC2::Instance", "mi-0a1b2c3d"), ("AWS::EC2::VPCEndpoint", "vpce-svc-0a1b"),
    ("AWS::EC2::TransitGateway", "tgw-attach-0a1b"), ("AWS::EC2::VPC", "vpc-cidr-assoc-0a1b"),
    ("AWS::EFS::FileSystem", "fsap-0a1b2c3d"), ("AWS::EFS::FileSystem", f"arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:access-point/fsap-1"),
    ("AWS::S3::Bucket", f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/ap"), ("AWS::S3::Bucket", "ap-0a1b2c3d-s3alias"), ("AWS::S3::Bucket", "arn:aws:s3:::b/key"),
    ("AWS::IAM::Policy", "arn:aws:iam::aws:policy/ReadOnlyAccess"), ("AWS::IAM::Role", "deploy"), ("AWS::IAM::User", "Bob"),
    ("AWS::Lambda::Function", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:l:1"), ("AWS::Lambda::Function", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:event-source-mapping:1"),
    ("AWS::CloudWatch::Alarm", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/d"), ("AWS::Glue::Job", f"arn:aws:glue:eu-west-1:{ACCOUNT}:crawler/c"),
    ("AWS::ElasticLoadBalancing::LoadBalancer", f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/app/web/1"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:targetgroup/web/1"),
    ("AWS::SNS::Topic", f"arn:aws:sns:eu-west-1:{ACCOUNT}:t:0a1b-2c3d"), ("AWS::Kinesis::Stream", f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/s/consumer/c:1"),
    ("AWS::EKS::Cluster", f"arn:aws:eks:eu-west-1:{ACCOUNT}:nodegroup/c/n/1"), ("AWS::ECS::Service", "web"), ("AWS::SageMaker::Model", "MyModel"),
    ("AWS::SecretsManager::Secret", "db"), ("AWS::SecretsManager::Secret", f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:my-secret"),
    ("AWS::AutoScaling::AutoScalingGroup", "web"), ("AWS::ApiGateway::RestApi", "arn:aws:apigateway:eu-west-1::/apis/a"), ("AWS::DynamoDB::Table", "t*"),
]  # fmt: skip


@pytest.mark.parametrize(("type", "text"), WRONG)
def test_what_names_no_resource_of_the_type_is_no_uid(type: str, text: str) -> None:
    assert uid_of(kinds()[type], text, HERE, NoNames()) is None


RIGHT = [
    ("AWS::Lambda::Function", "111111111111:f", "arn:aws:lambda:eu-west-1:111111111111:function:f"),
    ("AWS::Lambda::Function", "222222222222:function:f:prod", "arn:aws:lambda:eu-west-1:222222222222:function:f"),
    ("AWS::Lambda::Function", "arn:aws-cn:lambda:cn-north-1:222222222222:function:f:$LATEST", "arn:aws-cn:lambda:cn-north-1:222222222222:function:f"),
    ("AWS::RDS::DBInstance", "MyDB", f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:mydb"),
    ("AWS::RDS::DBInstance", f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:MyDB", f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:mydb"),
    ("AWS::Route53::HostedZone", "/hostedzone/Z1D633PJN98FT9", "arn:aws:route53:::hostedzone/Z1D633PJN98FT9"),
    ("AWS::Logs::LogGroup", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/f:*", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/f"),
    ("AWS::SQS::Queue", "https://sqs.cn-north-1.amazonaws.com.cn/222222222222/q.fifo", "arn:aws:sqs:eu-west-1:222222222222:q.fifo"),
    ("AWS::StepFunctions::StateMachine", f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:m:3", f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:m"),
    ("AWS::DynamoDB::Table", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t/index/i", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t"),
    ("AWS::ECS::TaskDefinition", "web:7", f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/web"),
    ("AWS::ApiGateway::RestApi", "arn:aws:apigateway:eu-west-1::/restapis/a1/stages/prod", "arn:aws:apigateway:eu-west-1::/restapis/a1"),
    ("AWS::IAM::Role", f"arn:aws:iam::{ACCOUNT}:role/team/deploy", f"arn:aws:iam::{ACCOUNT}:role/team/deploy"),
    ("AWS::SecretsManager::Secret", f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-AbC12d", f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-AbC12d"),
]  # fmt: skip


@pytest.mark.parametrize(("type", "text", "uid"), RIGHT)
def test_what_names_one_is_its_uid(type: str, text: str, uid: str) -> None:
    assert uid_of(kinds()[type], text, HERE, NoNames()) == uid
    if text.startswith("arn:"):
        assert kept(text) == uid


TEXT = st.one_of(
    st.text(max_size=30), st.from_regex(r"(?:arn:aws:[a-z0-9]{1,8}:(?:eu-west-1)?:(?:\d{12})?:)?[A-Za-z0-9:/_.*-]{1,30}", fullmatch=True),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WITH_ID), TEXT)
def test_whatever_an_event_names_a_uid_has_its_types_form(kind: Kind, text: str) -> None:
    uid = uid_of(kind, text, HERE, NoNames())
    assert uid is None or fits(kind, uid)
    if uid is not None and not uncertain(kind):
        assert uid_of(kind, uid, HERE, NoNames()) == uid, "the uid names itself"


# What sweeps have seen


@pytest.mark.parametrize("text", ["deploy", "DEPLOY", f"arn:aws:iam::{ACCOUNT}:role/team/deploy"])
def test_a_role_is_known_by_its_name_whatever_its_path_and_case(text: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/team/deploy"
    assert (
        uid_of(kinds()["AWS::IAM::Role"], text, HERE, seen(kinds()["AWS::IAM::Role"], role)) == role
    )


def test_no_suffix_is_taken_off_a_roles_name() -> None:
    kind = kinds()["AWS::IAM::Role"]
    assert uid_of(kind, "app", HERE, seen(kind, f"arn:aws:iam::{ACCOUNT}:role/app-prod01")) is None


def test_a_partial_arn_of_a_secret_is_the_secret_that_sweeps_saw() -> None:
    kind = kinds()["AWS::SecretsManager::Secret"]
    whole = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:my-secret-AbC12d"
    for text in ("my-secret", whole, whole.removesuffix("-AbC12d")):
        assert uid_of(kind, text, HERE, seen(kind, whole)) == whole


def test_a_cluster_is_of_the_type_that_sweeps_saw_where_the_answer_does_not_tell() -> None:
    found = event("AddRoleToDBCluster", "rds", requestParameters={"dBClusterIdentifier": "Orders", "roleArn": "r"})  # fmt: skip
    uid = f"arn:aws:rds:eu-west-1:{ACCOUNT}:cluster:orders"
    reader = ChangeReader(REDACTOR, "log", UidIndex([("AWS::Neptune::DBCluster", ACCOUNT, "eu-west-1", [uid])]))  # fmt: skip
    assert [(c.uid, c.type) for c in reader.changes(found)] == [(uid, "AWS::Neptune::DBCluster")]
    nothing = ChangeReader(REDACTOR, "log", NoNames()).changes(found)
    assert [c.type for c in nothing] == [None]
    assert reads(found, nothing) == []


def test_a_name_without_a_uid_is_evidence_of_the_account_and_is_read_by_name() -> None:
    found = event("AttachRolePolicy", "iam", awsRegion="us-east-1", requestParameters={"roleName": "new", "policyArn": "p"})  # fmt: skip
    changes = ChangeReader(REDACTOR, "log", NoNames()).changes(found)
    assert [(c.uid, c.type) for c in changes] == [(f"account:aws:{ACCOUNT}", None)]
    (wish,) = reads(found, changes)
    assert (wish.name, wish.uid, wish.region) == ("new", f"arn:aws:iam::{ACCOUNT}:role/new", "global")  # fmt: skip


def test_a_security_group_by_name_is_the_one_that_the_answer_has() -> None:
    rule = {"groupId": "sg-1", "securityGroupRuleId": "sgr-1"}
    found = event("AuthorizeSecurityGroupIngress", "ec2", requestParameters={"groupName": "default"},
                  responseElements={"_return": True, "securityGroupRuleSet": {"items": [rule, rule]}})  # fmt: skip
    (change,) = ChangeReader(REDACTOR, "log", NoNames()).changes(found)
    assert change.uid.endswith(":security-group/sg-1")


def test_a_key_by_alias_is_the_one_that_the_event_lists() -> None:
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k-1"
    listed = [{"ARN": key, "accountId": ACCOUNT, "type": "AWS::KMS::Key"}]
    found = event(
        "CreateGrant", "kms", requestParameters={"keyId": "alias/orders"}, resources=listed
    )
    reader = ChangeReader(REDACTOR, "log", NoNames(), lambda _: True)
    assert [c.uid for c in reader.changes(found)] == [key]
    assert [c.type for c in reader.changes(found | {"resources": []})] == [None]


# Whose it is


def test_a_callers_copy_of_an_event_is_about_the_owners_resource_and_asks_for_no_reading() -> None:
    uid = "arn:aws:lambda:eu-west-1:222222222222:function:f"
    found = event("AddPermission", "lambda", requestParameters={"functionName": f"{uid}:prod"})
    (change,) = ChangeReader(REDACTOR, "log", NoNames()).changes(found)
    assert (change.uid, change.account) == (uid, "222222222222")
    assert reads(found, [change]) == []
    (change,) = ChangeReader(REDACTOR, "log", NoNames()).changes(own := found | {"recipientAccountId": "222222222222"})  # fmt: skip
    assert [wish.uid for wish in reads(own, [change])] == [uid]


def test_a_bucket_is_its_owners_where_the_event_says_whose() -> None:
    listed = [{"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b", "accountId": "222222222222"}]
    found = event("PutBucketPolicy", "s3", requestParameters={"bucketName": "b"}, resources=listed)
    (change,) = ChangeReader(REDACTOR, "log", NoNames()).changes(found)
    assert change.account == "222222222222"


def test_a_member_account_whose_contacts_the_management_account_writes() -> None:
    found = event("PutAlternateContact", "account", awsRegion="us-east-1", requestParameters={"accountId": "222222222222"})  # fmt: skip
    (change,) = ChangeReader(REDACTOR, "log", NoNames()).changes(found)
    assert change.uid == "arn:aws:account::222222222222:contacts"


@pytest.mark.parametrize(
    ("region", "want"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-east-1", "aws-us-gov"), ("eusc-de-east-1", "aws-eusc"),
     ("us-iso-east-1", "aws-iso"), ("us-isob-east-1", "aws-iso-b"), ("eu-isoe-west-1", "aws-iso-e"), ("us-isof-south-1", "aws-iso-f"), ("us-gov-north-7", "aws-us-gov"),
     ("nowhere", "aws"), ("", "aws")],
)  # fmt: skip
def test_a_regions_partition(region: str, want: str) -> None:
    assert partition(region) == want
    found = event("PutBucketPolicy", "s3", awsRegion=region, requestParameters={"bucketName": "b"})
    (change,) = ChangeReader(REDACTOR, "log", NoNames()).changes(found)
    assert change.uid == f"arn:{want}:s3:::b"


@pytest.mark.parametrize(
    ("host", "region"),
    [("sqs.eu-west-1.amazonaws.com", "eu-west-1"), ("eu-west-1.queue.amazonaws.com", "eu-west-1"), ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
     ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"), ("sqs.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
     ("vpce-0a1b-2c3d.sqs.us-gov-west-1.vpce.amazonaws.com", "us-gov-west-1"), ("localhost:4566", None), ("queue.amazonaws.com", None)],
)  # fmt: skip
def test_a_queues_region(host: str, region: str | None) -> None:
    assert region_of(f"https://{host}/111111111111/q") == region


def test_a_region_that_nobody_knows_is_of_its_callers_partition() -> None:
    assert partition("xx-new-1", "arn:aws-new:iam::1:user/u") == "aws-new"
    assert partition("xx-new-1", "arn:../x:y") == "aws"


def test_a_name_that_was_not_there_is_looked_for_again_after_a_while() -> None:
    now, loads = 0.0, 0

    def load() -> dict[str, set[str]]:
        nonlocal loads
        loads += 1
        return {f"aws/{ACCOUNT}/global/AWS::IAM::Role": {f"arn:aws:iam::{ACCOUNT}:role/a/x"} if now > 9 else set()}  # fmt: skip

    index = SweepIndex(load, lambda: now)
    assert index.uid("AWS::IAM::Role", ACCOUNT, "global", "x") is None
    now = 10
    assert index.uid("AWS::IAM::Role", ACCOUNT, "global", "x") is None
    now = 31
    assert index.uid("AWS::IAM::Role", ACCOUNT, "global", "x") == f"arn:aws:iam::{ACCOUNT}:role/a/x"
    assert loads == 2


def test_every_type_has_an_id_to_try() -> None:
    for kind in WITH_ID:
        told = spelled(kind, own_id(kind))
        assert told is not None, kind.type
        assert told.id == own_id(kind), kind.type
