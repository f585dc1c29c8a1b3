"""What of a bucket's policy concerns some actions, or one service."""

from typing import Any

import pytest

from driftline.pipeline.rulebook.aws.efs_policy import allows_public as files
from driftline.pipeline.rulebook.aws.functions import FUNCTIONS
from driftline.pipeline.rulebook.aws.grants import (
    allows_service,
    allows_service_for_anybody,
    gives_others,
)
from driftline.pipeline.rulebook.aws.resource_policy import allows_public
from driftline.pipeline.rulebook.cel.functions import CURRENT, Current

OWN, OTHER = "111111111111", "222222222222"
ACTIONS = "s3:DeleteBucketPolicy s3:PutBucketPolicy"
LOGS = "logging.s3.amazonaws.com"


def allow(principal: Any = None, action: Any = "s3:PutBucketPolicy", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal or {"AWS": OTHER}, "Action": action, "Resource": "*"} | more  # fmt: skip


def but(principal: Any, **more: Any) -> dict[str, Any]:
    found = allow(principal, **more)
    return {name: value for name, value in found.items() if name != "Action"}


@pytest.mark.parametrize(("given", "statements"), [
    (True, allow()),
    (True, [allow(action="s3:GetObject"), allow()]),
    (True, [allow(action=["s3:GetObject", "S3:put*"])]),
    (True, [allow(action="*")]),
    (True, [allow("*")]),
    (True, [allow({"AWS": f"arn:aws:iam::{OTHER}:role/x"})]),
    (True, [but({"AWS": OTHER}, NotAction="s3:PutBucketPolicy")]),
    (True, [but({"AWS": OTHER}, NotAction=["s3:Get*"])]),
    (True, [allow(), allow("*", Effect="Deny", action="s3:DeleteBucketPolicy")]),
    (False, []),
    (False, [allow({"AWS": OWN})]),
    (False, [allow({"Service": LOGS})]),
    (False, [allow(action="s3:GetObject")]),
    (False, [allow(action=["s3:PutBucketPolicyX", "s3:Put"])]),
    (False, [but({"AWS": OTHER}, NotAction=["S3:PutBucketPolicy", "s3:Delete*"])]),
    (False, [allow(action="s3:*"), allow("*", Effect="Deny", action=["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"])]),
    (False, [allow(Condition={"StringEquals": {"aws:PrincipalAccount": OWN}})]),
    (False, [allow(Effect="Deny")]),
])  # fmt: skip
def test_what_others_may_do_is_known(given: bool, statements: Any) -> None:
    assert gives_others({"Statement": statements}, OWN, ACTIONS) is given


def test_a_policy_stays_as_it_is() -> None:
    document = {"Statement": [but({"AWS": OTHER}, NotAction="s3:GetObject")]}
    before = repr(document)
    assert gives_others(document, OWN, ACTIONS)
    assert repr(document) == before


@pytest.mark.parametrize(("allowed", "statements"), [
    (True, allow({"Service": LOGS})),
    (True, [allow(), allow({"AWS": OWN, "Service": ["x.amazonaws.com", LOGS.upper()]})]),
    (False, [allow({"Service": LOGS}, Effect="Deny")]),
    (False, [allow({"Service": "delivery.logs.amazonaws.com"})]),
    (False, [allow({"AWS": LOGS})]),
    (False, [allow("*")]),
    (False, []),
    (False, [allow({"Service": LOGS}), allow({"Service": LOGS}, Effect="Deny")]),
    (False, [allow({"Service": LOGS}), allow("*", action="s3:*", Effect="Deny")]),
    (True, [allow({"Service": LOGS}), allow("*", action="s3:Get*", Effect="Deny")]),
    (True, [allow({"Service": LOGS}), allow({"AWS": "*"}, Effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})]),
    (True, [allow({"Service": LOGS}), allow({"Service": "x.amazonaws.com"}, Effect="Deny")]),
    (True, [allow({"Service": LOGS}), allow("*", Effect="Deny", Condition={"StringNotEquals": {"aws:SourceAccount": OWN}})]),
])  # fmt: skip
def test_a_service_is_known(allowed: bool, statements: Any) -> None:
    assert allows_service({"Statement": statements}, OWN, LOGS) is allowed


@pytest.mark.parametrize(("anybody", "deny"), [
    (False, allow({"Service": LOGS}, Effect="Deny")),
    (False, allow("*", Effect="Deny", Condition={"StringNotEquals": {"aws:SourceAccount": OWN}})),
    (False, allow("*", Effect="Deny", Condition={"StringNotEqualsIfExists": {"aws:SourceOrgID": "o-1"}})),
    (False, allow({"Service": LOGS}, Effect="Deny", Condition={"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::example"}})),
    (True, allow({"Service": LOGS}, Effect="Deny", Condition={"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::*"}})),
    (True, allow({"Service": LOGS}, Effect="Deny", Condition={"StringEquals": {"aws:SourceAccount": OTHER}})),
    (True, allow("*", Effect="Deny", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}, "Bool": {"aws:PrincipalIsAWSService": "false"}})),
    (True, {**but({"AWS": OWN}, NotPrincipal={"AWS": OWN}), "Effect": "Deny", "Action": "*"}),
    (True, allow({"Service": LOGS}, Effect="Deny", action="s3:GetObject")),
])  # fmt: skip
def test_for_whom_a_service_acts_a_denial_may_say(anybody: bool, deny: Any) -> None:
    document = {"Statement": [allow({"Service": LOGS}), deny]}
    assert allows_service_for_anybody(document, OWN, LOGS) is anybody


@pytest.mark.parametrize(
    "judge",
    [
        gives_others,
        allows_service_for_anybody,
        lambda document, own, _: allows_public(document, own),
        lambda document, own, _: files(document, own),
    ],
)
@pytest.mark.parametrize("back", [False, True])
def test_an_allow_that_cannot_be_judged_hides_no_other(judge: Any, back: bool) -> None:
    clear = allow({"AWS": "*", "Service": LOGS})
    odd = clear | {"Condition": {"StringEquals": None}}
    some = [clear, odd] if back else [odd, clear]
    asked = ACTIONS if judge is gives_others else LOGS
    assert judge({"Statement": some}, OWN, asked) is True
    with pytest.raises(ValueError, match="condition"):
        judge({"Statement": [odd]}, OWN, asked)
    with pytest.raises(ValueError, match="condition"):
        judge({"Statement": [*some, odd | {"Effect": "Deny"}]}, OWN, asked)
    if judge is not files:  # which looks for its own form of a Deny first
        walls = [clear | {"Effect": "Deny", "Action": "*"}, odd | {"Effect": "Deny"}]
        walls = walls[::-1] if back else walls
        assert judge({"Statement": [clear, *walls]}, OWN, asked) is False


@pytest.mark.parametrize("judge", [gives_others, allows_service, allows_service_for_anybody])
def test_what_is_no_policy_is_not_judged(judge: Any) -> None:
    with pytest.raises(ValueError, match="policy"):
        judge({"Statement": [{"Effect": "allow"}]}, OWN, LOGS)


def test_each_text_has_an_answer_of_its_own() -> None:
    call = FUNCTIONS["policy_allows_service"].call
    policy = {"Statement": [allow({"Service": LOGS})]}
    token = CURRENT.set(Current({"policy": policy, "none": None}, OWN, 0))
    try:
        assert [call("policy", LOGS), call("policy", "x"), call("none", LOGS)] == [True, False, False]  # fmt: skip
        assert FUNCTIONS["policy_gives_others"].call("policy", ACTIONS) is False
    finally:
        CURRENT.reset(token)
