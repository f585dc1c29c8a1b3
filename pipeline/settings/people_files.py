"""Reads the map of people's names from the settings or separate files. Every error has a location."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import MORE, MOST_PROBLEMS, Source, hint
from driftline.pipeline.people.identity import NOBODY_MAPPED, MappedPerson, People
from driftline.pipeline.settings.base import Block, Mistake

FIELDS = ("id", "names")
MOST_BYTES = 16_000_000


class Known(Block):
    """A person with all names, or a file of persons."""

    id: str = ""
    """The person's id, preferably the address used in the approver field of exceptions."""
    names: list[str] = Field(default_factory=list)
    """All other names: ARNs of users and of roles that only this person assumes, directory user names, `provider#subject`
    for federated users. Patterns are not supported."""
    file: Path | None = None
    """Instead of id and names: a YAML file with a list of persons."""

    def mistakes(self) -> Iterator[Mistake]:
        if self.file is None and not self.id.strip():
            yield Mistake(
                ("id", "file"), "is missing", fix="write id and names of one person, or file"
            )
        if self.file is not None and (self.id or self.names):
            yield Mistake(
                ("file", "id", "names"),
                "cannot be combined with id or names",
                fix="write either file, or id and names",
            )
        for field, name in (("id", self.id), *(("names", name) for name in self.names)):
            if self.file is None and name and (why := wrong(name)):
                yield Mistake((field,), why.text, why.fix)


def wrong(name: str) -> Problem | None:
    """The error in a name; None if it is valid."""
    if not name.strip():
        return Problem("is empty", "write the name, or leave it out")
    if NOBODY_MAPPED.without_session_name(name) != name:
        return Problem(
            "is a session name, which is chosen by the caller who assumes the role",
            "use the role's ARN if only this person assumes it",
        )
    if "*" in name:
        return Problem("contains a *", "write each name: a pattern could match several people")
    return None


def people_of(known: Sequence[Known]) -> People:
    """The map from the settings. Raises UserError with all its errors."""
    found, problems = names_of(known)
    if problems:
        raise UserError(*problems)
    return People(found)


def names_of(
    known: Sequence[Known], place: Callable[[int], str] = lambda number: f"people.{number}"
) -> tuple[list[MappedPerson], list[Problem]]:
    """All persons, and all errors. `place` returns the location of an entry in the settings."""
    found: list[MappedPerson] = []
    problems: list[Problem] = []
    owners: dict[str, tuple[str, str]] = {}

    def add(one: MappedPerson, at: str) -> None:
        for name in dict.fromkeys(name.casefold() for name in (one.id, *one.names)):
            id, other = owners.setdefault(name, (one.id, at))
            if id != one.id:
                problems.append(
                    Problem(
                        f"{name!r} is a name of {id!r} too, at {other}",
                        fix="a name belongs to one person",
                        place=at,
                    )
                )
        found.append(one)

    for number, one in enumerate(known):
        if one.file is None:
            add(MappedPerson(one.id, one.names), place(number))
            continue
        for names, at in _file(one.file, place(number), problems):
            add(names, at)
    return found, problems


def _file(path: Path, at: str, problems: list[Problem]) -> Iterator[tuple[MappedPerson, str]]:
    """The persons of a file, each with its location."""
    if not path.is_file():
        problems.append(Problem(f"there is no file {path}", fix="correct it", place=at))
        return
    if path.stat().st_size > MOST_BYTES:
        problems.append(Problem(f"more than {MOST_BYTES} bytes", fix="split it", place=path))
        return
    source = Source(path)
    problems += source.problems
    if source.problems:
        return
    if not isinstance(source.data, list):
        problems.append(
            Problem(
                "expected a list of people", fix="write - {id: …, names: […]}", place=source.at()
            )
        )
        return
    before = len(problems)
    for number, one in enumerate(source.data):
        if len(problems) - before > MOST_PROBLEMS:
            problems.append(Problem(MORE, place=source.at(number)))
            return
        mistakes = list(_mistakes(one))
        problems += [why.under(source.at(number, *where)) for where, why in mistakes]
        if not mistakes:
            yield MappedPerson(one["id"], one.get("names", [])), source.at(number)


def _mistakes(one: Any) -> Iterator[tuple[tuple[str | int, ...], Problem]]:
    if not isinstance(one, Mapping):
        yield (), Problem("expected a person", "write {id: …, names: […]}")
        return
    for name in one:
        if name not in FIELDS:
            yield (str(name),), Problem(f"unknown field {name!r}", hint(str(name), FIELDS))
    if not isinstance(one.get("id"), str):
        yield ("id",), Problem("is required and must be text", place="id")
    elif why := wrong(one["id"]):
        yield ("id",), why.at("id")
    names = one.get("names", [])
    if not isinstance(names, list):
        yield ("names",), Problem("must be a list", "write [one, two]", "names")
        return
    for number, name in enumerate(names):
        why = (
            wrong(name)
            if isinstance(name, str)
            else Problem("must be text", "write it in 'quotes'")
        )
        if why:
            yield ("names", number), why.at(f"names.{number}")
