"""Compiles one Sigma rule to a closure, and derives what an index can use. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma.types import Placeholder, SigmaFieldReference, SigmaRegularExpression, SigmaString

from driftline.pipeline.detections.match import SigmaRuleError, compile_test, keyword
from driftline.pipeline.detections.values import EventView, folded

Closure = Callable[[EventView], bool]
Anchor = Mapping[str, frozenset[str]]
"""Fields and casefolded values: a rule can match only if each field has one of its values."""
MOST_TESTS = 20_000
"""Maximum number of tests per rule."""
LONGEST = 20_000
"""Maximum length of a rule's conditions, in characters."""
OWN = "driftline"
"""Product of findings (service `finding`) and drifts (service `drift`); prefix of the fields that Driftline adds to
events."""
OWN_FIELDS = frozenset({
    "type", "uid", "account", "region", "action", "kind", "outcome", "resource_type", "source_ip", "known", "open",
    "severities", "worst", "exposure", "privilege", "related", "reason", "status", "evaluation", "rule", "severity",
    "network", "section", "reopened", "risk", "attribution", "name", "part", "change_set", "paths", "ops", "found_by", "baseline", "actor",
    "subject", "exception", "foreign", "target", "first_reading", "account_name", "resources", "login",
})  # fmt: skip
"""Fields below the prefix (built by driftline.pipeline.detections.observed)."""


@dataclass(frozen=True)
class Detection:
    """A compiled rule."""

    id: str
    title: str
    level: str
    matches: Closure
    anchor: Anchor
    logsource: Mapping[str, str]
    tags: tuple[str, ...] = ()
    name: str | None = None
    """The name that correlations and filters may use instead of the id."""
    status: str = ""
    path: str = ""
    fields: frozenset[str] = frozenset()
    """The fields that the rule uses."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Other keys of the file: description, falsepositives, references, and our own block."""
    trees: tuple[Any, ...] = ()
    """Its conditions as parsed by pySigma, without filters."""
    possible: Closure | None = None
    """Tests whether an event may match that has only some of Driftline's own fields yet; None if `matches` is enough."""

    def may_match(self, view: EventView) -> bool:
        """Returns whether an event as written by its source may match, whatever values the added fields will have."""
        return (self.possible or self.matches)(view)


def compile_rule(data: Mapping[str, Any], lists: Mapping[str, Sequence[str]], path: str = "") -> Detection:  # fmt: skip
    """Compiles a rule from its YAML data. `lists`: values of placeholders (expand). Raises SigmaRuleError with every
    reason."""
    try:
        _bounded(data)
        rule = SigmaRule.from_dict(dict(data))
        _expanded(rule, lists)
        trees = [condition.parsed for condition in rule.detection.parsed_condition]
    except SigmaError as why:
        raise SigmaRuleError(str(why)) from None
    seen: set[str] = set()
    closures = [_closure(tree, seen) for tree in trees]
    matches = closures[0] if len(closures) == 1 else _any(closures)
    possible = _any([_possible(tree, sure=False) for tree in trees]) if _asks_ours(trees) else None
    source = rule.logsource
    named = {"category": source.category, "product": source.product, "service": source.service}
    return Detection(
        id=str(rule.id or rule.name or ""), title=str(rule.title or ""), level=str(rule.level).lower() if rule.level else "medium",
        matches=matches, anchor=_either([_anchor(tree) for tree in trees]),
        logsource={key: value for key, value in named.items() if value},
        tags=tuple(f"{tag.namespace}.{tag.name}" for tag in rule.tags), name=rule.name,
        status=str(rule.status).lower() if rule.status else "", path=path, fields=frozenset(seen),
        about={key: data[key] for key in ("description", "falsepositives", "references", "driftline") if key in data},
        possible=possible, trees=tuple(trees),
    )  # fmt: skip


def comparisons(trees: Sequence[Any]) -> Iterator[ConditionFieldEqualsValueExpression]:
    """Yields every comparison of a field in the conditions."""
    for tree in trees:
        if isinstance(tree, ConditionFieldEqualsValueExpression):
            yield tree
        else:
            yield from comparisons(getattr(tree, "args", ()))


def closure(tree: Any) -> Closure:
    """Compiles a parsed condition."""
    return _closure(tree, set())


def _bounded(data: Mapping[str, Any]) -> None:
    """Rejects conditions that expand to more tests than any rule needs, before they are expanded."""
    detection = data.get("detection")
    if not isinstance(detection, Mapping):
        return
    own = detection.get("condition")
    texts = [text for text in (own if isinstance(own, list) else [own]) if isinstance(text, str)]
    if sum(map(len, texts)) > LONGEST:
        raise SigmaRuleError(f"condition: more than {LONGEST} characters")
    if sum(len(re.findall(r"\bof\b", text)) for text in texts) * len(detection) > MOST_TESTS:
        raise SigmaRuleError(f"condition: `of` over {len(detection)} selections becomes more than {MOST_TESTS} tests (name fewer)")  # fmt: skip


