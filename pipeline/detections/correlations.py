"""Sigma correlations (specification 2.1.0) as data for driftline.pipeline.correlate. Pure.

Extensions to the specification: `first_seen` matches values of a field that a group has not had within the timespan,
once the group has been watched for the `learning` period; `standing` lets a rule on findings hold for as long as the
finding is open, and not only within the timespan; and `temporal` accepts a condition over rule names (`a and (b or c)
and not d`), as pySigma does, where a negated rule must not follow within the timespan. A range is two conditions."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline.pipeline.common import durations
from driftline.pipeline.common.durations import DAY
from driftline.pipeline.detections.match import SigmaRuleError
from driftline.pipeline.detections.windows import COMPARE, Kind, Spec

TYPES = ("event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile",
         "value_median", "first_seen")  # fmt: skip
KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate", "learning",
        "standing")  # fmt: skip
_TOKEN = re.compile(r"\s*(\(|\)|and\b|or\b|not\b|[A-Za-z0-9_-]+)")
Holds = Callable[[frozenset[str]], bool]


@dataclass(frozen=True)
class Correlation:
    """One correlation."""

    id: str
    title: str
    level: str
    kind: Kind
    rules: tuple[str, ...]
    """Ids of rules and correlations, in file order."""
    group_by: tuple[str, ...]
    timespan: int
    """In microseconds."""
    conditions: tuple[tuple[str, float], ...] = ()
    counted: tuple[str, ...] = ()
    """The fields whose values are counted or aggregated by value_* types; the values of several fields are combined."""
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Maps a group-by name to the corresponding field of each rule."""
    generate: bool | None = None
    """Whether the referenced rules still alert by themselves; None if the file does not set it (DetectionEngine
    decides)."""
    expression: str = ""
    percentile: float = 50
    called: Mapping[str, str] = field(default_factory=dict)
    """Maps the name that the file uses for a rule to its id."""
    name: str | None = None
    tags: tuple[str, ...] = ()
    path: str = ""
    learning: int = 0
    """For first_seen, in microseconds."""
    standing: Mapping[str, str] = field(default_factory=dict)
    """For temporal: rules that hold until another rule ends them, by id."""
    longest: int = DAY
    """A longer alert is continued by another one (`driftline: {longest: …}`)."""
    about: Mapping[str, Any] = field(default_factory=dict)

    def field_of(self, name: str, rule: str, called: str | None) -> str:
        """Returns the field for a group-by name in a rule (given by its id, or by the name that files use)."""
        alias = self.aliases.get(name, {})
        return str(alias.get(called or "") or alias.get(rule) or name)

    def spec(self) -> Spec:
        """Returns the specification that driftline.pipeline.correlate evaluates."""
        holds, absent = (
            expression(self.expression, self.called)
            if self.expression
            else (None, frozenset[str]())
        )
        return Spec(
            self.kind, self.rules, self.timespan, self.conditions, self.percentile, holds, absent, self.learning,
            self.standing, self.longest,
        )  # fmt: skip


