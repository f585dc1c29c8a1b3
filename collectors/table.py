"""The tables of resource types: one row says how a type is read. One loop (driftline.collectors.aws.sweep.read) reads any row.

Values are JMESPath over {item, account, region, partition}; texts with {…} are filled from the same."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jmespath  # type: ignore[import-untyped]
import re2  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import Source, hint
from driftline.pipeline.model import CLASSES

NamedCall = tuple[str, str, str | None]
"""Service, operation, and its IAM action where that is another."""
EVERYTHING = "*"
"""Stands for the parts of a resource whose listing is none of them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RowCall(_Strict):
    """What every call of a row says."""

    operation: str
    service: str | None = None
    """Where it is another than the row's."""
    action: str | None = None
    """The IAM action, where it is not service:Operation."""


class Under(RowCall):
    """The call that lists what the resources stand under: the list is asked for each (`parent` in its params)."""

    items: str
    """Path of the parents, maps; their fields are added to the items."""
    params: dict[str, str] = Field(default_factory=dict)


class ListCall(RowCall):
    """The call that lists the resources. Its items become a part, unless keep is false."""

    items: str
    """Path of the items in the (paged) answer."""
    part: str
    keep: bool = True
    params: dict[str, str] = Field(default_factory=dict)
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean: there are none."""
    decode_at: list[str] = Field(default_factory=list)
    """Fields of the item that hold JSON as text."""
    drop: list[str] = Field(default_factory=list)
    """Fields that change without anybody changing anything; dotted paths go through lists, and by the step `*` through maps."""
    under: Under | None = None


class Complete(RowCall):
    """A call that adds to the listed item what the list left out."""

    unless: str
    """Not asked where this path of the item has a value."""
    value: str
    """A path that gives the fields to add; null: the resource vanished."""
    params: dict[str, str] | None = None


class Each(RowCall):
    """A call for every element of a detail's answer (`element` in its params)."""

    value: str
    params: dict[str, str]
    only: str | None = None
    """Elements for which this is true; the others are left as they are."""
    into: str | None = None
    """The field of the element that takes the answer; without it the part is a map, element to answer."""
    decode: Literal["json"] | None = None
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean: not configured for this element. The answer is then null."""
    region: str | None = None
    """Path of the region in which it is asked for; default: the resource's."""


class Detail(RowCall):
    """A call for one resource; its answer is one part."""

    part: str
    value: str
    """Path of the part in the answer; `@` is all of it."""
    params: dict[str, str] | None = None
    """Default: the row's."""
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean: not configured. The part's value is then null."""
    absent_text: str | None = None
    """What the error's message must hold too, where the code alone could mean a denial."""
    decode: Literal["json"] | None = None
    decode_at: list[str] = Field(default_factory=list)
    drop: list[str] = Field(default_factory=list)
    once: Literal["account", "region"] | None = None
    """Read once an account, or once a region of it, the same for all of its resources."""
    given: str | None = None
    """Asked only where this path of the item has a value; the part is null elsewhere."""
    each: Each | None = None
    joined: Literal["attached_documents", "group_policies"] | None = None
    """How driftline.collectors.aws.sweep.joins makes the part of the account's answer, asked for once, and of what was read before."""


class Tags(_Strict):
    """Where tags come from: a field of the item, or a call of their own. [{Key, Value}] or a map."""

    item: str | None = None
    operation: str | None = None
    value: str = "Tags"
    params: dict[str, str] | None = None
    absent: list[str] = Field(default_factory=list)
    action: str | None = None


class Relation(_Strict):
    relation: str
    uid: str
    type: str | None = None


