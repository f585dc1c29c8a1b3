"""Tests a rule: every example has the stated result, and every mutant of its conditions is detected by an example."""

import copy
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from driftline.pipeline.compare.diff import diff, for_rules
from driftline.pipeline.model.base import micros
from driftline.pipeline.proof.rules import params as proof_params
from driftline.pipeline.proof.rules.outcomes import can_answer
from driftline.pipeline.proof.rules.yaml_writer import unparse
from driftline.pipeline.providers.installed import plain_hints, provider
from driftline.pipeline.rulebook.cel import syntax_tree
from driftline.pipeline.rulebook.cel.expression import Expression, environment
from driftline.pipeline.rulebook.rule import EXPECTED, Example, Rule
from driftline.pipeline.rulebook.ruleset import BoundRule, RuleSet

FLIPS = {"_==_": "_!=_", "_!=_": "_==_", "_<_": "_>=_", "_>=_": "_<_", "_>_": "_<=_", "_<=_": "_>_",
         "_&&_": "_||_", "_||_": "_&&_"}  # fmt: skip
LOGIC = {"_&&_": "logical_and", "_||_": "logical_or"}


class UnreadByExample(NamedTuple):
    reason: str = "denied"
    code: str = "AccessDenied"


class Case(NamedTuple):
    """An example with its expected evaluation."""

    expected: str
    example: Example


def cases(rule: Rule) -> list[Case]:
    examples = rule.file.examples
    single = [Case(name, example) for name in EXPECTED for example in getattr(examples, name)]
    return single + [Case(*one) for table in examples.tables for one in proof_params.spread(table)]


def document(rule: Rule, example: Example) -> dict[str, Any]:
    """The base resource with the example's changes applied. Raises KeyError for a path that does not exist."""
    resource = {
        "uid": provider(rule.provider).sample_uids[0], "type": rule.type, "provider": rule.provider,
        "account": "111111111111", "region": "eu-west-1", "name": "example", "tags": {},
    } | copy.deepcopy(rule.file.examples.base)  # fmt: skip
    for path, value in example.set.items():
        _put(resource, path.split("."), copy.deepcopy(value))
    for path in example.remove:
        holder, last = _holder(resource, path.split("."))
        del holder[last]
    return resource


def _holder(value: Any, steps: list[str]) -> tuple[Any, Any]:
    for step in steps[:-1]:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value, int(steps[-1]) if isinstance(value, list) else steps[-1]


def _put(resource: Any, steps: list[str], new: Any) -> None:
    holder, last = _holder(resource, steps)
    holder[last] = new


class Question(NamedTuple):
    """An example, prepared for evaluation. Evaluation does not modify it."""

    example: Example
    resource: dict[str, Any]
    unread: dict[str, UnreadByExample]
    now: int
    """Microseconds since 1970."""
    changes: list[dict[str, Any]]


def question(rule: Rule, example: Example) -> Question:
    """Raises KeyError, IndexError, TypeError or ValueError if the example does not fit the base."""
    resource = document(rule, example)
    unread = {part: UnreadByExample() for part in example.unread}
    now = micros(datetime.fromisoformat(example.now))
    return Question(example, resource, unread, now, changes(example, resource))


def ask(rule: Rule, bound: BoundRule, example: Example) -> tuple[str, str]:
    """The rule's evaluation of an example, and its detail."""
    return answer_to(question(rule, example), bound)


def answer_to(asked: Question, bound: BoundRule) -> tuple[str, str]:
    """A rule's evaluation of an example, and its detail."""
    filled = copy.copy(bound)
    filled.params = bound.params | asked.example.params
    [verdict] = RuleSet([filled]).evaluate(
        asked.resource, asked.unread, asked.now, asked.example.previous, asked.changes
    )
    return verdict.evaluation, f"{verdict.detail} {verdict.error}".strip()


