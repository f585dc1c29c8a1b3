"""What Terraform says resources ought to be: plans and states, by the rows of mapping.yaml."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from driftline.collectors.aws.terraform.document import Document, Resource, as_written, opened
from driftline.collectors.aws.terraform.groups import APART, EXCLUSIVE, SecurityGroups
from driftline.collectors.aws.terraform.marks import ABSENT, at, path_of
from driftline.collectors.aws.terraform.owners import OwnerUnknown
from driftline.collectors.aws.terraform.principals import PARTS, SHARED, Principals
from driftline.collectors.aws.terraform.reader import CompareOptions, TerraformReader
from driftline.collectors.declared import DeclaredResources
from driftline.pipeline.common.files import load_shipped
from driftline.pipeline.compare.equivalence import is_empty, parse_document
from driftline.pipeline.model import Baseline

FILE = Path(__file__).with_name("mapping.yaml")
QUIET = frozenset({"id", "arn", "tags_all", "region", "timeouts"})
"""Attributes that are not told as not compared: what names a resource, and how long Terraform waits."""
NO_CODE = "the file has no configuration: what code sets is not told from what was read of the cloud, so all of it is taken for code's word (keep `configuration` in the plan)"


@cache
def mapping() -> dict[str, dict[str, Any]]:
    """The rows, by Terraform type."""
    rows: list[dict[str, Any]] = load_shipped(FILE)
    return {row["terraform"]: row for row in rows}


def read(
    path: Path, workspace: str, ignored: Sequence[str], now: datetime, *, claims: bool = False,
    sets: Sequence[str] = (), partition: str = "aws",
) -> DeclaredResources:  # fmt: skip
    """A plan (`terraform show -json`), a state of the same form, or a state file. `ignored`: ADDRESS.ATTRIBUTE, * for any
    text; `sets`: of these code sets what the plan does not show as set. `claims`: what the workspace's groups, roles, users
    have and it does not declare is a difference too. `partition`: of buckets of which the plan does not say it.

    Raises UserError where the file is none of these."""
    document = opened(path)
    with as_written(path):
        reader = TerraformReader(document, CompareOptions(ignored, sets, claims, partition))
        _all(reader, document.resources)
        return _found(document, reader, workspace, now)


def _found(
    document: Document, reader: TerraformReader, workspace: str, now: datetime
) -> DeclaredResources:
    found = DeclaredResources(
        document.kind, not_compared=reader.told(), partial=document.partial, serial=document.serial, lineage=document.lineage
    )  # fmt: skip
    if document.kind == "declared" and document.code is None:
        found.notes.append(NO_CODE)
    by = "terraform" if found.kind == "declared" else "terraform state"
    arns = {one.values.get("arn"): one.address for one in reversed(document.resources) if one.type in mapping()}  # fmt: skip
    for uid, wanted in sorted(reader.wanted.items()):
        if wanted.expect:
            found.addresses[uid] = sorted(wanted.addresses)
            address = arns.get(uid) or min(wanted.addresses)
            found.records.append(Baseline(uid=uid, type=wanted.type, kind=found.kind, expect=wanted.expect, at=now, by=by, source=workspace,
                                          address=address, serial=found.serial, lineage=found.lineage))  # fmt: skip
    return found


def _all(reader: TerraformReader, resources: Iterable[Resource]) -> None:
    groups, principals = SecurityGroups(reader, resources), Principals(reader)
    parts = []
    for one in resources:
        row = mapping().get(one.type)
        if one.unseen:
            reader.skip(one, one.unseen)
        elif one.type in PARTS or one.type == SHARED:
            parts.append(one)
        elif one.type in APART or one.type == EXCLUSIVE:
            continue  # said with their group
        elif row is None:
            reader.skip(one, "no row of mapping.yaml is of this type" if one.type.startswith("aws_") else "no resource of AWS")  # fmt: skip
        else:
            _take(reader, groups, principals, row, one)
    for one in parts:
        principals.part(one)
    groups.orphans()
    principals.join()
    told = {address for wanted in reader.wanted.values() if wanted.expect for address in wanted.addresses}  # fmt: skip
    told |= reader.not_compared.keys()
    for one in resources:
        if one.address not in told:
            reader.skip(one, "code sets nothing of it that is compared")


def _take(reader: TerraformReader, groups: SecurityGroups, principals: Principals, row: Mapping[str, Any], one: Resource) -> None:  # fmt: skip
    """One resource by its row."""
    try:
        uid, assumed = _uid(reader, row, one)
    except OwnerUnknown as why:
        return reader.skip(one, str(why))
    if assumed:
        reader.skip(one, assumed)
    type_ = row["type"]
    computed = frozenset(row.get("computed", ()))
    told = {*QUIET, *row.get("names", ())}
    for pointer, said in row.get("expect", {}).items():
        text, translated = (said, {}) if isinstance(said, str) else (said["from"], said["map"])
        told.add(str(path_of(text)[0]))
        if _compared(reader, one, text, computed):
            reader.expect(uid, type_, one, pointer, _value(at(one.values, path_of(text)), translated))  # fmt: skip
    for pointer, attribute in row.get("document", {}).items():
        told.add(attribute)
        if _compared(reader, one, attribute, computed):
            _document(reader, one, uid, type_, pointer, attribute)
    if row.get("groups"):
        told |= {"ingress", "egress"}
        groups.take(type_, one, uid)
    if kind := row.get("principal"):
        told |= {"inline_policy", "managed_policy_arns"}
        principals.take(one, uid, kind)
    return _rest(reader, one, told)


def _uid(reader: TerraformReader, row: Mapping[str, Any], one: Resource) -> tuple[str, str]:
    """Of which resource it speaks, and what was assumed for that. Raises Unowned."""
    if "of" in row:
        type_, attributes, name = row["of"]
        return reader.owners.find(one, type_, attributes, one.values.get(name)), ""
    if "bucket" in row:
        if not (bucket := one.values.get(row["bucket"])):
            raise OwnerUnknown("its bucket is not known before it is applied")
        return reader.owners.bucket(one, str(bucket))
    if not (arn := one.values.get("arn")):
        raise OwnerUnknown("its ARN is not known before it is applied")
    return str(arn), ""


def _compared(reader: TerraformReader, one: Resource, text: str, computed: frozenset[str]) -> bool:
    why = reader.status(one, text, computed=text in computed or text.partition("[")[0] in computed)
    if why:
        reader.skip(one, why, text)
    return why == ""


def _value(value: Any, translated: Mapping[Any, Any]) -> Any:
    """A value as it is read; what code empties is expected not to be there."""
    if value is ABSENT or (is_empty(value) and not isinstance(value, list)):
        value = None
    key = str(value).lower() if isinstance(value, bool | int) else value
    return translated.get(key, value) if translated and isinstance(key, str) else value


def _document(reader: TerraformReader, one: Resource, uid: str, type_: str, pointer: str, attribute: str) -> None:  # fmt: skip
    document = parse_document(one.values.get(attribute))
    if isinstance(document, dict | list):
        reader.expect(uid, type_, one, pointer, document)
    elif is_empty(document):
        reader.expect(uid, type_, one, pointer, None)
    else:
        reader.skip(one, "no JSON", attribute)


def _rest(reader: TerraformReader, one: Resource, told: set[str]) -> None:
    """Tells of the attributes that no row names: those that code sets, or may set by dynamic blocks; where there is no code,
    those that say something."""
    block = reader.block(one)
    names = set(block.expressions if block else ())
    for name, value in one.values.items():
        blocks = isinstance(value, list) and any(isinstance(item, dict) for item in value)
        if blocks or (block is None and not is_empty(value) and value is not False):
            names.add(name)
    if left := names - told:
        reader.skip(one, "attributes that are not compared", *left)