class Touch(_Strict):
    """Audit events that touch resources of the type, and how such an event names them.

    Names stand without versions: CreateFunction, not CreateFunction20150331."""

    source: str | None = None
    """The event's source without its domain, where it is another than the row's service."""
    create: list[str] = Field(default_factory=list)
    update: list[str] = Field(default_factory=list)
    delete: list[str] = Field(default_factory=list)
    use: list[str] = Field(default_factory=list)
    """They read or use it and change nothing that is judged: for detections, with what the resource has open."""
    parts: list[str] = Field(default_factory=list)
    """The parts that the updates may change; empty: any."""
    id: str | list[str] | None = None
    """Path over the event: one text, or a list of them, each in any spelling that the row's `named` knows. Of several
    paths the first counts that names a resource of the type: the answer's first, then the request's. None: there is only
    one such resource in an account or region."""
    owner: str | None = None
    """Path over the event of the account that owns the resource, where the request names one."""
    seen: bool = False
    """Several types have the same form of uid: the resource is of this one only where sweeps have seen it."""
    reach: Literal["account", "region"] | None = None
    """It touches every resource of the type there: the whole scope is read again."""

    @property
    def paths(self) -> list[str]:
        """Where the id stands, one path after the other."""
        return [self.id] if isinstance(self.id, str) else self.id or []

    def names(self) -> Iterator[tuple[str, str]]:
        """(kind of change, name) of every event."""
        for kind in ("create", "update", "delete", "use"):
            for name in getattr(self, kind):
                yield kind, name


class NameSpelling(_Strict):
    """How events spell the type's names, and which of them AWS keeps in the uid."""

    pattern: str = r"[^\s:/*]+"
    """Regular expression of an id: of what fills {id} of the row's form."""
    also: list[str] = Field(default_factory=list)
    """Spellings beside the uid itself and the bare id, tried in this order: holes {id}, {account}, {region},
    {partition}, {rest} (anything, left out)."""
    case: Literal["kept", "lower", "any"] = "kept"
    """`lower`: AWS keeps the id in lower case, however it was typed. `any`: AWS does not tell them apart, and keeps the
    spelling of the creation: sweeps know it."""
    never: str | None = None
    """Regular expression of what looks like an id and is the name of something else."""
    unique: bool = True
    """An account has only one resource of an id in a region."""

    @field_validator("pattern", "never")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re2.compile(pattern or "")
        except re2.error as error:
            raise ValueError(f"{pattern!r} is no regular expression of RE2: {error}") from None
        return pattern


class SingleRead(_Strict):
    """How a single resource is read again, where the list can be narrowed to it; without it the whole scope is listed.

    Params are paths over {id: what fills the holes of `item` in the uid, by path, uid, account, region}."""

    operation: str | None = None
    """Default: the list's."""
    items: str | None = None
    """Path of the item, or a list of them, in the answer; default: the list's."""
    params: dict[str, str]
    action: str | None = None
    """The IAM action, where it is not service:Operation."""
    gone: list[str] = Field(default_factory=list)
    """Error codes that mean: there is no such resource (besides the row's)."""