def changes(example: Example, resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The value of `changes` for an example with `previous`."""
    hints = plain_hints(resource["provider"])
    out: list[dict[str, Any]] = []
    for part, before in (example.previous or {}).items():
        if part in resource["config"]:
            out += diff(part, before, resource["config"][part], hints)
    return for_rules(out)


def failures(rule: Rule) -> list[str]:
    """The examples whose result differs from the expected one."""
    bound = BoundRule(rule, rule.file.severity, rule.file.params)
    out = []
    for case in cases(rule):
        try:
            said, detail = ask(rule, bound, case.example)
        except (KeyError, IndexError, TypeError, ValueError) as why:
            out.append(
                f"{rule.path}: example {case.example.name!r}: its changes do not apply to the base: {why!r}"
            )
            continue
        if said != case.expected:
            more = f" ({detail})" if detail else ""
            out.append(
                f"{rule.path}: example {case.example.name!r} is {said}{more}, expected {case.expected}"
            )
        elif said == "unknown" and not case.example.unread and "error" not in case.example.name:
            out.append(
                f"{rule.path}: example {case.example.name!r} is unknown because of {detail}, not because of an unread part"
            )
    alone = (case.example.unread for case in cases(rule) if case.expected == "unknown")
    covered = {part for unread in alone if len(unread) == 1 for part in unread}
    missing = sorted(set(rule.file.needs) - covered)
    return out + [
        f"{rule.path}: no example is unknown because only part {part!r} is unread"
        for part in missing
    ]


def survivors(rule: Rule) -> tuple[int, list[str]]:
    """The number of mutants, and the surviving ones."""
    bound = BoundRule(rule, rule.file.severity, rule.file.params)
    allowed = {item.mutant for item in rule.file.equivalent_mutants}
    wanted = [(case.expected, question(rule, case.example)) for case in cases(rule)]

    def undetected(mutant: BoundRule) -> bool:
        return all(answer_to(asked, mutant)[0] == expected for expected, asked in wanted)

    count, out = 0, []
    for field, expression in (("when", rule.when), ("must", rule.must)):
        for text, changed in mutants(expression) if expression else ():
            mutant = copy.copy(bound)
            setattr(mutant, field, changed)
            count += 1
            if text not in allowed and undetected(mutant):
                out.append(f"{rule.path}: no example detects that {field} became: {text}")
    for text, params in proof_params.changed(rule):
        count += 1
        if text not in allowed and undetected(BoundRule(rule, rule.file.severity, params)):
            out.append(f"{rule.path}: no example detects that {text}")
    asked = [part for part in rule.file.needs if can_answer(rule.when, rule.must, part)]
    return count + len(asked), out + _overcautious(rule, asked, allowed)


def _overcautious(rule: Rule, parts: Sequence[str], allowed: Container[str]) -> list[str]:
    """The mutants that are unknown whenever a part is unread, whether or not the result depends on it."""
    told = {p for case in cases(rule) if case.expected != "unknown" for p in case.example.unread}
    return [
        f"{rule.path}: no example detects that the rule became: {text}"
        f" (add one that passes or fails with {part} unread, or the reason under equivalent_mutants)"
        for part in parts
        if part not in told and (text := f"unknown where {part} is unread") not in allowed
    ]


def mutants(expression: Expression) -> Iterator[tuple[str, Expression]]:
    """Every mutation of a condition, with its text."""
    seen = {unparse(expression.checked.expr)}
    for number, before in enumerate(_nodes(expression.checked.expr)):
        for variant in _variants(before):
            checked = type(expression.checked)()
            checked.CopyFrom(expression.checked)
            node = next(islice(_nodes(checked.expr), number, None))
            if not _mutate(node, variant, checked):
                continue
            text = unparse(checked.expr)
            if text in seen:
                continue
            seen.add(text)
            program = environment(expression.provider).deserialize(syntax_tree.unparse(checked))
            yield text, replace(expression, checked=checked, program=program)


def _variants(node: Any) -> tuple[int, ...]:
    """Those of `_mutate` that may be possible."""
    if syntax_tree.kind(node) != "call_expr":
        return (0,)
    return (0, 1, 2) if node.call_expr.function in LOGIC else (0,)


def _nodes(expr: Any) -> Iterator[Any]:
    yield expr
    if syntax_tree.kind(expr) == "comprehension_expr":
        c = expr.comprehension_expr
        yield from _nodes(c.iter_range)
        predicate = _predicate(c)
        if predicate is not None:
            yield from _nodes(predicate)
        return
    for child in syntax_tree.children(expr):
        yield from _nodes(child)


def _predicate(comprehension: Any) -> Any | None:
    """The condition inside exists(), all() or filter()."""
    step = comprehension.loop_step
    if syntax_tree.kind(step) != "call_expr":
        return None
    if step.call_expr.function in LOGIC:
        return step.call_expr.args[1]
    return step.call_expr.args[0] if step.call_expr.function == "_?_:_" else None


def _mutate(node: Any, variant: int, checked: Any) -> bool:
    which = syntax_tree.kind(node)
    if which == "const_expr":
        return variant == 0 and _other_constant(node.const_expr)
    if which == "comprehension_expr":
        return variant == 0 and _swap_quantifier(node.comprehension_expr, checked)
    if which != "call_expr":
        return False
    call = node.call_expr
    if variant == 0 and call.function in FLIPS:
        _rename(call, node.id, checked)
        return True
    if variant in (1, 2) and call.function in LOGIC:  # drop a conjunct or disjunct
        kept = type(node)()
        kept.CopyFrom(call.args[variant - 1])
        node.CopyFrom(kept)
        return True
    if variant == 0 and call.function == "!_":
        inner = type(node)()
        inner.CopyFrom(call.args[0])
        node.CopyFrom(inner)
        return True
    return False


def _rename(call: Any, id: int, checked: Any) -> None:
    call.function = FLIPS[call.function]
    for entry in checked.reference_map:
        if entry.key == id:
            if call.function in LOGIC:
                entry.value.overload_id[:] = [LOGIC[call.function]]
            else:
                entry.value.overload_id[:] = [
                    _overload(call.function, o) for o in entry.value.overload_id
                ]


def _overload(function: str, before: str) -> str:
    names = {"_==_": "equals", "_!=_": "not_equals"}
    if function in names:
        return names[function]
    words = {"_<_": "less", "_<=_": "less_equals", "_>_": "greater", "_>=_": "greater_equals"}
    kind = (
        before.removeprefix("less_equals")
        .removeprefix("greater_equals")
        .removeprefix("less")
        .removeprefix("greater")
    )
    return words[function] + kind


def _other_constant(constant: Any) -> bool:
    which = constant.WhichOneof("kind")
    if which == "bool_value":
        constant.bool_value = not constant.bool_value
    elif which == "int64_value":
        constant.int64_value += 1
    else:
        return False
    return True


def _swap_quantifier(comprehension: Any, checked: Any) -> bool:
    """Converts exists() to all() and back, which differ in initial value, step and stop condition."""
    step = comprehension.loop_step
    if syntax_tree.kind(step) != "call_expr" or step.call_expr.function not in LOGIC:
        return False
    start = comprehension.accu_init.const_expr
    start.bool_value = not start.bool_value
    _rename(step.call_expr, step.id, checked)
    stop = comprehension.loop_condition.call_expr  # @not_strictly_false(accu) or (!accu)
    inner = stop.args[0]
    if syntax_tree.kind(inner) == "call_expr" and inner.call_expr.function == "!_":
        plain = type(inner)()
        plain.CopyFrom(inner.call_expr.args[0])
        inner.CopyFrom(plain)
        return True
    fresh = max((n.id for n in syntax_tree.every(checked.expr)), default=0) + 1
    negated = type(inner)(id=fresh)
    negated.call_expr.function = "!_"
    negated.call_expr.args.add().CopyFrom(inner)
    inner.CopyFrom(negated)
    checked.reference_map.add(key=fresh).value.overload_id.append("logical_not")
    return True
