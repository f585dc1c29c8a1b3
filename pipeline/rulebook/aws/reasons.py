"""The statements of a policy that decide, as texts for sentences. Pure."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from driftline.pipeline.rulebook.aws.statement import Statement, many, statements
from driftline.pipeline.rulebook.unjudged import kind

MOST = 50
"""Maximum number of statements that are tested one by one; only very few documents have more."""


def deciding(document: Any, judge: Callable[[Any], bool], *, apart: bool = False) -> list[str]:
    """Returns the Allow statements, of one policy or of several by name, each of which decides alone, as
    `s3:GetObject to * (PublicRead)`. Several policies are of one identity, so that a Deny of one counts for all, or
    `apart`, each of something else. Raises ValueError if it is not a policy."""
    if not isinstance(document, dict):
        return []
    documents = {"": document} if "Statement" in document else document
    if apart:
        documents = {name: one for name, one in documents.items() if _is_policy(one)}
    denies = {name: list(statements(one, "Deny")) for name, one in documents.items() if one}
    together = [deny for some in denies.values() for deny in some]
    found = []
    for name, one in documents.items():
        for allow in list(statements(one))[:MOST] if one else ():
            alone: Any = {"Statement": [allow, *(denies[name] if apart else together)]}
            if _holds(judge, alone if "Statement" in document else {name: alone}):
                found.append(describe(allow))
    return found


def _is_policy(document: Any) -> bool:
    return document is not None and _holds(
        lambda one: deque(statements(one), 0) is not None, document
    )


def _holds(judge: Callable[[Any], bool], document: Any) -> bool:
    try:
        return judge(document)
    except ValueError:
        return False


def describe(statement: Statement) -> str:
    """Describes a statement: its actions, to whom or on what, and its Sid."""
    what = _some(statement, "Action")
    if "Principal" in statement or "NotPrincipal" in statement:
        text = f"{what} to {_whom(statement)}"
    else:
        text = f"{what} on {_some(statement, 'Resource')}"
    sid = statement.get("Sid")
    return f"{text} ({sid})" if sid and isinstance(sid, str) else text


def _whom(statement: Statement) -> str:
    if "NotPrincipal" in statement:
        return "everybody but those named"
    principal = statement["Principal"]
    kinds = principal.values() if isinstance(principal, dict) else [principal]
    return _listed([one for names in kinds for one in many(names)])


def _some(statement: Statement, field: str) -> str:
    if (but := f"Not{field}") in statement:
        return f"all but {_listed(many(statement[but]))}"
    return _listed(many(statement.get(field)))


def _value(one: Any) -> str:
    """Text and numbers as they are, true and false as JSON spells them; of anything else its kind."""
    if isinstance(one, bool):
        return "true" if one else "false"
    return str(one) if isinstance(one, str | int) else kind(one)


def _listed(values: Sequence[Any]) -> str:
    texts = [_value(one) for one in values]
    if len(texts) > 2:
        texts = [texts[0], f"{len(texts) - 1} more"]
    return " and ".join(texts) or "nothing"