def correlation(data: Mapping[str, Any], id: str, path: str = "") -> Correlation:
    """Parses a correlation from its document. Raises SigmaRuleError with what is wrong and what to write."""
    block = data["correlation"]
    if not isinstance(block, dict):
        raise SigmaRuleError(
            "correlation: expected a map (write type, rules, group-by, timespan, condition)"
        )
    unknown = [key for key in block if key not in KEYS]
    if unknown:
        raise SigmaRuleError(f"correlation: unknown key {unknown[0]!r} (known: {', '.join(KEYS)})")
    kind, rules = block.get("type"), block.get("rules")
    if kind not in TYPES:
        raise SigmaRuleError(f"type: {kind!r} is not one of {', '.join(TYPES)}")
    rules = [rules] if isinstance(rules, str) else rules
    if not isinstance(rules, list) or not rules or not all(isinstance(r, str) for r in rules):
        raise SigmaRuleError("rules: needs the names or ids of the rules that it correlates")
    timespan, learning = _span(block, "timespan"), 0
    if kind == "first_seen":
        learning = _span(block, "learning")
        if timespan < DAY or learning > timespan:
            raise SigmaRuleError("timespan: first_seen remembers for a day at least, and longer than it learns (write for example learning: 7d, timespan: 30d)")  # fmt: skip
    elif "learning" in block:
        raise SigmaRuleError(f"learning: {kind} does not learn (only first_seen does)")
    group_by = block.get("group-by", [])
    group_by = [group_by] if isinstance(group_by, str) else group_by
    conditions, field_, words, percentile = _condition(kind, block.get("condition"), rules)
    return Correlation(
        id, str(data.get("title", "")), str(data.get("level", "medium")).lower(), kind, tuple(rules), tuple(map(str, group_by)),
        timespan, conditions, field_, block.get("aliases") or {},
        _generate(block, data), words, percentile, {}, data.get("name"),
        tuple(map(str, data.get("tags") or ())), path, learning, _standing(block, kind, rules), _longest(driftline_block(data)),
        {key: data[key] for key in ("description", "falsepositives", "references", "driftline") if key in data},
    )  # fmt: skip


def _generate(block: Mapping[str, Any], data: Mapping[str, Any]) -> bool | None:
    found = block.get("generate", data.get("generate"))
    if not (found is None or isinstance(found, bool)):
        raise SigmaRuleError(
            "generate: is true or false (true: the rules also alert by themselves)"
        )
    return found


def _span(block: Mapping[str, Any], name: str) -> int:
    """Parses a duration to microseconds."""
    span = durations.whole_seconds(str(block.get(name, "")))
    if not span:
        raise SigmaRuleError(f"{name}: is not a duration (write for example 10m, 1h, 2d)")
    return span * durations.SECOND


def _standing(block: Mapping[str, Any], kind: str, rules: list[str]) -> dict[str, str]:
    found = block.get("standing")
    if found is None:
        return {}
    names = (
        [str(name) for pair in found.items() for name in pair] if isinstance(found, dict) else []
    )
    if kind != "temporal" or not names or not set(names) <= set(rules) or len(set(names)) < len(names):  # fmt: skip
        raise SigmaRuleError("standing: maps a rule of a temporal correlation to the one that tells its end, both among its rules")  # fmt: skip
    if "not " in str(block.get("condition", "")):
        raise SigmaRuleError("standing: cannot be combined with `not` (write two correlations)")
    return {str(rule): str(end) for rule, end in found.items()}


