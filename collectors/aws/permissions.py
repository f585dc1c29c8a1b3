"""What AWS must allow, made from the rows: nothing more, and nothing that a row does not call. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from driftline.collectors.aws.row import Kind, kinds

PREFIXES = {
    "s3control": "s3",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
}
"""Services whose IAM actions begin with another name."""
SETTING_OUT = ("ec2:DescribeRegions",)
WALK = (
    "organizations:DescribeOrganization", "organizations:ListAccounts", "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent", "organizations:ListRoots",
)  # fmt: skip
Document = dict[str, Any]


def actions_of(kind: Kind) -> list[str]:
    """The IAM actions that one row's calls need."""
    return sorted({_named(*call) for call in kind.calls()})


def actions_by_part(kind: Kind) -> dict[str, list[str]]:
    """Part to the IAM actions of the calls that read it; `*` is the whole resource."""
    out: dict[str, list[str]] = {}
    for part, calls in kind.calls_by_part().items():
        out[part] = sorted({_named(*call) for call in calls})
    return out


def listing_action(kind: Kind) -> str:
    """The IAM action of the row's list call."""
    return _named(*next(kind.calls()))


def _named(service: str, operation: str, action: str | None) -> str:
    return action or f"{PREFIXES.get(service, service)}:{operation}"


def reader_policy(rows: Iterable[Kind] | None = None) -> Document:
    """For the role in every account, and for a caller who reads its own."""
    return _policy(_reading(rows))


def _reading(rows: Iterable[Kind] | None) -> Document:
    chosen = kinds().values() if rows is None else rows
    actions = sorted({action for kind in chosen for action in actions_of(kind)} | set(SETTING_OUT))
    return {"Sid": "DriftlineRead", "Effect": "Allow", "Action": actions, "Resource": "*"}


def caller_policy(
    role: str, partition: str = "aws", rows: Iterable[Kind] | None = None
) -> Document:
    """For the caller who walks the organization: lists its accounts, takes the role in each, and reads its own
    account, where no role is taken."""
    return _policy(
        _reading(rows),
        {"Sid": "DriftlineWalk", "Effect": "Allow", "Action": list(WALK), "Resource": "*"},
        {
            "Sid": "DriftlineEnter", "Effect": "Allow", "Action": "sts:AssumeRole",
            "Resource": f"arn:{partition}:iam::*:role/{role}",
        },
    )  # fmt: skip


def trust_policy(account: str, external_id: str | None = None, partition: str = "aws") -> Document:
    """Who may take the role: an account, with the external id where one is agreed."""
    statement: Document = {
        "Sid": "DriftlineTrust", "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
    }  # fmt: skip
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy(statement)


def _policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


MOST = 6_144
"""The most characters of a managed policy, white space not counted."""


def size(policy: Document) -> int:
    """A policy's characters as IAM counts them."""
    return len("".join(json.dumps(policy, separators=(",", ":")).split()))


def split(policy: Document, most: int = MOST) -> list[Document]:
    """The policy as several that IAM takes, where one would be too long: the actions of a statement are shared out."""
    whole = _policy(*policy["Statement"])
    if size(whole) <= most:
        return [whole]
    statement = max(policy["Statement"], key=lambda one: len(one["Action"]))
    others = [one for one in policy["Statement"] if one is not statement]
    half = len(statement["Action"]) // 2
    first, second = statement["Action"][:half], statement["Action"][half:]
    return [
        *split(_policy(*others, statement | {"Action": first}), most),
        *split(_policy(statement | {"Action": second}), most),
    ]
