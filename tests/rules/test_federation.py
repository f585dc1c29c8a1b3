"""Whose tokens a trust policy takes: a table, hard cases first."""

from typing import Any

import pytest

from driftline.pipeline.rulebook.aws.federation import trusts_any_tenant, trusts_whole_provider
from driftline.pipeline.rulebook.unjudged import CannotEvaluate

OWN = "111111111111"
GITHUB = "token.actions.githubusercontent.com"
EKS = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
AUD = {f"{GITHUB}:aud": "sts.amazonaws.com"}
ANYBODY, ALL, NOBODY = (True, False), (False, True), (False, False)


def allow(provider: str, condition: Any = None, **more: Any) -> dict[str, Any]:
    whom = f"arn:aws:iam::{OWN}:oidc-provider/{provider}" if "cognito" not in provider and provider != "www.amazon.com" else provider  # fmt: skip
    return {"Effect": "Allow", "Principal": {"Federated": whom}, "Action": "sts:AssumeRoleWithWebIdentity"} | (
        {"Condition": condition} if condition else {}) | more  # fmt: skip


def sub(value: Any, operator: str = "StringLike", claim: str = "sub") -> dict[str, Any]:
    return allow(GITHUB, {"StringEquals": AUD, operator: {f"{GITHUB}:{claim}": value}} if operator != "StringEquals"
                 else {operator: AUD | {f"{GITHUB}:{claim}": value}})  # fmt: skip


def but(condition: Any, **more: Any) -> list[dict[str, Any]]:
    return [allow(GITHUB), allow(GITHUB, condition, Effect="Deny", **more)]


