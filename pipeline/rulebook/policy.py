"""Judges AWS policy documents. What cannot be understood raises ValueError: the verdict is then unknown.

Sources: the IAM User Guide's policy evaluation logic, and the documented meaning of "public" in S3 Block Public Access
(a statement is public unless its principals or a condition with fixed values narrow it)."""

from collections.abc import Iterator
from typing import Any

NARROWING = {
    "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceowner", "aws:principalorgid",
    "aws:principalaccount", "aws:principalarn", "aws:sourcevpc", "aws:sourcevpce", "aws:userid",
    "aws:sourceip", "kms:calleraccount", "lambda:eventsourcetoken", "aws:principalorgpaths",
    "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
}  # fmt: skip
ACCOUNT_KEYS = {"aws:sourceaccount", "aws:principalaccount", "kms:calleraccount", "aws:sourceowner"}
POSITIVE = {
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "arnequals",
    "arnlike",
    "ipaddress",
}
WORLD = {"*", "0.0.0.0/0", "::/0"}


def many(value: Any) -> list[Any]:
    """AWS writes one thing or a list of them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def statements(document: Any, effect: str = "Allow") -> Iterator[dict[str, Any]]:
    """The statements of one effect. Raises ValueError for what is no policy."""
    if not isinstance(document, dict) or "Statement" not in document:
        raise ValueError("not a policy document")
    for statement in many(document["Statement"]):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise ValueError("not a policy statement")
        if statement["Effect"] == effect:
            yield statement


def allows_public(document: Any, account: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether anybody at all may do something: an Allow for every principal that no fixed condition narrows."""
    return any(
        _anybody(s) and not _narrowed(s) and not _denied(s, document) for s in statements(document)
    )


def allows_cross_account(document: Any, account: str) -> bool:
    """Whether a principal of another account (or anybody) may do something; services do not count."""
    for statement in statements(document):
        if _denied(statement, document):
            continue
        if _anybody(statement):
            if not _narrowed(statement) or not _narrowed_to(statement, account):
                return True
        elif any(other != account for other in _accounts(statement)):
            return True
    return False


def is_admin(document: Any, account: str) -> bool:  # noqa: ARG001 - as its siblings
    """Whether it allows every action on every resource, with no condition."""
    for statement in statements(document):
        if "Action" in statement:
            everything = any(str(action) in ("*", "*:*") for action in many(statement["Action"]))
        else:
            everything = "NotAction" in statement and not many(statement["NotAction"])
        resources = many(statement.get("Resource"))
        if everything and "*" in resources and not statement.get("Condition"):
            return True
    return False


def _anybody(statement: dict[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return True  # everybody but those named
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        return any(str(item) == "*" for kind in ("AWS",) for item in many(principal.get(kind)))
    if principal is None:
        raise ValueError("a resource policy's statement names no principal")
    return "*" in many(principal)


def _accounts(statement: dict[str, Any]) -> Iterator[str]:
    principal = statement.get("Principal")
    for item in many(principal.get("AWS")) if isinstance(principal, dict) else []:
        text = str(item)
        if text.startswith("arn:"):
            yield text.split(":")[4]
        elif text.isdigit():
            yield text
        # a unique id (AIDA…, AROA…) is what a deleted principal leaves behind: nobody


def _conditions(statement: dict[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    for operator, pairs in (statement.get("Condition") or {}).items():
        if not isinstance(pairs, dict):
            raise ValueError("not a policy condition")
        for key, values in pairs.items():
            yield str(operator).lower(), str(key).lower(), many(values)


def _narrowed(statement: dict[str, Any]) -> bool:
    return any(_fixed(*condition) for condition in _conditions(statement))


def _fixed(operator: str, key: str, values: list[Any]) -> bool:
    """A positive operator, on a key that says who or from where, with no value that matches all.

    …IfExists holds when the key is absent, and ForAllValues when it is empty: neither narrows."""
    operator = operator.removeprefix("foranyvalue:")
    if operator not in POSITIVE or key not in NARROWING:
        return False
    return bool(values) and not any(_matches_all(key, str(value)) for value in values)


def _matches_all(key: str, value: str) -> bool:
    if value in WORLD or not value.strip("*?"):
        return True
    if key.endswith("arn") and value.startswith("arn:"):
        fields = value.split(":", 5)
        owner = fields[4] if len(fields) > 4 else "*"
        # an S3 ARN has no account: the bucket's name is what is fixed
        return not owner.strip("*?") and (owner != "" or not fields[-1].strip("*?"))
    return False


def _narrowed_to(statement: dict[str, Any], account: str) -> bool:
    return any(
        _fixed(operator, key, values)
        and (
            (key in ACCOUNT_KEYS and all(str(value) == account for value in values))
            or (key.endswith("arn") and all(f":{account}:" in str(value) for value in values))
        )
        for operator, key, values in _conditions(statement)
    )


def _denied(allow: dict[str, Any], document: Any) -> bool:
    """A Deny for everybody, without condition, that covers the whole of this Allow."""
    for deny in statements(document, "Deny"):
        if (
            deny.get("Condition")
            or "NotPrincipal" in deny
            or "NotAction" in deny
            or "NotResource" in deny
        ):
            continue
        if not _anybody(deny):
            continue
        actions, resources = many(deny.get("Action")), many(deny.get("Resource"))
        every_action = "*" in actions or set(map(str, many(allow.get("Action")))) <= set(
            map(str, actions)
        )
        every_resource = "*" in resources or set(map(str, many(allow.get("Resource")))) <= set(
            map(str, resources)
        )
        if (
            every_action
            and every_resource
            and "NotAction" not in allow
            and "NotResource" not in allow
        ):
            return True
    return False
