"""What the rows of every provider have: type, uid, name, relations, events, and what is said of the configuration.

Paths are JMESPath; a provider's class says over what. A template is a text with paths in braces."""

from collections.abc import Iterator
from typing import Literal

import re2  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, field_validator

from driftline.collectors.rows.paths import JmesPath, Template, checked
from driftline.pipeline.model import CLASSES


class Strict(BaseModel):
    """A part of a row: no unknown fields, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Relation(Strict):
    """Another resource that this one names."""

    relation: str
    uid: Template
    type: str | None = None


class Touch(Strict):
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
    owner: JmesPath | None = None
    """Path over the event of the account that owns the resource, where the request names one."""
    seen: bool = False
    """Several types have the same form of uid: the resource is of this one only where sweeps have seen it."""
    reach: Literal["account", "region"] | None = None
    """It touches every resource of the type there: the whole scope is read again."""

    @field_validator("id")
    @classmethod
    def _parses(cls, id: str | list[str] | None) -> str | list[str] | None:
        for path in [id] if isinstance(id, str) else id or []:
            checked(path)
        return id

    @property
    def paths(self) -> list[str]:
        """Where the id stands, one path after the other."""
        return [self.id] if isinstance(self.id, str) else self.id or []

    def names(self) -> Iterator[tuple[str, str]]:
        """(kind of change, name) of every event."""
        for kind in ("create", "update", "delete", "use"):
            for name in getattr(self, kind):
                yield kind, name


class NameSpelling(Strict):
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


class TagsAt(Strict):
    """Where tags come from: a field of the item, [{Key, Value}] or a map."""

    item: JmesPath | None = None


class TypeRow(Strict):
    """What the rows of every provider have. A provider's own class adds the calls that read the type."""

    type: str
    class_: str = Field(alias="class")
    """What kind of thing it is: one of driftline.pipeline.model.CLASSES."""
    scope: Literal["regional", "global"] = "regional"
    uid: Template
    name: JmesPath
    name_after: str | None = None
    """The name is what follows the last of these characters."""
    incarnation: JmesPath | None = None
    """What another resource under the same uid has otherwise: an id, or the time of creation."""
    region: JmesPath | None = None
    """A resource's own region, where the list is global."""
    skip: JmesPath | None = None
    """Items for which this is true are none of ours."""
    tags: TagsAt | None = None
    relations: list[Relation] = Field(default_factory=list)
    form: str | None = None
    """How its uid looks, where that is only a field of the item: holes {id} (what an event names it by), {account},
    {region}, {partition}, and what no event tells: {path} (before a name, with its /), {suffix} (behind one), {uuid}."""
    named: NameSpelling = Field(default_factory=NameSpelling)
    events: list[Touch] = Field(default_factory=list)
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
        """The parts of the configuration that are read, in order."""
        raise NotImplementedError
