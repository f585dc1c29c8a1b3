"""Judges the policies of identities: which of them lead to every right, or decrypt with every key. What stands under a
condition, or is denied beside it without one, counts as guarded. What cannot be understood raises ValueError."""

from typing import Any

from pipeline.rulebook.policy import Statement, covers, is_admin, many, statements

WAYS = {
    "iam:createpolicyversion": "policy", "iam:setdefaultpolicyversion": "policy",
    "iam:attachuserpolicy": "user", "iam:putuserpolicy": "user", "iam:createaccesskey": "user",
    "iam:createloginprofile": "user", "iam:updateloginprofile": "user",
    "iam:attachgrouppolicy": "group", "iam:putgrouppolicy": "group", "iam:addusertogroup": "group",
    "iam:attachrolepolicy": "role", "iam:putrolepolicy": "role", "iam:updateassumerolepolicy": "role",
    "iam:passrole": "role", "sts:assumerole": "role",
}  # fmt: skip
"""Actions that lead to other rights, and of what: on every one of these, some leads to every right."""
DECRYPTS = ("kms:decrypt", "kms:reencryptfrom")


def escalates(document: Any, account: str) -> bool:
    """Whether it is no administrator's policy, but allows to take, without a guard, the rights of any other identity."""
    return not is_admin(document, account) and any(
        _allows(document, action, f"iam::{account}:{kind}/*") for action, kind in WAYS.items()
    )


def decrypts_everything(document: Any, account: str) -> bool:
    """Whether it allows to decrypt with every key of the account, in one region at least."""
    regions = {_region(str(r)) for s in statements(document) for r in many(s.get("Resource"))}
    return any(
        _allows(document, action, f"kms:{region}:{account}:key/*")
        for action in DECRYPTS
        for region in sorted({"*"} | regions)
    )


def are_admin(documents: Any, account: str) -> bool:
    """is_admin of an identity's policies by their names."""
    return is_admin(_together(documents), account)


def escalate(documents: Any, account: str) -> bool:
    """escalates of an identity's policies by their names."""
    return escalates(_together(documents), account)


def decrypt_everything(documents: Any, account: str) -> bool:
    """decrypts_everything of an identity's policies by their names."""
    return decrypts_everything(_together(documents), account)


def _together(documents: Any) -> dict[str, Any]:
    """One document of all: what one of them denies, none of them allows."""
    if not isinstance(documents, dict):
        raise ValueError("not policies by their names")
    every = documents.values()
    return {"Statement": [s for one in every for effect in ("Allow", "Deny") for s in statements(one, effect)]}  # fmt: skip


def _allows(document: Any, action: str, target: str) -> bool:
    """Whether it allows an action on all of a kind with no condition, and denies it nowhere without one."""

    def sure(effect: str, where: str) -> bool:
        return any(
            not s.get("Condition") and acts(s, action) and _reaches(s, where)
            for s in statements(document, effect)
        )

    places = [f"arn:{partition}:{target}" for partition in _partitions(document)]
    return any(sure("Allow", where) and not sure("Deny", where) for where in places)


def _partitions(document: Any) -> list[str]:
    """Those that it names; it is of one of them."""
    every = [s for effect in ("Allow", "Deny") for s in statements(document, effect)]
    named = [
        str(p).split(":")
        for s in every
        for p in (*many(s.get("Resource")), *many(s.get("NotResource")))
    ]
    return sorted({f[1] for f in named if len(f) > 5 and f[1].startswith("aws")}) or ["aws"]


def acts(statement: Statement, action: str) -> bool:
    """Whether a statement is about an action (in small letters)."""
    if "NotAction" in statement:
        return not any(covers(str(p).lower(), action) for p in many(statement["NotAction"]))
    return any(covers(str(p).lower(), action) for p in many(statement.get("Action")))


def _reaches(statement: Statement, target: str) -> bool:
    """All of a kind: by a pattern, or because what is left out is another service's."""
    if "NotResource" in statement:
        service = target.split(":")[2]
        return all(_service(str(p)) not in ("", service) for p in many(statement["NotResource"]))
    return any(covers(str(p), target) for p in many(statement.get("Resource")))


def _service(pattern: str) -> str:
    """The service of an ARN; "" where that is a pattern too."""
    fields = pattern.split(":")
    return fields[2] if len(fields) > 5 and not set(fields[2]) & set("*?") else ""


def _region(pattern: str) -> str:
    fields = pattern.split(":")
    return fields[3] if len(fields) > 5 and fields[2] == "kms" else "*"
