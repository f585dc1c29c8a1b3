"""Which policies of an identity lead to every right or decrypt with every key: a table, hard cases first."""

from typing import Any

import pytest

from pipeline.rulebook.rights import (
    are_admin,
    decrypt_everything,
    decrypts_everything,
    escalate,
    escalates,
)

OWN = "111111111111"
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return allow(action, resource, Effect="Deny", **more)


ESCALATES: list[tuple[str, bool, Any]] = [
    ("new versions of every policy", True, [allow("iam:CreatePolicyVersion")]),
    ("in other letters", True, [allow("IAM:createpolicyversion")]),
    ("all of IAM", True, allow("iam:*")),
    ("a pattern", True, [allow("iam:*LoginProfile")]),
    ("every role to every service", True, [allow("iam:PassRole")]),
    ("every role of the account", True, [allow("iam:PassRole", f"arn:aws:iam::{OWN}:role/*")]),
    ("every role of every account", True, [allow("sts:AssumeRole", "arn:aws:iam::*:role/*")]),
    ("every role in another partition", True, [allow("iam:PassRole", "arn:aws-cn:iam::*:role/*")]),
    ("all of IAM's", True, [allow("iam:PutRolePolicy", ["arn:aws:s3:::x", "arn:aws:iam::*"])]),
    ("everything but S3", True, [allow("", NotAction="s3:*")]),
    ("everything but a bucket", True, [{"Effect": "Allow", "Action": "iam:*", "NotResource": "arn:aws:s3:::x"}]),
    ("all but IAM still takes roles", True, [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]),
    ("denied for one user", True, [allow("iam:CreateAccessKey"), deny("iam:*", f"arn:aws:iam::{OWN}:user/root-like")]),
    ("denied without a second factor", True, [allow("iam:CreateAccessKey"), deny("*", Condition=MFA)]),
    ("everything is another rule's", False, [allow("*")]),
    ("one's own keys", False, [allow("iam:CreateAccessKey", "arn:aws:iam::*:user/${aws:username}")]),
    ("one role", False, [allow("iam:PassRole", f"arn:aws:iam::{OWN}:role/app")]),
    ("roles of one name", False, [allow("iam:PassRole", f"arn:aws:iam::{OWN}:role/app-*")]),
    ("every role of another account", False, [allow("sts:AssumeRole", "arn:aws:iam::222222222222:role/*")]),
    ("to one service", False, [allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})]),
    ("only reading", False, [allow(["iam:Get*", "iam:List*"])]),
    ("denied", False, [allow(["iam:CreateAccessKey", "s3:*"]), deny("iam:Create*")]),
    ("denied on all users", False, [allow("iam:CreateAccessKey"), deny("iam:*", "arn:aws:iam::*:user/*")]),
    ("denied on all but a bucket", False, [allow("iam:CreateAccessKey"), {"Effect": "Deny", "Action": "iam:*", "NotResource": "arn:aws:s3:::x"}]),
    ("all but IAM and STS", False, [{"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}]),
    ("all resources but roles", False, [{"Effect": "Allow", "Action": "iam:PassRole", "NotResource": "arn:aws:iam::*:role/x"}]),
    ("nothing", False, []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wanted", "statements"), ESCALATES)
def test_what_leads_to_every_right(name: str, wanted: bool, statements: Any) -> None:
    assert escalates({"Statement": statements}, OWN) is wanted, name


KEYS: list[tuple[str, bool, Any]] = [
    ("every key", True, [allow("kms:Decrypt")]),
    ("everything", True, [allow("*")]),
    ("again under another key", True, [allow("kms:ReEncrypt*")]),
    ("every key by a pattern", True, [allow("kms:*", "arn:aws:kms:*:*:key/*")]),
    ("every key of a region", True, [allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{OWN}:key/*")]),
    ("denied in another region", True, [allow("kms:Decrypt"), deny("kms:*", f"arn:aws:kms:eu-west-1:{OWN}:key/*")]),
    ("one key", False, [allow("kms:Decrypt", f"arn:aws:kms:eu-west-1:{OWN}:key/1234")]),
    ("another account's keys", False, [allow("kms:Decrypt", "arn:aws:kms:*:222222222222:key/*")]),
    ("by a service", False, [allow("kms:Decrypt", Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})]),
    ("to encrypt", False, [allow(["kms:Encrypt", "kms:ReEncryptTo", "kms:GenerateDataKey"])]),
    ("denied", False, [allow("kms:*"), deny(["kms:Decrypt", "kms:ReEncrypt*"])]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wanted", "statements"), KEYS)
def test_what_decrypts_with_every_key(name: str, wanted: bool, statements: Any) -> None:
    assert decrypts_everything({"Statement": statements}, OWN) is wanted, name


def test_policies_of_one_identity_are_one() -> None:
    keys, admin = {"Statement": allow("kms:Decrypt")}, {"Statement": allow("*")}
    passing = {"Statement": [allow("iam:PassRole")]}
    assert escalate({"Statement": passing, "x": keys}, OWN)
    assert not escalate({"a": passing, "b": {"Statement": deny("iam:PassRole")}}, OWN)
    assert decrypt_everything({"a": passing, "b": keys}, OWN)
    assert not decrypt_everything({"a": passing}, OWN)
    assert are_admin({"a": keys, "b": admin}, OWN)
    assert not are_admin({}, OWN)
    assert not escalate({}, OWN)


@pytest.mark.parametrize("documents", [["x"], {"a": {}}, {"a": {"Statement": [{"Effect": "May"}]}}])
def test_what_is_no_policy_has_no_verdict(documents: Any) -> None:
    for judge in (are_admin, escalate, decrypt_everything):
        with pytest.raises(ValueError, match="not"):
            judge(documents, OWN)
