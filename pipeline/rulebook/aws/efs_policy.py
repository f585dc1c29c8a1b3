"""Policies of file systems: what comes through a mount target has been let in by the network."""

from collections.abc import Callable
from typing import Any

from driftline.pipeline.rulebook.aws import resource_policy
from driftline.pipeline.rulebook.aws.condition_block import any_condition, conditions
from driftline.pipeline.rulebook.aws.statement import Statement, actions, statements

KEY = "elasticfilesystem:accessedviamounttarget"


def allows_public(document: Any, account: str) -> bool:
    """Whether a file system's policy lets anybody in. What it allows to whoever comes through a mount target is not for
    everybody: the network has let them in, and AWS does not call it public."""
    denies = list(statements(document, "Deny"))
    allowed = [s for s in statements(document) if not _surely(s, _only_through_mount_target)]
    if any(_surely(deny, _shuts_out_others) for deny in denies):
        return False
    return resource_policy.allows_public({"Statement": [*allowed, *denies]}, account)


def _surely(statement: Statement, judge: Callable[[Statement], bool]) -> bool:
    """What cannot be evaluated is left to be judged among the others."""
    try:
        return judge(statement)
    except ValueError:
        return False


def _only_through_mount_target(allow: Statement) -> bool:
    return any_condition(allow, lambda c: c.key == KEY and c.says("true") and not c.without)


def _shuts_out_others(deny: Statement) -> bool:
    """Whether a Deny is for everybody who does not come through a mount target, of everything, under no other condition."""
    everybody = deny.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    every = not {"*", "elasticfilesystem:*"}.isdisjoint(actions(deny)[0])
    others = [c for c in conditions(deny) if not c.always]
    return everybody and every and len(others) == 1 and others[0].key == KEY and others[0].says("false")  # fmt: skip
