"""CloudTrail records become changes: whom they name, what they touch, what is kept, and what stays unknown."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.collectors.aws.events.actor import actor
from driftline.collectors.aws.events.claims import bare, claims
from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.reads import reads
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change
from driftline.pipeline.records import codec
from tests.collectors.events.samples import ACCOUNT, ASSUMED, OPENED, by_role, event

READER = ChangeReader(Redactor(b"k" * 32), "eventbridge", NoNames())
GROUP = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/sg-1"


def one(record: dict[str, Any], reader: ChangeReader = READER) -> Change:
    (change,) = reader.changes(record)
    assert codec.change(change.encode()) == change
    return change


def test_a_group_is_opened() -> None:
    change = one(OPENED)
    assert (change.id, change.uid, change.type) == (OPENED["eventID"], GROUP, "AWS::EC2::SecurityGroup")  # fmt: skip
    assert (change.kind, change.parts, change.outcome) == ("update", ["group"], "success")
    assert (change.account, change.region, change.source_ip) == (ACCOUNT, "eu-west-1", "192.0.2.7")
    assert (change.actor.id, change.actor.tool, change.actor.mfa) == (
        f"arn:aws:iam::{ACCOUNT}:user/ann",
        "cli",
        True,
    )
    assert change.request == OPENED["requestParameters"]
    assert change.raw["eventName"] == "AuthorizeSecurityGroupIngress"
    (read,) = reads(OPENED, [change])
    assert (read.uid, read.after, read.reason) == (GROUP, change.occurred_at, "change")


def test_a_refused_call_is_evidence_without_a_reading() -> None:
    record = OPENED | {"errorCode": "Client.UnauthorizedOperation", "responseElements": None}
    change = one(record)
    assert (change.outcome, change.error) == ("failure", "Client.UnauthorizedOperation")
    assert reads(record, [change]) == []


def test_one_event_about_several_resources_is_as_many_changes() -> None:
    tagged = event(
        "CreateTags", "ec2",
        requestParameters={"resourcesSet": {"items": [{"resourceId": "sg-1"}, {"resourceId": "sg-2"}, {"resourceId": "rtb-1"}]}},
    )  # fmt: skip
    changes = READER.changes(tagged)
    assert sorted(c.uid for c in changes if c.type == "AWS::EC2::SecurityGroup") == [GROUP, GROUP[:-1] + "2"]  # fmt: skip
    assert len({c.id for c in changes}) == 1
    assert all(GROUP in c.resources for c in changes)


def test_what_no_row_claims_is_the_accounts() -> None:
    change = one(event("StartThing", "unheardof"))
    assert (change.uid, change.type, change.kind) == (f"account:aws:{ACCOUNT}", None, "other")


@pytest.mark.parametrize("call", sorted(claims()), ids=":".join)
def test_a_call_is_of_the_kind_that_its_rows_claim_also_where_its_resource_is_not_known(
    call: tuple[str, str],
) -> None:
    """A user by a name that no sweep has seen has no uid: what was done is known, to whom is not."""
    found = [one for one in claims()[call] if one.touch.id is not None] or claims()[call]
    kinds = {one.change for one in found}
    for request in (None, {"omitted": True, "originalSize": 200_000, "reason": "too large"}):
        made = READER.changes(event(call[1], call[0], requestParameters=request))
        for change in made:
            if change.type is None:
                assert change.uid == f"account:aws:{ACCOUNT}"
                assert {change.kind} == (kinds - {"use"} or {"other"})
                assert (change.resources, change.parts, change.aside) == ([], [], False)
    quiet = ChangeReader(Redactor(b"k" * 32), "log", NoNames(), lambda _: True)
    assert {c.kind for c in quiet.changes(event(call[1], call[0], readOnly=True)) if c.type is None} <= {"read"}  # fmt: skip


@pytest.mark.parametrize(
    "type_", ["AWS::RDS::DBCluster", "AWS::DocDB::DBCluster", "AWS::Neptune::DBCluster"]
)
def test_a_tag_call_on_a_cluster_is_of_the_engine_that_sweeps_have_seen(type_: str) -> None:
    """The ARN is the same for every engine; the call changed no cluster, and had all of them read again."""
    arn = f"arn:aws:rds:eu-west-1:{ACCOUNT}:cluster:c1"

    class Seen(NoNames):
        def uid(self, type: str, account: str, region: str, name: str) -> str | None:
            return arn if (type, name) == (type_, "c1") else None

    record = event("AddTagsToResource", "rds", requestParameters={"resourceName": arn, "tags": [{"key": "a", "value": "b"}]})  # fmt: skip
    changes = ChangeReader(Redactor(b"k" * 32), "log", Seen()).changes(record)
    assert [(one.uid, one.type, one.kind, one.parts) for one in changes] == [(arn, type_, "update", ["tags"])]  # fmt: skip
    assert [(read.uid, read.scope) for read in reads(record, changes)] == [(arn, False)]
    (unseen,) = READER.changes(record)
    assert (unseen.type, unseen.kind, unseen.named) == (None, "update", [arn])


OWN = [call for call, found in sorted(claims().items()) if any("userIdentity" in str(one.touch.id) for one in found)]  # fmt: skip


@pytest.mark.parametrize("call", OWN, ids=":".join)
@pytest.mark.parametrize(
    ("more", "who", "own"),
    [
        ({}, {}, True),
        ({"requestParameters": {}}, {}, True),
        ({"errorCode": "AccessDenied"}, {}, False),
        ({"requestParameters": {"omitted": True, "originalSize": 200_000}}, {}, False),
        ({}, {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "userName": "the-alias"}, False),
        ({}, {"type": "AssumedRole"}, False),
    ],
)  # fmt: skip
def test_a_call_that_names_no_user_is_about_its_caller_only_where_that_is_known(
    call: tuple[str, str], more: dict[str, Any], who: dict[str, Any], own: bool
) -> None:
    """A refused call comes without its request: it may have named anybody."""

    class Seen(NoNames):
        def uid(self, type: str, account: str, region: str, name: str) -> str | None:
            return f"arn:aws:iam::{account}:user/team/{name}" if type == "AWS::IAM::User" else None

    record = event(call[1], call[0], **more)
    record["userIdentity"] |= who
    made = ChangeReader(Redactor(b"k" * 32), "log", Seen()).changes(record)
    ann = f"arn:aws:iam::{ACCOUNT}:user/team/ann"
    assert [change.uid for change in made] == [ann if own else f"account:aws:{ACCOUNT}"]
    assert made[0].named == []


def test_omitted_is_unknown() -> None:
    left_out = {"omitted": True, "originalSize": 200_000, "reason": "too large"}
    change = one(OPENED | {"requestParameters": left_out})
    assert change.type is None
    assert reads(OPENED, [change]) == []


def test_a_reach_asks_for_the_whole_scope() -> None:
    record = event("PutAccountPublicAccessBlock", "s3", requestParameters={"accountId": ACCOUNT})
    asked = [read for read in reads(record, READER.changes(record)) if read.type == "AWS::S3::Bucket"]  # fmt: skip
    assert [read.uid for read in asked] == [f"aws/{ACCOUNT}/global/AWS::S3::Bucket"]


def test_a_bucket_keeps_the_region_that_is_known() -> None:
    class Seen(NoNames):
        def region(self, uid: str) -> str | None:
            return "eu-north-1" if uid == "arn:aws:s3:::b" else None

    record = event("PutBucketPolicy", "s3", requestParameters={"bucketName": "b"})
    assert one(record).region == "global"
    assert one(record, ChangeReader(Redactor(b"k" * 32), "log", Seen())).region == "eu-north-1"


@pytest.mark.parametrize(
    "more", [{"readOnly": True}, {"managementEvent": False, "eventCategory": "Data"}]
)
def test_what_only_reads_is_kept_where_it_is_wanted(more: dict[str, Any]) -> None:
    record = event("GetObject", "s3", requestParameters={"bucketName": "b", "key": "k"}, **more)
    assert READER.changes(record) == []
    wanting = ChangeReader(
        Redactor(b"k" * 32), "log", NoNames(), lambda r: r["eventName"] == "GetObject"
    )
    assert one(wanted := record, wanting).action == "GetObject"
    assert reads(wanted, wanting.changes(wanted)) == []


def test_what_uses_a_resource_is_its_and_asks_for_no_reading() -> None:
    wanting = ChangeReader(Redactor(b"k" * 32), "log", NoNames(), lambda _: True)
    data = {"managementEvent": False, "eventCategory": "Data"}
    for name, read_only, kind in (("GetObject", True, "read"), ("PutObject", False, "other")):
        record = event(name, "s3", requestParameters={"bucketName": "b"}, readOnly=read_only, **data)  # fmt: skip
        made = one(record, wanting)
        assert (made.uid, made.type, made.kind) == ("arn:aws:s3:::b", "AWS::S3::Bucket", kind)
        assert reads(record, [made]) == []


def test_a_session_is_told_of_with_who_took_it() -> None:
    changes = READER.changes(ASSUMED)
    session = next(c for c in changes if c.kind == "session")
    assert session.uid == "session:ASIAIOSFODNN7EXAMPLE"
    assert session.resources == ["arn:aws:iam::222222222222:role/deploy"]
    assert session.actor.id == f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert {c.shared for c in changes} == {"shared-1"}
    assert not any("secret-token" in c.encode().decode() for c in changes)


def test_a_refused_assumption_opens_no_session() -> None:
    refused = ASSUMED | {"errorCode": "AccessDenied", "responseElements": None}
    assert [c.kind for c in READER.changes(refused)] == ["read"]


def test_a_refused_sign_in_has_failed() -> None:
    record = event("ConsoleLogin", "signin", responseElements={"ConsoleLogin": "Failure"}, errorMessage="Failed authentication")  # fmt: skip
    assert one(record).outcome == "failure"


def test_insight_events_are_none() -> None:
    assert READER.changes(event("X", "y", eventCategory="Insight")) == []


def test_secrets_are_redacted() -> None:
    record = event("CreateThing", "unheardof", requestParameters={"masterUserPassword": "hunter2222"})  # fmt: skip
    text = one(record).encode().decode()
    assert "hunter2222" not in text


def test_what_is_too_large_is_left_out_and_said() -> None:
    record = event("CreateThing", "unheardof", requestParameters={"a": "x" * 300_000}, responseElements={"b": 1})  # fmt: skip
    change = one(record)
    assert change.raw["requestParameters"]["omitted"] is True
    assert change.raw["responseElements"] == {"b": 1}


@pytest.mark.parametrize(
    ("name", "want"),
    [("CreateFunction20150331", "CreateFunction"), ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
     ("CreateDistribution2020_05_31", "CreateDistribution"), ("PutBucketPolicy", "PutBucketPolicy")],
)  # fmt: skip
def test_versions_are_no_part_of_a_name(name: str, want: str) -> None:
    assert bare(name) == want


@pytest.mark.parametrize(
    ("identity", "id", "type", "name"),
    [
        (by_role("deploy", "ci"), f"arn:aws:iam::{ACCOUNT}:role/deploy", "role", "deploy"),
        (by_role("deploy", "ci", sourceIdentity="bob"), f"arn:aws:iam::{ACCOUNT}:role/deploy", "role", "deploy"),
        (by_role("aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_1a", "eve@example.com"),
         f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_1a", "role", "eve@example.com"),
        ({"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}, f"arn:aws:iam::{ACCOUNT}:root", "root", None),
        ({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com", "service", None),
        ({"type": "AWSAccount", "accountId": "ANONYMOUS_PRINCIPAL", "principalId": ""}, "ANONYMOUS_PRINCIPAL", "anonymous", None),
        ({"type": "WebIdentityUser", "principalId": "idp:aud:sub", "userName": "repo:x"}, "idp:aud:sub", "federated", "repo:x"),
        ({"type": "IdentityCenterUser", "accountId": ACCOUNT}, ACCOUNT, "user", None),
        ({}, "unknown", "unknown", None),
    ],
)  # fmt: skip
def test_who(identity: dict[str, Any], id: str, type: str, name: str | None) -> None:
    found = actor({"userIdentity": identity})
    assert (found.id, found.type, found.name) == (id, type, name)


def test_a_session_has_its_credential_and_a_user_none() -> None:
    assert actor({"userIdentity": by_role("deploy", "ci")}).session == "ASIAIOSFODNN7EXAMPLE"
    assert actor(OPENED).session is None


@pytest.mark.parametrize(
    ("agent", "want"),
    [("aws-cli/2.31.0 exec-env/x", "cli"), ("APN/1.0 HashiCorp/1.0 Terraform/1.9 (+https://www.terraform.io)", "terraform"),
     ("cloudformation.amazonaws.com", "cloudformation"), ("console.amazonaws.com", "console"), ("AWS Internal", "console"),
     ("Mozilla/5.0 (X11)", "console"), ("Boto3/1.40 md/Botocore", "sdk"), ("autoscaling.amazonaws.com", "service"), ("curl/8", "unknown")],
)  # fmt: skip
def test_by_what(agent: str, want: str) -> None:
    own = {"sourceIPAddress": agent} if agent.endswith(".amazonaws.com") else {}
    assert actor(event("X", "y", userAgent=agent, **own)).tool == want


@pytest.mark.parametrize("agent", ["cloudformation.amazonaws.com", "autoscaling.amazonaws.com"])
def test_an_agent_alone_makes_no_service(agent: str) -> None:
    forged = event("X", "ec2", userAgent=agent, requestParameters={"clientRequestToken": "t"})
    assert actor(forged).tool == "unknown"
    assert one(OPENED | {"userAgent": agent}).deployment is None


def test_a_stacks_calls_have_it_in_common() -> None:
    identity = by_role("deploy", "ci") | {"invokedBy": "cloudformation.amazonaws.com"}
    first, second = (one(OPENED | {"userIdentity": identity, "eventID": id}) for id in ("1", "2"))
    assert first.deployment
    assert first.deployment == second.deployment


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(OPENED)), JSON)
def test_whatever_stands_in_a_field_is_a_change_or_malformed(field: str, value: Any) -> None:
    for record in (OPENED, ASSUMED):
        try:
            for change in READER.changes(record | {field: value}):
                assert codec.change(change.encode()) is not None
        except Malformed:
            pass


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_whatever_comes_is_a_change_or_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        READER.changes(value)


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05", "2026-01-02 03:04:05", "2026-01-02 03:04:05.000000", "2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00"])  # fmt: skip
def test_a_time_is_in_utc(text: str) -> None:
    """Exports of other programs leave the zone out."""
    assert one(OPENED | {"eventTime": text}).occurred_at == datetime(
        2026, 1, 2, 3, 4, 5, tzinfo=UTC
    )
