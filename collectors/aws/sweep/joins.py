"""Parts that are made of several answers: an account's policies are asked for once, and every identity gets its own."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Policies(NamedTuple):
    """An answer of GetAccountAuthorizationDetails, by names."""

    documents: dict[str, Any]
    """Documents of the customer's policies, as they hold now, by ARN."""
    groups: dict[str, dict[str, Any]]
    """Policies of groups, by the group's name: arn, inline_policies, attached_policies, attached_documents."""


def policies(answer: Mapping[str, Any]) -> Policies:
    documents = {
        policy["Arn"]: version.get("Document")
        for policy in answer.get("Policies") or ()
        for version in policy.get("PolicyVersionList") or ()
        if version.get("IsDefaultVersion")
    }
    groups = {one["GroupName"]: _group(one, documents) for one in answer.get("GroupDetailList") or ()}  # fmt: skip
    return Policies(documents, groups)


def _group(one: Mapping[str, Any], documents: Mapping[str, Any]) -> dict[str, Any]:
    attached = one.get("AttachedManagedPolicies") or []
    inline = one.get("GroupPolicyList") or ()
    return {
        "arn": one["Arn"],
        "inline_policies": {policy["PolicyName"]: policy["PolicyDocument"] for policy in inline},
        "attached_policies": attached,
        "attached_documents": _of(attached, documents),
    }


def _of(attached: list[Any], documents: Mapping[str, Any]) -> dict[str, Any]:
    arns = [policy.get("PolicyArn") for policy in attached]
    return {arn: documents[arn] for arn in arns if arn in documents}


def attached_documents(known: Policies, config: Mapping[str, Any]) -> dict[str, Any]:
    """The documents of the customer's policies that an identity has, or is bounded by."""
    bound = (config.get("boundary") or {}).get("PermissionsBoundaryArn")
    attached = config.get("attached_policies") or []
    return _of([*attached, {"PolicyArn": bound}], known.documents)


def group_policies(known: Policies, config: Mapping[str, Any]) -> dict[str, Any]:
    """The policies of the groups that a user is in."""
    names = [group["GroupName"] for group in config.get("groups") or ()]
    return {name: known.groups.get(name) for name in names}


JOINS: dict[str, Callable[[Policies, Mapping[str, Any]], Any]] = {
    "attached_documents": attached_documents,
    "group_policies": group_policies,
}
