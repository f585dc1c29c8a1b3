"""What Sigma calls a match: fields of an event, and one value compared with what a rule asks for. Pure.

Semantics: the Sigma specification 2.1 (modifiers appendix) and the practice of SigmaHQ's rules: case does not matter
unless a rule says so, any element of a list may match, a whole object may be searched as text."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
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

Test = Callable[["View", list[Any]], bool]
"""Whether the values of a field match; the view is for what looks at other fields."""
FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


LARGEST = 5000
"""Steps of a compiled pattern. One of a hundred letters has some hundred."""
_QUIET = re2.Options()
_QUIET.log_errors = False


class Refused(Exception):
    """A value that cannot be compiled, and what to write instead."""


class View:
    """An event as rules see it; what one rule has looked up, the others find."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.event = event
        self._fields: dict[str, list[Any]] = {}
        self._words: list[str] | None = None

    def values(self, field: str) -> list[Any]:
        """What stands at a dotted path, every element of lists on the way; empty where nothing does. A key that itself
        holds dots counts too."""
        found = self._fields.get(field)
        if found is None:
            found = self._fields[field] = list(_found(self.event, field))
        return found

    def words(self) -> list[str]:
        """Every scalar of the event, as text in lower case."""
        if self._words is None:
            self._words = [text.lower() for text in _scalars(self.event)]
        return self._words


def _found(holder: Any, field: str) -> Iterator[Any]:
    if isinstance(holder, list):
        for item in holder:
            yield from _found(item, field)
        return
    if not isinstance(holder, Mapping):
        return
    if field in holder:
        value = holder[field]
        if isinstance(value, list):
            yield from value or [None]
            if value:
                yield value  # as a whole, for who looks for text in it
        else:
            yield value
        return
    first, dot, rest = field.partition(".")
    while dot:
        if first in holder:
            yield from _found(holder[first], rest)
            return
        more, dot, rest = rest.partition(".")
        first = f"{first}.{more}"


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif (text := text_of(value)) is not None:
        yield text


def text_of(value: Any) -> str | None:
    """A value as rules compare it; None for null."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return orjson.dumps(value, default=str).decode()


def test(value: SigmaType) -> Test:
    """The test that a rule's value asks for. Raises Refused."""
    for kind, make in _TESTS:
        if isinstance(value, kind):
            return make(value)
    raise Refused(f"{type(value).__name__} is not known here")


def _any(holds: Callable[[str], bool]) -> Test:
    def check(_: View, values: list[Any]) -> bool:
        return any((text := text_of(value)) is not None and holds(text) for value in values)

    return check


def string(value: SigmaString) -> Callable[[str], bool]:
    """A text with wildcards: `*` any, `?` one character. Cased only where the rule says so."""
    cased = isinstance(value, SigmaCasedString)
    fold = str if cased else str.lower
    parts = [fold(part) if isinstance(part, str) else part for part in value.s]
    if any(not isinstance(part, str | SpecialChars) for part in parts):
        raise Refused(f"{value}: a placeholder without the modifier expand (write |expand, and name the list)")  # fmt: skip
    texts = [part for part in parts if isinstance(part, str)]
    if len(parts) == len(texts):
        whole = "".join(texts)
        return lambda text: fold(text) == whole
    multi = SpecialChars.WILDCARD_MULTI
    if len(texts) == 1 and SpecialChars.WILDCARD_SINGLE not in parts:
        (own,) = texts
        if parts == [multi, own, multi]:
            return lambda text: own in fold(text)
        if parts == [own, multi]:
            return lambda text: fold(text).startswith(own)
        if parts == [multi, own]:
            return lambda text: fold(text).endswith(own)
    pattern = "".join(
        re2.escape(part) if isinstance(part, str) else "(?s:.*)" if part is multi else "(?s:.)"
        for part in parts
    )
    compiled = _re2(pattern, str(value))
    return lambda text: compiled.fullmatch(fold(text)) is not None


def _string(value: SigmaString) -> Test:
    return _any(string(value))


def _number(value: SigmaNumber) -> Test:
    wanted = float(value.number)

    def holds(text: str) -> bool:
        try:
            return float(text) == wanted
        except ValueError:
            return False

    return _any(holds)


def _bool(value: SigmaBool) -> Test:
    wanted = "true" if value.boolean else "false"
    return _any(lambda text: text.lower() == wanted)


def _null(_: SigmaNull) -> Test:
    return lambda _, values: not values or any(value is None for value in values)


def _exists(value: SigmaExists) -> Test:
    wanted = bool(value)
    return lambda _, values: bool(values) == wanted


