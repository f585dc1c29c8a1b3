"""The rows of AWS: how a type is listed and read by botocore's calls. One loop (driftline.collectors.aws.sweep.read) reads any row.

Values are JMESPath over {item, account, region, partition}; strings with {…} are filled from the same."""

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
"""Service, operation, and its IAM action if that differs."""
EVERYTHING = "*"
"""Used in place of a part for listings that are not a part."""


class RowCall(Strict):
    """Fields common to all calls of a row."""

    operation: str
    service: str | None = None
    """The service, if it differs from the row's."""
    action: str | None = None
    """The IAM action, if it is not service:Operation."""


class Under(RowCall):
    """The call that lists the resources' parents: the listing is requested for each (`parent` in its params)."""

    items: JmesPath
    """Path of the parents (maps); their fields are added to the items."""
    params: dict[str, JmesPath] = Field(default_factory=dict)


class ListCall(RowCall):
    """The call that lists the resources. Its items become a part, unless keep is false."""

    items: JmesPath
    """Path of the items in the (paged) response."""
    part: str
    keep: bool = True
    params: dict[str, JmesPath] = Field(default_factory=dict)
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean that there are none."""
    decode_at: list[str] = Field(default_factory=list)
    """Fields of the item that contain JSON text."""
    drop: list[str] = Field(default_factory=list)
    """Fields that change by themselves; dotted paths pass through lists, and with the step `*` through maps."""
    under: Under | None = None


class Complete(RowCall):
    """A call that adds fields missing from the listing to the item."""

    unless: JmesPath
    """Not called if this path of the item has a value."""
    value: JmesPath
    """Path of the fields to add; null: the resource disappeared."""
    params: dict[str, JmesPath] | None = None


class Each(RowCall):
    """A call for every element of a detail's response (`element` in its params)."""

    value: JmesPath
    params: dict[str, JmesPath]
    only: JmesPath | None = None
    """Only elements for which this is true; the others are unchanged."""
    into: str | None = None
    """The field of the element for the response; without it, the part is a map from elements to responses."""
    decode: Literal["json"] | None = None
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean not configured for this element. The response is then null."""
    region: JmesPath | None = None
    """Path of the region of the call; default: the resource's."""


class Detail(RowCall):
    """A call for one resource; its response is one part."""

    part: str
    value: JmesPath
    """Path of the part in the response; `@` is the whole response."""
    params: dict[str, JmesPath] | None = None
    """Default: the row's."""
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean not configured. The part's value is then null."""
    absent_text: str | None = None
    """Text that the error's message must also contain, if the code alone could mean a denial."""
    decode: Literal["json"] | None = None
    decode_at: list[str] = Field(default_factory=list)
    drop: list[str] = Field(default_factory=list)
    once: Literal["account", "region"] | None = None
    """Read once per account, or per region of it, for all of its resources."""
    given: JmesPath | None = None
    """Called only if this path of the item has a value; the part is null otherwise."""
    each: Each | None = None
    joined: Literal["attached_documents", "group_policies"] | None = None
    """How driftline.collectors.aws.sweep.joins creates the part from the account's response, requested once, and from parts read before."""


class Tags(TagsAt):
    """The source of tags: a field of the item, or a separate call. [{Key, Value}] or a map."""

    operation: str | None = None
    value: JmesPath = "Tags"
    params: dict[str, JmesPath] | None = None
    absent: list[str] = Field(default_factory=list)
    action: str | None = None


class SingleRead(Strict):
    """How a single resource is re-read, if the listing can be restricted to it; otherwise the whole scope is listed.

    Params are paths over {id: the values of the placeholders of `item` in the uid, by path, uid, account, region}."""

    operation: str | None = None
    """Default: the list's."""
    items: JmesPath | None = None
    """Path of the item, or a list of items, in the response; default: that of the listing."""
    params: dict[str, JmesPath]
    action: str | None = None
    """The IAM action, if it is not service:Operation."""
    gone: list[str] = Field(default_factory=list)
    """Error codes that mean that the resource does not exist (in addition to the row's)."""


class Kind(TypeRow):
    """A row of AWS."""

    service: str
    listing: ListCall = Field(alias="list")
    params: dict[str, JmesPath] = Field(default_factory=dict)
    complete: list[Complete] = Field(default_factory=list)
    details: list[Detail] = Field(default_factory=list)
    tags: Tags | None = None
    one: SingleRead | None = None
    """Without it, a single resource is found by listing its whole scope."""

    @property
    def parts(self) -> list[str]:
        first = [self.listing.part] if self.listing.keep else []
        return first + [detail.part for detail in self.details]

    @property
    def copies_of_tags(self) -> list[str]:
        """Paths of the configuration that duplicate the resource's tags, in the item."""
        field = _FIRST_FIELD.match((self.tags and self.tags.item) or "")
        kept = self.listing.keep and field is not None and field[1] not in self.listing.drop
        return [f"{self.listing.part}.{field[1]}"] if kept and field else []

    def calls(self) -> Iterator[NamedCall]:
        """All calls of the row."""
        for calls in self.calls_by_part().values():
            yield from calls
        listing = self.listing
        if self.one and self.one.operation:
            yield listing.service or self.service, self.one.operation, self.one.action
        if self.tags and self.tags.operation:
            yield self.service, self.tags.operation, self.tags.action

    def calls_by_part(self) -> dict[str, list[NamedCall]]:
        """The calls that list the resource, and those that read it, by part; the part of the listing is read by all
        listing calls."""
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
    """All rows by type. Raises UserError with all errors, with file and line."""
    return load.rows(folder or Path(str(files("driftline.collectors.aws"))) / "kinds", Kind)
