"""What Terraform says resources ought to be: plans and states, by the rows of mapping.yaml."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jmespath  # type: ignore[import-untyped]
import yaml

from collectors.aws.terraform.groups import APART, as_block, permissions
from pipeline import wire
from pipeline.differences import escaped
from pipeline.errors import Malformed, UserError
from pipeline.model import Baseline
from pipeline.patterns import matches

Kind = Literal["declared", "recorded"]
LARGEST = 200_000_000
FILE = Path(__file__).with_name("mapping.yaml")
NOTHING: tuple[Any, ...] = (None, "", [], {}, False)
QUIET = ("id", "arn", "tags", "tags_all", "region", "timeouts")
"""Attributes that are not told as not compared."""


class Resource(NamedTuple):
    """One managed resource of a plan or state."""

    address: str
    type: str
    values: dict[str, Any]
    sensitive: Any


@dataclass
class Found:
    """What a file came to."""

    kind: Kind
    records: list[Baseline] = field(default_factory=list)
    not_compared: dict[str, str] = field(default_factory=dict)
    """Address to why, or which attributes."""
    serial: int | None = None
    lineage: str | None = None


@cache
def mapping() -> dict[str, dict[str, Any]]:
    """The rows, by Terraform type."""
    rows: list[dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))
    return {row["terraform"]: row for row in rows}


def read(
    path: Path, workspace: str, ignored: Sequence[str], now: datetime, *, claims: bool = False
) -> Found:
    """A plan (`terraform show -json`), a state of the same form, or a state file. `ignored`: ADDRESS.ATTRIBUTE, * for any
    text. `claims`: what the workspace's resources have and it does not declare is a difference too.

    Raises UserError where the file is none of these."""
    data = _opened(path)
    found = Found(
        "declared" if "planned_values" in data else "recorded",
        serial=data.get("serial"),
        lineage=data.get("lineage"),
    )
    resources = sorted(_resources(data, path), key=lambda one: one.address)
    owners = {
        (one.type, attribute, one.values.get(attribute)): one.values.get("arn")
        for one in resources
        for attribute in ("name", "id")
    }
    reader = _Reader(found, owners, _single_rules(resources), ignored, claims)
    for one in resources:
        reader.take(one)
    by = "terraform" if found.kind == "declared" else "terraform state"
    for uid, (type_, expect) in sorted(reader.expected.items()):
        if expect:
            found.records.append(Baseline(uid=uid, type=type_, kind=found.kind, expect=expect, at=now, by=by, source=workspace,
                                          serial=found.serial, lineage=found.lineage))  # fmt: skip
    return found


def _single_rules(resources: Iterable[Resource]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Rules of their own resources, by their group's id and their way."""
    out: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for one in resources:
        if one.type in APART and (group := one.values.get("security_group_id")):
            way, block = as_block(one.type, one.values)
            out.setdefault(group, {}).setdefault(way, []).append(block)
    return out


def _opened(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path}: more than {LARGEST} bytes")
    try:
        data = wire.decode(path.read_bytes(), LARGEST)
    except (Malformed, OSError) as why:
        raise UserError(
            f"{path}: no JSON: {why} (run: terraform show -json PLAN > plan.json)"
        ) from None
    if not isinstance(data, dict) or not ({"planned_values", "values", "resources"} & data.keys()):
        raise UserError(
            f"{path}: neither a plan nor a state (run: terraform show -json PLAN > plan.json)"
        )
    return data


def _resources(data: Mapping[str, Any], path: Path) -> Iterator[Resource]:
    try:
        if "resources" in data:
            yield from _of_state(data)
        else:
            yield from _of_module(
                (data.get("planned_values") or data.get("values") or {}).get("root_module") or {}
            )
    except (AttributeError, KeyError, TypeError) as why:
        raise UserError(f"{path}: not as Terraform writes it: {type(why).__name__} {why}") from None


def _of_module(module: Mapping[str, Any]) -> Iterator[Resource]:
    for one in module.get("resources", ()):
        if one["mode"] == "managed":
            yield Resource(
                one["address"],
                one["type"],
                one.get("values") or {},
                one.get("sensitive_values") or {},
            )
    for below in module.get("child_modules", ()):
        yield from _of_module(below)


def _of_state(data: Mapping[str, Any]) -> Iterator[Resource]:
    for one in data["resources"]:
        if one["mode"] != "managed":
            continue
        for instance in one["instances"]:
            key = instance.get("index_key")
            index = "" if key is None else f'["{key}"]' if isinstance(key, str) else f"[{key}]"
            module = f"{one['module']}." if one.get("module") else ""
            secret = {
                path[0]["value"]: True
                for path in instance.get("sensitive_attributes", ())
                if path and isinstance(path[0], dict) and "value" in path[0]
            }
            yield Resource(
                f"{module}{one['type']}.{one['name']}{index}",
                one["type"],
                instance.get("attributes") or {},
                secret,
            )


