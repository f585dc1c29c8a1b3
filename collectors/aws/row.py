"""The rows of AWS: how a type is listed and read by botocore's calls. One loop (driftline.collectors.aws.sweep.read) reads any row.

Values are JMESPath over {item, account, region, partition}; texts with {…} are filled from the same."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field

from driftline.collectors.rows import load
from driftline.collectors.rows.paths import JmesPath
from driftline.collectors.rows.row import Strict, TagsAt, TypeRow

_FIRST_FIELD = re.compile(r"item\.(\w+)")
NamedCall = tuple[str, str, str | None]
"""Service, operation, and its IAM action where that is another."""
EVERYTHING = "*"
"""Stands for the parts of a resource whose listing is none of them."""


class RowCall(Strict):
    """What every call of a row says."""

    operation: str
    service: str | None = None
    """Where it is another than the row's."""
    action: str | None = None
    """The IAM action, where it is not service:Operation."""


class Under(RowCall):
    """The call that lists what the resources stand under: the list is asked for each (`parent` in its params)."""

    items: JmesPath
    """Path of the parents, maps; their fields are added to the items."""
    params: dict[str, JmesPath] = Field(default_factory=dict)


class ListCall(RowCall):
    """The call that lists the resources. Its items become a part, unless keep is false."""

    items: JmesPath
    """Path of the items in the (paged) answer."""
    part: str
    keep: bool = True
    params: dict[str, JmesPath] = Field(default_factory=dict)
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean: there are none."""
    decode_at: list[str] = Field(default_factory=list)
    """Fields of the item that hold JSON as text."""
    drop: list[str] = Field(default_factory=list)
    """Fields that change without anybody changing anything; dotted paths go through lists, and by the step `*` through maps."""
    under: Under | None = None


class Complete(RowCall):
    """A call that adds to the listed item what the list left out."""

    unless: JmesPath
    """Not asked where this path of the item has a value."""
    value: JmesPath
    """A path that gives the fields to add; null: the resource vanished."""
    params: dict[str, JmesPath] | None = None


class Each(RowCall):
    """A call for every element of a detail's answer (`element` in its params)."""

    value: JmesPath
    params: dict[str, JmesPath]
    only: JmesPath | None = None
    """Elements for which this is true; the others are left as they are."""
    into: str | None = None
    """The field of the element that takes the answer; without it the part is a map, element to answer."""
    decode: Literal["json"] | None = None
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean: not configured for this element. The answer is then null."""
    region: JmesPath | None = None
    """Path of the region in which it is asked for; default: the resource's."""


class Detail(RowCall):
    """A call for one resource; its answer is one part."""

    part: str
    value: JmesPath
    """Path of the part in the answer; `@` is all of it."""
    params: dict[str, JmesPath] | None = None
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
    given: JmesPath | None = None
    """Asked only where this path of the item has a value; the part is null elsewhere."""
    each: Each | None = None
    joined: Literal["attached_documents", "group_policies"] | None = None
    """How driftline.collectors.aws.sweep.joins makes the part of the account's answer, asked for once, and of what was read before."""


class Tags(TagsAt):
    """Where tags come from: a field of the item, or a call of their own. [{Key, Value}] or a map."""

    operation: str | None = None
    value: JmesPath = "Tags"
    params: dict[str, JmesPath] | None = None
    absent: list[str] = Field(default_factory=list)
    action: str | None = None


class SingleRead(Strict):
    """How a single resource is read again, where the list can be narrowed to it; without it the whole scope is listed.

    Params are paths over {id: what fills the holes of `item` in the uid, by path, uid, account, region}."""

    operation: str | None = None
    """Default: the list's."""
    items: JmesPath | None = None
    """Path of the item, or a list of them, in the answer; default: the list's."""
    params: dict[str, JmesPath]
    action: str | None = None
    """The IAM action, where it is not service:Operation."""
    gone: list[str] = Field(default_factory=list)
    """Error codes that mean: there is no such resource (besides the row's)."""


class Kind(TypeRow):
    """A row of AWS."""

    service: str
    listing: ListCall = Field(alias="list")
    params: dict[str, JmesPath] = Field(default_factory=dict)
    complete: list[Complete] = Field(default_factory=list)
    details: list[Detail] = Field(default_factory=list)
    tags: Tags | None = None
    one: SingleRead | None = None
    """Without it a single resource is found in the whole list of its scope."""

    @property
    def parts(self) -> list[str]:
        first = [self.listing.part] if self.listing.keep else []
        return first + [detail.part for detail in self.details]

    @property
    def copies_of_tags(self) -> list[str]:
        """Paths of the configuration where the resource's tags stand a second time: in the item that has them."""
        field = _FIRST_FIELD.match((self.tags and self.tags.item) or "")
        kept = self.listing.keep and field is not None and field[1] not in self.listing.drop
        return [f"{self.listing.part}.{field[1]}"] if kept and field else []

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


@cache
def kinds(folder: Path | None = None) -> dict[str, Kind]:
    """Every row by its type. Raises UserError with every mistake, its file and line."""
    return load.rows(folder or Path(str(files("driftline.collectors.aws"))) / "kinds", Kind)
