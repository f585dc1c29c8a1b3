"""One Sigma rule as a closure, and what an index may know of it. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from driftline.pipeline.detections.match import SigmaRuleError, compile_test, keyword
from driftline.pipeline.detections.values import EventView, folded
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

Closure = Callable[[EventView], bool]
Anchor = Mapping[str, frozenset[str]]
"""Fields, and the values (without their case) one of which each must have for the rule to match at all."""
MOST_TESTS = 20_000
"""Of one rule."""
LONGEST = 20_000
"""Characters of a rule's conditions."""
OWN = "driftline"
"""Product of findings (service `finding`) and drifts (service `drift`); prefix of the fields that we add to events."""
OWN_FIELDS = frozenset({
    "type", "uid", "account", "region", "action", "kind", "outcome", "resource_type", "source_ip", "known", "open",
    "severities", "worst", "exposure", "privilege", "related", "reason", "status", "evaluation", "rule", "severity",
    "network", "section", "reopened", "risk", "attribution", "name", "part", "change_set", "paths", "ops", "found_by", "baseline", "actor",
    "subject", "exception", "foreign", "target", "first_reading", "account_name", "resources", "login",
})  # fmt: skip
"""Fields below it (driftline.pipeline.detections.observed makes them)."""


@dataclass(frozen=True)
class Detection:
    """A rule, ready to be asked."""

    id: str
    title: str
    level: str
    matches: Closure
    anchor: Anchor
    logsource: Mapping[str, str]
    tags: tuple[str, ...] = ()
    name: str | None = None
    """How correlations and filters may call it beside its id."""
    status: str = ""
    path: str = ""
    fields: frozenset[str] = frozenset()
    """The fields that it looks at."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What else its file says: description, falsepositives, references, and our own block."""
    trees: tuple[Any, ...] = ()
    """Its conditions as pySigma parsed them, without filters."""
    possible: Closure | None = None
    """Whether an event may match that has only some of our own fields yet; None: `matches` says."""

    def may_match(self, view: EventView) -> bool:
        """Whether an event as its source wrote it matches, whatever the fields that we add later turn out to be."""
        return (self.possible or self.matches)(view)


def compile_rule(data: Mapping[str, Any], lists: Mapping[str, Sequence[str]], path: str = "") -> Detection:  # fmt: skip
    """A rule from its YAML's data. `lists`: what placeholders (expand) stand for. Raises Refused with every reason."""
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
    """Every comparison of a field in conditions."""
    for tree in trees:
        if isinstance(tree, ConditionFieldEqualsValueExpression):
            yield tree
        else:
            yield from comparisons(getattr(tree, "args", ()))


def closure(tree: Any) -> Closure:
    """Whether a parsed condition holds."""
    return _closure(tree, set())


def _bounded(data: Mapping[str, Any]) -> None:
    """Refuses what would become more tests than any rule needs, before it is taken apart."""
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
    """Puts lists in the place of placeholders. Raises Refused for one that there is no list of."""
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
        raise SigmaRuleError(f"no list of the name {', '.join(sorted(missing))} (write it in detections.lists)")  # fmt: skip


def _closure(tree: Any, seen: set[str]) -> Closure:
    if isinstance(tree, ConditionAND):
        return _all([_closure(arg, seen) for arg in tree.args])
    if isinstance(tree, ConditionOR):
        return _any([_closure(arg, seen) for arg in tree.args])
    if isinstance(tree, ConditionNOT):
        if not tree.args:  # pySigma empties the `not` of nothing
            return lambda _: True
        inner = _closure(tree.args[0], seen)
        return lambda view: not inner(view)
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        seen.add(tree.field)
        own, name = compile_test(tree.value), tree.field
        return lambda view: own(view, view.values(name))
    if isinstance(tree, ConditionValueExpression):
        return keyword(tree.value)
    raise SigmaRuleError(f"{type(tree).__name__} is not known here")


def _asks_ours(trees: Sequence[Any]) -> bool:
    """Whether a condition looks at fields that we add to events."""

    def asks(tree: Any) -> bool:
        if isinstance(tree, ConditionFieldEqualsValueExpression):
            return any(name.startswith(f"{OWN}.") for name in fields_of(tree))
        return any(asks(arg) for arg in getattr(tree, "args", ()))

    return any(map(asks, trees))


def fields_of(tree: ConditionFieldEqualsValueExpression) -> list[str]:
    """The fields that a comparison looks at."""
    other = [tree.value.field] if isinstance(tree.value, SigmaFieldReference) else []
    return [tree.field, *other]


def _possible(tree: Any, *, sure: bool) -> Closure:
    """Three-valued: a comparison with a field of ours that is not there yet may come out either way. `sure`: whether
    the tree holds in any case; else whether it may hold."""
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
    """What an event must have for the tree to match; empty where that is not known."""
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