def _expanded(rule: SigmaRule, lists: Mapping[str, Sequence[str]]) -> None:
    """Replaces placeholders by lists. Raises SigmaRuleError if a list is not defined."""
    missing: set[str] = set()

    def values(placeholder: Placeholder) -> Iterator[Any]:
        if placeholder.name not in lists:
            missing.add(placeholder.name)
        yield from map(SigmaString, lists.get(placeholder.name, ()))

    def walk(detection: Any) -> None:
        for item in detection.detection_items:
            if hasattr(item, "detection_items"):
                walk(item)
                continue
            new = []
            for value in item.value:
                if (
                    isinstance(value, SigmaRegularExpression)
                    and value.regexp.contains_placeholder()
                ):
                    raise SigmaRuleError(f"{value.regexp}: a list does not go into a regular expression (write the list with |expand, without |re)")  # fmt: skip
                if isinstance(value, SigmaString) and value.contains_placeholder():
                    if prod(len(lists.get(p.name, ())) for p in value.s if isinstance(p, Placeholder)) > MOST_TESTS:  # fmt: skip
                        raise SigmaRuleError(f"{value}: its lists make more than {MOST_TESTS} values together")  # fmt: skip
                    new += value.replace_placeholders(values)
                else:
                    new.append(value)
            item.value = new

    for detection in rule.detection.detections.values():
        walk(detection)
    if missing:
        raise SigmaRuleError(f"no list named {', '.join(sorted(missing))} (write it in detections.lists)")  # fmt: skip


def _closure(tree: Any, seen: set[str]) -> Closure:
    if isinstance(tree, ConditionAND):
        return _all([_closure(arg, seen) for arg in tree.args])
    if isinstance(tree, ConditionOR):
        return _any([_closure(arg, seen) for arg in tree.args])
    if isinstance(tree, ConditionNOT):
        if not tree.args:  # pySigma drops the `not` of an empty condition
            return lambda _: True
        inner = _closure(tree.args[0], seen)
        return lambda view: not inner(view)
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        seen.add(tree.field)
        own, name = compile_test(tree.value), tree.field
        return lambda view: own(view, view.values(name))
    if isinstance(tree, ConditionValueExpression):
        return keyword(tree.value)
    raise SigmaRuleError(f"{type(tree).__name__} is not supported")


def _asks_ours(trees: Sequence[Any]) -> bool:
    """Returns whether a condition uses fields that Driftline adds to events."""

    def asks(tree: Any) -> bool:
        if isinstance(tree, ConditionFieldEqualsValueExpression):
            return any(name.startswith(f"{OWN}.") for name in fields_of(tree))
        return any(asks(arg) for arg in getattr(tree, "args", ()))

    return any(map(asks, trees))


def fields_of(tree: ConditionFieldEqualsValueExpression) -> list[str]:
    """Returns the fields of a comparison."""
    other = [tree.value.field] if isinstance(tree.value, SigmaFieldReference) else []
    return [tree.field, *other]


def _possible(tree: Any, *, sure: bool) -> Closure:
    """Compiles to three values: a comparison with an added field that is not present yet may go either way. `sure`:
    whether the tree holds in any case; otherwise whether it may hold."""
    if isinstance(tree, ConditionAND | ConditionOR):
        join = _all if isinstance(tree, ConditionAND) else _any
        return join([_possible(arg, sure=sure) for arg in tree.args])
    if isinstance(tree, ConditionNOT):
        if not tree.args:
            return lambda _: True
        inner = _possible(tree.args[0], sure=not sure)
        return lambda view: not inner(view)
    own = _closure(tree, set())
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        ours = [name for name in fields_of(tree) if name.startswith(f"{OWN}.")]
        if ours:
            return lambda view: own(view) if all(map(view.values, ours)) else not sure
    return own


def _all(closures: list[Closure]) -> Closure:
    if len(closures) == 2:
        first, second = closures
        return lambda view: first(view) and second(view)
    return lambda view: all(one(view) for one in closures)


def _any(closures: list[Closure]) -> Closure:
    return lambda view: any(one(view) for one in closures)


def _anchor(tree: Any) -> Anchor:
    """Returns what an event must have for the tree to match; empty if that is not known."""
    if isinstance(tree, ConditionAND):
        out: dict[str, frozenset[str]] = {}
        for arg in tree.args:
            for name, values in _anchor(arg).items():
                out.setdefault(name, values)
        return out
    if isinstance(tree, ConditionOR):
        return _either([_anchor(arg) for arg in tree.args])
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        value = tree.value
        if isinstance(value, SigmaString) and all(isinstance(part, str) for part in value.s):
            text = "".join(str(part) for part in value.s)
            return {tree.field: frozenset({folded(text)})}
    return {}


def _either(anchors: Sequence[Anchor]) -> Anchor:
    if not anchors:
        return {}
    common = set(anchors[0]).intersection(*anchors[1:])
    return {name: frozenset().union(*(anchor[name] for anchor in anchors)) for name in common}
