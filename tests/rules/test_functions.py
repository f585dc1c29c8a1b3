"""What a file system's policy lets in: coming through a mount target is not being anybody."""

from typing import Any

import pytest

from driftline.pipeline.rulebook.aws.functions import FUNCTIONS
from driftline.pipeline.rulebook.cel.functions import CURRENT, Current

OWN = "111111111111"
KEY = "elasticfilesystem:AccessedViaMountTarget"


def allow(condition: Any = None, principal: Any = "*") -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "elasticfilesystem:ClientMount"}  # fmt: skip
    return statement | ({"Condition": condition} if condition else {})


def deny(condition: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "*", "Condition": condition}


MOUNTED = {"Bool": {KEY: "true"}}
TABLE: list[tuple[str, bool, Any]] = [
    ("everybody", True, [allow()]),
    ("through a mount target", False, [allow(MOUNTED)]),
    ("one statement that is no list", False, allow(MOUNTED)),
    ("a truth and no text", False, [allow({"Bool": {KEY: True}})]),
    ("in other letters", False, [allow({"bool": {KEY.lower(): ["True"]}})]),
    ("as a text", False, [allow({"StringEquals": {KEY: "true"}})]),
    ("and over TLS", False, [allow({"Bool": {KEY: "true", "aws:SecureTransport": "true"}})]),
    ("not through one", True, [allow({"Bool": {KEY: "false"}})]),
    ("through one or not", True, [allow({"Bool": {KEY: ["true", "false"]}})]),
    ("through one if that is known", True, [allow({"BoolIfExists": {KEY: "true"}})]),
    ("anything but through one", True, [allow({"StringNotEquals": {KEY: "true"}})]),
    ("beside everybody", True, [allow(MOUNTED), allow()]),
    ("beside one role", False, [allow(MOUNTED), allow(None, {"AWS": f"arn:aws:iam::{OWN}:root"})]),
    ("whoever does not is denied", False, [allow(), deny({"Bool": {KEY: "false"}})]),
    ("whoever does is denied", True, [allow(), deny({"Bool": {KEY: "true"}})]),
    ("whoever does not is denied one thing", True, [allow(), deny({"Bool": {KEY: "false"}}) | {"Action": "elasticfilesystem:ClientWrite"}]),
    ("one who does not is denied", True, [allow(), deny({"Bool": {KEY: "false"}}) | {"Principal": {"AWS": OWN}}]),
    ("whoever does not and uses no TLS is denied", True, [allow(), deny({"Bool": {KEY: "false", "aws:SecureTransport": "false"}})]),
    ("strangers are denied", False, [allow(), deny({"StringNotEquals": {"aws:PrincipalAccount": OWN}})]),
    ("nobody", False, []),
]  # fmt: skip


def judged(document: Any) -> bool:
    token = CURRENT.set(Current({"policy": document}, OWN, 0))
    try:
        return bool(FUNCTIONS["file_policy_allows_public"].call("policy"))
    finally:
        CURRENT.reset(token)


@pytest.mark.parametrize(("public", "statements"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])  # fmt: skip
def test_who_is_let_at_the_files(public: bool, statements: Any) -> None:
    assert judged({"Version": "2012-10-17", "Statement": statements}) is public


def test_without_a_policy_nobody_is_let_in_by_it() -> None:
    assert judged(None) is False


@pytest.mark.parametrize("document", [[], "text", {}, {"Statement": ["text"]}, {"Statement": [{"Effect": "Maybe"}]}])  # fmt: skip
def test_what_is_no_policy_gives_no_verdict(document: Any) -> None:
    with pytest.raises(ValueError, match="not a policy"):
        judged(document)
