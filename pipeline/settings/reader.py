"""Reads a file and the environment into settings blocks and reports every mistake at once: place, problem, fix.

No message repeats a value: it may be a secret in the wrong place."""

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
RESERVED = {"CONFIG", "DEBUG", "CACHE", "PARTS", "FUZZ"}  # the last two are read by the tests alone
"""Variables of ours that are no settings."""
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
"""By pydantic's kind of an error, or the first word of it: what is wrong, and the next step."""


@dataclass(frozen=True)
class Read(Generic[M]):
    """What was read: the settings as far as they are good, what is wrong with the others, and where all stand."""

    settings: M
    problems: list[Problem]
    source: Source
    origins: Mapping[Where, str]
    kept: Mapping[Where, list[int]]
    """Of lists that hold something wrong: which elements the settings still have, by their numbers as written."""

    def written(self, *where: str | int) -> Where:
        """A place in the settings, with elements of lists numbered as they are written."""
        return _written(self.kept, where)

    def place(self, *where: str | int) -> str:
        """`file:line:column` of a setting, or the variables that say it."""
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
    """The file (which may be absent unless `needed`), then the environment over it."""
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
    """Where a problem stands in the file; behind all of it what stands elsewhere."""
    match = re.fullmatch(r":(\d+):(\d+)", problem.place.removeprefix(str(file)))
    return (int(match[1]), int(match[2])) if match else (math.inf, 0)


def _plain(
    model: type[BaseModel], where: Where, variable: str, value: str, words: set[str]
) -> Source:
    """A variable's value: text as it is; lists and blocks are written as in YAML."""
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
    """The settings without what is wrong, all that is, and which elements of lists are left. What is wrong only because
    something else was taken away is left out."""
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
    """Whether a problem concerns what was taken away before."""
    at: Where = problem["loc"]
    about = problem.get("ctx", {}).get("fields", at[-1:])
    concerned = [(*at[:-1], field) for field in about]
    return any(g[: len(c)] == c or c[: len(g)] == g for g in gone for c in concerned)


def _take(data: dict[Any, Any], at: Where, kept: dict[Where, list[int]]) -> Where:
    """Takes away what stands there, or the nearest thing around it: of a list the whole element. Says what it was."""
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
        # only a misspelt name is repeated: behind a comma in {password: a,b} stands the rest of a secret
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
    """What is between the words of advice, as settings are written: a bound of a duration with its unit."""
    field = getattr(_model(_annotation(model, at[:-1])), "model_fields", {}).get(at[-1])
    show = durations.written if field is not None and is_duration(field) else "{:g}".format
    return {
        name: show(value) if isinstance(value, int | float) else str(value)
        for name, value in context.items()
    }


def _name(step: str | int) -> str:
    """A name as far as it is one: behind a forgotten blank (`password:secret`) stands what must not be told."""
    word = re.match(r"[A-Za-z0-9_-]*", str(step))
    short = word[0] if word else ""
    return short if short == str(step) else f"{short}…"


def _annotation(model: type[BaseModel], where: Where) -> Any:
    """The type of a setting; None for an unknown one."""
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
    """The block that an annotation allows, itself or beside None."""
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
    """Whether the data of a file hold a secret themselves."""
    if not isinstance(source, dict):
        return False
    if any(name in source for name in secrets_of(model)):
        return True
    blocks = ((name, _model(field.annotation)) for name, field in model.model_fields.items())
    return any(block and secrets_in(source.get(name), block) for name, block in blocks)
