"""Catalogues of controls (`frameworks/*.yaml` in a rules folder), and what follows from the controls that a rule
names."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from driftline.pipeline.common.errors import Problem
from driftline.pipeline.common.yaml_source import Source, hint, nearest

Named = Mapping[str, Sequence[str]]
"""Framework id to control ids."""
Key = tuple[str, str]
"""A control of a framework."""


class FrameworkControl(BaseModel):
    """What it is about, in our own words, and the controls of other catalogues that cover it.

    A rule that covers one of `from` covers this control too."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(min_length=3)
    from_: dict[str, list[str]] = Field(default_factory=dict, alias="from")


class FrameworkFile(BaseModel):
    """The content of a catalogue's file. A control may be only its text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$")
    title: str = Field(min_length=3)
    url: str = Field(pattern=r"^https://")
    controls: dict[str, FrameworkControl] = Field(min_length=1)

    @field_validator("controls", mode="before")
    @classmethod
    def _text_alone(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {id: {"text": one} if isinstance(one, str) else one for id, one in value.items()}


class Frameworks:
    """All catalogues by id, and which control covers which."""

    def __init__(self, catalogues: Sequence[FrameworkFile] = ()) -> None:
        self.catalogues = {one.id: one for one in sorted(catalogues, key=lambda one: one.id)}
        self._answered: dict[Key, list[Key]] = {}
        """By control: the controls that name it in `from`."""
        self._place: dict[Key, int] = {}
        for one in self.catalogues.values():
            for id, control in one.controls.items():
                self._place[one.id, id] = len(self._place)
                for source in keys(control.from_):
                    self._answered.setdefault(source, []).append((one.id, id))

    def answered(self, named: Named) -> dict[str, list[str]]:
        """Returns the controls that a rule names, and all that they cover."""
        found, open_ = set[Key](), list(keys(named))
        while open_:
            key = open_.pop()
            if key not in found:
                found.add(key)
                open_ += self._answered.get(key, ())
        out = {framework: list(controls) for framework, controls in named.items()}
        for framework, id in sorted(found - set(keys(named)), key=self._place.__getitem__):
            out.setdefault(framework, []).append(id)
        return out

    def unknown(self, named: Named) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yields the places where `named` uses unknown names, and what to write instead."""
        for framework, controls in named.items():
            catalogue = self.catalogues.get(framework)
            if catalogue is None:
                yield (
                    (framework,),
                    f"no framework {framework!r}{nearest(framework, self.catalogues)}",
                )
                continue
            for number, id in enumerate(controls):
                if id not in catalogue.controls:
                    near = nearest(id, catalogue.controls)
                    yield (framework, number), f"{framework} has no control {id!r}{near}"

    def circle(self) -> list[Key]:
        """Returns controls that cover each other in a cycle; empty if there are none."""
        done = set[Key]()
        for start in self._place:
            way, steps = [start], [iter(self._answered.get(start, ()))]
            while steps:
                following = next(steps[-1], None)
                if following is None:
                    done.add(way.pop())
                    steps.pop()
                elif following in way:
                    return [*way[way.index(following) :], following]
                elif following not in done:
                    way.append(following)
                    steps.append(iter(self._answered.get(following, ())))
        return []


def keys(named: Named) -> Iterator[Key]:
    """Yields each control with its framework."""
    for framework, controls in named.items():
        for id in controls:
            yield framework, id


def load_frameworks(folders: Sequence[Path] = ()) -> tuple[Frameworks, list[Problem]]:
    """Loads the built-in catalogues and those of `folders`. Returns every mistake with its place."""
    paths = {path.resolve(): path for folder in folders for path in _files(folder)}
    built_in = {path.resolve() for path in _files(Path(str(files("driftline.rules"))))}
    own = [path for resolved, path in paths.items() if resolved not in built_in]
    known, problems = _built_in()
    if not own:
        return known, list(problems)
    frameworks, wrong = _read(own, list(known.catalogues.values()))
    return frameworks, problems + wrong


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "frameworks").glob("*.yaml"))


@cache
def _built_in() -> tuple[Frameworks, list[Problem]]:
    return _read(_files(Path(str(files("driftline.rules")))), [])


def built_in_frameworks() -> Frameworks:
    """Returns the built-in catalogues."""
    return _built_in()[0]


def _read(
    paths: Sequence[Path], known: Sequence[FrameworkFile]
) -> tuple[Frameworks, list[Problem]]:
    catalogues, problems = {one.id: one for one in known}, list[Problem]()
    sources: dict[str, Source] = {}
    for path in paths:
        source = Source(path)
        problems += source.problems
        if source.problems:
            continue
        try:
            one = FrameworkFile.model_validate(source.data)
        except ValidationError as error:
            problems += [_told(source, wrong) for wrong in error.errors(include_url=False)]
            continue
        if path.stem != one.id:
            problems.append(
                Problem(
                    f"the id {one.id!r} is not the file's name",
                    fix="rename one of them",
                    place=source.at("id"),
                )
            )
        elif one.id in catalogues:
            problems.append(
                Problem(
                    f"there is a framework {one.id} already",
                    fix="choose another id",
                    place=source.at("id"),
                )
            )
        else:
            catalogues[one.id], sources[one.id] = one, source
    frameworks = Frameworks(list(catalogues.values()))
    for framework, source in sources.items():
        for id, control in catalogues[framework].controls.items():
            problems += [
                Problem(why, place=source.at("controls", id, "from", *where))
                for where, why in frameworks.unknown(control.from_)
            ]
    circle = frameworks.circle()
    ours = [key for key in circle if key[0] in sources]
    if ours:
        framework, id = ours[0]
        way = " → ".join(f"{framework} {id}" for framework, id in circle)
        place = sources[framework].at("controls", id, "from")
        problems.append(
            Problem(
                f"controls answer one another in a circle: {way}", fix="remove one", place=place
            )
        )
    return frameworks, problems


def _told(source: Source, problem: Any) -> Problem:
    """Describes a pydantic error: place, problem, what to write instead."""
    where = tuple(problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = ["text", "from"] if where[0] == "controls" else list(FrameworkFile.model_fields)
        return Problem(
            f"unknown field {where[-1]!r}", fix=hint(str(where[-1]), known), place=source.at(*where)
        )
    named = ".".join(map(str, where)) or "a framework"
    if problem["type"] == "missing":
        return Problem(f"{named} is missing", fix="add it", place=source.at(*where[:-1]))
    if problem["type"] == "model_type":
        form = "its text, or {text: …, from: …}" if where else "its id, title, url and controls"
        return Problem(f"{named} is not understood", fix=f"write {form}", place=source.at(*where))
    return Problem(f"{named}: {problem['msg'].lower()}", place=source.at(*where))
