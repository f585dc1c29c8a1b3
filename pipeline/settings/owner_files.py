"""Reads the sources of owners: the settings block `owners`, and its map in separate files. Every error has
a location."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from driftline.pipeline.assess.ownership.owner_id import owner_id
from driftline.pipeline.assess.ownership.sources import SOURCES, TAGS, OwnerRow, Owners, Source
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.files import read_text
from driftline.pipeline.common.yaml_source import MORE, MOST_PROBLEMS, hint
from driftline.pipeline.common.yaml_source import Source as Yaml
from driftline.pipeline.settings.base import Block, Mistake

SELECTORS = ("account", "folder", "type", "resource", "workspace", "tags")
FIELDS = ("owner", *SELECTORS)
MOST_BYTES = 16_000_000


def _text(value: object) -> object:
    """Accepts account ids without quotes."""
    return str(value) if type(value) is int else value


class OwnerEntry(Block):
    """A row of the map, or a file of rows. All conditions of a row must match; the first matching row decides."""

    owner: str = ""
    """A team's name or a person's address."""
    account: Annotated[str, BeforeValidator(_text)] = ""
    """Id, name or path of the account (Workloads/Payments/shop); in all of these, * matches any text."""
    folder: str = ""
    """Id, name or path of an organizational unit, management group or folder above the account."""
    type: str = ""
    """The resource's type."""
    resource: str = ""
    """The resource's uid."""
    workspace: str = ""
    """Where code declares the resource (`baseline declare --workspace`)."""
    tags: dict[str, str] = Field(default_factory=dict)
    """The resource must have all of these tags."""
    file: Path | None = None
    """Instead of all other fields: a YAML file with a list of rows."""

    def mistakes(self) -> Iterator[Mistake]:
        given = [name for name in FIELDS if getattr(self, name)]
        if self.file is not None and given:
            yield Mistake(
                ("file", *given),
                f"cannot be combined with {given[0]}",
                "write either file, or a row",
            )
        if self.file is None:
            for name, why in _wrong({name: getattr(self, name) for name in given}):
                yield Mistake((name,), why.text, why.fix)

    def row(self) -> OwnerRow:
        return OwnerRow(**{name: getattr(self, name) for name in FIELDS})


class OwnersBlock(Block):
    sources: list[Source] = Field(default_factory=lambda: list(SOURCES))
    """Sources of a resource's owner, in this order: its own tag; the workspace that declares it; tags of its resource group, or
    of its account or project; the folder above; the map; the fallback."""
    tags: list[str] = Field(default_factory=lambda: list(TAGS))
    """Keys of tags and labels that name an owner, in order of precedence. Case and separators (- _ . : / and
    spaces) are ignored."""
    map: list[OwnerEntry] = Field(default_factory=list)
    """Rows that assign an owner to the resources they match, or files with such rows."""
    fallback: str = ""
    """The owner of resources for which no other source names one. Empty: none."""
    known: list[str] = Field(default_factory=list)
    """Existing owners: `owners check` reports any others. Empty: not checked."""
    known_file: Path | None = None
    """A file with additional owners, one per line; # begins a comment."""

    def mistakes(self) -> Iterator[Mistake]:
        if twice := [one for one in SOURCES if self.sources.count(one) > 1]:
            yield Mistake(("sources",), f"contains {twice[0]} twice", "remove one")
        if any(not key.strip() for key in self.tags):
            yield Mistake(("tags",), "one is empty", "leave it out")
        if self.fallback and not owner_id(self.fallback):
            yield Mistake(("fallback",), "names nobody", "write a team's name or an address")


def owners_of(block: OwnersBlock) -> Owners:
    """The sources from the settings. Raises UserError with all errors in the files that they name."""
    rows, problems = rows_of(block.map)
    if problems:
        raise UserError(*problems)
    return Owners(block.sources, block.tags, rows, block.fallback)


def rows_of(
    entries: Sequence[OwnerEntry],
    place: Callable[[int], str] = lambda number: f"owners.map.{number}",
) -> tuple[list[OwnerRow], list[Problem]]:
    """All rows, and all errors. `place` returns the location of an entry in the settings."""
    rows: list[OwnerRow] = []
    problems: list[Problem] = []
    for number, one in enumerate(entries):
        if one.file is None:
            rows.append(one.row())
        else:
            rows += _file(one.file, place(number), problems)
    return rows, problems


def _file(path: Path, at: str, problems: list[Problem]) -> Iterator[OwnerRow]:
    if not path.is_file():
        problems.append(Problem(f"there is no file {path}", fix="correct it", place=at))
        return
    if path.stat().st_size > MOST_BYTES:
        problems.append(Problem(f"more than {MOST_BYTES} bytes", fix="split it", place=path))
        return
    source = Yaml(path)
    problems += source.problems
    if source.problems:
        return
    if not isinstance(source.data, list):
        problems.append(Problem("expected a list of rows", "write - {owner: …, account: …}", source.at()))  # fmt: skip
        return
    before = len(problems)
    for number, one in enumerate(source.data):
        if len(problems) - before > MOST_PROBLEMS:
            problems.append(Problem(MORE, place=source.at(number)))
            return
        found = [(name, why) for name, why in _mistakes(one)]
        problems += [why.under(source.at(number, *name)) for name, why in found]
        if not found:
            given: dict[str, Any] = {**one, "account": str(one.get("account", ""))}
            yield OwnerRow(**given)


def _mistakes(one: Any) -> Iterator[tuple[tuple[str, ...], Problem]]:
    """The errors in a row of a file."""
    if not isinstance(one, Mapping):
        yield (), Problem("expected a row", "write {owner: …, account: …}")
        return
    for name, value in one.items():
        if name not in FIELDS:
            yield (str(name),), Problem(f"unknown field {str(name)!r}", hint(str(name), FIELDS))
        elif name == "tags":
            if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):  # fmt: skip
                yield (name,), Problem("must map names to text", "write {app: shop}, numbers in 'quotes'", name)  # fmt: skip
        elif not isinstance(_text(value) if name == "account" else value, str):
            yield (name,), Problem("must be text", "write it in 'quotes'", name)
    if set(one) - set(FIELDS):  # what is misspelt may be what is missing
        return
    for name, why in _wrong(one):
        yield ((name,) if name in one else ()), why.at(name)


def _wrong(row: Mapping[str, Any]) -> Iterator[tuple[str, Problem]]:
    """The errors in a row's content."""
    owner = row.get("owner")
    if not owner:
        yield "owner", Problem("is required", "write a team's name or a person's address")
    elif isinstance(owner, str) and not owner_id(owner):
        yield "owner", Problem("names nobody", "write a team's name or a person's address")
    if not any(row.get(name) for name in SELECTORS):
        fix = (
            f"write one of {', '.join(SELECTORS)} (or use owners.fallback for all other resources)"
        )
        yield "owner", Problem("the row has no condition", fix)


def known_owners(block: OwnersBlock) -> frozenset[str] | None:
    """The ids of all existing owners; None if the settings do not list them. Raises UserError."""
    if not block.known and block.known_file is None:
        return None
    lines = list(block.known)
    if block.known_file is not None:
        try:
            lines += [line.partition("#")[0] for line in read_text(block.known_file, MOST_BYTES).splitlines()]  # fmt: skip
        except (OSError, ValueError) as why:
            raise UserError(
                f"cannot be read: {getattr(why, 'strerror', None) or 'not text'}",
                fix="correct owners.known_file", place=str(block.known_file),
            ) from None  # fmt: skip
    return frozenset(filter(None, map(owner_id, lines)))
