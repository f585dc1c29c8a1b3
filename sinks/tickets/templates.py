"""Fields that users fill by CEL over the ticket. Pure."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from driftline.pipeline.rulebook.cel.expression import ExpressionError, reason_of
from driftline.pipeline.settings.base import Mistake
from driftline.sinks.tickets.destination import Refused

SIGN = "="
"""A text that begins so is an expression."""


@cache
def _environment() -> Any:
    extensions = [ext_optional.ExtOptional(), ext_strings.ExtStrings()]
    return cel.NewEnv(variables={"document": cel.Type.DYN}, extensions=extensions)


@cache
def _compiled(text: str) -> Any:
    try:
        return _environment().compile(text)
    except RuntimeError as error:
        raise reason_of(error) from None


def template_mistakes(field: str, value: Any) -> Iterator[Mistake]:
    """What is wrong with the expressions in a setting."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from template_mistakes(field, one)
    elif isinstance(value, list):
        for one in value:
            yield from template_mistakes(field, one)
    elif isinstance(value, str) and value.startswith(SIGN):
        try:
            _compiled(value[len(SIGN) :].strip())
        except ExpressionError as error:
            fix = "the ticket is `document`, as in pipeline/schemas/ticket.json"
            yield Mistake((field,), f"{value!r}: column {error.column}: {error}", fix)


def filled(fields: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, with their expressions' values. Raises Refused where one has no value."""
    return {name: _filled(name, value, document) for name, value in fields.items()}


def _filled(name: str, value: Any, document: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(f"{name}.{key}", one, document) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(name, one, document) for one in value]
    if isinstance(value, str) and value.startswith(SIGN):
        return _value(name, value[len(SIGN) :].strip(), document)
    return value


def _value(name: str, text: str, document: Mapping[str, Any]) -> Any:
    try:
        found = _compiled(text).eval(_environment().Activation({"document": dict(document)}))
    except (RuntimeError, ExpressionError) as why:
        raise Refused(f"fields.{name}: {str(why).splitlines()[0]}") from None
    if found.type().name() in ("ERROR", "UNKNOWN"):
        raise Refused(f"fields.{name}: {str(found).splitlines()[0][:200]}")
    return _plain(found)


def _plain(found: Any) -> Any:
    """A CEL value as JSON has it."""
    value = found.value() if hasattr(found, "value") else found
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