class Kind(_Strict):
    """A row."""

    type: str
    class_: str = Field(alias="class")
    """What kind of thing it is: one of driftline.pipeline.model.CLASSES."""
    service: str
    scope: Literal["regional", "global"] = "regional"
    listing: ListCall = Field(alias="list")
    uid: str
    name: str
    name_after: str | None = None
    """The name is what follows the last of these characters."""
    incarnation: str | None = None
    region: str | None = None
    """A resource's own region, where the list is global."""
    skip: str | None = None
    """Items for which this is true are none of ours."""
    params: dict[str, str] = Field(default_factory=dict)
    complete: list[Complete] = Field(default_factory=list)
    details: list[Detail] = Field(default_factory=list)
    tags: Tags | None = None
    relations: list[Relation] = Field(default_factory=list)
    form: str | None = None
    """How its uid looks, where that is only a field of the item: holes {id} (what an event names it by), {account},
    {region}, {partition}, and what no event tells: {path} (before a name, with its /), {suffix} (behind one), {uuid}."""
    named: NameSpelling = Field(default_factory=NameSpelling)
    events: list[Touch] = Field(default_factory=list)
    one: SingleRead | None = None
    quiet: list[str] = Field(default_factory=list)
    """Paths of the configuration, beginning with a part, that change by themselves: kept, and no drift."""
    ordered: list[str] = Field(default_factory=list)
    """Paths of lists whose order means something; the order of every other is no drift."""
    redact: list[str] = Field(default_factory=list)
    """Paths whose every value is a secret until proven otherwise."""
    gone: list[str] = Field(default_factory=list)
    """Error codes that mean: the resource vanished between the list and this call."""

    @field_validator("class_")
    @classmethod
    def _known(cls, word: str) -> str:
        if word not in CLASSES:
            raise ValueError(f"{word!r} is no class (one of: {', '.join(CLASSES)})")
        return word

    @property
    def parts(self) -> list[str]:
        first = [self.listing.part] if self.listing.keep else []
        return first + [detail.part for detail in self.details]

    def calls(self) -> Iterator[NamedCall]:
        """Every call that the row makes."""
        for calls in self.calls_by_part().values():
            yield from calls
        listing = self.listing
        if self.one and self.one.operation:
            yield listing.service or self.service, self.one.operation, self.one.action
        if self.tags and self.tags.operation:
            yield self.service, self.tags.operation, self.tags.action

    def calls_by_part(self) -> dict[str, list[NamedCall]]:
        """The calls that list the resource, and by part those that read it; the part of the listing is read by all that
        list."""
        listing = self.listing
        first = [
            (call.service or self.service, call.operation, call.action)
            for call in ((listing.under, listing) if listing.under else (listing,))
        ]
        first += [(one.service or self.service, one.operation, one.action) for one in self.complete]
        out = {listing.part if listing.keep else EVERYTHING: first}
        for detail in self.details:
            service = detail.service or self.service
            out[detail.part] = [(service, detail.operation, detail.action)]
            if each := detail.each:
                out[detail.part].append((each.service or service, each.operation, each.action))
        return out


PATHS = (
    "items", "value", "unless", "given", "name", "incarnation", "region", "skip", "item", "only", "id", "owner",
)  # fmt: skip
TEMPLATES = ("uid",)


@cache
def kinds(folder: Path | None = None) -> dict[str, Kind]:
    """Every row by its type. Raises UserError with every mistake, its file and line."""
    where = folder or Path(str(files("driftline.collectors.aws"))) / "kinds"
    out: dict[str, Kind] = {}
    problems: list[Problem] = []
    for path in sorted(where.glob("*.yaml")):
        source = Source(path)
        problems += source.problems
        rows = source.data or []
        if not isinstance(rows, list):
            problems.append(
                Problem(
                    "not a list of rows", fix="begin each row with `- type:`", place=source.at()
                )
            )
            continue
        for number, row in enumerate(rows):
            try:
                kind = Kind.model_validate(row)
            except ValidationError as error:
                problems += [_told(source, number, p) for p in error.errors(include_url=False)]
                continue
            problems += [
                Problem(why, place=source.at(number, *place))
                for place, why in _bad_paths(kind.model_dump(by_alias=True), ())
            ]
            if kind.type in out:
                problems.append(
                    Problem(
                        f"{kind.type} is defined twice",
                        fix="remove one of the rows",
                        place=source.at(number),
                    )
                )
            out[kind.type] = kind
    if problems:
        raise UserError(*problems)
    return out


def _told(source: Source, number: int, problem: Any) -> Problem:
    place = source.at(number, *problem["loc"])
    field = ".".join(str(step) for step in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return Problem(
            f"unknown field {field!r}",
            fix=hint(str(problem["loc"][-1]), Kind.model_fields),
            place=place,
        )
    return Problem(f"{field}: {problem['msg']}", place=place)


def _bad_paths(
    value: Any, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Paths and templates of a row that cannot be parsed."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, str) and place and place[-1] == "id":
                yield from _bad_paths({"id": item}, place[:-1])
            yield from _bad_paths(item, (*place, number))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if isinstance(item, str) and (key in PATHS or (place and place[-1] == "params")):
            paths = [item]
        elif isinstance(item, str) and key in TEMPLATES:
            paths = _HOLE.findall(item)
        else:
            yield from _bad_paths(item, (*place, key))
            continue
        for path in paths:
            try:
                jmespath.compile(path)
            except JMESPathError as error:
                yield (*place, key), f"{path!r} is no JMESPath: {str(error).splitlines()[0]}"


_HOLE = re.compile(r"\{([^{}]+)\}")


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
