"""Reads the statements of AWS policy documents. What has not the form of IAM's grammar raises CannotEvaluate. Pure."""

from collections.abc import Iterator
from typing import Any

from driftline.pipeline.rulebook.unjudged import CannotEvaluate, shown

Statement = dict[str, Any]
EFFECTS = ("Allow", "Deny")


def many(value: Any) -> list[Any]:
    """AWS writes one thing or a list of them."""
    return value if isinstance(value, list) else [] if value is None else [value]


def statements(document: Any, effect: str = "Allow") -> Iterator[Statement]:
    """The statements of one effect. Raises ValueError for what is no policy."""
    for statement in listed(document):
        if not isinstance(statement, dict) or statement.get("Effect") not in EFFECTS:
            raise CannotEvaluate(f"not a policy statement: {wrong(statement)}")
        if statement["Effect"] == effect:
            yield statement


def listed(document: Any) -> list[Any]:
    """What stands where a document has its statements. Raises ValueError for what is no policy."""
    if not isinstance(document, dict) or "Statement" not in document:
        raise CannotEvaluate("not a policy document")
    if document["Statement"] is None:
        raise CannotEvaluate("not a policy statement: null")
    return many(document["Statement"])


def wrong(statement: Any) -> str:
    """What keeps something from being a statement of an effect."""
    if not isinstance(statement, dict):
        return shown(statement)
    return f"its Effect is {shown(statement['Effect'])}" if "Effect" in statement else "no Effect"


def texts(statement: Statement, name: str) -> list[str]:
    """The texts of a field, which holds one or a list of them; none where it is not there. Raises ValueError."""
    if name not in statement:
        return []
    value = statement[name]
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str):
            raise CannotEvaluate(f"its {name} {'holds' if value is not one else 'is'} {shown(one)}")
    return value if isinstance(value, list) else [value]


def patterns(statement: Statement, name: str) -> tuple[list[str], list[str] | None]:
    """Of Action or Resource, those that a statement names and those that it leaves out; None: it leaves none out, but
    names some. Raises ValueError for a statement with neither of both, or with both."""
    named, but = name in statement, f"Not{name}" in statement
    if named and but:
        raise CannotEvaluate(f"a statement has {name} and Not{name}")
    if not named and not but:
        raise CannotEvaluate(f"a statement has no {name}")
    return (texts(statement, name), None) if named else ([], texts(statement, f"Not{name}"))


def actions(statement: Statement) -> tuple[list[str], list[str] | None]:
    """`patterns` of its actions, in small letters."""
    named, but = patterns(statement, "Action")
    return [one.lower() for one in named], None if but is None else [one.lower() for one in but]


def resources(statement: Statement) -> tuple[list[str], list[str] | None]:
    """`patterns` of its resources; `*` where it has none, as in a trust policy."""
    if "Resource" not in statement and "NotResource" not in statement:
        return ["*"], None
    return patterns(statement, "Resource")


def acts(statement: Statement, action: str) -> bool:
    """Whether a statement is about an action (in small letters)."""
    named, but = actions(statement)
    if but is not None:
        return not any(covers(one, action) for one in but)
    return any(covers(one, action) for one in named)


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
