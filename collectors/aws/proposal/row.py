"""Proposes the row of a resource type from botocore's service model: how it is listed and read, and which events change it.

Proposals are guessed from names and must be reviewed and edited. Pure, except for reading botocore's models."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from driftline.collectors.aws.events.claims import SOURCES, bare
from driftline.collectors.aws.permissions import PREFIXES
from driftline.collectors.aws.proposal.names import (
    camel,
    iam_prefix,
    lists_of,
    pairs,
    plurals,
    snake,
)
from driftline.collectors.aws.row import kinds
from driftline.collectors.aws.shapes import service_model
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.common.yaml_source import hint

READS = re.compile(
    r"^(Describe|Get|List|BatchGet|BatchDescribe|Search|Query|Scan|Lookup|Check|Test|Validate|Select|Head|Preview|Simulate|Estimate"
    r"|Count|View|Verify|Detect|Retrieve|Filter|Discover|Decrypt|Encrypt|Generate|Sign|Compare|Evaluate|Poll|Receive|Is|Batch(?:Check|Import)|"
    r"Assume|Download|Resolve|Diagnose|Predict|Infer)"
)
"""Operations that do not change configuration."""
MISSING = re.compile(r"NotFound|NoSuch|DoesNotExist|NotExist|UnknownResource")
TAGGING = re.compile(r"^(Tag|Untag|AddTags|RemoveTags|CreateTags|DeleteTags)")
SETTING = re.compile(r"^(Update|Modify|Set|Enable|Disable)")
Model = Any


@dataclass
class Proposal:
    type: str
    service: str
    source: str
    """CloudTrail's name of the service."""
    row: dict[str, Any] = field(default_factory=dict)
    """The row, as in YAML."""
    claimed: set[str] = field(default_factory=set)
    """The operations whose events concern the type."""
    unclaimed: list[str] = field(default_factory=list)
    """The operations that change something and that the row does not claim."""


def propose(type: str, service: str | None, listing: str | None) -> Proposal:
    """Raises UserError if the service or its list call cannot be derived from the type's name."""
    if not re.fullmatch(r"AWS::\w+::\w+", type):
        raise UserError(
            "not a resource type",
            fix="expected CloudFormation's name, AWS::Service::Thing",
            place=type,
        )
    if type in kinds():
        raise UserError("this type already has a row", fix="collectors/aws/kinds", place=type)
    if service and service not in _services():
        raise UserError(
            "unknown to botocore",
            fix=hint(service, _services()),
            place=f"--service {service}",
        )
    service = service or _service(type)
    made = Proposal(type, service, SOURCES.get(service, service))
    made.row = _Row(made, service_model(service), listing).row()
    changing = {bare(name) for name in service_model(service).operation_names if not READS.match(name)}  # fmt: skip
    made.unclaimed = sorted(changing - made.claimed)
    return made


def _service(type: str) -> str:
    known = _services()
    name = type.split("::")[1].lower()
    found = [one for one in known if one.replace("-", "") == name]
    if len(found) != 1:
        raise UserError(
            "cannot tell the service from the type (use --service NAME)",
            fix=hint(name, known),
            place=type,
        )
    return found[0]


def _services() -> list[str]:
    session = import_module("botocore.session").get_session()
    names: list[str] = session.get_available_services()
    return names


