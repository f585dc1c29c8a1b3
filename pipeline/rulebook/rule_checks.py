"""What is wrong with a rule whose expressions compile: parts, parameters, paths and placeholders that do not fit. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.common.yaml_source import Source, hint
from driftline.pipeline.rulebook.cel import syntax_tree
from driftline.pipeline.rulebook.cel.expression import Expression
from driftline.pipeline.rulebook.shapes import Shapes, unknown_paths

if TYPE_CHECKING:
    from driftline.pipeline.rulebook.rule import Rule, RuleFile


def needs(source: Source, rule: "Rule") -> list[Problem]:
    touched = rule.must.parts | (rule.when.parts if rule.when else frozenset())
    declared = set(rule.file.needs)
    told = rule.sentence.values if rule.sentence else {}
    problems = [
        Problem(
            f"reads part {part!r}, which `needs` does not name",
            fix="say only what decides",
            place=source.at("values", name),
        )
        for name, expression in told.items()
        for part in sorted(expression.parts - declared)
    ]
    problems += [
        Problem(
            f"the condition reads part {part!r}, which `needs` does not name",
            fix="add it: an unread part must give unknown, never a verdict",
            place=source.at("needs"),
        )
        for part in sorted(touched - declared)
    ]
    return problems + [
        Problem(
            f"part {part!r} is needed but never read", fix="remove it", place=source.at("needs")
        )
        for part in sorted(declared - touched)
    ]


def variables(source: Source, rule: "Rule") -> list[Problem]:
    out = []
    for where, expression in _expressions(rule):
        for node in _nodes(expression.checked.expr):
            if (
                syntax_tree.kind(node) == "select_expr"
                and syntax_tree.kind(node.select_expr.operand) == "ident_expr"
            ):
                name, key = node.select_expr.operand.ident_expr.name, node.select_expr.field
                if name == "params" and key not in rule.file.params:
                    out.append(
                        Problem(
                            f"unknown parameter {key!r}",
                            hint(key, rule.file.params),
                            source.at(*where),
                        )
                    )
    return out


def _nodes(expr: Any) -> Any:
    yield expr
    for child in syntax_tree.children(expr):
        yield from _nodes(child)


def paths(source: Source, rule: "Rule", shapes: Shapes) -> list[Problem]:
    out = []
    for where, expression in _expressions(rule):
        out += [
            Problem(why, place=source.at(*where))
            for why in unknown_paths(rule.type, expression.paths, shapes)
        ]
    return out


def fill(source: Source, file: "RuleFile") -> list[Problem]:
    texts = f"{file.remediation.cli} {file.remediation.terraform}"
    known = [*file.values, *file.params]
    return [
        Problem(
            f"{name!r} is none of `values` and `params`", hint(name, known), source.at("fill", hole)
        )
        for hole, name in file.fill.items()
        if name not in known
    ] + [
        Problem(f"the remediation has no {hole}", fix="remove it", place=source.at("fill", hole))
        for hole in file.fill
        if hole not in texts
    ]


def _expressions(rule: "Rule") -> Iterator[tuple[tuple[str, ...], Expression]]:
    """Returns all expressions of a rule, each with its place in the file."""
    if rule.when is not None:
        yield ("when",), rule.when
    yield ("must",), rule.must
    for name, expression in (rule.sentence.values if rule.sentence else {}).items():
        yield ("values", name), expression