TABLE: list[tuple[str, tuple[bool, bool], Any]] = [
    ("no condition", ANYBODY, allow(GITHUB)),
    ("only the audience", ANYBODY, [allow(GITHUB, {"StringEquals": AUD})]),
    ("any subject", ANYBODY, [sub("*")]),
    ("any repository", ANYBODY, [sub("repo:*")]),
    ("any repository of any owner", ANYBODY, [sub("repo:*/*:ref:refs/heads/main")]),
    ("owners that begin so", ANYBODY, [sub("repo:acme*")]),
    ("one repository or any", ANYBODY, [sub(["repo:acme/app:*", "repo:*"])]),
    ("all but one", ANYBODY, [sub("repo:acme/app:*", "StringNotLike")]),
    ("if it is there", ANYBODY, [sub("repo:acme/app:*", "StringLikeIfExists")]),
    ("for all values", ANYBODY, [sub("repo:acme/app:*", "ForAllValues:StringLike")]),
    ("a branch anybody may have", ANYBODY, [sub("refs/heads/main", "StringEquals", "ref")]),
    ("another provider's subject", ANYBODY, [allow(GITHUB, {"StringEquals": {"gitlab.com:sub": "x"}})]),
    ("repositories of any owner", ANYBODY, [sub("*/app", claim="repository")]),
    ("every action", ANYBODY, [allow(GITHUB, Action="sts:*")]),
    ("every action but one", ANYBODY, [{k: v for k, v in allow(GITHUB).items() if k != "Action"} | {"NotAction": "sts:TagSession"}]),
    ("every action but this", NOBODY, [{k: v for k, v in allow(GITHUB).items() if k != "Action"} | {"NotAction": "sts:AssumeRole*"}]),
    ("among others", ANYBODY, [allow(EKS, {"StringEquals": {f"{EKS}:sub": "x"}}), allow("gitlab.com")]),
    ("a pool of anybody's", ANYBODY, [allow("cognito-identity.amazonaws.com", {"ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"}})]),
    ("the session's name", ANYBODY, [allow(GITHUB, {"StringEquals": {"sts:RoleSessionName": "x"}})]),
    ("denied elsewhere", ANYBODY, but({"StringNotLike": {f"{GITHUB}:sub": "repo:*"}})),
    ("another action is denied", ANYBODY, but(None, Action="sts:TagSession")),
    ("one owner", NOBODY, [sub("repo:acme/*")]),
    ("one owner by its id", NOBODY, [sub("repository_owner_id:1234:*")]),
    ("one branch", NOBODY, [sub("repo:acme/app:ref:refs/heads/main", "StringEquals")]),
    ("a star that is a letter", NOBODY, [sub("repo:*", "StringEquals")]),
    ("in other letters", NOBODY, [allow(GITHUB, {"stringequals": {f"{GITHUB.upper()}:SUB": "repo:acme/app:x"}})]),
    ("one repository's id", NOBODY, [sub("1234", "StringEquals", "repository_id")]),
    ("one owner's repositories", NOBODY, [sub("acme/*", claim="repository")]),
    ("if it is there, and it must be", NOBODY, [allow(GITHUB, {"Null": {f"{GITHUB}:sub": "false"}, "StringLikeIfExists": {f"{GITHUB}:sub": "repo:acme/*"}})]),
    ("one network", NOBODY, [allow(GITHUB, {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})]),
    ("a project", NOBODY, [allow("gitlab.com", {"StringLike": {"gitlab.com:sub": "project_path:acme/*"}})]),
    ("a pool", NOBODY, [allow("cognito-identity.amazonaws.com", {"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:1"}})]),
    ("an application", NOBODY, [allow("www.amazon.com", {"StringEquals": {"www.amazon.com:app_id": "x"}})]),
    ("another action", NOBODY, [allow(GITHUB, Action="sts:TagSession")]),
    ("a service", NOBODY, [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"}]),
    ("a SAML provider", NOBODY, [{"Effect": "Allow", "Principal": {"Federated": f"arn:aws:iam::{OWN}:saml-provider/x"}, "Action": "sts:*"}]),
    ("everybody is another rule's", NOBODY, [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]),
    ("denied to all but an owner", NOBODY, but({"StringNotLike": {f"{GITHUB}:sub": "repo:acme/*"}})),
    ("denied to all others, absent too", NOBODY, but({"StringNotEqualsIfExists": {f"{GITHUB}:repository_id": "1234"}}, Principal="*")),
    ("denied", NOBODY, but(None)),
    ("a cluster's every pod", ALL, [allow(EKS)]),
    ("every pod by its audience", ALL, [allow(EKS, {"StringEquals": {f"{EKS}:aud": "sts.amazonaws.com"}})]),
    ("every pod by a pattern", ALL, [allow(EKS, {"StringLike": {f"{EKS}:sub": "system:serviceaccount:*:*"}})]),
    ("an enterprise's own issuer", ALL, [allow(f"{GITHUB}/acme")]),
    ("one pod", NOBODY, [allow(EKS, {"StringEquals": {f"{EKS}:sub": "system:serviceaccount:app:app"}})]),
    ("pods of a namespace", NOBODY, [allow(EKS, {"StringLike": {f"{EKS}:sub": "system:serviceaccount:app:*"}})]),
    ("pods of a name", NOBODY, [allow(EKS, {"StringLike": {f"{EKS}:sub": "system:serviceaccount:*:app"}})]),
    ("one application of a company's own", NOBODY, [allow("login.example.com", {"StringEquals": {"login.example.com:aud": "x"}})]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wanted", "statements"), TABLE)
def test_whose_tokens_are_enough(name: str, wanted: tuple[bool, bool], statements: Any) -> None:
    document = {"Statement": statements}
    assert (trusts_any_tenant(document, OWN), trusts_whole_provider(document, OWN)) == wanted, name


def test_a_variable_has_no_verdict() -> None:
    with pytest.raises(ValueError, match="variable"):
        trusts_any_tenant({"Statement": [sub("repo:${aws:x}/app")]}, OWN)


@pytest.mark.parametrize("back", [False, True])
def test_an_allow_that_cannot_be_judged_hides_no_other(back: bool) -> None:
    odd = allow(GITHUB) | {"Condition": {"StringEquals": None}}
    some = [allow(GITHUB), odd] if back else [odd, allow(GITHUB)]
    assert trusts_any_tenant({"Statement": some}, "") is True
    assert trusts_whole_provider({"Statement": some}, "") is False
    with pytest.raises(ValueError, match="condition"):
        trusts_any_tenant({"Statement": [odd]}, "")


@pytest.mark.parametrize(("enough", "statements"), [
    (False, [sub([])]),
    (True, [allow(GITHUB) | {"Condition": {"StringNotEquals": {f"{GITHUB}:sub": []}}}]),
    (True, [allow(GITHUB) | {"Condition": {"StringEqualsIfExists": {f"{GITHUB}:sub": []}}}]),
    (False, [allow(GITHUB), allow(GITHUB) | {"Effect": "Deny", "Condition": {"StringNotEquals": {f"{GITHUB}:sub": []}}}]),
    (True, [allow(GITHUB), allow(GITHUB) | {"Effect": "Deny", "Condition": {"StringEquals": {f"{GITHUB}:sub": []}}}]),
    (False, [allow(GITHUB) | {"Action": []}]),
])  # fmt: skip
def test_values_that_are_none(enough: bool, statements: Any) -> None:
    assert trusts_any_tenant({"Statement": statements}, OWN) is enough


@pytest.mark.parametrize("broken", [{"Action": None}, {"Action": {"a": 1}}, {"Principal": None}, {"Principal": {"Federated": [None]}}, {"Principal": "x"}])  # fmt: skip
def test_what_is_no_statement_hides_no_other(broken: dict[str, Any]) -> None:
    odd = allow(GITHUB) | broken
    with pytest.raises(CannotEvaluate):
        trusts_any_tenant({"Statement": [odd]}, OWN)
    assert trusts_any_tenant({"Statement": [odd, allow(GITHUB)]}, OWN)
    wall = allow(GITHUB) | {"Effect": "Deny"}
    assert not trusts_any_tenant({"Statement": [allow(GITHUB), odd | {"Effect": "Deny"}, wall]}, OWN)  # fmt: skip
