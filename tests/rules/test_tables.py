"""Every row of the tables in Python is needed: without it some example has another verdict."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from driftline.pipeline.rulebook.aws import federation, grants, policy_condition
from driftline.pipeline.rulebook.aws.identity import ask, judges, keys
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import Subject
from driftline.pipeline.rulebook.aws.resource_policy import allows_cross_account, allows_public

OWN = "111111111111"
BUCKET = "arn:aws:s3:::example"
Example = tuple[str, Callable[[], bool], bool]
"""What it is, the question, and its answer."""


def open_to_all(**more: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"} | more}  # fmt: skip


def public(name: str, wanted: bool, operator: str, key: str, value: Any) -> Example:
    policy = open_to_all(Condition={operator: {key: value}})
    return name, lambda: allows_public(policy, OWN), wanted


def shared(name: str, wanted: bool, operator: str, key: str, value: Any) -> Example:
    policy = open_to_all(Condition={operator: {key: value}})
    return name, lambda: allows_cross_account(policy, OWN), wanted


NARROW = {
    "aws:sourceaccount": OWN, "aws:sourceowner": OWN, "aws:principalaccount": OWN, "aws:vpceaccount": OWN, "kms:calleraccount": OWN,
    "s3:dataaccesspointaccount": OWN, "aws:sourcearn": BUCKET, "aws:principalarn": f"arn:aws:iam::{OWN}:role/a",
    "s3:dataaccesspointarn": f"arn:aws:s3:eu-west-1:{OWN}:accesspoint/a", "aws:sourcevpcarn": f"arn:aws:ec2:eu-west-1:{OWN}:vpc/vpc-1",
    "aws:principalservicename": "sns.amazonaws.com", "aws:principalservicenameslist": "sns.amazonaws.com",
    "aws:principalorgpaths": "o-1/r-1/", "aws:sourceorgpaths": "o-1/r-1/", "aws:vpceorgpaths": "o-1/r-1/", "aws:principalorgid": "o-1",
    "aws:sourceorgid": "o-1", "aws:vpceorgid": "o-1", "aws:sourcevpc": "vpc-1", "aws:sourcevpce": "vpce-1", "aws:userid": "AIDA1",
    "lambda:eventsourcetoken": "t",
}  # fmt: skip
"""Keys of conditions that hold a statement to something fixed, and such a value."""


def of_conditions() -> Iterator[Example]:
    for key, value in NARROW.items():
        yield public(key, False, "StringEquals", key, value)
    yield public("addresses", False, "IpAddress", "aws:sourceip", "192.0.2.0/24")
    yield public("one address as a text", False, "StringEquals", "aws:sourceip", "192.0.2.1")
    yield public("an account as a number", False, "NumericEquals", "aws:principalaccount", int(OWN))
    for key in ("aws:sourceaccount", "aws:sourceowner", "aws:principalaccount", "aws:vpceaccount", "kms:calleraccount", "s3:dataaccesspointaccount"):  # fmt: skip
        yield shared(f"only the own account by {key}", False, "StringEquals", key, OWN)
    for key, service in (("aws:sourcearn", "sns"), ("aws:principalarn", "iam"), ("s3:dataaccesspointarn", "s3"), ("aws:sourcevpcarn", "ec2")):  # fmt: skip
        yield public(
            f"a pattern of one account's by {key}",
            False,
            "ArnLike",
            key,
            f"arn:aws:{service}:*:{OWN}:*",
        )
    for key in ("aws:principalservicename", "aws:principalservicenameslist"):
        yield public(f"a pattern of services by {key}", False, "StringLike", key, "*.amazonaws.com")
        yield shared(f"only a service by {key}", False, "StringEquals", key, "sns.amazonaws.com")
    for key in ("aws:principalorgpaths", "aws:sourceorgpaths", "aws:vpceorgpaths"):
        yield public(f"a part of an organization by {key}", False, "StringLike", key, "o-1/r-1/*")
    for key in ("aws:principalisawsservice", "elasticfilesystem:accessedviamounttarget"):
        yield public(key, False, "Bool", key, "true")
    for operator in (
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "ArnEquals",
        "ArnLike",
    ):
        yield public(operator, False, operator, "aws:sourcearn", BUCKET)
    for operator in ("StringLike", "ArnEquals", "ArnLike"):
        yield public(
            f"any by {operator}", True, operator, "aws:principalarn", "arn:aws:iam::*:role/*"
        )
    yield public(
        "whose account",
        False,
        "StringEquals",
        "aws:resourceaccount",
        ["${aws:PrincipalAccount}", "${aws:SourceAccount}"],
    )
    yield public(
        "whose organization",
        False,
        "StringEquals",
        "aws:resourceorgid",
        ["${aws:PrincipalOrgID}", "${aws:SourceOrgID}"],
    )


def trusting(name: str, judge: Any, wanted: bool, provider: str, claims: dict[str, str]) -> Example:
    shown = (
        provider
        if provider.count(".") and "/" not in provider and provider in FEDERATED
        else f"arn:aws:iam::{OWN}:oidc-provider/{provider}"
    )
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": shown},
        "Action": "sts:AssumeRoleWithWebIdentity",
    }
    if claims:
        statement["Condition"] = {
            "StringEquals": {f"{provider}:{claim}": value for claim, value in claims.items()}
        }
    return name, lambda: judge({"Statement": statement}, OWN), wanted


FEDERATED = (
    "cognito-identity.amazonaws.com",
    "accounts.google.com",
    "graph.facebook.com",
    "www.amazon.com",
)
PROVIDERS = [
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "app.terraform.io",
    "agent.buildkite.com",
    "oidc.vercel.com",
    "api.pulumi.com/oidc",
    "oidc.codefresh.io",
    "cognito-identity.amazonaws.com",
    "accounts.google.com",
    "graph.facebook.com",
    "www.amazon.com",
]
CLAIMS = ["aud", "oaud", "amr", "ref", "ref_type", "environment", "workflow", "runner_environment"]


def of_providers() -> Iterator[Example]:
    for provider in PROVIDERS:
        yield trusting(provider, federation.trusts_any_tenant, True, provider, {})
    for provider in (
        "api.pulumi.com/oidc",
        "oidc.vercel.com",
        "cognito-identity.amazonaws.com",
        "accounts.google.com",
    ):
        yield trusting(
            f"{provider} by audience",
            federation.trusts_any_tenant,
            False,
            provider,
            {"aud": "mine"},
        )
    for claim in CLAIMS:
        yield trusting(
            f"by {claim}",
            federation.trusts_any_tenant,
            True,
            "token.actions.githubusercontent.com",
            {claim: "x"},
        )


def acting(name: str, wanted: bool, key: str, value: str) -> Example:
    policy = open_to_all(
        Principal={"Service": "s3.amazonaws.com"}, Condition={"StringEquals": {key: value}}
    )
    return name, lambda: grants.allows_service_for_anybody(policy, OWN, "s3.amazonaws.com"), wanted


def of_sources() -> Iterator[Example]:
    for key, value in (
        ("aws:SourceAccount", OWN),
        ("aws:SourceArn", BUCKET),
        ("aws:SourceOrgID", "o-1"),
        ("aws:SourceOrgPaths", "o-1/r-1/"),
    ):
        yield acting(key, False, key, value)


PICKED = [
    "aws:vpcsourceip",
    "aws:useragent",
    "aws:referer",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
    "sts:transitivetagkeys",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "ec2:instancetype",
    "ec2:tenancy",
    "ec2:ebsoptimized",
    "ec2:instancemarkettype",
    "ec2:metadatahttptokens",
    "ec2:metadatahttpendpoint",
    "ec2:region",
    "ec2:availabilityzone",
    "ec2:encrypted",
    "ec2:volumetype",
    "ec2:volumesize",
    "ec2:createaction",
    "lambda:functionurlauthtype",
    "lambda:principal",
    "cloudformation:templateurl",
    "cloudformation:resourcetypes",
    "cloudformation:changesetname",
    "codebuild:source",
    "glue:roleassumedby",
    "sagemaker:instancetypes",
    "sagemaker:rootaccess",
    "sagemaker:directinternetaccess",
    "ecs:enable-execute-command",
    "ecs:task-cpu",
    "ecs:task-memory",
    "ecs:compute-compatibility",
    "ssm:sessiondocumentaccesscheck",
    "ec2:imageid",
    "ec2:imagetype",
    "ec2:vpc",
    "ec2:subnet",
    "ec2:launchtemplate",
    "ec2:islaunchtemplateresource",
    "ec2:keypairname",
    "ec2:keypairtype",
    "ec2:placementgroup",
    "ec2:associatepublicipaddress",
    "ec2:metadatahttpputresponsehoplimit",
    "ec2:rootdevicetype",
    "ec2:owner",
    "ec2:public",
    "autoscaling:imageid",
    "autoscaling:instancetype",
    "autoscaling:instancetypes",
    "autoscaling:maxsize",
    "autoscaling:minsize",
    "autoscaling:launchconfigurationname",
    "autoscaling:launchtemplateversionspecified",
    "autoscaling:vpczoneidentifiers",
    "batch:image",
    "batch:user",
    "batch:privileged",
    "batch:logdriver",
    "cloudformation:targetregion",
    "cloudformation:createaction",
    "cloudformation:stackpolicyurl",
    "ecs:cluster",
    "ecs:service",
    "ecs:capacity-provider",
    "ecs:container-instances",
    "glue:vpcids",
    "glue:subnetids",
    "glue:securitygroupids",
    "lambda:layer",
    "lambda:vpcids",
    "lambda:subnetids",
    "lambda:securitygroupids",
    "lambda:functionarn",
    "sagemaker:vpcsubnets",
    "sagemaker:vpcsecuritygroupids",
    "sagemaker:volumekmskey",
    "sagemaker:outputkmskey",
    "sagemaker:networkisolation",
]
"""Keys whose values who asks can pick."""
MISSING = [
    "aws:multifactorauthage",
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "kms:viaservice",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceowner",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourcevpcarn",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
]
"""Keys that no request with stolen credentials has, or only with a value from elsewhere."""
FIXED = {
    "aws:securetransport": "true", "aws:principalisawsservice": "false", "aws:viaawsservice": "false", "aws:multifactorauthpresent": "false",
}  # fmt: skip


def escalating(name: str, wanted: bool, *statements: dict[str, Any]) -> Example:
    found = Subject(documents={"": {"Statement": list(statements)}})
    holder = Holder(OWN)
    asked = (judges.escalates, judges.runs_code)
    return name, lambda: any(judge(found, holder) is not None for judge in asked), wanted


def of_keys() -> Iterator[Example]:
    allow = {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"}
    deny = allow | {"Effect": "Deny"}
    passing = allow | {"Action": "iam:PassRole"}
    for key in PICKED:
        service = key.partition(":")[0]
        own = allow | ({"Action": f"{service}:*"} if service != "aws" else {})
        held = {"Condition": {"StringEquals": {key: "x"}}}
        yield escalating(key, True, passing, own | held)
        if service != "aws":
            yield escalating(f"{key} elsewhere", False, passing, allow | held)
    for key in MISSING:
        elsewhere = key.startswith(("aws:sourcevpc", "aws:vpce"))
        if elsewhere:
            yield escalating(key, True, allow | {"Condition": {"Null": {key: "false"}}})
        else:
            yield escalating(key, False, allow, deny | {"Condition": {"Null": {key: "true"}}})
    for key, value in FIXED.items():
        yield escalating(key, True, allow | {"Condition": {"Bool": {key: value}}})
    for operator in (
        "StringEquals",
        "StringEqualsIgnoreCase",
        "BinaryEquals",
        "StringLike",
        "ArnEquals",
        "ArnLike",
        "Bool",
    ):
        yield escalating(operator, True, allow | {"Condition": {operator: {"aws:UserAgent": "x"}}})
    for action, place in (
        ("ecs:RunTask", "ecs"),
        ("ec2:RequestSpotFleet", "ec2"),
        ("airflow:CreateEnvironment", "airflow"),
    ):
        passed: dict[str, Any] = {
            "ArnLike": {"iam:AssociatedResourceARN": f"arn:aws:{place}:*:*:instance/*"}
        }
        service = {"ecs": "ecs-tasks", "ec2": "spotfleet", "airflow": "airflow-env"}[place]
        passed["StringEquals"] = {"iam:PassedToService": f"{service}.amazonaws.com"}
        yield escalating(action, True, passing | {"Condition": passed}, allow | {"Action": action})


TABLES: list[tuple[Any, str, Callable[[], Iterator[Example]]]] = [
    *((policy_condition, name, of_conditions) for name in ("ACCOUNTS", "ARNS", "NETWORKS", "SERVICES", "PATHS", "NARROWING", "SWITCHES", "POSITIVE", "WILD", "MIRRORED")),
    *((federation, name, of_providers) for name in ("SHARED", "BY_AUDIENCE", "ANYBODYS")),
    (grants, "SOURCES", of_sources),
    (keys, "KEYS", of_keys),
    (ask, "RESOURCES_OF", of_keys),
]  # fmt: skip


@pytest.mark.parametrize("examples", [of_conditions, of_providers, of_sources, of_keys])
def test_examples(examples: Callable[[], Iterator[Example]]) -> None:
    assert [name for name, asked, wanted in examples() if asked() is not wanted] == []


@pytest.mark.parametrize(("module", "name", "examples"), TABLES, ids=[row[1] for row in TABLES])
def test_every_row_is_needed(
    module: Any,
    name: str,
    examples: Callable[[], Iterator[Example]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, unnoticed = getattr(module, name), []
    left = deque(examples())
    for row in table:
        without = (
            {k: v for k, v in table.items() if k != row}
            if isinstance(table, dict)
            else table - {row}
        )
        monkeypatch.setattr(module, name, without)
        for _ in range(
            len(left)
        ):  # examples are in about the order of the rows: on from the last that noticed one
            _, asked, wanted = left[0]
            if _differs(asked, wanted):
                break
            left.rotate(-1)
        else:
            unnoticed.append(row)
    assert unnoticed == []


def _differs(asked: Callable[[], bool], wanted: bool) -> bool:
    try:
        return asked() is not wanted
    except ValueError:
        return True