class _Row:
    """Builds the row of one proposal."""

    def __init__(self, made: Proposal, model: Model, listing: str | None) -> None:
        self.made, self.model = made, model
        self.thing = made.type.split("::")[2]
        self.listing = self._listing(listing)
        self.path, self.item = self._items()
        self.fields: dict[str, Any] = self.item.members if self.item.type_name == "structure" else {}  # fmt: skip

    def row(self) -> dict[str, Any]:
        """The row's keys, in the order of the tables."""
        arn, name = self._arn(), self._name()
        prefix = iam_prefix(self.made.service, self.listing)
        uid = f"arn:{{partition}}:{prefix}:{{region}}:{{account}}:{snake(self.thing).replace('_', '-')}/"
        row: dict[str, Any] = {"type": self.made.type, "class": "data", "service": self.made.service}  # fmt: skip
        row["list"] = {"operation": self.listing, "items": self._item_path(), "part": self._part()}
        if params := {member: "account" if "account" in member.lower() else "''" for member in self._required(self.listing)}:  # fmt: skip
            row["list"]["params"] = params
        row["list"] |= self._action(self.listing)
        row["uid"] = f"{{item.{arn}}}" if arn else f"{uid}{{item.{name}}}"
        row["name"] = f"item.{name}"
        if arn:
            row["form"] = f"{uid}{{id}}"
        row["events"] = self._events(arn, name)
        if details := list(self._details(arn, name)):
            row["details"] = details
        if tags := self._tags(arn):
            row["tags"] = tags
        if gone := self._gone():
            row["gone"] = gone
        return row

    def _listing(self, named: str | None) -> str:
        model, several = self.model, plurals(self.thing)
        if named:
            if named not in model.operation_names:
                raise UserError(
                    f"{self.made.service} has no such operation",
                    fix=hint(named, model.operation_names),
                    place=f"--list {named}",
                )
            return named
        lists = [name for name in model.operation_names if name.startswith(("List", "Describe")) and lists_of(model, name)]  # fmt: skip
        found = [name for name in lists if re.sub(r"^(List|Describe)", "", name) in several]
        if not found:
            near = [name for name in lists if not self._required(name)]
            raise UserError(
                "cannot tell which operation lists it",
                fix=f"--list {' | '.join(near) or 'OPERATION'}",
                place=self.made.type,
            )
        first: str = max(found, key=lambda name: name.startswith("Describe"))
        return first

    def _items(self) -> tuple[str, Any]:
        lists = lists_of(self.model, self.listing)
        if not lists:
            raise UserError("its response contains no list", place=f"--list {self.listing}")
        several = {name.lower() for name in plurals(self.thing)}
        return max(lists.items(), key=lambda one: (one[0].lower() in several, one[1].type_name == "structure"))  # fmt: skip

    def _item_path(self) -> str:
        return self.path if self.fields else f"{self.path}[].{{{self._name()}: @}}"

    def _part(self) -> str:
        return snake(self.thing)

    def _name(self) -> str:
        """The field with its name: the one that its operations require, else the one with a typical name."""
        asked = [
            member
            for verb in ("Delete", "Describe", "Get", "Update")
            if f"{verb}{self.thing}" in self.model.operation_names
            for member in self._required(f"{verb}{self.thing}")
            if not member.lower().endswith(("arn", "accountid")) and self._field(member)
        ]
        guessed = (f"{self.thing}Name", f"{self.thing}Id", "Name", "Id", f"{self.thing}Arn", "Arn")
        first = next(iter(self.fields), f"{self.thing}Name")
        return self._field(*asked, *guessed) or first

    def _arn(self) -> str | None:
        return self._field(f"{self.thing}Arn", "Arn", "ResourceArn")

    def _field(self, *names: str) -> str | None:
        low = {name.lower(): name for name in self.fields}
        return next((low[name.lower()] for name in names if name.lower() in low), None)

    def _required(self, operation: str) -> list[str]:
        shape = self.model.operation_model(operation).input_shape
        return list(shape.required_members) if shape else []

    def _members(self, operation: str) -> list[str]:
        shape = self.model.operation_model(operation).input_shape
        return list(shape.members) if shape else []

    def _given(self, member: str, arn: str | None, name: str) -> str | None:
        """The path in the item that fills a parameter; None if the parameter does not name the thing."""
        low = member.lower()
        own = {"name", "id", "arn", "identifier"} | {f"{self.thing.lower()}{end}" for end in ("name", "id", "arn", "identifier", "")}  # fmt: skip
        if low in ("accountid", "awsaccountid"):
            return "account"
        if low.endswith("arn") and (low in own or low.startswith("resource")):
            return f"item.{arn}" if arn else None
        if low not in own and low not in ("resource", "resourceid", "resourcename"):
            return None
        return (
            f"item.{self._field(member) or (arn if low.startswith('resource') and arn else name)}"
        )

    def _filled(self, operation: str, arn: str | None, name: str) -> dict[str, str] | None:
        """The parameters that name the thing in a call; None if the call requires others too."""
        members = self._required(operation)
        if not members:  # alternatives, none of which is required: the ARN or the name
            members = [one for one in self._members(operation) if self._given(one, arn, name)][:1]
        found = {member: self._given(member, arn, name) for member in members}
        paths = {member: path for member, path in found.items() if path}
        return paths if paths and len(paths) == len(found) and set(paths.values()) != {"account"} else None  # fmt: skip

    def _details(self, arn: str | None, name: str) -> Iterable[dict[str, Any]]:
        for operation in self.model.operation_names:
            rest = re.sub(r"^(Describe|Get)", "", operation)
            if rest == operation or self.thing not in rest or operation == self.listing:
                continue
            filled = self._filled(operation, arn, name)
            output = self.model.operation_model(operation).output_shape
            if filled is None or output is None or not output.members:
                continue
            inner = [key for key, shape in output.members.items() if key.lower() != "responsemetadata"]  # fmt: skip
            part = snake(rest.replace(self.thing, "", 1)) or "described"
            detail = {"part": part, "operation": operation, "value": inner[0] if len(inner) == 1 else "@", "params": filled}  # fmt: skip
            yield detail | self._action(operation)

    def _tags(self, arn: str | None) -> dict[str, Any]:
        own = self._field("Tags", "TagList", "TagSet")
        if own:
            return {"item": pairs(f"item.{own}", self.fields[own])}
        for operation in (f"ListTagsFor{self.thing}", "ListTagsForResource", "ListTags", "GetTags", "ListTagsOfResource"):  # fmt: skip
            if operation not in self.model.operation_names:
                continue
            filled = self._filled(operation, arn, self._name())
            output = self.model.operation_model(operation).output_shape
            value = next((key for key in output.members if "tag" in key.lower() and "token" not in key.lower()), None)  # fmt: skip
            if filled and value:
                return {"operation": operation, "value": pairs(value, output.members[value]), "params": filled} | self._action(operation)  # fmt: skip
        return {}

    def _gone(self) -> list[str]:
        """Error codes of the service that mean that the thing does not exist."""
        found = {
            error.metadata.get("error", {}).get("code", error.name)
            for operation in self.model.operation_names
            if self.thing in operation
            for error in self.model.operation_model(operation).error_shapes
        }
        own = (name for name in found if self.thing in name or name.startswith(("Resource", "Entity", "NotFound")))  # fmt: skip
        return sorted(name for name in own if MISSING.search(name))

    def _action(self, operation: str) -> dict[str, str]:
        prefix = iam_prefix(self.made.service, operation)
        expected = PREFIXES.get(self.made.service, self.made.service)
        return {} if prefix == expected else {"action": f"{prefix}:{operation}"}

    def _events(self, arn: str | None, name: str) -> list[dict[str, Any]]:
        """The operations that name the thing, by the place of the name."""
        by_id: dict[str, dict[str, Any]] = {}
        for operation in self.model.operation_names:
            if READS.match(operation):
                continue
            tagging = bool(TAGGING.match(operation))
            if not tagging and not self._is_about(operation):
                continue
            path = self._named(operation, arn, name)
            kind = self._kind(operation)
            if path is None:
                continue
            key = f"{path} tags" if tagging else path
            touch = by_id.setdefault(key, {})
            touch.setdefault(kind, []).append(bare(operation))
            touch |= ({"parts": ["tags"]} if tagging else {}) | {"id": path}
            self.made.claimed.add(bare(operation))
        return [
            {
                key: touch[key]
                for key in ("create", "update", "delete", "parts", "id")
                if key in touch
            }
            for touch in by_id.values()
        ]

    def _is_about(self, operation: str) -> bool:
        """Whether an operation's name contains the thing's, or it sets something of a thing that the request names."""
        if self.thing.lower() in operation.lower():
            return True
        own = {f"{self.thing.lower()}{end}" for end in ("name", "id", "arn")}
        return bool(SETTING.match(operation) and own & {one.lower() for one in self._members(operation)})  # fmt: skip

    def _kind(self, operation: str) -> str:
        if operation.endswith(self.thing):
            if re.match(r"Create|Register|Import|Allocate|Run", operation):
                return "create"
            if re.match(r"Delete|Deregister|Release|Terminate", operation):
                return "delete"
        return "update"

    def _named(self, operation: str, arn: str | None, name: str) -> str | None:
        """Where an event of the operation names the thing: in the request, else in the response."""
        members = self._members(operation)
        fits = [one for one in members if "account" not in one.lower() and self._given(one, arn, name)]  # fmt: skip
        if not arn:  # if the item has no ARN, one in the request also names the thing
            fits += [one for one in members if one.lower() in ("resourcearn", f"{self.thing.lower()}arn")]  # fmt: skip
        if fits:
            told = sorted(set(fits), key=lambda one: not one.lower().endswith("arn"))[:2]
            return " || ".join(f"requestParameters.{camel(one)}" for one in told)
        output = self.model.operation_model(operation).output_shape
        for one in output.members if output else ():
            if one.lower() in (f"{self.thing.lower()}arn", f"{self.thing.lower()}id", "arn"):
                return f"responseElements.{camel(one)}"
        return None
