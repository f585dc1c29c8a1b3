"""Reads the Condition of a policy's statement. What has not the form of IAM's grammar raises CannotEvaluate, where an
answer hangs on it. Pure."""

from collections.abc import Callable
from typing import Any

from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, holds_for_any, shown

OPERATORS = {
    "stringequals", "stringnotequals", "stringequalsignorecase", "stringnotequalsignorecase", "stringlike", "stringnotlike",
    "bool", "binaryequals", "ipaddress", "notipaddress", "arnequals", "arnnotequals", "arnlike", "arnnotlike", "null",
} | {
    f"{kind}{order}" for kind in ("numeric", "date")
    for order in ("equals", "notequals", "lessthan", "lessthanequals", "greaterthan", "greaterthanequals")
}  # fmt: skip
QUANTIFIERS = {"", "forallvalues", "foranyvalue"}


def conditions(statement: dict[str, Any]) -> list[PolicyCondition]:
    """A statement's conditions: all of them must hold. Raises ValueError for what is none."""
    found, odd = known_conditions(statement)
    if odd is not None:
        raise odd
    return found


def known_conditions(
    statement: dict[str, Any],
) -> tuple[list[PolicyCondition], CannotEvaluate | None]:
    """Those of a statement's conditions that can be understood, and why some other cannot."""
    block = statement.get("Condition")
    if block is None:
        return [], None
    if not isinstance(block, dict):
        return [], CannotEvaluate(f"not a policy condition: {shown(block)}")
    found: list[tuple[str, str, list[Any]]] = []
    odd: CannotEvaluate | None = None
    for operator, pairs in block.items():
        try:
            found += _pairs(operator, pairs)
        except CannotEvaluate as why:
            odd = odd or why
    sure = {k for o, k, v in found if o == "null" and [str(x).lower() for x in v] == ["false"]}
    return [PolicyCondition(o, key, values, key in sure) for o, key, values in found], odd


def any_condition(statement: dict[str, Any], judge: Callable[[PolicyCondition], bool]) -> bool:
    """Whether something holds for one of a statement's conditions at least. Raises ValueError if that hangs on one that
    cannot be evaluated."""
    found, odd = known_conditions(statement)
    if holds_for_any(found, judge):
        return True
    if odd is not None:
        raise odd
    return False


def all_conditions(statement: dict[str, Any], judge: Callable[[PolicyCondition], bool]) -> bool:
    """Whether something holds for all of a statement's conditions. Raises ValueError as above."""
    return not any_condition(statement, lambda one: not judge(one))


def _pairs(operator: str, pairs: Any) -> list[tuple[str, str, list[Any]]]:
    """Raises CannotEvaluate for what is no condition."""
    if not isinstance(pairs, dict):
        raise CannotEvaluate(f"not a policy condition: an operator with {shown(pairs)}")
    found = []
    for key, value in pairs.items():
        values = value if isinstance(value, list) else [value]
        for one in values:
            if not isinstance(one, str | int | float) and not _hidden(one):
                raise CannotEvaluate(f"not a policy condition: a value is {shown(one)}")
        found.append((_known(operator), str(key).lower(), [_text(one) for one in values]))
    return found


def _known(operator: str) -> str:
    """An operator in small letters. Raises ValueError for one that AWS does not have."""
    quantifier, _, plain = operator.lower().rpartition(":")
    known = plain in OPERATORS or (plain.removesuffix("ifexists") in OPERATORS - {"null"})
    if not known or quantifier not in QUANTIFIERS:
        raise CannotEvaluate(f"a condition operator that is not known: {shown(operator)}")
    return operator.lower()


def _text(value: Any) -> Any:
    """AWS reads true and false as the texts that they are in requests."""
    return str(value).lower() if isinstance(value, bool) else value


def _hidden(value: Any) -> bool:
    """Whether it is one text that redaction has hidden: it is fixed, whatever it is."""
    return isinstance(value, dict) and value.get("redacted") is True
