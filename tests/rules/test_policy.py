"""Policies as AWS reads them: a table of documents and what each allows, hard cases first."""

from ipaddress import ip_network
from typing import Any

import pytest

from driftline.pipeline.rulebook.aws.functions import _any_allows_public, _port_open_to_world
from driftline.pipeline.rulebook.aws.resource_policy import (
    allows_cross_account,
    allows_public,
    requires_tls,
)
from driftline.pipeline.rulebook.aws.statement import covers
from driftline.pipeline.rulebook.cel.functions import CURRENT, Current

OWN, OTHER = "111111111111", "222222222222"
ROOT = f"arn:aws:iam::{OWN}:root"
BUCKET = "arn:aws:s3:::example"
NOBODY, STRANGERS, EVERYBODY, UNKNOWN = "own", "cross-account", "public", "unknown"
"""Who may do something: at most the own account (and services); another account; anybody; not to be said."""


def allow(principal: Any = "*", condition: Any = None, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}  # fmt: skip
    return statement | ({"Condition": condition} if condition else {}) | more


def deny(condition: Any = None, **more: Any) -> dict[str, Any]:
    whole = {"Effect": "Deny", "Action": "s3:*", "Resource": [BUCKET, f"{BUCKET}/*"]}
    return allow("*", condition) | whole | more


def everybody_but(principal: Any, **more: Any) -> dict[str, Any]:
    statement = {k: v for k, v in deny().items() if k != "Principal"}
    return statement | {"NotPrincipal": principal} | more


def under(condition: Any) -> list[dict[str, Any]]:
    return [allow("*", condition)]


