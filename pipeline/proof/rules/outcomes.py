"""Possible results of a condition while a part is unread: whether an example in which that part does not matter can exist."""

from collections.abc import Callable
from itertools import product
from typing import Any

from driftline.pipeline.rulebook.cel import syntax_tree
from driftline.pipeline.rulebook.cel.expression import Expression
from driftline.pipeline.rulebook.cel.functions import UNREAD
from driftline.pipeline.rulebook.cel.unread import rewrite_unread

Outcomes = frozenset[bool | None]
"""True and False represent any known value if the expression is not a condition; None an unknown result."""
KNOWN: Outcomes = frozenset({True, False})
ANY, UNKNOWN = KNOWN | {None}, frozenset[bool | None]({None})
ALWAYS = frozenset[bool | None]({True})
LAZY = {"or", "orValue"}
"""Methods of optional values that evaluate their argument only if there is no value."""


def can_answer(when: Expression | None, must: Expression, part: str) -> bool:
    """Whether a rule can have a result other than unknown while that part is unread."""
    applies = ALWAYS if when is None else _outcomes(rewrite_unread(when, frozenset({part})).expr)
    holds = _outcomes(rewrite_unread(must, frozenset({part})).expr)
    return False in applies or (True in applies and holds != UNKNOWN)


def _outcomes(expr: Any) -> Outcomes:
    which = syntax_tree.kind(expr)
    if which == "call_expr" and expr.call_expr.function == UNREAD:
        return UNKNOWN
    if not any(n.call_expr.function == UNREAD for n in syntax_tree.every(expr) if syntax_tree.kind(n) == "call_expr"):  # fmt: skip
        return KNOWN
    if which == "comprehension_expr":
        return _comprehension(expr.comprehension_expr)
    if which == "call_expr":
        return _call(expr.call_expr)
    return UNKNOWN if UNKNOWN in map(_outcomes, syntax_tree.children(expr)) else ANY


def _comprehension(c: Any) -> Outcomes:
    over, step = _outcomes(c.iter_range), c.loop_step
    if over == UNKNOWN:
        return UNKNOWN
    predicate = step.call_expr.args[1] if step.call_expr.function in LOGIC else None
    if predicate is None:
        return ANY  # over an empty list
    empty = set() if len(c.iter_range.list_expr.elements) else {c.accu_init.const_expr.bool_value}
    return _outcomes(predicate) | empty | (over & {None})


def _call(call: Any) -> Outcomes:
    args = [_outcomes(arg) for arg in call.args]
    target = [_outcomes(call.target)] if call.HasField("target") else []
    if call.function in LOGIC:
        return frozenset(LOGIC[call.function](*values) for values in product(*args))
    if call.function == "_?_:_":
        return UNKNOWN if args[0] == UNKNOWN else args[1] | args[2] | (args[0] & {None})
    strict = target if call.function in LAZY else target + args
    return UNKNOWN if UNKNOWN in strict else ANY


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _not(a: bool | None) -> bool | None:
    return None if a is None else not a


LOGIC: dict[str, Callable[..., bool | None]] = {
    "_&&_": _and,
    "_||_": lambda a, b: _not(_and(_not(a), _not(b))),
    "!_": _not,
}
