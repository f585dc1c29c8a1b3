"""Judges of policy documents that look at some actions, or at one service, only. Pure."""

from typing import Any

from driftline.pipeline.rulebook.aws.policy_condition import conditions
from driftline.pipeline.rulebook.aws.resource_policy import (
    Statement,
    allows_cross_account,
    covers,
    many,
    statements,
)


def gives_others(document: Any, account: str, actions: str) -> bool:
    """Whether a principal of another account (or anybody) may do one of some actions, named with spaces between."""
    asked = actions.lower().split()
    allows = [
        allow | {"Action": given}
        for allow in statements(document)
        if (given := _given(allow, asked))
    ]
    for allow in allows:
        allow.pop("NotAction", None)
    return allows_cross_account({"Statement": [*allows, *statements(document, "Deny")]}, account)


def _given(allow: Statement, asked: list[str]) -> list[str]:
    """Those of some actions (in small letters) that an Allow is about."""
    if "NotAction" in allow:
        kept = [str(action).lower() for action in many(allow["NotAction"])]
        return [action for action in asked if not any(covers(one, action) for one in kept)]
    named = [str(action).lower() for action in many(allow.get("Action"))]
    return [action for action in asked if any(covers(one, action) for one in named)]


def allows_service(document: Any, account: str, service: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether one of AWS's own services (its principal's name) may do something."""
    return any(_names(allow, service) for allow in statements(document))


SOURCES = {"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"}
"""Condition keys that say on whose behalf a service acts."""


def allows_service_for_anybody(document: Any, account: str, service: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether one of AWS's own services may do something on behalf of any account: no condition says on whose."""
    return any(
        _names(allow, service)
        and not any(c.key in SOURCES and c.narrows for c in conditions(allow))
        for allow in statements(document)
    )


def _names(statement: Statement, service: str) -> bool:
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return False
    return service in [str(name).lower() for name in many(principal.get("Service"))]
