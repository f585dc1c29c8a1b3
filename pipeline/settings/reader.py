"""Reads a file and the environment into settings blocks and reports all errors at once: location, problem, fix.

Messages never repeat a value: it may be a secret in the wrong place."""

import copy
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from driftline.pipeline.common import durations
from driftline.pipeline.common.errors import InvalidValue, Problem
from driftline.pipeline.common.yaml_source import Source, closest, hint
from driftline.pipeline.compare.paths import value_at
from driftline.pipeline.settings.base import is_duration, secrets_of

PREFIX = "DRIFTLINE_"
RESERVED = {"CONFIG", "DEBUG", "CACHE", "PARTS", "FUZZ"}  # the last two are used by tests only
"""Environment variables of Driftline that are not settings."""
Where = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)
_ADVICE = {
    "string_type": ("must be text", "write it in 'quotes'"),
    "path_type": ("must be a path", "write it in 'quotes'"),
    "int": ("must be a whole number", ""),
    "float": ("must be a number", ""),
    "bool": ("must be true or false", ""),
    "list_type": ("must be a list", "write [one, two]"),
    "dict_type": ("must be a block", "write names and values below it, indented"),
    "model_type": ("must be a block", "write names and values below it, indented"),
    "missing": ("is missing", "write it"),
    "greater_than": ("must be more than {gt}", ""),
    "greater_than_equal": ("must be {ge} or more", ""),
    "less_than": ("must be less than {lt}", ""),
    "less_than_equal": ("must be {le} or less", ""),
}
"""Problem and fix by pydantic's error type, or the first word of it."""


@dataclass(frozen=True)
class Read(Generic[M]):
    """The result of reading: the valid settings, the errors, and the location of each setting."""

    settings: M
    problems: list[Problem]
    source: Source
    origins: Mapping[Where, str]
    kept: Mapping[Where, list[int]]
    """For lists with invalid elements: the indices, as written, of the elements that were kept."""

    def written(self, *where: str | int) -> Where:
        """A path in the settings, with list indices as written."""
        return _written(self.kept, where)

    def place(self, *where: str | int) -> str:
        """`file:line:column` of a setting, or the environment variables that set it."""
        for length in range(len(where), 0, -1):
            around = where[:length]
            if variable := self.origins.get(around):
                return f"environment {variable}"
            if around in self.source.places:
                return self.source.at(*around)
            below = [v for at, v in self.origins.items() if at[:length] == around]
            if below:
                return f"environment {', '.join(below)}"
        return self.source.at()


def read(model: type[M], file: Path, env: Mapping[str, str], *, needed: bool) -> Read[M]:
    """Reads the file (which may be missing unless `needed`), then applies the environment."""
    words = _words(model)
    source = Source(file, None if needed or file.exists() else "{}", words)
    problems = list(source.problems)
    data = {} if source.data is None else source.data
    if not isinstance(data, dict):
        problems.append(
            Problem(
                "not settings",
                fix=f"write blocks: {', '.join(model.model_fields)}",
                place=f"{file}:1:1",
            )
        )
        data = {}
    origins: dict[Where, str] = {}
    for variable, value in sorted(env.items()):
        if variable.startswith(PREFIX) and variable.removeprefix(PREFIX) not in RESERVED:
            where = tuple(variable.removeprefix(PREFIX).lower().split("__"))
            given = _plain(model, where, variable, value, words)
            problems += given.problems
            origins[where] = variable
            if not given.problems:
                _put(data, where, given.data)
    settings, found, kept = _as_far_as_good(model, data)
    out = Read(settings, problems, source, origins, kept)
    problems += [_told(model, out, problem, data) for problem in found]
    problems.sort(key=lambda problem: _line(file, problem))
    return out


def _line(file: Path, problem: Problem) -> tuple[float, float]:
    """Sort key: by location in the file; problems located elsewhere come last."""
    match = re.fullmatch(r":(\d+):(\d+)", problem.place.removeprefix(str(file)))
    return (int(match[1]), int(match[2])) if match else (math.inf, 0)


def _plain(
    model: type[BaseModel], where: Where, variable: str, value: str, words: set[str]
) -> Source:
    """A variable's value: text as it is; lists and blocks are parsed as YAML."""
    nested = _nested(_annotation(model, where)) and value[:1] in ("[", "{")
    source = Source(Path(f"environment {variable}"), value if nested else "", words)
    if not nested:
        source.data = value
    return source


def _put(data: dict[Any, Any], where: Where, value: Any) -> None:
    for step in where[:-1]:
        below = data.get(step)
        data[step] = below = below if isinstance(below, dict) else {}
        data = below
    data[where[-1]] = value


def _as_far_as_good(
    model: type[M], data: dict[Any, Any]
) -> tuple[M, list[Any], dict[Where, list[int]]]:
    """The settings without invalid values, the errors, and the remaining list elements. Errors caused only by the removal
    of another value are not reported."""
    data = copy.deepcopy(data)
    gone: list[Where] = []
    found: list[Any] = []
    kept: dict[Where, list[int]] = {}
    while True:
        try:
            return model.model_validate(data), found, kept
        except ValidationError as error:
            new = error.errors(include_url=False, include_input=False)
            places = [problem["loc"] for problem in new]
            for problem in new:
                problem["loc"] = _written(kept, problem["loc"])
            found += [problem for problem in new if not _follows(problem, gone)]
            last_first = sorted(dict.fromkeys(places), key=lambda at: [_order(step) for step in at])
            gone += [_take(data, at, kept) for at in reversed(last_first)]


