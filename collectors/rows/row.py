"""Fields common to the rows of all providers: type, uid, name, relations, events, and hints about the configuration.

Paths are JMESPath; a provider's class defines their input. A template is a string with paths in braces."""

from collections.abc import Iterator
from typing import Literal

import re2  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, field_validator

from driftline.collectors.rows.paths import JmesPath, Template, checked
from driftline.pipeline.model import CLASSES


class Strict(BaseModel):
    """A part of a row: immutable, without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Relation(Strict):
    """Another resource that this one refers to."""

    relation: str
    uid: Template
    type: str | None = None


class Touch(Strict):
    """Audit events that concern resources of the type, and how they name them.

    Names are without versions: CreateFunction, not CreateFunction20150331."""

    source: str | None = None
    """The event's source without its domain, if it differs from the row's service."""
    create: list[str] = Field(default_factory=list)
    update: list[str] = Field(default_factory=list)
    delete: list[str] = Field(default_factory=list)
    use: list[str] = Field(default_factory=list)
    """They read or use the resource without changing its configuration: for detections, with its open findings."""
    parts: list[str] = Field(default_factory=list)
    """The parts that the updates may change; empty: any."""
    id: str | list[str] | None = None
    """Path in the event: a string, or a list, in any spelling that the row's `named` knows. Of several
    paths the first that names a resource of the type is used: put the response's first, then the request's. None: there is only
    one such resource per account or region."""
    owner: JmesPath | None = None
    """Path in the event of the account that owns the resource, if the request names one."""
    seen: bool = False
    """Several types have the same form of uid: the resource has this type only if sweeps have seen it."""
    reach: Literal["account", "region"] | None = None
    """It affects every resource of the type: the whole scope is re-read."""

    @field_validator("id")
    @classmethod
    def _parses(cls, id: str | list[str] | None) -> str | list[str] | None:
        for path in [id] if isinstance(id, str) else id or []:
            checked(path)
        return id

    @property
    def paths(self) -> list[str]:
        """The paths of the id, in order."""
        return [self.id] if isinstance(self.id, str) else self.id or []

    def names(self) -> Iterator[tuple[str, str]]:
        """(kind of change, name) of every event."""
        for kind in ("create", "update", "delete", "use"):
            for name in getattr(self, kind):
                yield kind, name


class NameSpelling(Strict):
    """How events spell the type's names, and which spelling the uid has."""

    pattern: str = r"[^\s:/*]+"
    """Regular expression of an id, which fills {id} in the row's form."""
    also: list[str] = Field(default_factory=list)
    """Spellings in addition to the uid and the plain id, tried in this order, with placeholders {id}, {account}, {region},
    {partition}, {rest} (anything, ignored)."""
    case: Literal["kept", "lower", "any"] = "kept"
    """`lower`: AWS stores the id in lower case. `any`: AWS ignores case and keeps the
    spelling used at creation, which sweeps know."""
    never: str | None = None
    """Regular expression of names that look like an id but belong to something else."""
    unique: bool = True
    """Ids are unique per account and region."""

    @field_validator("pattern", "never")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re2.compile(pattern or "")
        except re2.error as error:
            raise ValueError(f"{pattern!r} is no regular expression of RE2: {error}") from None
        return pattern


class TagsAt(Strict):
    """Where tags come from: a field of the item, [{Key, Value}] or a map."""

    item: JmesPath | None = None


class TypeRow(Strict):
    """Fields of every provider's rows. A provider's class adds the calls that read the type."""

    type: str
    class_: str = Field(alias="class")
    """The class: one of driftline.pipeline.model.CLASSES."""
    scope: Literal["regional", "global"] = "regional"
    uid: Template
    name: JmesPath
    name_after: str | None = None
    """The name follows the last of these characters."""
    incarnation: JmesPath | None = None
    """What distinguishes resources with the same uid: an id, or the creation time."""
    region: JmesPath | None = None
    """A resource's own region, if the listing is global."""
    skip: JmesPath | None = None
    """Items for which this is true are skipped."""
    tags: TagsAt | None = None
    relations: list[Relation] = Field(default_factory=list)
    form: str | None = None
    """The form of its uid, if the uid is a field of the item, with placeholders {id} (its name in events), {account},
    {region}, {partition}, and portions that no event contains: {path} (before a name, including /), {suffix} (after it), {uuid}."""
    named: NameSpelling = Field(default_factory=NameSpelling)
    events: list[Touch] = Field(default_factory=list)
    quiet: list[str] = Field(default_factory=list)
    """Paths of the configuration, beginning with a part, that change by themselves: kept, but not drift."""
    ordered: list[str] = Field(default_factory=list)
    """Paths of lists whose order matters; the order of all others is not drift."""
    redact: list[str] = Field(default_factory=list)
    """Paths whose values are always treated as secret."""
    gone: list[str] = Field(default_factory=list)
    """Error codes that mean that the resource disappeared between the listing and this call."""

    @field_validator("class_")
    @classmethod
    def _known(cls, word: str) -> str:
        if word not in CLASSES:
            raise ValueError(f"{word!r} is no class (one of: {', '.join(CLASSES)})")
        return word

    @property
    def parts(self) -> list[str]:
        """The parts of the configuration that are read, in order."""
        raise NotImplementedError
