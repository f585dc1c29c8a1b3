"""Judges of policy documents that look at some actions, or at one service, only. Pure."""

from collections.abc import Collection
from typing import Any

from driftline.pipeline.rulebook.aws.condition_block import all_conditions, any_condition
from driftline.pipeline.rulebook.aws.resource_policy import (
    allows_cross_account,
    denied,
    empty,
    for_anybody,
    named,
    principal_of,
)
from driftline.pipeline.rulebook.aws.statement import Statement, actions, covers, statements
from driftline.pipeline.rulebook.unjudged import holds_for_any


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
    some, kept = actions(allow)
    if kept is not None:
        return [action for action in asked if not any(covers(one, action) for one in kept)]
    return [action for action in asked if any(covers(one, action) for one in some)]


def allows_service(document: Any, account: str, service: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether one of AWS's own services (its principal's name) may do something."""
    return _lets_in(document, service, sources=())


SOURCES = frozenset({"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"})
"""Condition keys that say on whose behalf a service acts."""


def allows_service_for_anybody(document: Any, account: str, service: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether one of AWS's own services may do something on behalf of any account: no condition says on whose."""
    return _lets_in(document, service, sources=SOURCES)


def _lets_in(document: Any, service: str, sources: Collection[str]) -> bool:
    """Whether an Allow for a service is left by Denies; conditions on `sources` count as limits."""

    def shuts(deny: Statement) -> bool:
        return _shut_out(deny, service) and all_conditions(
            deny, lambda c: c.always or (c.key in sources and c.spares_known)
        )

    def lets_in(allow: Statement) -> bool:
        return (
            _names(allow, service)
            and not empty(allow)
            and not any_condition(allow, lambda c: c.never or (c.key in sources and c.narrows))
            and not denied(allow, denies, shuts)
        )

    denies = list(statements(document, "Deny"))
    return holds_for_any(statements(document), lets_in)


def _shut_out(deny: Statement, service: str) -> bool:
    """Whether the principals of a Deny take in a service."""
    if "NotPrincipal" in deny:
        return False  # services that it leaves out are not told from those that it means
    return for_anybody(deny) or _names(deny, service)


def _names(statement: Statement, service: str) -> bool:
    return service in map(str.lower, named(principal_of(statement), "Service"))
