"""Judges AWS policy documents. What cannot be understood raises ValueError: the verdict is then unknown.

Sources: the IAM User Guide's policy evaluation logic, and the documented meaning of "public" in S3 Block Public Access:
an Allow for everybody is public unless a condition holds it to something fixed. Services do not count as anybody."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import product
from typing import Any

from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition, conditions, owners
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, held_by, holds_for_any, shown

Statement = dict[str, Any]
KINDS = {"AWS", "Service", "Federated", "CanonicalUser"}
"""Of principals."""
MOST = 100_000
"""Comparisons of an Allow with Denies; AWS's own documents (20 kB) stay far below."""


def many(value: Any) -> list[Any]:
    """AWS writes one thing or a list of them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def statements(document: Any, effect: str = "Allow") -> Iterator[Statement]:
    """The statements of one effect. Raises ValueError for what is no policy."""
    if not isinstance(document, dict) or "Statement" not in document:
        raise CannotEvaluate("not a policy document")
    for statement in many(document["Statement"]):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise CannotEvaluate(f"not a policy statement: {_wrong(statement)}")
        if statement["Effect"] == effect:
            yield statement


def _wrong(statement: Any) -> str:
    if not isinstance(statement, dict):
        return shown(statement)
    return f"its Effect is {shown(statement['Effect'])}" if "Effect" in statement else "no Effect"


def acts(statement: Statement, action: str) -> bool:
    """Whether a statement is about an action (in small letters)."""
    if "NotAction" in statement:
        return not any(covers(str(p).lower(), action) for p in many(statement["NotAction"]))
    return any(covers(str(p).lower(), action) for p in many(statement.get("Action")))


def allows_public(document: Any, account: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether anybody at all may do something: an Allow for every principal that nothing fixed narrows."""
    denies = list(statements(document, "Deny"))

    def public(allow: Statement) -> bool:
        if not for_anybody(allow) or any(c.narrows for c in conditions(allow)):
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

    def crosses(allow: Statement) -> bool:
        held = [who for c in conditions(allow) if c.narrows and (who := owners(c, account))]
        if any(who == {account} for who in held) or any(c.services_only for c in conditions(allow)):
            return False
        anybody = for_anybody(allow)
        others = {"*"} if anybody else _accounts(allow) - {account}
        if not others or denied(allow, denies, _shuts_out_others(account, anybody)):
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


def for_anybody(statement: Statement) -> bool:
    """Whether a statement is for every principal, by itself. Raises ValueError for what names none."""
    if "NotPrincipal" in statement:
        return True  # everybody but those named
    if statement.get("Principal") is None:
        raise CannotEvaluate("a resource policy's statement names no principal")
    return _everybody(statement["Principal"])


def _everybody(principal: Any) -> bool:
    """`*`, as itself or as any kind of principal; an ARN of every account."""
    groups = principal.values() if isinstance(principal, dict) else [principal]
    items = [item for group in groups for item in many(group)]
    if any(not item.strip("*") or _account_of(item) == "*" for item in map(str, items) if item):
        return True
    odd = not isinstance(principal, dict) or not principal.keys() <= KINDS
    if odd or not all(isinstance(item, str | int) for item in items):
        raise ValueError("not a principal")
    return False


def _accounts(statement: Statement) -> set[str]:
    """The accounts that a statement names; "" for one that cannot be known."""
    return _named(statement.get("Principal"))


def _named(principal: Any) -> set[str]:
    if not isinstance(principal, dict):
        return set()
    found = {_account_of(str(item)) for item in many(principal.get("AWS"))}
    unknown = {""} if many(principal.get("CanonicalUser")) else set()
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
    actions = ["*"] if "NotAction" in allow else [str(a).lower() for a in many(allow.get("Action"))]
    service = _service(allow)
    if service:  # on a queue, every action is every action of queues
        actions = [f"{service}:*" if a and not a.strip("*") else a for a in actions]
    resources = ["*"] if "NotResource" in allow else [str(r) for r in many(allow.get("Resource"))]
    walls, odd = held_by(denies, shuts)
    if not walls and odd is None:
        return False
    if len(actions) * len(resources or ["*"]) * sum(map(_size, walls)) > MOST:
        raise CannotEvaluate("too many combinations to judge")
    gone = all(  # a trust policy names no resource
        any(_acts_on(wall, action) and _lies_on(wall, resource) for wall in walls)
        for action, resource in product(actions or ["*"], resources or ["*"])
    )
    if not gone and odd is not None:
        raise odd
    return gone


