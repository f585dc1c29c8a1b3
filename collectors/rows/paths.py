"""Paths (JMESPath) and templates of rows: checked when a row is loaded, evaluated when a resource is read."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

import jmespath  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_HOLE = re.compile(r"\{([^{}]+)\}")
BAD_PATH = "path"
"""The type of pydantic's error for a path that cannot be parsed."""


def checked(path: str) -> str:
    """The path, which can be parsed. Raises PydanticCustomError."""
    try:
        jmespath.compile(path)
    except JMESPathError as error:
        context = {"path": repr(path), "why": str(error).splitlines()[0]}
        raise PydanticCustomError(BAD_PATH, "{path} is no JMESPath: {why}", context) from None
    return path


def _checked_template(template: str) -> str:
    for path in holes_of(template):
        checked(path)
    return template


JmesPath = Annotated[str, AfterValidator(checked)]
"""A path over what its field's description names."""
Template = Annotated[str, AfterValidator(_checked_template)]
"""A text with paths in braces."""


def holes_of(template: str) -> list[str]:
    """The paths that fill a template."""
    return _HOLE.findall(template)


@cache
def _compiled(path: str) -> Any:
    return jmespath.compile(path)


def value(path: str, scope: Mapping[str, Any]) -> Any:
    """What a path of a row gives."""
    return _compiled(path).search(scope)


def text(template: str, scope: Mapping[str, Any]) -> str | None:
    """A template with its holes filled; None where one of them has no value."""
    holes = {path: value(path, scope) for path in _HOLE.findall(template)}
    if any(found is None for found in holes.values()):
        return None
    return _HOLE.sub(lambda match: str(holes[match[1]]), template)