HALVES = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]
ALL_BUT_ONE = ["::/0", *(str(net) for net in ip_network("0.0.0.0/0").address_exclude(ip_network("203.0.113.0/24")))]  # type: ignore[arg-type]  # fmt: skip
NOT_US = {"StringNotEquals": {"aws:PrincipalOrgID": "o-example"}}
TABLE: list[tuple[str, str, Any]] = [
    # who is named
    ("everybody", EVERYBODY, [allow()]),
    ("everybody as a map", EVERYBODY, [allow({"AWS": "*"})]),
    ("everybody in a list", EVERYBODY, [allow({"AWS": ["*"]})]),
    ("everybody among others", EVERYBODY, [allow({"AWS": [ROOT, "*"]})]),
    ("everybody of any account", EVERYBODY, [allow({"AWS": "arn:aws:iam::*:root"})]),
    ("every service", EVERYBODY, [allow({"Service": "*"})]),
    ("every identity provider", EVERYBODY, [allow({"Federated": "*"})]),
    ("one statement that is no list", EVERYBODY, allow()),
    ("no statement", NOBODY, []),
    ("the account", NOBODY, [allow({"AWS": ROOT})]),
    ("the account by its number", NOBODY, [allow({"AWS": OWN})]),
    ("another account by its number", STRANGERS, [allow({"AWS": OTHER})]),
    ("another account's role", STRANGERS, [allow({"AWS": [ROOT, f"arn:aws:iam::{OTHER}:role/x"]})]),
    ("another account's session", STRANGERS, [allow({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/x/y"})]),
    ("another partition's account", STRANGERS, [allow({"AWS": f"arn:aws-cn:iam::{OTHER}:root"})]),
    ("what a deleted user left", NOBODY, [allow({"AWS": "AIDAEXAMPLE123456789X"})]),
    ("a canonical user", UNKNOWN, [allow({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"})]),
    ("a canonical user and another account", STRANGERS, [allow({"CanonicalUser": "79a5", "AWS": OTHER})]),
    ("CloudFront's identity", NOBODY, [allow({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"})]),
    ("a service, for whoever uses it", NOBODY, [allow({"Service": "sns.amazonaws.com"})]),
    ("an identity provider", NOBODY, [allow({"Federated": f"arn:aws:iam::{OWN}:saml-provider/x"})]),
    ("everybody but one", EVERYBODY, [{k: v for k, v in allow(NotPrincipal={"AWS": ROOT}).items() if k != "Principal"}]),
    ("a principal that is no ARN", UNKNOWN, [allow({"AWS": "arn:aws"})]),
    ("nobody is named", UNKNOWN, [{"Effect": "Allow", "Action": "*", "Resource": "*"}]),
    ("an effect in small letters", UNKNOWN, [allow(Effect="allow")]),
    ("no policy", UNKNOWN, "text"),
    # conditions that hold it to something fixed
    ("the organization", STRANGERS, under({"StringEquals": {"aws:PrincipalOrgID": "o-example"}})),
    ("the key in other letters", STRANGERS, under({"stringequals": {"AWS:PRINCIPALORGID": "o-example"}})),
    ("a part of the organization", STRANGERS, under({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": ["o-example/r-1/ou-1/*"]}})),
    ("the account as caller", NOBODY, under({"StringEquals": {"aws:PrincipalAccount": OWN}})),
    ("the account that owns the resource", NOBODY, under({"StringEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}})),
    ("a role of the account that owns the resource", NOBODY, under({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:ResourceAccount}:role/app/*"}})),
    ("the organization that owns the resource", STRANGERS, under({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}})),
    ("the resource's account is the caller's", NOBODY, under({"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}})),
    ("the resource's organization is the caller's", STRANGERS, under({"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}})),
    ("another account as source", STRANGERS, under({"StringEquals": {"aws:SourceAccount": [OWN, OTHER]}})),
    ("what SNS writes", NOBODY, under({"StringEquals": {"AWS:SourceOwner": OWN}})),
    ("a source of the account", NOBODY, under({"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{OWN}:rule/*"}})),
    ("a source of another account", STRANGERS, under({"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{OTHER}:rule/{OWN}:x"}})),
    ("a bucket as source", UNKNOWN, under({"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::sender"}})),
    ("a bucket as source, with stars", UNKNOWN, under({"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:sender"}})),
    ("a bucket as source, and its account", NOBODY, under({"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:sender"}, "StringEquals": {"aws:SourceAccount": OWN}})),
    ("a VPC", STRANGERS, under({"StringEquals": {"aws:SourceVpc": "vpc-1"}})),
    ("an endpoint", STRANGERS, under({"StringLike": {"aws:SourceVpce": "vpce-1"}})),
    ("an address", STRANGERS, under({"IpAddress": {"aws:SourceIp": ["203.0.113.7", "2001:db8::/48"]}})),
    ("a private network", STRANGERS, under({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "fd00::/8"]}})),
    ("sessions of one role, whose account its id does not tell", UNKNOWN, under({"StringLike": {"aws:userid": "AROAEXAMPLE123456789X:*"}})),
    ("the account's root user by its id", NOBODY, under({"StringEquals": {"aws:userid": OWN}})),
    ("services only", NOBODY, under({"Bool": {"aws:PrincipalIsAWSService": "true"}})),
    ("one service by its name", NOBODY, under({"StringEquals": {"aws:PrincipalServiceName": "cloudtrail.amazonaws.com"}})),
    ("services by a pattern", NOBODY, under({"ForAnyValue:StringLike": {"aws:PrincipalServiceNamesList": "*.amazonaws.com"}})),
    ("what a service does for another account", NOBODY, under({"StringEquals": {"aws:PrincipalServiceName": "sns.amazonaws.com", "aws:SourceAccount": OTHER}})),
    ("another account's role, as a service", NOBODY, [allow({"AWS": OTHER}, {"Bool": {"aws:PrincipalIsAWSService": True}})]),
    ("through mount targets, as EFS's own example", STRANGERS, under({"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}})),
    ("a VPC by its ARN", STRANGERS, under({"ArnEquals": {"aws:SourceVpcArn": f"arn:aws:ec2:eu-west-1:{OWN}:vpc/vpc-1"}})),
    ("VPCs of the account", STRANGERS, under({"ArnLike": {"aws:SourceVpcArn": f"arn:aws:ec2:*:{OWN}:vpc/*"}})),
    ("a star where it is a letter", STRANGERS, under({"StringEquals": {"aws:PrincipalOrgID": "*"}})),
    ("IfExists where it must be there", STRANGERS, under({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-example"}, "Null": {"aws:PrincipalOrgID": "false"}})),
    ("all values, and there is one", STRANGERS, under({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-example/*"}, "Null": {"aws:PrincipalOrgPaths": False}})),
    ("an access point of the account", NOBODY, under({"StringEquals": {"s3:DataAccessPointAccount": OWN}})),
    ("callers of the account through a service", NOBODY, under({"StringEquals": {"kms:CallerAccount": OWN, "kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
    # conditions that only seem to
    ("any organization", EVERYBODY, under({"StringLike": {"aws:PrincipalOrgID": "o-*"}})),
    ("one organization or any", EVERYBODY, under({"StringLike": {"aws:PrincipalOrgID": ["o-example", "*"]}})),
    ("not one organization", EVERYBODY, under({"StringNotEquals": {"aws:PrincipalOrgID": "o-example"}})),
    ("the organization, if there is one", EVERYBODY, under({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-example"}})),
    ("all values, or none", EVERYBODY, under({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-example"}})),
    ("any organization's part", EVERYBODY, under({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-1/*"}})),
    ("some organization", EVERYBODY, under({"Null": {"aws:PrincipalOrgID": "false"}})),
    ("accounts by a pattern", EVERYBODY, under({"StringLike": {"aws:PrincipalAccount": "1111*"}})),
    ("sources of every account", EVERYBODY, under({"ArnLike": {"aws:SourceArn": "arn:aws:sns:eu-west-1:*:alarm"}})),
    ("sources of accounts by a pattern", EVERYBODY, under({"ArnLike": {"aws:SourceArn": "arn:aws:sns:eu-west-1:11111111111?:alarm"}})),
    ("buckets by a pattern", EVERYBODY, under({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::sender*"}})),
    ("a role of every account", EVERYBODY, under({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deploy"}})),
    ("half an ARN", EVERYBODY, under({"StringLike": {"aws:PrincipalArn": "*:role/deploy"}})),
    ("the caller's own account", EVERYBODY, under({"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}})),
    ("a role of the caller's own account", EVERYBODY, under({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:role/app"}})),
    ("every address", EVERYBODY, under({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})),
    ("every address by two halves", EVERYBODY, under({"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}})),
    ("every address by many networks", EVERYBODY, under({"IpAddress": {"aws:SourceIp": [f"{n}.0.0.0/8" for n in range(256)]}})),
    ("one half of the addresses", EVERYBODY, under({"IpAddress": {"aws:SourceIp": "128.0.0.0/1"}})),
    ("every address of IPv6", EVERYBODY, under({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2000::/3"]}})),
    ("not one address", EVERYBODY, under({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
    ("an address, if there is one", EVERYBODY, under({"IpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"}})),
    ("what is no address", UNKNOWN, under({"IpAddress": {"aws:SourceIp": "here"}})),
    ("private addresses of anybody's VPC", EVERYBODY, under({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}})),
    ("services or nobody known", EVERYBODY, under({"BoolIfExists": {"aws:PrincipalIsAWSService": "true"}})),
    ("all but services", EVERYBODY, under({"Bool": {"aws:PrincipalIsAWSService": "false"}})),
    ("not through mount targets", EVERYBODY, under({"Bool": {"elasticfilesystem:AccessedViaMountTarget": "false"}})),
    ("VPCs of every account", EVERYBODY, under({"ArnLike": {"aws:SourceVpcArn": "arn:aws:ec2:eu-west-1:*:vpc/*"}})),
    ("on behalf of somebody, by a service", EVERYBODY, under({"Bool": {"aws:ViaAWSService": "true"}})),
    ("not another account", EVERYBODY, under({"StringNotEquals": {"aws:PrincipalAccount": OTHER}})),
    ("an endpoint, if there is one", EVERYBODY, under({"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}})),
    ("any endpoint", EVERYBODY, under({"Null": {"aws:SourceVpce": "false"}})),
    ("the account as caller, if it has one", EVERYBODY, under({"StringEqualsIfExists": {"kms:CallerAccount": OWN}})),
    ("TLS", EVERYBODY, under({"Bool": {"aws:SecureTransport": "true"}})),
    ("a page that links", EVERYBODY, under({"StringLike": {"aws:Referer": "https://example.com/*"}})),
    ("a tag, which anybody can give", EVERYBODY, under({"StringEquals": {"aws:PrincipalTag/team": "ops"}})),
    ("a user's name", EVERYBODY, under({"StringEquals": {"aws:username": "ann"}})),
    ("sessions by their name", EVERYBODY, under({"StringLike": {"aws:userid": "*:ann"}})),
    ("an external id", EVERYBODY, under({"StringEquals": {"sts:ExternalId": "a-long-one"}})),
    ("through a service only", EVERYBODY, under({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
    # conditions without values: nothing is among them
    ("a condition without values", NOBODY, under({"StringEquals": {"aws:PrincipalOrgID": []}})),
    ("no address", NOBODY, under({"IpAddress": {"aws:SourceIp": []}})),
    ("any value of none", NOBODY, under({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": []}})),
    ("no tag", NOBODY, under({"StringEquals": {"aws:PrincipalTag/team": []}})),
    ("neither there nor missing", NOBODY, under({"Null": {"aws:PrincipalOrgID": []}})),
    ("none, if there is one", EVERYBODY, under({"StringEqualsIfExists": {"aws:PrincipalOrgID": []}})),
    ("none, if there is one, and there is", NOBODY, under({"StringEqualsIfExists": {"aws:PrincipalOrgID": []}, "Null": {"aws:PrincipalOrgID": "false"}})),
    ("all values among none", EVERYBODY, under({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": []}})),
    ("all values among none, and there is one", NOBODY, under({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": []}, "Null": {"aws:PrincipalOrgPaths": "false"}})),
    ("anything but none", EVERYBODY, under({"StringNotEquals": {"aws:PrincipalOrgID": []}})),
    ("denied for anything but none", NOBODY, [allow(), deny({"StringNotEquals": {"aws:PrincipalOrgID": []}})]),
    ("denied for all values but none", NOBODY, [allow(), deny({"ForAllValues:StringNotEquals": {"aws:PrincipalOrgPaths": []}})]),
    ("denied for some value but none", EVERYBODY, [allow(), deny({"ForAnyValue:StringNotEquals": {"aws:PrincipalOrgPaths": []}})]),
    ("denied for no value", EVERYBODY, [allow(), deny({"StringEquals": {"aws:PrincipalOrgID": []}})]),
    ("denied for no address", EVERYBODY, [allow(), deny({"IpAddress": {"aws:SourceIp": []}})]),
    ("denied for every address but none", NOBODY, [allow(), deny({"NotIpAddress": {"aws:SourceIp": []}})]),
    # one meaning, several spellings
    ("some service", NOBODY, under({"Null": {"aws:PrincipalServiceName": "false"}})),
    ("any service", NOBODY, under({"StringLike": {"aws:PrincipalServiceName": "*"}})),
    ("services only, as a text", NOBODY, under({"StringEquals": {"aws:PrincipalIsAWSService": "true"}})),
    ("no service", EVERYBODY, under({"StringNotLike": {"aws:PrincipalServiceName": "*"}})),
    ("denied to all that is no service, by a pattern", NOBODY, [allow(), deny({"StringNotLike": {"aws:PrincipalServiceName": "*"}})]),
    ("denied to all that is no service, as a text", NOBODY, [allow(), deny({"StringNotEquals": {"aws:PrincipalIsAWSService": "true"}})]),
    ("denied to services, by a pattern", EVERYBODY, [allow(), deny({"StringLike": {"aws:PrincipalServiceName": "*"}})]),
    ("some tag", EVERYBODY, under({"Null": {"aws:PrincipalTag/team": "false"}})),
    ("any tag", EVERYBODY, under({"StringLike": {"aws:PrincipalTag/team": "*"}})),
    ("denied to who has no tag", EVERYBODY, [allow(), deny({"Null": {"aws:PrincipalTag/team": "true"}})]),
    ("denied to who has no tag, by a pattern", EVERYBODY, [allow(), deny({"StringNotLike": {"aws:PrincipalTag/team": "*"}})]),
    ("denied whatever the tag", NOBODY, [allow(), deny({"StringLikeIfExists": {"aws:PrincipalTag/team": "*"}})]),
    ("denied with a tag or without", NOBODY, [allow(), deny({"Null": {"aws:PrincipalTag/team": ["true", "false"]}})]),
    # numbers
    ("the account as a number", NOBODY, under({"NumericEquals": {"aws:PrincipalAccount": int(OWN)}})),
    ("the account as a number in a text", NOBODY, under({"NumericEquals": {"aws:PrincipalAccount": OWN}})),
    ("the account as a number with a point", NOBODY, under({"NumericEquals": {"aws:SourceAccount": f"{OWN}.0"}})),
    ("another account as a number", STRANGERS, under({"NumericEquals": {"aws:PrincipalAccount": [int(OWN), int(OTHER)]}})),
    ("denied to all but the account, a number", NOBODY, [allow(), deny({"NumericNotEquals": {"aws:PrincipalAccount": int(OWN)}})]),
    ("accounts by their order", EVERYBODY, under({"NumericLessThan": {"aws:PrincipalAccount": OWN}})),
    ("a number that is none", UNKNOWN, under({"NumericEquals": {"aws:PrincipalAccount": "o-example"}})),
    # every address, however it is cut
    ("every address of both, two halves each", EVERYBODY, under({"IpAddress": {"aws:SourceIp": HALVES}})),
    ("not from every address", NOBODY, under({"NotIpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}})),
    ("not from two halves", NOBODY, under({"NotIpAddress": {"aws:SourceIp": HALVES}})),
    ("not from every address of IPv4", EVERYBODY, under({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}})),
    ("from every address but one network", STRANGERS, under({"NotIpAddress": {"aws:SourceIp": ALL_BUT_ONE}})),
    ("denied to every address", NOBODY, [allow(), deny({"IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}})]),
    ("denied to two halves", NOBODY, [allow(), deny({"IpAddress": {"aws:SourceIp": HALVES}})]),
    ("denied to every address of the internet", NOBODY, [allow(), deny({"IpAddress": {"aws:SourceIp": ["0.0.0.0/0", "2000::/3"]}})]),
    ("denied to who has an address", NOBODY, [allow(), deny({"Null": {"aws:SourceIp": "false"}})]),
    ("denied to every address of IPv4", EVERYBODY, [allow(), deny({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})]),
    ("denied to every address but one network", STRANGERS, [allow(), deny({"IpAddress": {"aws:SourceIp": ALL_BUT_ONE}})]),
    ("denied to half of the addresses", EVERYBODY, [allow(), deny({"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "::/0"]}})]),
    ("denied to all but two halves", EVERYBODY, [allow(), deny({"NotIpAddress": {"aws:SourceIp": HALVES}})]),
    ("a sixteenth of the addresses, scattered", EVERYBODY, under({"IpAddress": {"aws:SourceIp": [f"{n}.0.0.0/8" for n in range(12, 80, 2)]}})),
    # what is no statement matters only where another does not decide
    ("no action", NOBODY, [allow(Action=[])]),
    ("no resource", NOBODY, [allow(Resource=[])]),
    ("an action that is null", UNKNOWN, [allow(Action=None)]),
    ("an action that is an object", UNKNOWN, [allow(Action={"a": 1})]),
    ("an action that is none, and an open one", EVERYBODY, [allow(Action=None), allow()]),
    ("an action that is none, for the account", NOBODY, [allow({"AWS": OWN}, Action=None)]),
    ("a resource that is a number", UNKNOWN, [allow(Resource=[1])]),
    ("an action and what is left out", UNKNOWN, [allow(NotAction="s3:PutObject")]),
    ("a principal that is a number among others", UNKNOWN, [allow({"AWS": [None]})]),
    ("a kind of principals that is none", UNKNOWN, [allow({"Aws": OTHER})]),
    ("a Deny of what is no action", UNKNOWN, [allow(), deny(Action=[{}])]),
    ("a Deny of what is no action, and one of all", NOBODY, [allow(), deny(Action=[{}]), deny()]),
    ("an operator that is not known", UNKNOWN, under({"May": {"aws:PrincipalOrgID": "o"}})),
    ("an operator that is not known, beside a limit", NOBODY, under({"May": {"aws:username": "x"}, "StringEquals": {"aws:PrincipalAccount": OWN}})),
    ("a condition that is a list", UNKNOWN, [allow(Condition=[])]),
    ("statements that are null", UNKNOWN, None),
    ("a condition that is none", UNKNOWN, under({"StringEquals": "aws:PrincipalOrgID"})),
    ("a narrow statement and an open one", EVERYBODY, [*under({"StringEquals": {"aws:SourceVpc": "vpc-1"}}), allow()]),
    # denies
    ("everything is denied", NOBODY, [allow(), deny()]),
    ("it is denied by name", NOBODY, [allow(), deny(Action="s3:getobject", Resource=f"{BUCKET}/*")]),
    ("all of its actions are denied, one by one", NOBODY, [allow(Action=["s3:GetObject", "s3:Put*"]), deny(Action="s3:Get*"), deny(Action="s3:P*")]),
    ("one of its actions is denied", EVERYBODY, [allow(Action=["s3:GetObject", "s3:PutObject"]), deny(Action="s3:Get*")]),
    ("a narrower pattern is denied", EVERYBODY, [allow(Action="s3:*"), deny(Action="s3:?*")]),
    ("another action is denied", EVERYBODY, [allow(), deny(Action="s3:PutObject")]),
    ("another resource is denied", EVERYBODY, [allow(), deny(Resource=f"{BUCKET}/secret/*")]),
    ("all but another action is denied", NOBODY, [allow(), {k: v for k, v in deny(NotAction="s3:Put*").items() if k != "Action"}]),
    ("all but this action is denied", EVERYBODY, [allow(), {k: v for k, v in deny(NotAction="s3:Get*").items() if k != "Action"}]),
    ("all but this resource is denied", EVERYBODY, [allow(), {k: v for k, v in deny(NotResource=f"{BUCKET}/*").items() if k != "Resource"}]),
    ("one account is denied", EVERYBODY, [allow(), deny(Principal={"AWS": OTHER})]),
    ("all but some actions, all denied", NOBODY, [{k: v for k, v in allow(NotAction="s3:Put*").items() if k != "Action"}, deny(Action="*")]),
    ("all but some actions, all of the service denied", NOBODY, [{k: v for k, v in allow(NotAction="s3:Put*").items() if k != "Action"}, deny()]),
    ("all but some actions, some denied", EVERYBODY, [{k: v for k, v in allow(NotAction="s3:Put*").items() if k != "Action"}, deny(Action="s3:Get*")]),
    ("every action, all of the service denied", NOBODY, [allow(Action="*"), deny()]),
    ("every action, all of the service denied to others", STRANGERS, [allow(Action="*"), deny(NOT_US)]),
    ("every action on everything, one service denied", EVERYBODY, [allow(Action="*", Resource="*"), deny(Resource="*")]),
    ("every action on two services, one denied", EVERYBODY, [allow(Action="*", Resource=[f"{BUCKET}/*", "arn:aws:sqs:eu-west-1:111111111111:q"]), deny(Resource="*")]),
    ("every action, another service denied", EVERYBODY, [allow(Action="*"), deny(Action="sqs:*")]),
    ("denied to all but the organization", STRANGERS, [allow(), deny(NOT_US)]),
    ("denied to all but the organization and services", STRANGERS, [allow(), deny(NOT_US | {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})]),
    ("denied to all but the account", NOBODY, [allow(), deny({"StringNotEquals": {"aws:PrincipalAccount": OWN}})]),
    ("denied to all but an endpoint", STRANGERS, [allow(), deny({"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-1"}})]),
    ("denied to all but an address or a network", STRANGERS, [allow(), deny({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "StringNotEquals": {"aws:SourceVpc": "vpc-1"}})]),
    ("denied to all but a service by its name", NOBODY, [allow(), deny({"StringNotEqualsIfExists": {"aws:PrincipalServiceName": "cloudtrail.amazonaws.com"}})]),
    ("denied to all but services by a list", NOBODY, [allow(), deny({"ForAllValues:StringNotEquals": {"aws:PrincipalServiceNamesList": ["a.amazonaws.com", "b.amazonaws.com"]}})]),
    ("denied where one of a service's names is another", EVERYBODY, [allow(), deny({"ForAnyValue:StringNotEquals": {"aws:PrincipalServiceNamesList": "a.amazonaws.com"}})]),
    ("denied to all that is no service", NOBODY, [allow(), deny({"Null": {"aws:PrincipalServiceName": "true"}})]),
    ("denied to services", EVERYBODY, [allow(), deny({"Null": {"aws:PrincipalServiceName": "false"}})]),
    ("denied to all but a role by its id", UNKNOWN, [allow(), deny({"StringNotLike": {"aws:userid": ["AROAEXAMPLE123456789X:*", OWN]}})]),
    ("denied to all but a role by its ARN", NOBODY, [allow(), deny({"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{OWN}:role/x"}})]),
    ("denied to all but a canonical user", UNKNOWN, [allow(), everybody_but({"CanonicalUser": "79a5"})]),
    ("denied to other accounts by a variable, which the anonymous do not fill", UNKNOWN, [allow(), deny({"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}})]),
    ("another account, and denied to it by a variable", NOBODY, [allow({"AWS": OTHER}), deny({"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}})]),
    ("denied to other accounts by a variable, and to the anonymous", NOBODY, [allow(), deny({"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}), deny({"StringNotEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}})]),
    ("denied by a variable, and another open", EVERYBODY, [allow(), deny({"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}), allow(Resource="arn:aws:s3:::other/*")]),
    ("denied to what comes by no endpoint", EVERYBODY, [allow(), deny({"Null": {"aws:SourceVpce": "true"}})]),
    ("denied to all but an address, directly", EVERYBODY, [allow(), deny({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}, "Bool": {"aws:ViaAWSService": "false"}})]),
    ("denied to all but every address", EVERYBODY, [allow(), deny({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}})]),
    ("denied to the organization", EVERYBODY, [allow(), deny({"StringEquals": {"aws:PrincipalOrgID": "o-example"}})]),
    ("denied to others, and without TLS only", EVERYBODY, [allow(), deny(NOT_US | {"Bool": {"aws:SecureTransport": "false"}})]),
    ("denied where one of many is another", EVERYBODY, [allow(), deny({"ForAnyValue:StringNotLike": {"aws:PrincipalOrgPaths": "o-example/*"}})]),
    ("denied without TLS", EVERYBODY, [allow(), deny({"Bool": {"aws:SecureTransport": "false"}})]),
    ("denied to all but a role of the account", NOBODY, [allow(), everybody_but({"AWS": f"arn:aws:iam::{OWN}:role/x"})]),
    ("denied to all but another account", STRANGERS, [allow(), everybody_but({"AWS": [ROOT, OTHER]})]),
    ("denied to all but everybody", EVERYBODY, [allow(), everybody_but({"AWS": "*"})]),
    ("another account, and denied to it", NOBODY, [allow({"AWS": OTHER}), deny()]),
    ("another account, and all but the account are denied", NOBODY, [allow({"AWS": OTHER}), deny({"StringNotEquals": {"aws:PrincipalAccount": OWN}})]),
]  # fmt: skip


def answer(judge: Any, statements: Any, about: str = OWN) -> bool | None:
    """None where nothing can be said."""
    document = statements if isinstance(statements, str) else {"Version": "2012-10-17", "Statement": statements}  # fmt: skip
    try:
        return bool(judge(document, about))
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("who", "statements"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_who_is_let_in(who: str, statements: Any) -> None:
    public = answer(allows_public, statements)
    cross = answer(allows_cross_account, statements)
    if who == UNKNOWN:
        assert cross is None
        assert not public
    else:
        assert (public, cross) == (who == EVERYBODY, who in (EVERYBODY, STRANGERS))


def test_a_variable_that_the_anonymous_do_not_fill() -> None:
    """It keeps other organizations out; whether the Deny holds for whoever has none, AWS leaves open."""
    only = [allow(), deny({"StringNotEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}})]
    assert answer(allows_public, only) is None
    assert answer(allows_cross_account, only) is True


@pytest.mark.parametrize(("own", "value", "wanted"), [
    ("012345678901", 12345678901, False), ("012345678901", "012345678901", False), ("112345678901", "12345678901", True),
])  # fmt: skip
def test_zeros_in_front_are_no_part_of_a_number(own: str, value: Any, wanted: bool) -> None:
    """And are one of a text: an account's id is a text of twelve digits."""
    as_number = under({"NumericEquals": {"aws:PrincipalAccount": value}})
    assert answer(allows_cross_account, as_number, own) is wanted
    as_text = under({"StringEquals": {"aws:PrincipalAccount": value}})
    assert answer(allows_cross_account, as_text, own) is (str(value) != own)


@pytest.mark.parametrize("condition", [
    {"Bool": {"aws:SecureTransport": "false"}}, {"StringEquals": {"aws:SecureTransport": False}}, {"StringNotEquals": {"aws:SecureTransport": "true"}},
    {"BoolIfExists": {"aws:SecureTransport": ["false"]}}, {"Bool": {"aws:SecureTransport": "false"}, "StringNotEquals": {"aws:username": []}},
])  # fmt: skip
def test_tls_in_other_words(condition: Any) -> None:
    assert answer(requires_tls, [deny(condition)], BUCKET)
    assert not answer(requires_tls, [deny(condition | {"StringEquals": {"aws:username": []}})], BUCKET)  # fmt: skip


def test_tls_is_asked_for_the_bucket_and_its_objects() -> None:
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    assert answer(requires_tls, [deny(plain)], BUCKET)
    assert answer(requires_tls, [deny(plain, Resource=BUCKET), deny(plain, Resource=f"{BUCKET}/*")], BUCKET)  # fmt: skip
    assert not answer(requires_tls, [deny(plain, Resource=BUCKET), deny(plain, Resource="arn:aws:s3:::other/*")], BUCKET)  # fmt: skip
    assert not answer(requires_tls, [everybody_but({"AWS": ROOT}, Condition=plain)], BUCKET)


@pytest.mark.parametrize(("pattern", "text", "whole"), [
    ("*", "", True), ("a*c", "abc", True), ("a*c", "abd", False), ("a?c", "abc", True), ("a?c", "a*c", False), ("a*", "a?*", True),
    ("", "", True), ("", "a", False), ("*a*b", "xaxb", True), ("s3:Get*", "s3:*", False),
])  # fmt: skip
def test_patterns(pattern: str, text: str, whole: bool) -> None:
    assert covers(pattern, text) is whole


def test_a_hostile_document_takes_no_time() -> None:
    stars = "*a" * 2_000
    assert answer(allows_public, [allow(Action="a" * 4_000), deny(Action=stars + "b")])
    many = [f"s3:{n}" for n in range(2_000)]
    assert answer(allows_public, [allow(Action=many), deny(Action=many)]) is None


TCP: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
PORTS: list[tuple[str, bool | None, list[dict[str, Any]]]] = [
    ("everybody", True, [TCP | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ("everybody by IPv6", True, [TCP | {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]),
    ("every address that is used of IPv6", True, [TCP | {"Ipv6Ranges": [{"CidrIpv6": "2000::/3"}]}]),
    ("two halves in one rule", True, [TCP | {"IpRanges": [{"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"}]}]),
    ("two halves in two rules", True, [TCP | {"IpRanges": [{"CidrIp": "0.0.0.0/2"}]}, {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "64.0.0.0/2"}]}]),
    ("every protocol", True, [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ("every port", True, [{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ("every port, said otherwise", True, [{"IpProtocol": "6", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ("ports below", False, [{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 21, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ("ping", False, [{"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ("private", False, [TCP | {"IpRanges": [{"CidrIp": "10.0.0.0/8"}], "Ipv6Ranges": [{"CidrIpv6": "fc00::/7"}]}]),
    ("a group", False, [TCP | {"UserIdGroupPairs": [{"GroupId": "sg-2"}]}]),
    ("a prefix list", None, [TCP | {"PrefixListIds": [{"PrefixListId": "pl-1"}]}]),
    ("a prefix list and everybody", True, [TCP | {"PrefixListIds": [{"PrefixListId": "pl-1"}]}, TCP | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),
    ("a permission that is a text", None, ["x"]),  # type: ignore[list-item]
    ("a permission that is a text, and everybody", True, ["x", TCP | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]),  # type: ignore[list-item]
    ("a port that is a text", None, [TCP | {"FromPort": "22", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]),
    ("ranges that are a text", None, [TCP | {"IpRanges": "0.0.0.0/0"}]),
    ("ranges that are a text, on another port", False, [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": "0.0.0.0/0"}]),
    ("a range that is a number", None, [TCP | {"IpRanges": [{"CidrIp": 5}]}]),
    ("a range that is none", None, [TCP | {"IpRanges": [{"CidrIp": "10.0.0.0/33"}]}]),
    ("a range that is none, and two halves", True, [TCP | {"IpRanges": [{"CidrIp": "here"}, {"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"}]}]),
    ("a sixteenth of the addresses, scattered", True, [TCP | {"IpRanges": [{"CidrIp": f"{n}.0.0.0/8"} for n in range(12, 80, 2)]}]),
    ("a few networks of others", False, [TCP | {"IpRanges": [{"CidrIp": f"{n}.0.0.0/8"} for n in range(12, 22, 2)]}]),
    ("a prefix list on another port", False, [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": "pl-1"}]}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("is_open", "rules"), [row[1:] for row in PORTS], ids=[r[0] for r in PORTS]
)
def test_who_reaches_a_port(is_open: bool | None, rules: list[dict[str, Any]]) -> None:
    token = CURRENT.set(Current({"group": {"IpPermissions": rules}}, OWN, 0))
    try:
        assert answer(lambda *_: _port_open_to_world("group", 22), []) is is_open
    finally:
        CURRENT.reset(token)


def test_one_open_policy_of_several_is_enough() -> None:
    closed, opened = {"Statement": [allow({"AWS": ROOT})]}, {"Statement": [allow()]}
    assert not _any_allows_public({}, OWN)
    assert not _any_allows_public({"a": closed, "b": None}, OWN)
    assert _any_allows_public({"a": closed, "b": opened}, OWN)