def _service(allow: Statement) -> str:
    """The one service whose resources a statement is about; "" where that cannot be told."""
    fields = [str(resource).split(":") for resource in many(allow.get("Resource"))]
    services = {field[2] if len(field) > 5 and field[0] == "arn" else "" for field in fields}
    service = services.pop() if len(services) == 1 else ""
    return "" if set(service) & set("*?$") else service


def _size(statement: Statement) -> int:
    names = ("Action", "NotAction", "Resource", "NotResource")
    return sum(len(many(statement.get(name))) for name in names)


def _acts_on(deny: Statement, action: str) -> bool:
    left_out = [str(a).lower() for a in many(deny.get("NotAction"))]
    if "NotAction" in deny:
        return not set(action) & set("*?") and not any(covers(p, action) for p in left_out)
    return any(covers(str(p).lower(), action) for p in many(deny.get("Action")))


def _lies_on(deny: Statement, resource: str) -> bool:
    left_out = [str(r) for r in many(deny.get("NotResource"))]
    if "NotResource" in deny:
        return not set(resource) & set("*?") and not any(covers(p, resource) for p in left_out)
    return any(covers(str(p), resource) for p in many(deny.get("Resource", "*")))


def _shuts_out_strangers(deny: Statement) -> bool:
    """Whether whom it leaves in is fixed: by the principals that it spares, or by what its conditions spare."""
    return _denied_to_all_but(deny) is not None and all(c.spares_known for c in conditions(deny))


def _shuts_out_the_anonymous(deny: Statement) -> bool:
    """As above, and it surely holds for who has no account. AWS says of a variable that cannot be filled only that
    its statement may be invalid."""
    return _shuts_out_strangers(deny) and not any(c.follows_caller for c in conditions(deny))


def _shuts_out_others(
    account: str, anonymous: bool, perhaps: Collection[str] = frozenset()
) -> Shuts:
    """Whether whom a Deny leaves in are services and the account's own principals (or those whose account is
    `perhaps` it); whether it must hold for the anonymous too."""
    ours = {account, *perhaps}

    def known(condition: PolicyCondition) -> bool:
        whose = owners(condition, account)
        return condition.spares_known and (
            condition.spares_services or (whose is not None and whose <= ours)
        )

    def shuts(deny: Statement) -> bool:
        spared, asked = _denied_to_all_but(deny), conditions(deny)
        return (
            spared is not None
            and spared <= ours
            and all(map(known, asked))
            and not (anonymous and any(c.follows_caller for c in asked))
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
        and all(_tells_tls(one) or _holds_without_tls(one) for one in conditions(deny))
    )


def _tells_tls(condition: PolicyCondition) -> bool:
    values = {str(value).lower() for value in condition.values}
    return (
        condition.operator in ("bool", "boolifexists")
        and condition.key == "aws:securetransport"
        and values == {"false"}
    )


def _holds_without_tls(condition: PolicyCondition) -> bool:
    """Whether it holds for every request without TLS: such a request has no TLS version, and whether it came by TLS every
    request says; IfExists, ForAllValues and what is negated hold where a key is absent."""
    quantifier, _, operator = condition.operator.rpartition(":")
    plain = operator.removesuffix("ifexists")
    values = {str(value).lower() for value in condition.values}
    if operator == "null":
        return values == {TELLS_TLS[condition.key]} if condition.key in TELLS_TLS else False
    lenient = plain != operator or quantifier == "forallvalues"
    if condition.key == "s3:tlsversion":
        return lenient or (quantifier != "foranyvalue" and "not" in plain)
    return (
        lenient
        and plain in ("stringlike", "arnlike")
        and any(v and not v.strip("*") for v in values)
    )


TELLS_TLS = {"s3:tlsversion": "true", "aws:securetransport": "false"}
"""Keys, and what Null says of them where a request came without TLS."""


def covers(pattern: str, text: str) -> bool:
    """Whether a pattern with * and ? matches all that `text` (perhaps a pattern too) matches. Never slow."""
    i = j = mark = 0
    star = -1
    while i < len(text):
        if j < len(pattern) and pattern[j] == "*":
            star, mark, j = j, i, j + 1
        elif j < len(pattern) and (pattern[j] == text[i] or (pattern[j] == "?" and text[i] != "*")):
            i, j = i + 1, j + 1
        elif star >= 0:
            mark += 1
            i, j = mark, star + 1
        else:
            return False
    return not pattern[j:].strip("*")
