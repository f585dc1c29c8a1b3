"""Policies of file systems: what comes through a mount target has been let in by the network."""

from typing import Any

from driftline.pipeline.rulebook.aws import resource_policy
from driftline.pipeline.rulebook.aws.policy_condition import conditions


def allows_public(document: Any, account: str) -> bool:
    """Whether a file system's policy lets anybody in. What it allows to whoever comes through a mount target is not for
    everybody: the network has let them in, and AWS does not call it public."""
    denies = list(resource_policy.statements(document, "Deny"))
    allowed = [s for s in resource_policy.statements(document) if _for_others(s)]
    if any(_whole(deny) and _through_mount_target(deny, "false") for deny in denies):
        return False
    return resource_policy.allows_public({"Statement": [*allowed, *denies]}, account)


def _for_others(allow: resource_policy.Statement) -> bool:
    """Whether it may be for others than those who come through a mount target."""
    try:
        return not _through_mount_target(allow, "true")
    except ValueError:
        return True  # to be judged among the others


def _through_mount_target(statement: resource_policy.Statement, answer: str) -> bool:
    """Whether it holds only for whoever comes through a mount target (or, `false`, does not)."""
    return any(
        held.key == "elasticfilesystem:accessedviamounttarget"
        and held.operator in ("bool", "stringequals")
        and [str(value).lower() for value in held.values] == [answer]
        for held in conditions(statement)
    )


def _whole(deny: resource_policy.Statement) -> bool:
    """Whether a Deny is for everybody, of everything, and under one condition."""
    actions = {str(action).lower() for action in resource_policy.many(deny.get("Action"))}
    everybody = deny.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    every = bool(actions & {"*", "elasticfilesystem:*"})
    return everybody and every and len(list(conditions(deny))) == 1
