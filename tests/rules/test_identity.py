"""What the policies of an identity allow: tables, hard cases first."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline.pipeline.rulebook.aws.identity import judges, managed
from driftline.pipeline.rulebook.aws.identity.allowed import Allowed
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import PolicyNotRead, Subject, subject
from driftline.pipeline.rulebook.aws.identity.ways import opened, ways
from driftline.pipeline.rulebook.unjudged import CannotEvaluate
from tests.rules import resources
from tests.rules.managed import PATH, made

OWN = "111111111111"
NOW = 1_790_000_000_000_000
SOMEBODY = Holder(OWN, now=NOW)
USER = Holder(OWN, f"arn:aws:iam::{OWN}:user/ann", NOW)
ROLE = Holder(OWN, f"arn:aws:iam::{OWN}:role/app", NOW)
BUCKET = "arn:aws:s3:::example"
CUSTOMERS = f"arn:aws:iam::{OWN}:policy/own"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return allow(action, resource, Effect="Deny", **more)


def all_but(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "NotAction": action, "Resource": resource} | more


def under(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


def of(statements: Any) -> Subject:
    return Subject(documents={"": {"Statement": statements}})


ADMIN: list[tuple[str, bool, Any]] = [
    ("everything", True, allow("*")),
    ("everything in lists", True, allow(["s3:*", "*"], [BUCKET, "*"])),
    ("every service's everything", True, allow("*:*")),
    ("many stars", True, allow("**", "**")),
    ("a character and a star", True, allow("?*")),
    ("a character and a star behind the colon", True, allow("*:?*", "?*")),
    ("every ARN", True, allow("*", "arn:aws:*:*:*:*")),
    ("every ARN of every partition", True, allow("*", "arn:*")),
    ("all but nothing", True, all_but([])),
    ("all but what is no service's", True, all_but("example:action")),
    ("every letter", True, allow([f"{letter}*" for letter in "abcdefghijklmnopqrstuvwxyz"])),
    ("two statements", True, [allow("IAM:*"), all_but("iam:*")]),
    ("two statements that leave out different services", True, [all_but("iam:*"), all_but("s3:*")]),
    ("all but one action, and that", True, [all_but("s3:DeleteBucket"), allow("s3:Delete*")]),
    ("all but a bucket, and that", True, [{"Effect": "Allow", "Action": "*", "NotResource": BUCKET}, allow("*", f"{BUCKET}*")]),
    ("all but a resource of no service", True, {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:example:::x"}),
    ("over TLS", True, allow("*", **under("Bool", "aws:SecureTransport", "true"))),
    ("by any principal", True, allow("*", **under("StringLike", "aws:PrincipalArn", "*"))),
    ("by the account's own", True, allow("*", **under("StringEquals", "aws:PrincipalAccount", OWN))),
    ("by no service", True, allow("*", **under("Bool", "aws:PrincipalIsAWSService", "false"))),
    ("from anywhere", True, allow("*", **under("IpAddress", "aws:SourceIp", "0.0.0.0/0"))),
    ("from two halves of anywhere", True, allow("*", **under("IpAddress", "aws:SourceIp", ["0.0.0.0/1", "128.0.0.0/1"]))),
    ("from anywhere but one network", True, allow("*", **under("NotIpAddress", "aws:SourceIp", "203.0.113.0/24"))),
    ("a second factor where it is known", True, allow("*", **under("BoolIfExists", "aws:MultiFactorAuthPresent", "true"))),
    ("a second factor or none", True, allow("*", **under("Bool", "aws:MultiFactorAuthPresent", ["true", "false"]))),
    ("tags that may be missing", True, allow("*", **under("ForAllValues:StringEquals", "aws:TagKeys", ["team"]))),
    ("without a second factor's age", True, allow("*", **under("Null", "aws:MultiFactorAuthAge", "true"))),
    ("by a user agent", True, allow("*", **under("StringEquals", "aws:UserAgent", "x"))),
    ("after a day that is past", True, allow("*", **under("DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z"))),
    ("after a day without its time", True, allow("*", **under("DateGreaterThan", "aws:CurrentTime", "2020-01-01"))),
    ("over TLS, as JSON writes it, compared as a text", True, allow("*", **under("StringEquals", "aws:SecureTransport", True))),
    ("an empty condition", True, allow("*", Condition={})),
    ("a denial that takes nothing away", True, [allow("*"), deny("s3:DeleteBucket")]),
    ("a denial of one user", True, [allow("*"), deny("iam:*", f"arn:aws:iam::{OWN}:user/x")]),
    ("a denial that nobody meets", True, [allow("*"), deny("*", **under("Bool", "aws:SecureTransport", "false"))]),
    ("a denial that a missing key escapes", True, [allow("*"), deny("*", **under("Bool", "aws:MultiFactorAuthPresent", "false"))]),
    ("without a second factor all is denied", False, [allow("*"), deny("*", **under("BoolIfExists", "aws:MultiFactorAuthPresent", "false"))]),
    ("all of IAM is denied", False, [allow("*"), deny(["iam:*", "sts:*", "sso:*", "identitystore:*"])]),
    ("all is denied", False, [allow("*"), deny("*")]),
    ("all is denied outside of a network", False, [allow("*"), deny("*", **under("NotIpAddress", "aws:SourceIp", "203.0.113.0/24"))]),
    ("from one network", False, allow("*", **under("IpAddress", "aws:SourceIp", "203.0.113.0/24"))),
    ("with a second factor", False, allow("*", Condition=MFA)),
    ("with a second factor's age", False, allow("*", **under("NumericLessThan", "aws:MultiFactorAuthAge", "3600"))),
    ("a second factor's age must be there", False, allow("*", **under("Null", "aws:MultiFactorAuthAge", "false"))),
    ("in one region", False, allow("*", **under("StringEquals", "aws:RequestedRegion", "eu-west-1"))),
    ("by one tag of the principal", False, allow("*", **under("StringEquals", "aws:PrincipalTag/team", "red"))),
    ("by another account's", False, allow("*", **under("StringEquals", "aws:PrincipalAccount", "222222222222"))),
    ("until a day that is past", False, allow("*", **under("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z"))),
    ("by a service only", False, allow("*", **under("Bool", "aws:ViaAWSService", "true"))),
    ("until a day without its time", False, allow("*", **under("DateLessThan", "aws:CurrentTime", "2020-01-01"))),
    ("without TLS, as JSON writes it", False, allow("*", **under("StringEquals", "aws:SecureTransport", False))),
    ("with what only one service's requests have", False, allow("*", **under("StringEquals", "ec2:InstanceType", "t3.micro"))),
    ("by no value", False, allow("*", **under("StringEquals", "aws:UserAgent", []))),
    ("everything of a region", False, allow("*", "arn:aws:*:eu-west-1:*:*")),
    ("everything on a bucket", False, allow("*", f"{BUCKET}/*")),
    ("every service whose name begins so", False, allow("i*")),
    ("every letter but one", False, allow([f"{letter}*" for letter in "abcdefghjklmnopqrstuvwxyz"])),
    ("every call that reads", False, allow("*:Get*")),
    ("all of IAM", False, allow("iam:*")),
    ("all but IAM", False, all_but(["iam:*", "organizations:*"])),
    ("all but one action", False, all_but("s3:DeleteBucket")),
    ("two statements that leave out the same", False, [all_but(["iam:*", "s3:*"]), all_but(["iam:*", "ec2:*"])]),
    ("everything on all but a bucket", False, {"Effect": "Allow", "Action": "*", "NotResource": BUCKET}),
    ("only denied", False, deny("*")),
    ("an empty action", False, allow("")),
    ("an empty resource", False, allow("*", "")),
]  # fmt: skip


@pytest.mark.parametrize(("admin", "what"), [row[1:] for row in ADMIN], ids=[row[0] for row in ADMIN])  # fmt: skip
def test_who_may_do_everything(admin: bool, what: Any) -> None:
    assert bool(judges.is_admin(of(what), SOMEBODY)) is admin
    if admin and not isinstance(what, list):
        assert judges.is_admin(of([what]), USER)
        assert judges.holds_iam(of([what]), ROLE)


def test_all_of_iam_is_everything() -> None:
    for what in (allow("iam:*"), allow("iam:*", f"arn:aws:iam::{OWN}:*"), all_but("s3:*")):
        assert bool(judges.holds_iam(of(what), SOMEBODY)) is (what["Resource"] == "*")
        assert not judges.is_admin(of(what), SOMEBODY)
    assert not judges.holds_iam(of([allow("iam:*"), deny("iam:*")]), SOMEBODY)


def with_resource(patterns: Any) -> dict[str, Any]:
    return under("ArnLike", "iam:AssociatedResourceARN", patterns)


ADMINISTRATORS = [
    f"arn:aws:iam::aws:policy/{name}" for name in ("AdministratorAccess", "IAMFullAccess")
]
FUNCTIONS = ["lambda:CreateFunction", "lambda:InvokeFunction"]
PASSING = f"arn:aws:iam::{OWN}:role/*"
TO_EC2 = under("StringEquals", "iam:PassedToService", "ec2.amazonaws.com")
ESCALATES: list[tuple[str, bool, Any]] = [
    ("new versions of every policy", True, [allow("iam:CreatePolicyVersion")]),
    ("in other letters", True, [allow("IAM:createpolicyversion")]),
    ("all of IAM", True, allow("iam:*")),
    ("a pattern", True, [allow("iam:*LoginProfile")]),
    ("every role and an instance", True, [allow("iam:PassRole"), allow("ec2:RunInstances")]),
    ("every role of the account", True, [allow("iam:PassRole", PASSING), allow("lambda:*", f"arn:aws:lambda:*:{OWN}:function:dev-*")]),
    ("every role of every account", True, [allow("sts:AssumeRole", "arn:aws:iam::*:role/*")]),
    ("every role in another partition", True, [allow("sts:AssumeRole", "arn:aws-cn:iam::*:role/*")]),
    ("every role to the service that starts it", True, [allow("iam:PassRole", **TO_EC2), allow("ec2:RunInstances")]),
    ("every role to any service", True, [allow("iam:PassRole", **under("StringLike", "iam:PassedToService", "*.amazonaws.com")), allow("ec2:RunInstances")]),
    ("every role, known services only if known", True, [allow("iam:PassRole", **under("StringEqualsIfExists", "iam:PassedToService", "ec2.amazonaws.com")), allow("ec2:RunInstances")]),
    ("every role to all but another service", True, [allow("iam:PassRole", **under("StringNotEquals", "iam:PassedToService", "glue.amazonaws.com")), allow("ec2:RunInstances")]),
    ("all of IAM's", True, [allow("iam:PutRolePolicy", ["arn:aws:s3:::x", "arn:aws:iam::*"])]),
    ("everything but S3", True, [all_but("s3:*")]),
    ("everything but a bucket", True, [{"Effect": "Allow", "Action": "iam:*", "NotResource": "arn:aws:s3:::x"}]),
    ("all but IAM still takes roles", True, [all_but("iam:*")]),
    ("denied for one user", True, [allow("iam:CreateAccessKey"), deny("iam:*", f"arn:aws:iam::{OWN}:user/root-like")]),
    ("denied with a second factor", True, [allow("iam:CreateAccessKey"), deny("*", Condition=MFA)]),
    ("in a region that IAM is in", True, [allow("iam:CreateAccessKey", **under("StringEquals", "aws:RequestedRegion", ["eu-west-1", "us-east-1"]))]),
    ("any policy of AWS", True, [allow("iam:AttachUserPolicy", **under("ArnLike", "iam:PolicyARN", "arn:aws:iam::aws:policy/*"))]),
    ("any policy but one", True, [allow("iam:AttachUserPolicy", **under("ArnNotEquals", "iam:PolicyARN", "arn:aws:iam::aws:policy/IAMFullAccess"))]),
    ("any policy but that of administrators", True, [allow("iam:AttachUserPolicy", **under("ArnNotEquals", "iam:PolicyARN", "arn:aws:iam::aws:policy/AdministratorAccess"))]),
    ("denied for the policy of administrators only", True, [allow("iam:AttachRolePolicy"), deny("iam:Attach*", **under("ArnEquals", "iam:PolicyARN", "arn:aws:iam::aws:policy/AdministratorAccess"))]),
    ("denied for every policy of AWS", False, [allow("iam:AttachRolePolicy"), deny("iam:Attach*", **under("ArnLike", "iam:PolicyARN", "arn:aws:iam::aws:policy/*"))]),
    ("an external id of one's own", True, [allow("sts:AssumeRole", **under("StringEquals", "sts:ExternalId", "x"))]),
    ("one's own rights", True, [allow("iam:PutUserPolicy", "arn:aws:iam::*:user/${aws:username}")]),
    ("one's own rights in a folder", True, [allow("iam:AttachUserPolicy", f"arn:aws:iam::{OWN}:user/people/${{aws:UserName}}")]),
    ("one's own boundary", True, [allow("iam:DeleteUserPermissionsBoundary", "arn:aws:iam::*:user/${aws:username}")]),
    ("one's own keys", False, [allow("iam:CreateAccessKey", "arn:aws:iam::*:user/${aws:username}")]),
    ("one's own rights, under a boundary", False, [allow("iam:PutUserPolicy", "arn:aws:iam::*:user/${aws:username}", **under("StringEquals", "iam:PermissionsBoundary", f"arn:aws:iam::{OWN}:policy/b"))]),
    ("every role to the instances that one starts", True, [allow("iam:PassRole", **with_resource("arn:aws:ec2:*:*:instance/*")), allow("ec2:RunInstances")]),
    ("every role to instances of a region", True, [allow("iam:PassRole", **with_resource([f"arn:aws:ec2:eu-west-1:{OWN}:instance/*"])), allow("ec2:*")]),
    ("every role to anything of EC2", True, [allow("iam:PassRole", **with_resource("arn:aws:ec2:*:${aws:PrincipalAccount}:*")), allow("ec2:*")]),
    ("every role to any resource", True, [allow("iam:PassRole", **with_resource("*")), allow("ec2:*")]),
    ("every role to anything but instances", True, [allow("iam:PassRole", **under("ArnNotLike", "iam:AssociatedResourceARN", "arn:aws:ec2:*:*:instance/i-1")), allow("ec2:*")]),
    ("every role to functions of one's own name", True, [allow("iam:PassRole", **with_resource(f"arn:aws:lambda:*:{OWN}:function:x")), allow("lambda:*")]),
    ("every role to tasks", True, [allow("iam:PassRole", **with_resource("arn:aws:ecs:*:*:task/*")), allow("ecs:*")]),
    ("every role to spot instances", True, [allow("iam:PassRole", **with_resource("arn:aws:ec2:*:*:instance/*")), allow("ec2:RequestSpotFleet")]),
    ("every role to pods", True, [allow("iam:PassRole", **with_resource("arn:aws:eks:*:*:podidentityassociation/*")), allow("eks:*")]),
    ("every role to Airflow", True, [allow("iam:PassRole", **with_resource("arn:aws:airflow:*:*:environment/*")), allow("airflow:*")]),
    ("every role to the resource of another service", False, [allow("iam:PassRole", **with_resource("arn:aws:lambda:*:*:function:*")), allow("ec2:RunInstances")]),
    ("every role to one instance", False, [allow("iam:PassRole", **with_resource(f"arn:aws:ec2:*:{OWN}:instance/i-1")), allow("ec2:RunInstances")]),
    ("every role to no instance", False, [allow("iam:PassRole", **with_resource("arn:aws:ec2:*:*:volume/*")), allow("ec2:RunInstances")]),
    ("every role to another account's instances", False, [allow("iam:PassRole", **with_resource("arn:aws:ec2:*:222222222222:instance/*")), allow("ec2:*")]),
    ("every role to no ARN", False, [allow("iam:PassRole", **with_resource("instance/*")), allow("ec2:*")]),
    ("a key of passed roles elsewhere", False, [allow("iam:CreateAccessKey", **with_resource("*"))]),
    ("a denial of instances is no denial of all", True, [allow("iam:PassRole"), allow("ec2:*"), deny("iam:PassRole", **with_resource("arn:aws:ec2:*:*:instance/*"))]),
    ("denied to every resource", True, [allow("iam:PassRole"), allow("ec2:*"), deny("iam:PassRole", **with_resource("*"))]),
    ("a key of starting instances elsewhere", False, [allow("iam:*", **under("StringEquals", "ec2:InstanceType", "t3.micro"))]),
    ("a key of starting instances, which is not there elsewhere", True, [allow("iam:*", **under("StringNotEquals", "ec2:InstanceType", "t3.micro"))]),
    ("a denial by a key of starting instances", True, [allow("iam:*"), deny("*", **under("StringLike", "ec2:InstanceType", "*"))]),
    ("a denial by a key of starting instances that is not there", False, [allow("iam:*"), deny("*", **under("Null", "ec2:InstanceType", "true"))]),
    ("an external id elsewhere", False, [allow("iam:CreateAccessKey", **under("StringEquals", "sts:ExternalId", "x"))]),
    ("an external id", True, [allow("sts:AssumeRole", **under("StringEquals", "sts:ExternalId", "x"))]),
    ("a service that roles are passed to, elsewhere", False, [allow("iam:CreateAccessKey", **TO_EC2)]),
    ("a service that roles are passed to, in a way that passes none", False, [allow("iam:PutUserPolicy", **TO_EC2), allow("ec2:RunInstances")]),
    ("a service that roles are passed to, for what starts instances too", False, [allow(["iam:PassRole", "ec2:RunInstances"], **TO_EC2)]),
    ("a service that roles are passed to, where there is one", True, [allow("iam:PutUserPolicy", **under("StringEqualsIfExists", "iam:PassedToService", "ec2.amazonaws.com"))]),
    ("denied where roles are passed to one service, if to any", False, [allow("iam:PutUserPolicy"), deny("*", **under("StringEqualsIfExists", "iam:PassedToService", "ec2.amazonaws.com"))]),
    ("a policy of AWS where none is named", False, [allow("iam:PutUserPolicy", **under("ArnLike", "iam:PolicyARN", "arn:aws:iam::aws:policy/*"))]),
    ("all but attaching administrators", True, [allow("iam:*", **under("ArnNotEquals", "iam:PolicyARN", ADMINISTRATORS))]),
    ("attaching all but administrators", False, [allow("iam:AttachUserPolicy", **under("ArnNotEquals", "iam:PolicyARN", ADMINISTRATORS))]),
    ("only attaching administrators is denied", True, [allow("iam:*"), deny("iam:*", **under("ArnEquals", "iam:PolicyARN", ADMINISTRATORS))]),
    ("every role but nothing to start", False, [allow("iam:PassRole")]),
    ("every role to another service", False, [allow("iam:PassRole", **TO_EC2), allow("lambda:*")]),
    ("every role to no service of these", False, [allow("iam:PassRole", **under("StringNotLike", "iam:PassedToService", "*")), allow("lambda:*")]),
    ("an instance and one role", False, [allow("iam:PassRole", f"arn:aws:iam::{OWN}:role/app"), allow("ec2:*")]),
    ("roles of one name", False, [allow("sts:AssumeRole", f"arn:aws:iam::{OWN}:role/app-*")]),
    ("every role of another account", False, [allow("sts:AssumeRole", "arn:aws:iam::222222222222:role/*")]),
    ("one policy of AWS", False, [allow("iam:AttachUserPolicy", **under("ArnEquals", "iam:PolicyARN", "arn:aws:iam::aws:policy/ReadOnlyAccess"))]),
    ("with a boundary", False, [allow(["iam:PutRolePolicy", "iam:AttachRolePolicy"], **under("StringEquals", "iam:PermissionsBoundary", f"arn:aws:iam::{OWN}:policy/b"))]),
    ("in a region that IAM is not in", False, [allow("iam:CreateAccessKey", **under("StringEquals", "aws:RequestedRegion", "eu-west-1"))]),
    ("users with a tag", False, [allow("iam:CreateAccessKey", **under("StringEquals", "iam:ResourceTag/team", "red"))]),
    ("only reading", False, [allow(["iam:Get*", "iam:List*"])]),
    ("denied", False, [allow(["iam:CreateAccessKey", "s3:*"]), deny("iam:Create*")]),
    ("denied to whoever has no second factor", False, [allow("iam:CreateAccessKey"), deny("*", **under("BoolIfExists", "aws:MultiFactorAuthPresent", "false"))]),
    ("denied on all users", False, [allow("iam:CreateAccessKey"), deny("iam:*", "arn:aws:iam::*:user/*")]),
    ("denied on all but a bucket", False, [allow("iam:CreateAccessKey"), {"Effect": "Deny", "Action": "iam:*", "NotResource": "arn:aws:s3:::x"}]),
    ("one half of a way", False, [allow("ec2:RunInstances"), allow("lambda:CreateFunction")]),
    ("all but IAM, STS and Identity Center", False, [all_but(["iam:*", "sts:*", "sso:*", "identitystore:*", "codestar:*"])]),
    ("nothing", False, []),
    # a Deny of every resource that an action can have is one of the action
    ("functions denied by their kind", False, [allow(["iam:PassRole", *FUNCTIONS]), deny("lambda:CreateFunction", "arn:aws:lambda:*:*:function:*")]),
    ("functions denied, all of Lambda allowed by ARN", False, [allow("iam:PassRole"), allow(FUNCTIONS, "arn:aws:lambda:*:*:*"), deny("lambda:CreateFunction", f"arn:aws:lambda:*:{OWN}:function:*")]),
    ("functions of some name denied", True, [allow(["iam:PassRole", *FUNCTIONS]), deny("lambda:CreateFunction", "arn:aws:lambda:*:*:function:dev-*")]),
    ("functions of a region denied", True, [allow(["iam:PassRole", *FUNCTIONS]), deny("lambda:CreateFunction", "arn:aws:lambda:eu-west-1:*:function:*")]),
    ("functions of another account denied", True, [allow(["iam:PassRole", *FUNCTIONS]), deny("lambda:CreateFunction", "arn:aws:lambda:*:222222222222:function:*")]),
    ("functions denied unless by TLS", True, [allow(["iam:PassRole", "lambda:*"]), deny("lambda:*", "arn:aws:lambda:*:*:function:*", **under("Bool", "aws:SecureTransport", "false"))]),
    ("functions denied by all but layers", False, [allow(["iam:PassRole", "lambda:*"]), {"Effect": "Deny", "Action": "lambda:*", "NotResource": "arn:aws:lambda:*:*:layer:*"}]),
    ("functions of any name at all denied", False, [allow(["iam:PassRole", "lambda:*"]), deny("lambda:*", "arn:aws:lambda:*:*:function:?*")]),
    ("instances denied", False, [allow(["iam:PassRole", "ec2:RunInstances"]), deny("ec2:RunInstances", "arn:aws:ec2:*:*:instance/*")]),
    ("images denied", False, [allow(["iam:PassRole", "ec2:RunInstances"]), deny("ec2:RunInstances", "arn:aws:ec2:*::image/*")]),
    ("volumes denied, without which there are instances", True, [allow(["iam:PassRole", "ec2:RunInstances"]), deny("ec2:RunInstances", "arn:aws:ec2:*:*:volume/*")]),
    ("stacks denied", False, [allow(["iam:PassRole", "cloudformation:CreateStack"]), deny("cloudformation:*", "arn:aws:cloudformation:*:*:stack/*")]),
    ("certificates denied, groups of things not", True, [allow(["iam:PassRole", "iot:*"]), deny("iot:AttachPolicy", "arn:aws:iot:*:*:cert/*")]),
    ("certificates and groups of things denied", False, [allow(["iam:PassRole", "iot:*"]), deny("iot:AttachPolicy", ["arn:aws:iot:*:*:cert/*", "arn:aws:iot:*:*:thinggroup/*"])]),
    ("users of any name at all denied", False, [allow("iam:CreateAccessKey"), deny("iam:*", "arn:aws:iam::*:user/?*")]),
    # any principal of the account is anybody here
    ("anybody of the account", True, [allow("iam:PutUserPolicy", **under("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OWN}:*"))]),
    ("users and roles", True, [allow("iam:PutUserPolicy", **under("StringLike", "aws:PrincipalArn", [f"arn:*:iam::{OWN}:user/*", f"arn:aws:iam::{OWN}:role/*"]))]),
    ("roles", True, [allow("iam:PutUserPolicy", **under("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/*"))]),
    ("roles of a name", False, [allow("iam:PutUserPolicy", **under("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OWN}:role/app*"))]),
    ("anybody of another account", False, [allow("iam:PutUserPolicy", **under("ArnLike", "aws:PrincipalArn", "arn:aws:iam::222222222222:*"))]),
    ("denied to anybody of the account", False, [allow("iam:PutUserPolicy"), deny("*", **under("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OWN}:*"))]),
    ("denied to roles", True, [allow("iam:PutUserPolicy"), deny("*", **under("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OWN}:role/*"))]),
    ("denied to all but the account", True, [allow("iam:PutUserPolicy"), deny("*", **under("ArnNotLike", "aws:PrincipalArn", f"arn:aws:iam::{OWN}:*"))]),
    ("denied to all but one role", False, [allow("iam:PutUserPolicy"), deny("*", **under("ArnNotLike", "aws:PrincipalArn", f"arn:aws:iam::{OWN}:role/app"))]),
    # numbers
    ("the account as a number", True, [allow("iam:PutUserPolicy", **under("NumericEquals", "aws:PrincipalAccount", int(OWN)))]),
    ("the account as a number in a text", True, [allow("iam:PutUserPolicy", **under("NumericEquals", "aws:PrincipalAccount", OWN))]),
    ("another account as a number", False, [allow("iam:PutUserPolicy", **under("NumericEquals", "aws:PrincipalAccount", 222222222222))]),
    ("denied to the account as a number", False, [allow("iam:PutUserPolicy"), deny("*", **under("NumericEquals", "aws:PrincipalAccount", int(OWN)))]),
    ("after a second that is past", True, [allow("iam:PutUserPolicy", **under("NumericGreaterThan", "aws:EpochTime", 1_500_000_000))]),
    # every address, however it is cut
    ("denied to every address", False, [allow("iam:PutUserPolicy"), deny("*", **under("IpAddress", "aws:SourceIp", ["0.0.0.0/0", "::/0"]))]),
    ("denied to two halves", False, [allow("iam:PutUserPolicy"), deny("*", **under("IpAddress", "aws:SourceIp", ["0.0.0.0/1", "128.0.0.0/1", "2000::/3"]))]),
    ("denied to every address of IPv4", True, [allow("iam:PutUserPolicy"), deny("*", **under("IpAddress", "aws:SourceIp", "0.0.0.0/0"))]),
    ("denied to half of the addresses", True, [allow("iam:PutUserPolicy"), deny("*", **under("IpAddress", "aws:SourceIp", ["0.0.0.0/1", "::/0"]))]),
    ("denied to all but every address", True, [allow("iam:PutUserPolicy"), deny("*", **under("NotIpAddress", "aws:SourceIp", ["0.0.0.0/0", "::/0"]))]),
    ("allowed to none of every address", False, [allow("iam:PutUserPolicy", **under("NotIpAddress", "aws:SourceIp", ["0.0.0.0/0", "::/0"]))]),
    ("allowed to every address but those of IPv4", True, [allow("iam:PutUserPolicy", **under("NotIpAddress", "aws:SourceIp", "0.0.0.0/0"))]),
    # conditions without values
    ("anything but no value", True, [allow("iam:PutUserPolicy", **under("StringNotEquals", "aws:PrincipalTag/x", []))]),
    ("no value, if there is one", True, [allow("iam:PutUserPolicy", **under("StringEqualsIfExists", "aws:PrincipalTag/x", []))]),
    ("some value but none", False, [allow("iam:PutUserPolicy", **under("ForAnyValue:StringNotEquals", "aws:TagKeys", []))]),
    ("denied for anything but no value", False, [allow("iam:PutUserPolicy"), deny("*", **under("StringNotEquals", "aws:PrincipalTag/x", []))]),
    ("denied for no value", True, [allow("iam:PutUserPolicy"), deny("*", **under("StringEquals", "aws:PrincipalTag/x", []))]),
    ("denied for no address", True, [allow("iam:PutUserPolicy"), deny("*", **under("IpAddress", "aws:SourceIp", []))]),
    ("neither there nor missing", False, [allow("iam:PutUserPolicy", **under("Null", "aws:PrincipalTag/x", []))]),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "statements"), [row[1:] for row in ESCALATES], ids=[row[0] for row in ESCALATES])  # fmt: skip
def test_what_leads_to_every_right(wanted: bool, statements: Any) -> None:
    assert bool(judges.escalates(of(statements), SOMEBODY)) is wanted


OWN_WAYS: list[tuple[str, bool, Holder, Any]] = [
    ("a user on himself", True, USER, allow("iam:PutUserPolicy", f"arn:aws:iam::{OWN}:user/ann")),
    ("a user on a pattern of himself", True, USER, allow("iam:AttachUserPolicy", "arn:aws:iam::*:user/a*")),
    ("a user on his name", True, USER, allow("iam:PutUserPolicy", "arn:aws:iam::*:user/${aws:username}")),
    ("a user on another", False, USER, allow("iam:PutUserPolicy", f"arn:aws:iam::{OWN}:user/bob")),
    ("a user's keys for himself", False, USER, allow("iam:CreateAccessKey", f"arn:aws:iam::{OWN}:user/ann")),
    ("a user in a folder by his name alone", False, USER._replace(arn=f"arn:aws:iam::{OWN}:user/team/ann"), allow("iam:PutUserPolicy", f"arn:aws:iam::{OWN}:user/${{aws:username}}")),
    ("a user by his own ARN", True, USER, allow("iam:*", **under("ArnEquals", "aws:PrincipalArn", USER.arn))),
    ("a user by another's ARN", False, USER, allow("iam:*", **under("ArnEquals", "aws:PrincipalArn", ROLE.arn))),
    ("a user by his own name", True, USER, allow("iam:*", **under("StringEquals", "aws:username", "ann"))),
    ("all but this user are denied", True, USER, [allow("iam:*"), deny("*", **under("ArnNotEquals", "aws:PrincipalArn", USER.arn))]),
    ("all but another are denied", False, USER, [allow("iam:*"), deny("*", **under("ArnNotEquals", "aws:PrincipalArn", ROLE.arn))]),
    ("a role on itself", True, ROLE, allow("iam:AttachRolePolicy", f"arn:aws:iam::{OWN}:role/app")),
    ("a role on a user's name", False, ROLE, allow("iam:PutUserPolicy", "arn:aws:iam::*:user/${aws:username}")),
    ("a policy on itself", True, Holder(OWN, f"arn:aws:iam::{OWN}:policy/p"), allow("iam:CreatePolicyVersion", f"arn:aws:iam::{OWN}:policy/p")),
    ("a user on a policy of his", True, USER._replace(others=(f"arn:aws:iam::{OWN}:policy/p",)), allow("iam:CreatePolicyVersion", f"arn:aws:iam::{OWN}:policy/p")),
    ("a user on a policy that is not his", False, USER, allow("iam:CreatePolicyVersion", f"arn:aws:iam::{OWN}:policy/p")),
    ("a user on a group of his", True, USER._replace(others=(f"arn:aws:iam::{OWN}:group/g",)), allow("iam:PutGroupPolicy", f"arn:aws:iam::{OWN}:group/g")),
    ("a group on itself", True, Holder(OWN, f"arn:aws:iam::{OWN}:group/g"), allow("iam:PutGroupPolicy", f"arn:aws:iam::{OWN}:group/g")),
    ("a group on its users' names", True, Holder(OWN, f"arn:aws:iam::{OWN}:group/g"), allow("iam:PutUserPolicy", "arn:aws:iam::*:user/${aws:username}")),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "holder", "statements"), [row[1:] for row in OWN_WAYS], ids=[row[0] for row in OWN_WAYS])  # fmt: skip
def test_what_one_may_do_to_oneself(wanted: bool, holder: Holder, statements: Any) -> None:
    assert bool(judges.escalates(of(statements), holder)) is wanted


KEYS: list[tuple[str, bool, Any]] = [
    ("every key", True, [allow("kms:Decrypt")]),
    ("everything", True, [allow("*")]),
    ("again under another key", True, [allow("kms:ReEncrypt*")]),
    ("every key by a pattern", True, [allow("kms:*", "arn:aws:kms:*:*:key/*")]),
    ("every key of a region", True, [allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{OWN}:key/*")]),
    ("denied in another region", True, [allow("kms:Decrypt"), deny("kms:*", f"arn:aws:kms:eu-west-1:{OWN}:key/*")]),
    ("one key", False, [allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{OWN}:key/1234")]),
    ("another account's keys", False, [allow("kms:Decrypt", "arn:aws:kms:*:222222222222:key/*")]),
    ("by a service", False, [allow("kms:Decrypt", **under("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com"))]),
    ("to encrypt", False, [allow(["kms:Encrypt", "kms:ReEncryptTo", "kms:GenerateDataKey"])]),
    ("denied", False, [allow("kms:*"), deny(["kms:Decrypt", "kms:ReEncrypt*"])]),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "statements"), [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])  # fmt: skip
def test_what_decrypts_with_every_key(wanted: bool, statements: Any) -> None:
    assert bool(judges.decrypts_everything(of(statements), SOMEBODY)) is wanted


PUBLIC = yaml.safe_load((Path(__file__).parent / "public_ways.yaml").read_text())
NOT_TOLD = {"iam:PassRole datapipeline:CreatePipeline"}
"""A pipeline without a definition has no role and runs nothing: iam:PassRole is asked for by PutPipelineDefinition."""


def test_the_publicly_known_ways_are_told() -> None:
    missed = set()
    for row in PUBLIC:
        found = of(allow(row["actions"]))
        if not judges.escalates(found, SOMEBODY) and not judges.runs_code(found, SOMEBODY):
            missed.add(" ".join(row["actions"]))
    assert missed == NOT_TOLD
    assert len(PUBLIC) >= 101


@pytest.mark.parametrize("way", ways(), ids=[way.id for way in ways()])
def test_every_way_is_told_by_its_example_and_not_by_less(way: Any) -> None:
    def told(*statements: Any) -> bool:
        layer = Allowed({"": {"Statement": list(statements)}}, SOMEBODY)
        return way.id in {one.way.id for one in opened([layer])}

    assert told({"Effect": "Allow"} | way.example)
    needed = [*way.needs, *(["iam:PassRole"] if way.passes else [])]
    assert told(*map(allow, needed))
    for one in needed:
        assert not told(*(allow(action) for action in needed if action != one)), one
        assert not told(*map(allow, needed), deny(one)), one
        assert not told(*(allow(action, **({"Condition": MFA} if action == one else {})) for action in needed)), one  # fmt: skip
    if way.passes:
        wrong = under("StringEquals", "iam:PassedToService", "ops.example.amazonaws.com")
        assert not told(allow("iam:PassRole", **wrong), *map(allow, way.needs))
    assert way.exists or way.severity == "high"


def test_a_way_is_told_with_its_statements() -> None:
    parts = {"inline_policies": {"one": {"Statement": allow("lambda:UpdateFunctionCode")}}}
    assert judges.runs_code(subject(parts), ROLE) == (
        "replace the code of any function",
        ("lambda:UpdateFunctionCode",),
        ("statement 1 of inline policy one",),
    )


AWS = "arn:aws:iam::aws:policy/"


def parts(attached: list[str], **more: Any) -> dict[str, Any]:
    return {"attached_policies": [{"PolicyArn": arn} for arn in attached]} | more


def test_policies_from_everywhere_are_one() -> None:
    passing, starting = {"Statement": allow("iam:PassRole")}, {"Statement": allow("ec2:*")}
    group = {"arn": f"arn:aws:iam::{OWN}:group/g"}
    for one in (
        {"inline_policies": {"a": passing, "b": starting}},
        parts([CUSTOMERS], attached_documents={CUSTOMERS: passing}, inline_policies={"b": starting}),
        parts([AWS + "AmazonEC2FullAccess"], inline_policies={"a": passing}),
        {"inline_policies": {"a": passing}, "group_policies": {"g": group | {"inline_policies": {"b": starting}}}},
        {"inline_policies": {"a": passing}, "group_policies": {"g": group | parts([AWS + "AmazonEC2FullAccess"])}},
    ):  # fmt: skip
        assert judges.escalates(subject(one), USER)
    wall = {"Statement": deny("ec2:*")}
    assert not judges.escalates(subject({"inline_policies": {"a": passing, "b": starting, "c": wall}}), USER)  # fmt: skip


def test_awss_own_policies_are_known() -> None:
    assert judges.is_admin(subject(parts([AWS + "AdministratorAccess"])), USER)
    assert judges.is_admin(subject(parts(["arn:aws-cn:iam::aws:policy/AdministratorAccess"])), USER)
    assert judges.holds_iam(subject(parts([AWS + "IAMFullAccess"])), USER)
    assert not judges.holds_iam(subject(parts([AWS + "ReadOnlyAccess"])), USER)
    assert judges.runs_code(subject(parts([AWS + "PowerUserAccess"])), USER)
    glue = parts([AWS + "service-role/AWSGlueServiceRole"])
    assert judges.runs_code(subject(glue, "user"), USER)
    assert not judges.runs_code(subject(glue, "role"), ROLE)


def test_the_copy_of_awss_policies_is_as_published() -> None:
    assert PATH.read_text() == made()
    assert managed.document(AWS + "AdministratorAccess") == {"Statement": [allow(["*"])]}


def test_the_copy_of_kinds_of_resources_is_as_published() -> None:
    assert resources.PATH.read_text() == resources.made()


def test_what_is_not_known_is_not_guessed() -> None:
    unread = parts([CUSTOMERS], attached_documents={})
    with pytest.raises(ValueError, match="policy/own was not read"):
        judges.escalates(subject(unread), USER)
    with pytest.raises(ValueError, match="NoSuchPolicyYet was not read"):
        judges.is_admin(subject(parts([AWS + "NoSuchPolicyYet"])), USER)
    admin = {"inline_policies": {"a": {"Statement": allow("*")}}}
    with pytest.raises(PolicyNotRead, match="policy/own was not read"):
        judges.is_admin(subject(unread | admin), USER)  # it may deny what the other allows
    with pytest.raises(ValueError, match="boundary"):
        judges.is_admin(subject(admin | {"boundary": {"PermissionsBoundaryArn": CUSTOMERS}}), USER)
    for part in ("inline_policies", "attached_policies", "group_policies"):
        with pytest.raises(PolicyNotRead) as why:
            judges.is_admin(subject({}, "user", [part]), USER)
        assert why.value.part == part
        with pytest.raises(PolicyNotRead):
            judges.is_admin(subject({"document": {"Statement": allow("*")}}, "user", [part]), USER)
    with pytest.raises(PolicyNotRead, match="group g was not read"):
        judges.is_admin(subject({"group_policies": {"g": None}}), USER)
    with pytest.raises(PolicyNotRead, match="boundary was not read"):
        judges.is_admin(subject(admin, "user", ["boundary"]), USER)
    assert not judges.is_admin(subject({}, "user", ["boundary", "attached_documents"]), USER)
    none = {"boundary": {"PermissionsBoundaryArn": CUSTOMERS}}
    assert not judges.is_admin(subject(none), USER)  # there is nothing to bound


@pytest.mark.parametrize("back", [False, True])
def test_an_allow_that_cannot_be_judged_hides_no_other(back: bool) -> None:
    odd = under("May", "aws:username", "x")

    def stand(*statements: Any) -> Subject:
        return of(list(reversed(statements)) if back else list(statements))

    assert judges.escalates(
        stand(allow("iam:CreatePolicyVersion", **odd), allow("iam:PutUserPolicy")), USER
    )
    assert judges.is_admin(stand(allow("*", **odd), allow("*")), USER)
    assert judges.decrypts_everything(stand(allow("kms:*", **odd), allow("kms:Decrypt")), USER)
    for some in (
        [allow("*", **odd)],
        [allow("*"), deny("*", **odd)],
        [allow("*", **odd), allow("s3:*")],
    ):
        with pytest.raises(ValueError, match="not known"):
            judges.is_admin(stand(*some), USER)


THERE: list[tuple[str, str, Any]] = [
    ("StringLike", "Null", "false"), ("ArnLike", "Null", "false"), ("ForAnyValue:StringLike", "Null", "false"),
    ("StringNotLike", "Null", "true"), ("ArnNotLike", "Null", "true"),
]  # fmt: skip
"""Operators that with `*` ask whether there is a value, and Null that asks the same."""
PRESENCE = [
    "aws:PrincipalTag/x", "aws:ResourceTag/x", "aws:RequestTag/x", "iam:PermissionsBoundary", "aws:SourceIp", "aws:userid", "aws:username", "aws:PrincipalArn",
    "aws:SourceVpce", "aws:CalledVia", "aws:UserAgent", "aws:MultiFactorAuthAge", "sts:ExternalId", "aws:CurrentTime", "example:Unknown",
]  # fmt: skip


def _allowed_under(held: dict[str, Any]) -> list[dict[str, Any]]:
    return [allow(["iam:PutUserPolicy", "sts:AssumeRole"], **held)]


def _denied_under(held: dict[str, Any]) -> list[dict[str, Any]]:
    return [allow(["iam:PutUserPolicy", "sts:AssumeRole"]), deny("*", **held)]


@pytest.mark.parametrize("holder", [SOMEBODY, USER, ROLE])
@pytest.mark.parametrize("key", PRESENCE)
def test_whether_there_is_a_value_is_asked_in_several_words(key: str, holder: Holder) -> None:
    for operator, null, said in THERE:
        for pattern in ("*", "**", ["x", "*"]):
            one, other = under(operator, key, pattern), under(null, key, said)
            for statements in (_allowed_under, _denied_under):
                told = [bool(judges.escalates(of(statements(held)), holder)) for held in (one, other)]  # fmt: skip
                assert told[0] is told[1], (operator, pattern)


ODD = under("May", "aws:username", "x")
UNDECIDED: list[tuple[str, bool | None, Any]] = [
    ("an operator that is not known, on what does not matter", False, [allow("s3:GetObject", **ODD)]),
    ("and on what would lead to every right", None, [allow("iam:PutUserPolicy", **ODD)]),
    ("and another Allow that decides", True, [allow("iam:PutUserPolicy", **ODD), allow("iam:PutUserPolicy")]),
    ("and a Deny that decides", False, [allow("iam:PutUserPolicy", **ODD), deny("iam:*")]),
    ("beside a limit", False, [allow("iam:PutUserPolicy", Condition=MFA | ODD["Condition"])]),
    ("in a Deny of what does not matter", True, [allow("iam:PutUserPolicy"), deny("s3:*", **ODD)]),
    ("in a Deny that would matter", None, [allow("iam:PutUserPolicy"), deny("iam:*", **ODD)]),
    ("in a Deny that nobody meets", True, [allow("iam:PutUserPolicy"), deny("iam:*", Condition={"Bool": {"aws:SecureTransport": "false"}} | ODD["Condition"])]),
    ("in a Deny where nothing is allowed", False, [deny("iam:*", **ODD)]),
    ("a condition that is a list", None, [allow("iam:PutUserPolicy", Condition=["x"])]),
    ("a condition that is a list, on what does not matter", False, [allow("s3:*", Condition=["x"])]),
    ("a value that is null", None, [allow("iam:PutUserPolicy", **under("StringEquals", "aws:username", None))]),
    ("a range that is none", None, [allow("iam:PutUserPolicy", **under("IpAddress", "aws:SourceIp", "here"))]),
    ("no action", False, [allow([])]),
    ("no resource", False, [allow("*", [])]),
    ("an action that is null", None, [allow(None)]),
    ("an action that is null, on a bucket", False, [allow(None, BUCKET)]),
    ("an action that is an object", None, [allow({"a": 1})]),
    ("a resource that is a number", None, [allow("iam:PutUserPolicy", 1)]),
    ("a resource that is a number, for what does not matter", False, [allow("s3:*", 1)]),
    ("neither action nor what is left out", None, [{"Effect": "Allow", "Resource": "*"}]),
    ("no resource at all", None, [{"Effect": "Allow", "Action": "iam:PutUserPolicy"}]),
    ("an effect that is none", None, [allow("iam:PutUserPolicy", Effect="May")]),
    ("an effect that is none, and a Deny that decides", False, [allow("iam:PutUserPolicy", Effect="May"), deny("*")]),
    ("an effect that is none, on what does not matter", True, [allow("iam:PutUserPolicy"), allow("s3:*", Effect="May")]),
    ("a statement that is a text", None, ["x", allow("iam:PutUserPolicy")]),
    ("a statement that is a text, and a Deny that decides", False, ["x", allow("iam:PutUserPolicy"), deny("*")]),
    ("statements that are null", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "statements"), [row[1:] for row in UNDECIDED], ids=[row[0] for row in UNDECIDED])  # fmt: skip
def test_what_cannot_be_understood_matters_only_where_it_decides(
    wanted: bool | None, statements: Any
) -> None:
    if wanted is None:
        with pytest.raises(CannotEvaluate):
            judges.escalates(of(statements), USER)
        with pytest.raises(CannotEvaluate):
            judges.escalates(of(list(reversed(statements or [])) or None), USER)
    else:
        assert bool(judges.escalates(of(statements), USER)) is wanted
        assert bool(judges.escalates(of(list(reversed(statements))), USER)) is wanted


def test_an_administrator_of_iam_is_one_whatever_else_is_not_known() -> None:
    assert judges.holds_iam(of([allow("iam:*"), allow("*", **ODD)]), USER)


ADMINS = {"Statement": allow("*")}
WALL = {"Statement": deny("*")}
BROKEN_PARTS: list[tuple[str, dict[str, Any]]] = [
    (f"{name} is {value!r}", {name: value})
    for name in ("attached_policies", "group_policies", "inline_policies", "boundary")
    for value in ("a", 5, True, ["a"], [None], {"g": "a"}, {"g": 5}, {"g": ["a"]})
    if not (name == "attached_policies" and value == [])
] + [
    ("documents are a list", {"attached_policies": [{"PolicyArn": CUSTOMERS}], "attached_documents": ["a"]}),
    ("a document is a text", {"attached_policies": [{"PolicyArn": CUSTOMERS}], "attached_documents": {CUSTOMERS: "a"}}),
    ("a policy's ARN is a list", {"attached_policies": [{"PolicyArn": ["a"]}]}),
    ("a group's policies are a text", {"group_policies": {"g": {"attached_policies": "a"}}}),
    ("a group's inline policies are a list", {"group_policies": {"g": {"inline_policies": ["a"]}}}),
]  # fmt: skip


@pytest.mark.parametrize("broken", [row[1] for row in BROKEN_PARTS], ids=[row[0] for row in BROKEN_PARTS])  # fmt: skip
def test_a_part_that_cannot_be_understood_is_not_known(broken: dict[str, Any]) -> None:
    """What hangs on it is unknown; what denials rule out is not."""
    for judge in (judges.is_admin, judges.holds_iam, judges.escalates, judges.runs_code):
        with pytest.raises(CannotEvaluate):
            judge(subject(broken | {"document": ADMINS}), USER)
        if "inline_policies" not in broken:
            assert judge(subject(broken | {"inline_policies": {"wall": WALL}}), USER) is None
        if "boundary" not in broken:
            with pytest.raises(CannotEvaluate):
                judge(subject(broken), USER)


@pytest.mark.parametrize("back", [False, True])
def test_a_deny_that_cannot_be_judged_hides_no_other(back: bool) -> None:
    odd, whole = deny("*", **under("May", "aws:username", "x")), deny("*")
    walls = [whole, odd] if back else [odd, whole]
    assert not judges.escalates(of([allow("*"), *walls]), USER)
    assert not judges.is_admin(of([allow("*"), *walls]), USER)
    with pytest.raises(ValueError, match="not known"):
        judges.escalates(of([allow("*"), odd]), USER)


def test_a_boundary_takes_away() -> None:
    def bounded(*statements: Any) -> dict[str, Any]:
        return {
            "inline_policies": {"a": {"Statement": allow("*")}},
            "boundary": {"PermissionsBoundaryArn": CUSTOMERS},
            "attached_documents": {CUSTOMERS: {"Statement": list(statements)}},
        }  # fmt: skip

    assert not judges.is_admin(subject(bounded(allow("s3:*"))), USER)
    assert not judges.escalates(subject(bounded(allow("s3:*"))), USER)
    assert judges.escalates(subject(bounded(allow("iam:Put*"))), USER)
    assert judges.is_admin(subject(bounded(allow("*"))), USER)
    assert not judges.holds_iam(subject(bounded(allow("*"), deny(["iam:*", "sts:*", "sso:*", "identitystore:*"]))), USER)  # fmt: skip
    aws = bounded() | {"boundary": {"PermissionsBoundaryArn": AWS + "PowerUserAccess"}}
    assert not judges.holds_iam(subject(aws), USER)
    assert judges.runs_code(subject(aws), USER)
    with_unread = bounded(allow("s3:*")) | parts([CUSTOMERS + "2"])
    assert not judges.escalates(subject(with_unread), USER)  # the boundary allows none of it
    only_put = bounded(allow("iam:Put*")) | parts([CUSTOMERS + "2"], inline_policies={"a": {"Statement": allow("iam:Create*")}})  # fmt: skip
    with pytest.raises(PolicyNotRead):
        judges.escalates(
            subject(only_put), USER
        )  # what it takes away here, the unread one may have elsewhere


@pytest.mark.parametrize("found", [{"inline_policies": ["x"]}, {"inline_policies": {"a": {}}}, {"document": {"Statement": [{"Effect": "May"}]}},
                                   {"document": {"Statement": allow("*", Condition={"May": {"aws:username": "x"}})}}])  # fmt: skip
def test_what_is_no_policy_has_no_verdict(found: Any) -> None:
    for judge in (judges.is_admin, judges.holds_iam, judges.escalates, judges.runs_code):
        with pytest.raises(ValueError, match=r"not"):
            judge(subject(found), USER)


@pytest.mark.parametrize("judge", [judges.is_admin, judges.escalates])
def test_a_hostile_document_takes_no_time(judge: Any) -> None:
    stars = "*a" * 1_500
    many = allow([f"{c}?*a*" for c in "abcdefghijkl"] * 50)
    judge(of([allow(stars, stars), many]), SOMEBODY)
    with pytest.raises(ValueError, match="too long"):
        judge(of([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3" + stars}]), SOMEBODY)  # fmt: skip
    with pytest.raises(ValueError, match="too many"):
        judge(of(allow(["s3:*"] * 20_000)), SOMEBODY)


def test_patterns_of_actions_are_added_up_so_far() -> None:
    with pytest.raises(ValueError, match="too many"):
        judges.is_admin(of([all_but([f"iam:{'?' * n}*a*b" for n in range(99)]) for _ in range(9)]), SOMEBODY)  # fmt: skip


@pytest.mark.parametrize(("partition", "service", "told"), [
    ("aws-cn", "ec2.amazonaws.com.cn", True), ("aws-cn", "ec2.amazonaws.com", True), ("aws", "ec2.amazonaws.com.cn", False), ("aws-us-gov", "ec2.amazonaws.com", True),
])  # fmt: skip
def test_a_role_is_passed_to_a_service_by_its_name_in_a_partition(
    partition: str, service: str, told: bool
) -> None:
    holder = Holder(OWN, f"arn:{partition}:iam::{OWN}:user/bob")
    passed = allow("iam:PassRole", **under("StringEquals", "iam:PassedToService", service))
    assert bool(judges.escalates(of([passed, allow("ec2:RunInstances")]), holder)) is told


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_policies_of_aws_are_those_of_the_partition(partition: str) -> None:
    holder = Holder(OWN, f"arn:{partition}:iam::{OWN}:user/bob")
    for one, told in ((partition, True), ("aws-iso", False)):
        attach = allow("iam:AttachUserPolicy", **under("ArnLike", "iam:PolicyARN", f"arn:{one}:iam::aws:policy/*"))  # fmt: skip
        assert bool(judges.escalates(of(attach), holder)) is told


def test_the_statement_is_named_where_several_make_an_administrator() -> None:
    said = judges.is_admin(of([allow("s3:*"), allow("iam:*"), all_but("iam:*")]), SOMEBODY)
    assert said is not None
    assert said.places == ("statement 2", "statement 3")
    bucket = "arn:aws:s3:::example/*"
    both = [allow("ec2:*"), {"Effect": "Allow", "Action": "*", "NotResource": bucket}, allow("s3:Get*"), allow("*", bucket)]  # fmt: skip
    said = judges.is_admin(of(both), SOMEBODY)
    assert said is not None
    assert said.places == ("statement 2", "statement 4")
    said = judges.is_admin(of([allow("s3:*"), allow("*")]), SOMEBODY)
    assert said is not None
    assert said.places == ("statement 2",)
    itself = judges.escalates(of(allow("iam:PutUserPolicy", USER.arn)), USER)
    assert itself is not None
    assert itself.what == "write a policy into itself"
