"""Sigma's matching: compares the values of a field with what a rule requires. Pure.

Semantics follow the Sigma specification 2.1 (modifiers appendix) and the practice of SigmaHQ's rules: case is ignored
unless a rule says otherwise, and any element of a list may match."""

import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import re2  # type: ignore[import-untyped]
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from driftline.pipeline.detections.values import EventView, folded, inside, text_of

Test = Callable[[EventView, list[Any]], bool]
"""Tests the values of a field; the view gives access to other fields."""
FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


LARGEST = 5000
"""Maximum size of a compiled pattern in RE2 instructions. A pattern of a hundred letters has about a hundred."""
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "LT": operator.lt, "LTE": operator.le, "GT": operator.gt, "GTE": operator.ge,
}  # fmt: skip
_QUIET = re2.Options()
_QUIET.log_errors = False


class SigmaRuleError(Exception):
    """A value that cannot be compiled, with what to write instead."""


def compile_test(value: SigmaType) -> Test:
    """Compiles a rule's value to a test. Raises SigmaRuleError."""
    for kind, make in _TESTS:
        if isinstance(value, kind):
            return make(value)
    raise SigmaRuleError(f"{type(value).__name__} is not supported")


def _any(holds: Callable[[str], bool]) -> Test:
    def check(_: EventView, values: list[Any]) -> bool:
        return any((text := text_of(value)) is not None and holds(text) for value in values)

    return check


def _any_inside(holds: Callable[[str], bool]) -> Test:
    """Compiles tests that also look inside objects."""
    return lambda _, values: any(holds(text) for value in values for text in inside(value))


def compile_string(value: SigmaString) -> tuple[Callable[[str], bool], bool]:
    """Compiles a comparison with a text with wildcards (`*` any text, `?` one character); case-sensitive only where
    the rule says so. Also returns whether the test expects casefolded text."""
    cased = isinstance(value, SigmaCasedString)
    parts = [part if cased or not isinstance(part, str) else folded(part) for part in value.s]
    if any(not isinstance(part, str | SpecialChars) for part in parts):
        raise SigmaRuleError(f"{value}: a placeholder without the modifier expand (write |expand, and name the list)")  # fmt: skip
    texts = [part for part in parts if isinstance(part, str)]
    multi = SpecialChars.WILDCARD_MULTI
    if len(parts) == len(texts):
        whole = "".join(texts)
        return lambda text: text == whole, not cased
    if len(texts) == 1 and SpecialChars.WILDCARD_SINGLE not in parts:
        (own,) = texts
        if parts == [multi, own, multi]:
            return lambda text: own in text, not cased
        if parts == [own, multi]:
            return lambda text: text.startswith(own), not cased
        if parts == [multi, own]:
            return lambda text: text.endswith(own), not cased
    pattern = "".join(
        re2.escape(part) if isinstance(part, str) else "(?s:.*)" if part is multi else "(?s:.)"
        for part in value.s
    )
    compiled = _re2(pattern if cased else f"(?i){pattern}", str(value))
    return lambda text: compiled.fullmatch(text) is not None, False


def _string(value: SigmaString) -> Test:
    multi = SpecialChars.WILDCARD_MULTI
    if value.s and all(part is multi for part in value.s):
        return lambda _, values: any(one is not None for one in values)
    holds, fold = compile_string(value)
    look = _any_inside if value.startswith(multi) and value.endswith(multi) else _any
    return look((lambda text: holds(folded(text))) if fold else holds)


def _number(value: SigmaNumber) -> Test:
    """Compares with a number, or with text that is the same number in JSON notation: `443`, not `0443` or `4_43`."""
    wanted = value.number
    return lambda _, values: any(number_of(one) == wanted for one in values)