def driftline_block(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the `driftline` block of a file."""
    own = about.get("driftline")
    return own if isinstance(own, dict) else {}


def _longest(own: Mapping[str, Any]) -> int:
    return _span(own, "longest") if "longest" in own else DAY


def _condition(
    kind: str, found: Any, rules: list[str]
) -> tuple[tuple[tuple[str, float], ...], tuple[str, ...], str, float]:
    """Returns the comparisons, the fields, the expression over rule names, and the percentile."""
    if kind.startswith("temporal"):
        if found is None:
            return (), (), "", 50
        if not isinstance(found, str):
            raise SigmaRuleError(
                f"condition: {kind} takes an expression over rule names (write for example a and not b)"
            )
        names = set(_TOKEN.findall(found)) - {"(", ")", "and", "or", "not"}
        if kind == "temporal_ordered":
            raise SigmaRuleError(
                "condition: temporal_ordered takes no expression: the order of `rules` is the condition"
            )
        if extra := names - set(rules):
            raise SigmaRuleError(f"condition: {', '.join(sorted(extra))} is not among the rules")
        expression(found, {name: name for name in rules})  # reports mistakes early
        return (), (), found, 50
    if kind == "first_seen":
        if not (isinstance(found, dict) and found.keys() == {"field"}):
            raise SigmaRuleError("condition: first_seen needs the field whose values may be new, and nothing else (write condition: {field: …})")  # fmt: skip
        return (), (str(found["field"]),), "", 50
    if not isinstance(found, dict) or not found:
        raise SigmaRuleError(f"condition: {kind} needs a comparison (write for example gte: 10)")
    comparisons = tuple((op, float(value)) for op, value in found.items() if op in COMPARE)
    rest = {key: value for key, value in found.items() if key not in COMPARE}
    field_ = rest.pop("field", None)
    percentile = float(rest.pop("percentile", 50))
    if rest:
        raise SigmaRuleError(
            f"condition: unknown {sorted(rest)[0]!r} (known: {', '.join(COMPARE)}, field, percentile)"
        )
    if not comparisons:
        raise SigmaRuleError("condition: needs a comparison (write for example gte: 10)")
    return comparisons, _fields(kind, field_), "", percentile


def _fields(kind: str, found: Any) -> tuple[str, ...]:
    """Returns the fields of a condition: one, or several whose values value_count combines."""
    if kind == "event_count":
        return ()
    fields = found if kind == "value_count" and isinstance(found, list) else [found]
    if not fields or not all(isinstance(name, str) for name in fields):
        raise SigmaRuleError(f"condition: {kind} needs the field that it looks at (write field: …)")
    return tuple(fields)


def expression(text: str, called: Mapping[str, str]) -> tuple[Holds, frozenset[str]]:
    """Compiles an expression. Returns a function that tells whether a set of rules is a match, and the rules that
    must be absent. `called`: names to ids.

    Raises SigmaRuleError if it cannot be parsed."""
    reader = _Reader(text, called)
    whole = reader.either()
    if reader.peek():
        raise SigmaRuleError(f"condition: {text!r}: {reader.peek()!r}: expected `and` or `or`")
    if reader.absent and "or" in reader.tokens:
        raise SigmaRuleError(
            "condition: `not` and `or` cannot be combined (write two correlations)"
        )
    if reader.absent >= set(called.values()):
        raise SigmaRuleError("condition: at least one rule must not be negated (write a and not b)")
    return whole, frozenset(reader.absent)


class _Reader:
    """Parses an expression from left to right."""

    def __init__(self, text: str, called: Mapping[str, str]) -> None:
        self.text, self.called, self.absent = text, called, set[str]()
        self.tokens: list[str] = _TOKEN.findall(text)
        self._at = 0
        if "".join(self.tokens) != re.sub(r"\s", "", text):
            raise SigmaRuleError(
                f"condition: {text!r} cannot be read (names, and, or, not, parentheses)"
            )

    def peek(self) -> str:
        return self.tokens[self._at] if self._at < len(self.tokens) else ""

    def _take(self) -> str:
        word, self._at = self.peek(), self._at + 1
        return word

    def either(self) -> Holds:
        return self._joined("or", self._both, any)

    def _both(self) -> Holds:
        return self._joined("and", self._atom, all)

    def _joined(self, word: str, read: Callable[[], Holds], join: Callable[[Any], bool]) -> Holds:
        parts = [read()]
        while self.peek() == word:
            self._take()
            parts.append(read())
        return parts[0] if len(parts) == 1 else lambda seen: join(part(seen) for part in parts)

    def _atom(self) -> Holds:
        word = self._take()
        if word == "(":
            inner = self.either()
            if self._take() != ")":
                raise SigmaRuleError(f"condition: {self.text!r}: a parenthesis is not closed")
            return inner
        if word == "not":
            self.absent.add(self._id(self._take()))
            return lambda _: True  # evaluated separately: it must not follow
        id = self._id(word)
        return lambda seen: id in seen

    def _id(self, word: str) -> str:
        if word not in self.called:
            raise SigmaRuleError(f"condition: {word or 'its end'!r}: expected the name of a rule")
        return self.called[word]
