"""A sentence states no value that is not there: where a field is absent, what stands in for it is not told as its value."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from driftline.pipeline.proof.rules.proof import ask, cases, document
from driftline.pipeline.proof.rules.sentences import situation
from driftline.pipeline.rulebook import BoundRule, Rule, load
from driftline.pipeline.rulebook.cel import syntax_tree

RULES = [rule for rule in load().rules if rule.sentence is not None]
SAYS_NOTHING = re.compile(
    r"unnamed|none|one|not set|not active|unknown( \w+)?|protocol not set|an? [a-z ]+|its [a-z ]+|one of [a-z ]+|no [a-z ]+|another path"
    r"|\(path not told\)"
)
"""What may stand in for a value that is absent: words that say so."""


def stand_ins(rule: Rule) -> list[str]:
    """The constants that a rule's values take where a field is absent."""
    found = set()
    for value in rule.sentence.values.values() if rule.sentence else ():
        for node in syntax_tree.every(value.checked.expr):
            if syntax_tree.kind(node) == "call_expr" and node.call_expr.function == "orValue":
                constant = syntax_tree.constant(node.call_expr.args[0])
                if isinstance(constant, str | int | float) and not isinstance(constant, bool):
                    found.add(str(constant))
    return sorted(one for one in found if one and not SAYS_NOTHING.fullmatch(one))


def fields(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all fields of objects."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for step, one in inside:
        if isinstance(value, dict) and len(path) > 0:
            yield (*path, step)
        yield from fields(one, (*path, step))


def told(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, list):
            yield from told(one)
        elif isinstance(one, str | int | float) and not isinstance(one, bool):
            yield str(one)


def stated(rule: Rule) -> Iterator[str]:
    bound, absent = BoundRule(rule, rule.file.severity, rule.file.params), stand_ins(rule)
    if not absent or rule.sentence is None:
        return
    for case in cases(rule):
        if case.expected != "failed":
            continue
        whole = document(rule, case.example)
        gone = [".".join(map(str, ("config", *path))) for path in fields(whole["config"])]
        for path in [None, *gone]:
            example = case.example
            if path is not None:
                example = example.model_copy(update={"remove": [*example.remove, path]})
            try:
                left = document(rule, example)
                if ask(rule, bound, example)[0] != "failed":
                    continue
            except (KeyError, IndexError, TypeError, ValueError):
                continue
            said = [
                text
                for one in rule.sentence.values_of(situation(rule, example)).values()
                for text in told(one)
            ]
            known = str(left["config"]) + str(bound.params) + str(example.params)
            for text in said:
                for one in absent:
                    if re.search(rf"(?<![\w.]){re.escape(one)}(?![\w.])", text) and not re.search(
                        rf"(?<![\w.]){re.escape(one)}(?![\w.])", known
                    ):
                        yield f"{case.example.name} without {path}: {text!r} states {one!r}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_is_absent_is_not_stated(rule: Rule) -> None:
    assert list(stated(rule)) == []