def number_of(value: Any) -> int | float | None:
    """Returns the number that a value is or spells. None for anything else, including booleans."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if set(value) & set(".eE") else int(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bool(value: SigmaBool) -> Test:
    wanted = "true" if value.boolean else "false"
    return _any(lambda text: text.lower() == wanted)


def _null(_: SigmaNull) -> Test:
    return lambda _, values: not values or any(value is None for value in values)


def _exists(value: SigmaExists) -> Test:
    wanted = bool(value)
    return lambda _, values: bool(values) == wanted


def _re2(pattern: str, shown: str) -> Any:
    """Compiles a pattern with RE2. Its running time is the product of pattern and text size, so the size is limited.
    Raises SigmaRuleError."""
    try:
        compiled = re2.compile(pattern, _QUIET)
    except re2.error as why:
        raise SigmaRuleError(f"{shown[:200]}: {why} (patterns are RE2's: no look-around, no back-references)") from None  # fmt: skip
    if compiled.programsize > LARGEST:
        raise SigmaRuleError(f"{shown[:200]}: a pattern of {compiled.programsize} steps (write one of {LARGEST} at most; lists of values are no pattern)")  # fmt: skip
    return compiled


def _regex(value: SigmaRegularExpression) -> Test:
    """Uses RE2, which runs in linear time on any input; it has no look-around and no back-references."""
    flags = "".join(sorted(FLAGS[flag] for flag in value.flags))
    text = str(value.regexp)
    compiled = _re2(f"(?{flags}){text}" if flags else text, text)
    return _any_inside(lambda text: compiled.search(text) is not None)


def _cidr(value: SigmaCIDRExpression) -> Test:
    network = ipaddress.ip_network(value.cidr, strict=False)
    if network.version == 6 and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        network = ipaddress.ip_network((mapped, network.prefixlen - 96)) if mapped else network

    def holds(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return (getattr(address, "ipv4_mapped", None) or address) in network

    return _any(holds)


def _compare(value: SigmaCompareExpression) -> Test:
    wanted = value.number
    if not isinstance(wanted, SigmaNumber):
        raise SigmaRuleError(f"{wanted}: is not a number")
    compare, limit = _COMPARE[value.op.name], wanted.number
    return lambda _, values: any(
        (number := number_of(one)) is not None and compare(number, limit) for one in values
    )


def _reference(value: SigmaFieldReference) -> Test:
    """Compares with the values of another field by the same rules, as casefolded text; null and missing values equal
    nothing."""
    other, begins, ends = value.field, value.starts_with, value.ends_with

    def check(view: EventView, values: list[Any]) -> bool:
        mine, theirs = _folded(values), _folded(view.values(other))
        if begins and ends:
            return any(b in a for a in mine for b in theirs)
        if begins:
            return any(a.startswith(b) for a in mine for b in theirs)
        if ends:
            return any(a.endswith(b) for a in mine for b in theirs)
        return not mine.isdisjoint(theirs)

    return check


def _folded(values: list[Any]) -> set[str]:
    return {folded(text) for one in values if (text := text_of(one)) is not None}


def _expansion(value: SigmaExpansion) -> Test:
    tests = [compile_test(one) for one in value.values]
    return lambda view, values: any(one(view, values) for one in tests)


_PARTS: Mapping[str, Callable[[datetime], int]] = {
    "MINUTE": lambda t: t.minute, "HOUR": lambda t: t.hour, "DAY": lambda t: t.day,
    "WEEK": lambda t: t.isocalendar().week, "MONTH": lambda t: t.month, "YEAR": lambda t: t.year,
}  # fmt: skip


def _timestamp(value: SigmaTimestampPart) -> Test:
    """In the time zone in which the time is written."""
    part, wanted = _PARTS[value.timestamp_part.name], int(value.number)

    def holds(text: str) -> bool:
        try:
            return part(datetime.fromisoformat(text)) == wanted
        except ValueError:
            return False

    return lambda _, values: any(isinstance(one, str) and holds(one) for one in values)


_TESTS: tuple[tuple[type, Callable[[Any], Test]], ...] = (
    (SigmaExpansion, _expansion), (SigmaString, _string), (SigmaBool, _bool), (SigmaNull, _null), (SigmaExists, _exists),
    (SigmaRegularExpression, _regex), (SigmaCIDRExpression, _cidr), (SigmaCompareExpression, _compare),
    (SigmaFieldReference, _reference), (SigmaTimestampPart, _timestamp), (SigmaNumber, _number),
)  # fmt: skip


def keyword(value: SigmaType) -> Callable[[EventView], bool]:
    """Compiles a keyword: a value without a field, searched in every scalar of the event. Raises SigmaRuleError."""
    if isinstance(value, SigmaString):
        multi = SpecialChars.WILDCARD_MULTI
        around = value
        if not value.startswith(multi):
            around = multi + around
        if not value.endswith(multi):
            around = around + multi
        holds, fold = compile_string(around)
        return lambda view: any(map(holds, view.folded_words() if fold else view.words()))
    own = compile_test(value)
    return lambda view: own(view, list(view.words()))
