"""Determines whether what a rule objects to has grown since it was accepted. Pure.

The rule itself determines what it objects to: it is evaluated again with parts of a value removed, or on their own. An element
of a list violates the rule if the rule fails with only that element; a string within it counts only if the rule would pass
without it or with another one. Anything that the rule does not read, or that passes on its own (a description, a rule for another
port), is not worse."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from driftline.pipeline.compare.scalars import scalars
from driftline.pipeline.rulebook import BoundRule, RuleSet
from driftline.pipeline.rulebook.cel.expression import ELEMENT

MOST = 600
"""Maximum number of evaluations per value; if they do not suffice, the value counts as worse."""
OTHER_TEXT, OTHER_NUMBERS = "driftline-none", (-1, 10**9)
Where = tuple[str | int, ...]


class _TooMuch(Exception):
    """Too many evaluations would be needed."""


class Growth:
    """The value at one path of a resource, as evaluated by a rule. `path`: dotted steps of an evidence path."""

    def __init__(
        self, bound: BoundRule, document: dict[str, Any], path: Sequence[str], at: int
    ) -> None:
        self._rules, self._document, self._path, self._at = (
            RuleSet([bound]),
            document,
            tuple(path),
            at,
        )
        when = bound.rule.when.paths if bound.rule.when else frozenset()
        self._read = bound.rule.must.paths | when
        self._left = MOST

    def grown(self, old: Any, new: Any) -> bool:
        """Whether the rule objects to something in `new` to which it did not object in `old`."""
        try:
            return self._value((), old, new, new)
        except _TooMuch:
            return True

    def fails(self, value: Any) -> bool:
        """Whether the rule fails with that value at the path."""
        self._left -= 1
        if self._left < 0:
            raise _TooMuch
        document = _put(self._document, self._path, value)
        return self._rules.evaluate(document, {}, self._at)[0].evaluation == "failed"

    def _value(self, where: Where, old: Any, new: Any, base: Any) -> bool:
        """`base`: the whole value, with `new` at that place."""
        if _text(old) == _text(new):
            return False
        if isinstance(new, list) or isinstance(old, list):
            return self._list(where, _listed(old), _listed(new), _put(base, where, _listed(new)))
        if isinstance(new, dict):
            known = old if isinstance(old, dict) else {}
            return any(
                self._value((*where, key), known.get(key), new[key], base) for key in sorted(new)
            )
        return self._scalar(where, new, base)

    def _list(self, where: Where, old: list[Any], new: list[Any], base: Any) -> bool:
        known = {_text(one) for one in old}
        fresh = [one for one in new if _text(one) not in known]
        if not fresh:
            return False
        context = self._context(where, base)
        if context is None:  # the rule fails whatever the value is
            return self._named(where)
        alone = [one for one in fresh if self.fails(_put(context, where, [one]))]
        for one in alone:
            nearest = _nearest(one, old)
            if nearest is None or self._value(
                (*where, 0), nearest, one, _put(context, where, [one])
            ):
                return True
        rest = [one for one in fresh if one not in alone]
        if not rest:
            return False
        calm = [
            one
            for one in new
            if _text(one) in known and not self.fails(_put(context, where, [one]))
        ]
        return self.fails(_put(context, where, calm + rest))

    def _context(self, where: Where, base: Any) -> Any:
        """The value without everything outside this list that makes the rule fail; None if that is not possible."""
        if not self.fails(_put(base, where, [])):
            return base
        calm = base
        for other in _lists(base, (), where):
            if self.fails(_put(base, other, [])):
                calm = _put(calm, other, [])
        return None if self.fails(_put(calm, where, [])) else calm

    def _scalar(self, where: Where, new: Any, base: Any) -> bool:
        if self._named(where) or not where or isinstance(new, bool):
            return True
        if isinstance(where[-1], int) or not self.fails(_without(base, where)):
            return True
        others = [OTHER_TEXT] if isinstance(new, str) else OTHER_NUMBERS
        return not all(self.fails(_put(base, where, other)) for other in others)

    def _named(self, where: Where) -> bool:
        """Whether the rule's expression reads the place itself, rather than passing its surroundings to a function."""
        own = (*self._path, *where)
        return any(
            len(path) == len(own)
            and all(step in (ELEMENT, mine) for step, mine in zip(path, own, strict=True))
            for path in self._read
        ) or any(path[: len(own)] == own and len(path) > len(own) for path in self._read)


def _put(base: Any, where: Sequence[str | int], value: Any) -> Any:
    """The value with a different one at a place; other parts are shared."""
    if not where:
        return value
    step, *rest = where
    if isinstance(base, list) and isinstance(step, int):
        return [_put(one, rest, value) if n == step else one for n, one in enumerate(base)]
    holder = base if isinstance(base, dict) else {}
    return {**holder, str(step): _put(holder.get(str(step)), rest, value)}


def _without(base: Any, where: Where) -> Any:
    """The value without one field."""
    holder = base
    for step in where[:-1]:
        holder = holder[step]
    return _put(base, where[:-1], {k: v for k, v in holder.items() if k != where[-1]})


def _lists(value: Any, at: Where, way: Where) -> Iterator[Where]:
    """The paths of lists that are neither `way` nor enclose it; no nested ones."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _lists(value[key], (*at, key), way)
    elif isinstance(value, list):
        if way[: len(at)] != at:
            if value:
                yield at
        elif way != at:
            for number, one in enumerate(value):
                yield from _lists(one, (*at, number), way)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _nearest(one: Any, known: Sequence[Any]) -> Any:
    """The known element with most in common; None if there is none, or the value is not a map."""
    if not isinstance(one, dict):
        return None
    own = scalars(one)
    found = [
        (len(own & scalars(other)), _text(other), other)
        for other in known
        if isinstance(other, dict)
    ]
    best = max(found, key=lambda pair: pair[:2], default=None)
    return best[2] if best is not None and best[0] else None


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
