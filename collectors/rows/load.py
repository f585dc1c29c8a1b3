"""Loads the tables of a provider, and reports every mistake at once, with its file and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from driftline.collectors.rows.paths import BAD_PATH
from driftline.collectors.rows.row import TypeRow
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import Source, hint

R = TypeVar("R", bound=TypeRow)


def rows(folder: Path, model: type[R]) -> dict[str, R]:
    """Every row of a folder's tables by its type. Raises UserError with every mistake."""
    out: dict[str, R] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        source = Source(path)
        problems += source.problems
        listed = source.data or []
        if not isinstance(listed, list):
            what, fix = "not a list of rows", "begin each row with `- type:`"
            problems.append(Problem(what, fix=fix, place=source.at()))
            continue
        for number, row in enumerate(listed):
            try:
                kind = model.model_validate(row)
            except ValidationError as error:
                problems += _mistakes(source, number, error, model)
                continue
            if kind.type in out:
                what, fix = f"{kind.type} is defined twice", "remove one of the rows"
                problems.append(Problem(what, fix=fix, place=source.at(number)))
            out[kind.type] = kind
    if problems:
        raise UserError(*problems)
    return out


def _mistakes(
    source: Source, number: int, error: ValidationError, model: type[TypeRow]
) -> Iterator[Problem]:
    for one in error.errors(include_url=False):
        place = source.at(number, *one["loc"])
        yield _mistake(place, one["type"], one["loc"], one["msg"], model)


def _mistake(
    place: str, kind: str, where: tuple[Any, ...], message: str, model: type[TypeRow]
) -> Problem:
    field = ".".join(str(step) for step in where)
    if kind == "extra_forbidden":
        fix = hint(str(where[-1]), model.model_fields)
        return Problem(f"unknown field {field!r}", fix=fix, place=place)
    return Problem(message if kind == BAD_PATH else f"{field}: {message}", place=place)