def _order(step: str | int) -> tuple[int, str]:
    return (step, "") if isinstance(step, int) else (-1, step)


def _written(kept: Mapping[Where, list[int]], where: Where) -> Where:
    out: Where = ()
    for step in where:
        numbers = kept.get(out)
        here = numbers[step] if numbers is not None and isinstance(step, int) and step < len(numbers) else step  # fmt: skip
        out = (*out, here)
    return out


def _follows(problem: Any, gone: list[Where]) -> bool:
    """Whether a problem concerns a value that was removed before."""
    at: Where = problem["loc"]
    about = problem.get("ctx", {}).get("fields", at[-1:])
    concerned = [(*at[:-1], field) for field in about]
    return any(g[: len(c)] == c or c[: len(g)] == g for g in gone for c in concerned)


def _take(data: dict[Any, Any], at: Where, kept: dict[Where, list[int]]) -> Where:
    """Removes the value at a path, or the nearest value around it; in a list, the whole element. Returns the removed path."""
    holders: list[Any] = [data]
    for step in at:
        holder = holders[-1]
        if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
            place = _written(kept, at[: len(holders) - 1])
            numbers = kept.setdefault(place, list(range(len(holder))))
            del holder[step]
            return (*place, numbers.pop(step))
        if not isinstance(holder, dict) or step not in holder:
            break
        holders.append(holder[step])
    if len(holders) == 1:
        data.clear()
        return ()
    where = at[: len(holders) - 1]
    del holders[-2][where[-1]]
    return _written(kept, where)


def _told(model: type[BaseModel], out: Read[Any], problem: Any, data: Any) -> Problem:
    at: Where = problem["loc"]
    kind, context = str(problem["type"]), problem.get("ctx", {})
    place, named = out.place(*at), ".".join(map(_name, at))
    if kind == "extra_forbidden":
        known = getattr(_model(_annotation(model, at[:-1])), "model_fields", {})
        # repeat only names that look misspelt: in {password: a,b}, the name after the comma is the rest of a secret
        close = closest(str(at[-1]), known)
        shown = repr(named) if close else f"in {'.'.join(map(_name, at[:-1])) or 'the settings'}"
        return Problem(f"unknown setting {shown}", hint(str(at[-1]), known), place)
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", context["expected"])
        close = closest(str(value_at(data, at)), options)
        fix = f"did you mean {close!r}?" if close else ""
        return Problem(f"{named}: must be {context['expected']}", fix, place)
    advice = _ADVICE.get(kind) or _ADVICE.get(kind.split("_")[0])
    if kind == "mistake":
        return Problem(f"{named}: {problem['msg']}", context["fix"], place)
    if isinstance(error := context.get("error"), InvalidValue):
        return Problem(f"{named}: {error.problem.text}", error.problem.fix, place)
    if advice is None:
        text = str(problem["msg"]).removeprefix("Value error, ")
        return Problem(f"{named}: {text[:1].lower()}{text[1:]}", place=place)
    text, fix = advice
    return Problem(f"{named}: {text.format(**_bounds(model, at, context))}", fix, place)


def _bounds(model: type[BaseModel], at: Where, context: Mapping[str, Any]) -> dict[str, str]:
    """Values for a message, formatted as in settings: bounds of durations with their unit."""
    field = getattr(_model(_annotation(model, at[:-1])), "model_fields", {}).get(at[-1])
    show = durations.written if field is not None and is_duration(field) else "{:g}".format
    return {
        name: show(value) if isinstance(value, int | float) else str(value)
        for name, value in context.items()
    }


def _name(step: str | int) -> str:
    """The part of a key that is safe to print: with a missing space (`password:secret`), the rest is a secret."""
    word = re.match(r"[A-Za-z0-9_-]*", str(step))
    short = word[0] if word else ""
    return short if short == str(step) else f"{short}…"


def _annotation(model: type[BaseModel], where: Where) -> Any:
    """The type of a setting; None if it is unknown."""
    here: Any = model
    for step in where:
        block = _model(here)
        if block is not None and isinstance(step, str):
            field = block.model_fields.get(step)
            if field is None:
                return None
            here = field.annotation
        elif get_origin(here) in (list, dict):
            here = get_args(here)[-1]
        else:
            return None
    return here


def _model(annotation: Any) -> type[BaseModel] | None:
    """The block class of an annotation, including optional ones."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one if get_origin(annotation) not in (list, dict) else None
    return None


def _nested(annotation: Any) -> bool:
    return _model(annotation) is not None or get_origin(annotation) in (list, dict)


def _words(model: type[BaseModel]) -> set[str]:
    """Every name of a setting."""
    out = set(model.model_fields)
    for field in model.model_fields.values():
        block = _model(field.annotation)
        out |= _words(block) if block else set()
    return out


def secrets_in(source: Any, model: type[BaseModel]) -> bool:
    """Whether the data of a file contain a secret."""
    if not isinstance(source, dict):
        return False
    if any(name in source for name in secrets_of(model)):
        return True
    blocks = ((name, _model(field.annotation)) for name, field in model.model_fields.items())
    return any(block and secrets_in(source.get(name), block) for name, block in blocks)
