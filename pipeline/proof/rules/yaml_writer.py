"""Converts an expression tree to CEL text, so that mutants are readable."""

import json
from typing import Any

from driftline.pipeline.rulebook.cel import syntax_tree

INFIX = {"_&&_": "&&", "_||_": "||", "_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=",
         "_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "@in": "in"}  # fmt: skip
PREFIX = {"!_": "!", "-_": "-"}


def unparse(expr: Any) -> str:
    """The CEL text of an expression."""
    which = syntax_tree.kind(expr)
    if which == "const_expr":
        value = syntax_tree.constant(expr)
        return (
            "null"
            if value is None
            else json.dumps(value, ensure_ascii=False)
            if not isinstance(value, bytes)
            else repr(value)
        )
    if which == "ident_expr":
        return str(expr.ident_expr.name)
    if which == "select_expr":
        text = f"{unparse(expr.select_expr.operand)}.{expr.select_expr.field}"
        return f"has({text})" if expr.select_expr.test_only else text
    if which == "list_expr":
        return "[" + ", ".join(unparse(item) for item in expr.list_expr.elements) + "]"
    if which == "call_expr":
        return _call(expr.call_expr)
    if which == "comprehension_expr":
        return _macro(expr.comprehension_expr)
    return "{…}"


def _call(call: Any) -> str:
    arguments = [unparse(argument) for argument in call.args]
    if call.function in INFIX:
        return f"({arguments[0]} {INFIX[call.function]} {arguments[1]})"
    if call.function in PREFIX:
        return PREFIX[call.function] + arguments[0]
    if call.function == "_[_]":
        return f"{arguments[0]}[{arguments[1]}]"
    if call.function == "_?._":
        return f"{arguments[0]}.?{json.loads(arguments[1])}"
    if call.function == "_?_:_":
        return f"({arguments[0]} ? {arguments[1]} : {arguments[2]})"
    target = f"{unparse(call.target)}." if call.HasField("target") else ""
    return f"{target}{call.function}({', '.join(arguments)})"


def _macro(c: Any) -> str:
    over, step = unparse(c.iter_range), c.loop_step
    if syntax_tree.kind(step) == "call_expr":
        function, arguments = step.call_expr.function, step.call_expr.args
        if function == "_||_":
            return f"{over}.exists({c.iter_var}, {unparse(arguments[1])})"
        if function == "_&&_":
            return f"{over}.all({c.iter_var}, {unparse(arguments[1])})"
        if function == "_?_:_":
            return f"{over}.filter({c.iter_var}, {unparse(arguments[0])})"
        if function == "_+_":
            return f"{over}.map({c.iter_var}, {unparse(arguments[1].list_expr.elements[0])})"
    return f"{over}.<macro>({c.iter_var}, {unparse(step)})"
