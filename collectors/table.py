"""The tables of resource types: one row says how a type is read. One loop (collectors.aws.read) reads any row.

Values are JMESPath over {item, account, region, partition}; texts with {…} are filled from the same."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jmespath
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import UserError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ListCall(_Strict):
    """The call that lists the resources. Its items become a part, unless keep is false."""

    operation: str
    items: str
    """Path of the items in the (paged) answer."""
    part: str
    keep: bool = True
    params: dict[str, str] = Field(default_factory=dict)
    decode_at: list[str] = Field(default_factory=list)
    """Fields of the item that hold JSON as text."""


class Detail(_Strict):
    """A call for one resource; its answer is one part."""

    part: str
    operation: str
    value: str
    """Path of the part in the answer; `@` is all of it."""
    service: str | None = None
    """Where it is another than the row's."""
    params: dict[str, str] | None = None
    """Default: the row's."""
    absent: list[str] = Field(default_factory=list)
    """Error codes that mean: not configured. The part's value is then null."""
    decode: Literal["json"] | None = None
    decode_at: list[str] = Field(default_factory=list)
    once: Literal["account"] | None = None
    """Read once an account, the same for all of its resources."""
    action: str | None = None
    """The IAM action, where it is not service:Operation."""


class Tags(_Strict):
    """Where tags come from: a field of the item, or a call of their own. [{Key, Value}] or a map."""

    item: str | None = None
    operation: str | None = None
    value: str = "Tags"
    params: dict[str, str] | None = None
    absent: list[str] = Field(default_factory=list)


class Relation(_Strict):
    relation: str
    uid: str
    type: str | None = None


class Kind(_Strict):
    """A row."""

    type: str
    service: str
    scope: Literal["regional", "global"] = "regional"
    list: ListCall
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
    details: "list_[Detail]" = Field(default_factory=list)
    tags: Tags | None = None
    relations: "list_[Relation]" = Field(default_factory=list)
    redact: "list_[str]" = Field(default_factory=list)
    """Paths whose every value is a secret until proven otherwise."""
    gone: "list_[str]" = Field(default_factory=list)
    """Error codes that mean: the resource vanished between the list and this call."""

    @property
    def parts(self) -> "list_[str]":
        first = [self.list.part] if self.list.keep else []
        return first + [detail.part for detail in self.details]


list_ = list
Kind.model_rebuild()


@cache
def kinds(folder: Path | None = None) -> dict[str, Kind]:
    """Every row by its type. Raises UserError with every mistake and its file."""
    where = folder or Path(str(files("collectors.aws"))) / "kinds"
    out: dict[str, Kind] = {}
    problems = []
    for path in sorted(where.glob("*.yaml")):
        for number, row in enumerate(yaml.safe_load(path.read_text()) or []):
            try:
                kind = Kind.model_validate(row)
            except ValidationError as error:
                named = row.get("type", number) if isinstance(row, dict) else number
                problems += [
                    f"{path}: {named}: {'.'.join(map(str, p['loc']))}: {p['msg']}"
                    for p in error.errors(include_url=False)
                ]
                continue
            if kind.type in out:
                problems.append(f"{path}: {kind.type} stands twice (keep one row)")
            out[kind.type] = kind
    if problems:
        raise UserError(*problems)
    return out


_HOLE = re.compile(r"\{([^{}]+)\}")


@cache
def _compiled(path: str) -> Any:
    return jmespath.compile(path)


def value(path: str, scope: Mapping[str, Any]) -> Any:
    """What a path of a row gives."""
    return _compiled(path).search(scope)


def text(template: str, scope: Mapping[str, Any]) -> str:
    """A template with its holes filled."""
    return _HOLE.sub(lambda match: str(value(match[1], scope)), template)


def operation_method(operation: str) -> str:
    """GetBucketPolicy to get_bucket_policy, as boto3 names it."""
    from botocore import xform_name

    return str(xform_name(operation))
