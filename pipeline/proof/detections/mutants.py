"""Mutates a rule's condition: every small change must be detected by an example. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)

from driftline.pipeline.detections.values import EventView

MOST_LISTED = 20
"""Maximum length of a list whose values are mutated one by one; a longer list is mutated as a whole."""
LONGEST = 120
"""Maximum characters of a condition in a message."""
SIGNS = {"and": " and ", "or": " or "}
Seen = Sequence[bool]
"""For each test, whether an event satisfies it."""


@dataclass(frozen=True)
class ConditionNode:
    """A condition as mutants change it."""

    op: str
    """`and`, `or`, `not`, `test`, `always`, `never`."""
    below: tuple["ConditionNode", ...] = ()
    number: int = -1
    """Of a test: which."""
    text: str = ""

    def holds(self, seen: Seen) -> bool:
        match self.op:
            case "and":
                return all(one.holds(seen) for one in self.below)
            case "or":
                return any(one.holds(seen) for one in self.below)
            case "not":
                return not self.below[0].holds(seen)
            case "test":
                return seen[self.number]
            case _:
                return self.op == "always"

    def shown(self) -> str:
        if self.op == "not":
            return f"not {self.below[0].shown()}"
        return f"({SIGNS[self.op].join(one.shown() for one in self.below)})" if self.below else self.text  # fmt: skip


class ConditionTests:
    """The tests of a condition, each evaluated once per event."""

    def __init__(
        self, closure: Callable[[Any], Callable[[EventView], bool]], most: int = MOST_LISTED
    ) -> None:
        self._closure, self._most = closure, most
        self._every: list[Callable[[EventView], bool]] = []

    def node(self, tree: Any) -> ConditionNode:
        """A parsed condition as nodes."""
        if isinstance(tree, ConditionNOT):
            return (
                ConditionNode("not", (self.node(tree.args[0]),))
                if tree.args
                else ConditionNode("always")
            )
        if isinstance(tree, ConditionAND | ConditionOR) and not self._long_list(tree):
            return ConditionNode("and" if isinstance(tree, ConditionAND) else "or", tuple(map(self.node, tree.args)))  # fmt: skip
        self._every.append(self._closure(tree))
        return ConditionNode("test", number=len(self._every) - 1, text=_text(tree))

    def _long_list(self, tree: Any) -> bool:
        fields = {getattr(one, "field", None) for one in tree.args}
        return len(tree.args) > self._most and len(fields) == 1 and None not in fields

    def seen(self, view: EventView) -> Seen:
        """The result of each test for an event."""
        return [holds(view) for holds in self._every]


def _text(tree: Any) -> str:
    if isinstance(tree, ConditionAND | ConditionOR):
        first: Any = tree.args[0]
        return f"one of {len(tree.args)} values of {first.field}"
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        return f"{tree.field}: {tree.value}"
    return str(getattr(tree, "value", tree))


def survivors(
    trees: Sequence[Any], closure: Callable[[Any], Callable[[EventView], bool]], fires: Sequence[EventView], silent: Sequence[EventView],
    most: int = MOST_LISTED,
) -> Iterator[str]:  # fmt: skip
    """The mutations of a rule's conditions (any of which suffices) that no example detects. `most`: maximum length of a list
    whose values are dropped one by one."""
    tests = ConditionTests(closure, most)
    nodes = [tests.node(tree) for tree in trees]
    whole = nodes[0] if len(nodes) == 1 else ConditionNode("or", tuple(nodes))
    said = [(tests.seen(view), wanted) for views, wanted in ((fires, True), (silent, False)) for view in views]  # fmt: skip
    told: set[str] = set()
    for mutant, why in mutants(whole):
        if why not in told and all(mutant.holds(seen) == wanted for seen, wanted in said):
            told.add(why)
            yield f"no example detects that {why}"


def mutants(node: ConditionNode) -> Iterator[tuple[ConditionNode, str]]:
    """Every condition that differs from this one in one place, and a description of the difference."""
    shown = node.shown()
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
    if node.op == "test":
        yield (
            replace(node, op="never"),
            f"`{shown}` is never true (add one that fires because of it)",
        )
        yield replace(node, op="always"), f"`{shown}` is always true (add one that only it keeps silent)"  # fmt: skip
    if node.op == "not":
        yield node.below[0], f"`not` is removed from `{shown}`"
    if node.op in SIGNS and len(node.below) > 1:
        other = "or" if node.op == "and" else "and"
        yield replace(node, op=other), f"`{node.op}` became `{other}` in `{shown}`"
    for place, one in enumerate(node.below):
        for mutant, why in mutants(one):
            yield replace(node, below=(*node.below[:place], mutant, *node.below[place + 1 :])), why