def _re2(pattern: str, shown: str) -> Any:
    """A pattern of RE2: its time is its size times the text's, so the size is bounded too. Raises Refused."""
    try:
        compiled = re2.compile(pattern, _QUIET)
    except re2.error as why:
        raise Refused(f"{shown[:200]}: {why} (patterns are RE2's: no look-around, no back-references)") from None  # fmt: skip
    if compiled.programsize > LARGEST:
        raise Refused(f"{shown[:200]}: a pattern of {compiled.programsize} steps (write one of {LARGEST} at most; lists of values are no pattern)")  # fmt: skip
    return compiled


def _regex(value: SigmaRegularExpression) -> Test:
    """By RE2, which no pattern and no event can make slow; it knows no look-around and no back-references."""
    flags = "".join(sorted(FLAGS[flag] for flag in value.flags))
    text = str(value.regexp)
    compiled = _re2(f"(?{flags}){text}" if flags else text, text)
    return _any(lambda text: compiled.search(text) is not None)


def _cidr(value: SigmaCIDRExpression) -> Test:
    network = ipaddress.ip_network(value.cidr, strict=False)

    def holds(text: str) -> bool:
        try:
            return ipaddress.ip_address(text) in network
        except ValueError:
            return False

    return _any(holds)


def _compare(value: SigmaCompareExpression) -> Test:
    op, wanted = value.op.name, value.number

    def holds(text: str) -> bool:
        try:
            number = float(text)
        except ValueError:
            return False
        limit = float(wanted.number) if isinstance(wanted, SigmaNumber) else float(str(wanted))
        return {"LT": number < limit, "LTE": number <= limit, "GT": number > limit, "GTE": number >= limit}[op]  # fmt: skip

    if not isinstance(wanted, SigmaNumber):
        try:
            float(str(wanted))
        except ValueError:
            raise Refused(f"{wanted}: no number to compare with") from None
    return _any(holds)


def _reference(value: SigmaFieldReference) -> Test:
    other, begins, ends = value.field, value.starts_with, value.ends_with

    def check(view: View, values: list[Any]) -> bool:
        mine = [text.lower() for one in values if (text := text_of(one)) is not None]
        theirs = [text.lower() for one in view.values(other) if (text := text_of(one)) is not None]
        if begins and ends:
            return any(b in a for a in mine for b in theirs)
        if begins:
            return any(a.startswith(b) for a in mine for b in theirs)
        if ends:
            return any(a.endswith(b) for a in mine for b in theirs)
        return not set(mine).isdisjoint(theirs)

    return check


def _expansion(value: SigmaExpansion) -> Test:
    tests = [test(one) for one in value.values]
    return lambda view, values: any(one(view, values) for one in tests)


_PARTS: Mapping[str, Callable[[datetime], int]] = {
    "MINUTE": lambda t: t.minute, "HOUR": lambda t: t.hour, "DAY": lambda t: t.day,
    "WEEK": lambda t: t.isocalendar().week, "MONTH": lambda t: t.month, "YEAR": lambda t: t.year,
}  # fmt: skip


def _timestamp(value: SigmaTimestampPart) -> Test:
    part, wanted = _PARTS[value.timestamp_part.name], int(value.number)

    def holds(text: str) -> bool:
        try:
            return part(datetime.fromisoformat(text.replace("Z", "+00:00"))) == wanted
        except ValueError:
            return False

    return _any(holds)


_TESTS: tuple[tuple[type, Callable[[Any], Test]], ...] = (
    (SigmaExpansion, _expansion), (SigmaString, _string), (SigmaBool, _bool), (SigmaNull, _null), (SigmaExists, _exists),
    (SigmaRegularExpression, _regex), (SigmaCIDRExpression, _cidr), (SigmaCompareExpression, _compare),
    (SigmaFieldReference, _reference), (SigmaTimestampPart, _timestamp), (SigmaNumber, _number),
)  # fmt: skip


def keyword(value: SigmaType) -> Callable[[View], bool]:
    """A value without a field: searched in every scalar of the event. Raises Refused."""
    if isinstance(value, SigmaString):
        multi = SpecialChars.WILDCARD_MULTI
        if all(isinstance(part, str) for part in value.s):
            word = "".join(str(part) for part in value.s).lower()
            return lambda view: any(word in text for text in view.words())
        around = value
        if not value.startswith(multi):
            around = SigmaString("*") + around
        if not value.endswith(multi):
            around = around + SigmaString("*")
        holds = string(around)
        return lambda view: any(holds(text) for text in view.words())
    own = test(value)
    return lambda view: own(view, list(view.words()))