class _Reader:
    """Gathers what is expected of each uid: several Terraform resources may say something of one."""

    def __init__(
        self, found: Found, owners: Mapping[tuple[str, str, Any], Any],
        single: Mapping[str, Mapping[str, list[dict[str, Any]]]], ignored: Sequence[str], claims: bool,
    ) -> None:  # fmt: skip
        self.found, self.owners, self.single, self.ignored, self.claims = (
            found,
            owners,
            single,
            ignored,
            claims,
        )
        self.expected: dict[str, tuple[str, dict[str, Any]]] = {}

    def take(self, one: Resource) -> None:
        row = mapping().get(one.type)
        if row is None:
            why = self._apart(one) if one.type in APART else _unknown(one.type)
            return self._not(one, why) if why else None
        uid = self._uid(row, one)
        if uid is None:
            return None
        expect = self.expected.setdefault(uid, (row["type"], {}))[1]
        told = set(QUIET)
        for pointer, expression in row.get("expect", {}).items():
            self._value(one, expect, pointer, expression, told)
        for pointer, attribute in row.get("document", {}).items():
            self._document(one, expect, pointer, attribute, told)
        for attribute, pointer in row.get("groups", {}).items():
            told.add(attribute)
            rules = self._rules(one, attribute)
            if rules is not None and not self._ignores(one, attribute):
                expect[pointer] = permissions(rules, uid)
        self._lists(row, one, expect, told)
        texts = (row.get("uid", ""), *row.get("of", ())[2:])
        told |= {name for text in texts for name in re.findall(r"[a-z_]+", text)}
        left = [
            name for name, value in one.values.items() if name not in told and value not in NOTHING
        ]
        return self._not(one, f"attributes: {', '.join(sorted(left))}") if left else None

    def _rules(self, one: Resource, way: str) -> list[dict[str, Any]] | None:
        """A security group's rules of one way, as blocks; None where they are not to be compared."""
        if not self.single:
            return one.values.get(way)
        if not self.claims:
            return None
        # beside rules of their own resources a group's blocks only repeat what is there
        return self.single.get(one.values.get("id", ""), {}).get(way, [])

    def _apart(self, one: Resource) -> str:
        """Why a single rule is not compared, if so."""
        group = one.values.get("security_group_id")
        if not self.claims:
            return "a rule of its own resource: others may be made elsewhere, so that it is not compared (--claims: these are all)"
        if ("aws_security_group", "id", group) not in self.owners:
            return f"its group {group} is not in this workspace, or not made yet"
        return ""

    def _lists(
        self, row: Mapping[str, Any], one: Resource, expect: dict[str, Any], told: set[str]
    ) -> None:
        """What counts as a whole only where the workspace claims it."""
        for pointer in row.get("claims", ()):
            if self.claims and not self._ignores(one, pointer[1:]):
                expect.setdefault(pointer, [] if pointer == "/attached_policies" else {})
        for pointer, attribute in row.get("attached", {}).items():
            told.add(attribute)
            if self.claims and (arn := one.values.get(attribute)):
                expect.setdefault(pointer, []).append(
                    {"PolicyArn": arn, "PolicyName": arn.rsplit("/", 1)[-1]}
                )

    def _uid(self, row: Mapping[str, Any], one: Resource) -> str | None:
        if "of" in row:
            type_, attribute, expression = row["of"]
            name = jmespath.search(expression, one.values)
            uid = self.owners.get((type_, attribute, name))
            if not uid:
                self._not(one, f"its {type_} {name} is not in this workspace, or has no ARN yet")
                return None
            return str(uid)
        uid = (
            jmespath.search(row["uid"], one.values)
            if row["uid"] == "arn" or one.values.get("bucket")
            else None
        )
        if not uid:
            self._not(one, "its ARN is not known before it is applied")
            return None
        return str(uid)

    def _value(
        self, one: Resource, expect: dict[str, Any], pointer: str, expression: str, told: set[str]
    ) -> None:
        names = re.match(r"[a-z_]+", expression)
        attribute = names[0] if names else expression
        told.add(attribute)
        if attribute not in one.values or self._ignores(one, attribute) or _secret(one, attribute):
            return
        if (value := jmespath.search(expression, one.values)) is not None:
            expect[pointer] = value

    def _document(
        self, one: Resource, expect: dict[str, Any], pointer: str, attribute: str, told: set[str]
    ) -> None:
        told.add(attribute)
        told.add("name")
        text = one.values.get(attribute)
        if not text or self._ignores(one, attribute) or _secret(one, attribute):
            return
        try:
            document = wire.decode(str(text).encode())
        except Malformed:
            self._not(one, f"{attribute} is no JSON")
            return
        pointer = pointer.replace("{name}", escaped(str(one.values.get("name", ""))))
        if self.claims and pointer.startswith("/inline_policies/"):
            expect.setdefault("/inline_policies", {})[one.values.get("name", "")] = document
        else:
            expect[pointer] = document

    def _ignores(self, one: Resource, attribute: str) -> bool:
        return any(matches(pattern, f"{one.address}.{attribute}") for pattern in self.ignored)

    def _not(self, one: Resource, why: str) -> None:
        known = self.found.not_compared.get(one.address)
        self.found.not_compared[one.address] = f"{known}; {why}" if known else why


def _unknown(type_: str) -> str:
    return "nothing is known of this type" if type_.startswith("aws_") else "no resource of AWS"


def _secret(one: Resource, attribute: str) -> bool:
    return bool(isinstance(one.sensitive, dict) and one.sensitive.get(attribute))
