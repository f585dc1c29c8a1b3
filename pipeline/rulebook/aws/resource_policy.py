"""Judges AWS policy documents. What cannot be understood raises ValueError: the verdict is then unknown.

Sources: the IAM User Guide's policy evaluation logic, and the documented meaning of "public" in S3 Block Public Access:
an Allow for everybody is public unless a condition holds it to something fixed. Services do not count as anybody."""

from collections.abc import Callable, Collection, Sequence
from itertools import product
from typing import Any

from driftline.pipeline.rulebook.aws.condition_block import (
    all_conditions,
    any_condition,
    conditions,
)
from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition, owners
from driftline.pipeline.rulebook.aws.statement import (
    Statement,
    actions,
    covers,
    resources,
    statements,
)
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, held_by, holds_for_any, shown

KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
"""Of principals."""
EVERYBODY = ("*", ["*"])
"""The second is not in IAM's grammar, but services take it."""
MOST = 100_000
"""Comparisons of an Allow with Denies; AWS's own documents (20 kB) stay far below."""


def allows_public(document: Any, account: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether anybody at all may do something: an Allow for every principal that nothing fixed narrows."""
    denies = list(statements(document, "Deny"))

    def public(allow: Statement) -> bool:
        if not for_anybody(allow) or any_condition(allow, _narrows) or empty(allow):
            return False
        if denied(allow, denies, _shuts_out_the_anonymous):
            return False
        if denied(allow, denies, _shuts_out_strangers):
            raise CannotEvaluate(
                "whether a Deny holds for the anonymous, who fill no variable, is not said"
            )
        return True

    return holds_for_any(statements(document), public)


def allows_cross_account(document: Any, account: str) -> bool:
    """Whether a principal of another account (or anybody) may do something; services do not count."""
    denies = list(statements(document, "Deny"))

    def own(condition: PolicyCondition) -> bool:
        kept = condition.narrows and owners(condition, account) == {account}
        return condition.never or condition.services_only or kept

    def crosses(allow: Statement) -> bool:
        if any_condition(allow, own):
            return False
        held = [who for c in conditions(allow) if c.narrows and (who := owners(c, account))]
        anybody = for_anybody(allow)
        others = {"*"} if anybody else _accounts(allow) - {account}
        if not others or empty(allow) or denied(allow, denies, _shuts_out_others(account, anybody)):
            return False
        if (
            others == {""}
            or any(who <= {account, ""} for who in held)
            or denied(allow, denies, _shuts_out_others(account, False, {""}))
        ):
            raise CannotEvaluate("whose a canonical user, an id or a bucket is, the policy does not say")  # fmt: skip
        return True

    return holds_for_any(statements(document), crosses)


def requires_tls(document: Any, bucket: str) -> bool:
    """Whether every request without TLS is denied, to everybody, on a bucket (its ARN) and all of its objects."""
    denies = list(statements(document, "Deny"))
    whole: Statement = {"Action": "s3:*", "Resource": [bucket, f"{bucket}/*"]}
    return denied(whole, denies, _without_tls)


def _narrows(condition: PolicyCondition) -> bool:
    return condition.narrows


def empty(statement: Statement) -> bool:
    """Whether a statement names no action or no resource, as an empty list. Raises ValueError for what is no statement."""
    return ([], None) in (actions(statement), resources(statement))


def for_anybody(statement: Statement) -> bool:
    """Whether a statement is for every principal, by itself. Raises ValueError for what names none."""
    if "NotPrincipal" in statement:
        _everybody(statement["NotPrincipal"])  # raises for what is none
        return True  # everybody but those named
    return _everybody(principal_of(statement))


def principal_of(statement: Statement) -> Any:
    """Whom a statement names; nobody where it leaves some out. Raises ValueError where it says neither."""
    if "NotPrincipal" in statement:
        return {}
    if statement.get("Principal") is None:
        raise CannotEvaluate("a resource policy's statement names no principal")
    return statement["Principal"]


def _everybody(principal: Any) -> bool:
    """`*`, as itself or as any kind of principal; an ARN of every account."""
    items = [item for kind in principal_kinds(principal) for item in named(principal, kind)]
    return principal in EVERYBODY or any(
        not item.strip("*") or _account_of(item) == "*" for item in items if item
    )


def principal_kinds(principal: Any) -> set[str]:
    """Kinds of principals that are named; none for `*`. Raises ValueError for what is no principal."""
    if principal in EVERYBODY:
        return set()
    if not isinstance(principal, dict):
        raise CannotEvaluate(f"not a principal: {shown(principal)}")
    if unknown := principal.keys() - KINDS:
        raise CannotEvaluate(f"not a kind of principals: {shown(min(unknown))}")
    return set(principal)


def named(principal: Any, kind: str) -> list[str]:
    """The principals of a kind that are named. Raises ValueError for what is no principal."""
    if kind not in principal_kinds(principal):
        return []
    values = principal[kind]
    items = values if isinstance(values, list) else [values]
    for one in items:
        if isinstance(one, bool) or not isinstance(one, str | int):
            raise CannotEvaluate(f"not a principal: {shown(one)}")
    return [str(one) for one in items]


def _accounts(statement: Statement) -> set[str]:
    """The accounts that a statement names; "" for one that cannot be known."""
    return _named(principal_of(statement))


def _named(principal: Any) -> set[str]:
    found = {_account_of(one) for one in named(principal, "AWS")}
    unknown = {""} if named(principal, "CanonicalUser") else set()
    # CloudFront's own identities are a service's
    return {account for account in found if account not in (None, "cloudfront")} | unknown


def _account_of(principal: str) -> str | None:
    """None for a unique id (AIDA…, AROA…): what a deleted principal leaves behind, nobody."""
    if principal.startswith("arn:"):
        fields = principal.split(":")
        if len(fields) < 6:
            raise CannotEvaluate(f"{shown(principal)} is no principal")
        return "*" if set(fields[4]) & set("*?") else fields[4]
    return principal if principal.isdigit() else None


Shuts = Callable[[Statement], bool]


def denied(allow: Statement, denies: Sequence[Statement], shuts: Shuts) -> bool:
    """Whether Denies that shut out whom they should cover, together, every action and resource of an Allow."""
    asked, left_out = actions(allow)
    asked = ["*"] if left_out is not None else asked
    targets, but = resources(allow)
    targets = ["*"] if but is not None else targets
    if service := _service(allow):  # on a queue, every action is every action of queues
        asked = [f"{service}:*" if a and not a.strip("*") else a for a in asked]

    def wall(deny: Statement) -> bool:
        _size(deny)  # raises for what is no statement
        return shuts(deny)

    walls, odd = held_by(denies, wall)
    if not walls and odd is None:
        return False
    if len(asked) * len(targets) * sum(map(_size, walls)) > MOST:
        raise CannotEvaluate("too many combinations to judge")
    gone = all(
        any(_acts_on(wall, action) and _lies_on(wall, resource) for wall in walls)
        for action, resource in product(asked, targets)
    )
    if not gone and odd is not None:
        raise odd
    return gone


def _service(allow: Statement) -> str:
    """The one service whose resources a statement is about; "" where that cannot be told."""
    fields = [resource.split(":") for resource in resources(allow)[0]]
    services = {field[2] if len(field) > 5 and field[0] == "arn" else "" for field in fields}
    service = services.pop() if len(services) == 1 else ""
    return "" if set(service) & set("*?$") else service


def _size(statement: Statement) -> int:
    """How many patterns it has. Raises ValueError for what is no statement."""
    return sum(
        len(some) + len(but or ()) for some, but in (actions(statement), resources(statement))
    )


def _acts_on(deny: Statement, action: str) -> bool:
    some, left_out = actions(deny)
    if left_out is not None:
        return not set(action) & set("*?") and not any(covers(p, action) for p in left_out)
    return any(covers(p, action) for p in some)


def _lies_on(deny: Statement, resource: str) -> bool:
    some, left_out = resources(deny)
    if left_out is not None:
        return not set(resource) & set("*?") and not any(covers(p, resource) for p in left_out)
    return any(covers(p, resource) for p in some)


def _shuts_out_strangers(deny: Statement) -> bool:
    """Whether whom it leaves in is fixed: by the principals that it spares, or by what its conditions spare."""
    return _denied_to_all_but(deny) is not None and all_conditions(deny, lambda c: c.spares_known)


def _shuts_out_the_anonymous(deny: Statement) -> bool:
    """As above, and it surely holds for who has no account. AWS says of a variable that cannot be filled only that
    its statement may be invalid."""
    return _shuts_out_strangers(deny) and not any_condition(deny, lambda c: c.follows_caller)


def _shuts_out_others(
    account: str, anonymous: bool, perhaps: Collection[str] = frozenset()
) -> Shuts:
    """Whether whom a Deny leaves in are services and the account's own principals (or those whose account is
    `perhaps` it); whether it must hold for the anonymous too."""
    ours = {account, *perhaps}

    def known(condition: PolicyCondition) -> bool:
        whose = owners(condition, account)
        spared = condition.spares_services or (whose is not None and whose <= ours)
        return condition.always or (condition.spares_known and spared)

    def shuts(deny: Statement) -> bool:
        spared = _denied_to_all_but(deny)
        return (
            spared is not None
            and spared <= ours
            and all_conditions(deny, known)
            and not (anonymous and any_condition(deny, lambda c: c.follows_caller))
        )

    return shuts


def _denied_to_all_but(deny: Statement) -> set[str] | None:
    """The accounts whose principals a Deny spares; None where it denies only to some."""
    if "NotPrincipal" in deny:
        return None if _everybody(deny["NotPrincipal"]) else _named(deny["NotPrincipal"])
    return set() if for_anybody(deny) else None


def _without_tls(deny: Statement) -> bool:
    return (
        "NotPrincipal" not in deny
        and for_anybody(deny)
        and all_conditions(deny, lambda one: _tells_tls(one) or _holds_without_tls(one))
    )


def _tells_tls(condition: PolicyCondition) -> bool:
    return condition.key == "aws:securetransport" and condition.says("false")


def _holds_without_tls(condition: PolicyCondition) -> bool:
    """Whether it holds for every request without TLS: such a request has no TLS version, and whether it came by TLS every
    request says."""
    if condition.always:
        return True
    values = {str(value).lower() for value in condition.values}
    if condition.plain == "null":
        return values == {TELLS_TLS[condition.key]} if condition.key in TELLS_TLS else False
    return condition.key == "s3:tlsversion" and condition.without


TELLS_TLS = {"s3:tlsversion": "true", "aws:securetransport": "false"}
"""Keys, and what Null says of them where a request came without TLS."""
