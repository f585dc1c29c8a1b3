"""A plan or a state as Terraform writes it: its managed resources, and whether it tells of all of them."""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from driftline.collectors.aws.terraform.code import Code
from driftline.collectors.aws.terraform.marks import of_paths, without_keys
from driftline.pipeline.common import files
from driftline.pipeline.common.errors import Malformed, UserError
from driftline.pipeline.records import codec

Kind = Literal["declared", "recorded"]
LARGEST = 200_000_000
SHOW = "(run: terraform show -json PLAN > plan.json)"
QUIET = (["no-op"], ["read"])
"""Actions that change nothing."""
NO_BLOCK = "it is not in the plan's configuration"
FORMATS = ("0", "1")
"""Terraform changes nothing that is there in a minor version; 0 was as 1 is."""
TOLD = 5
"""Addresses in a sentence; of others how many."""


class Resource(NamedTuple):
    """One managed resource of a plan or state."""

    address: str
    type: str
    values: dict[str, Any]
    sensitive: Any = None
    unknown: Any = None
    """What is known only after apply, in the form of the values."""
    drift: tuple[Any, Any] | None = None
    """What it was when it was applied last, and what it was found to be."""
    changes: bool = False
    """The plan would change it."""
    unseen: str = ""
    """Why the plan does not say what code wants of it, if so."""


@dataclass
class Document:
    """What was in a file."""

    kind: Kind
    resources: list[Resource] = field(default_factory=list)
    code: Code | None = None
    """Not of a state, nor of a plan whose configuration was cut off."""
    partial: list[str] = field(default_factory=list)
    """Why the plan does not tell of all that the workspace declares, or not of what is applied."""
    serial: int | None = None
    lineage: str | None = None


def opened(path: Path) -> Document:
    """Raises UserError where the file is neither a plan nor a state, or not as Terraform writes one."""
    with as_written(path):
        return _document(_json(path))


@contextmanager
def as_written(path: Path) -> Iterator[None]:
    """Whatever the form of a file raises is that file's fault: Terraform's output has one form, and this is another."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as why:
        raise UserError(
            f"not as Terraform writes it: {type(why).__name__} {why} {SHOW}", place=path
        ) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        text = files.read_bytes(path, LARGEST)
        if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # PowerShell's >
            text = text.decode("utf-16").encode()
        data = codec.decode(text.removeprefix(codecs.BOM_UTF8), LARGEST)
    except (Malformed, OSError, UnicodeError) as why:
        raise UserError(f"{why} {SHOW}", place=path) from None
    if not isinstance(data, dict) or not ({"planned_values", "values", "resources"} & data.keys()):
        raise UserError(f"neither a plan nor a state {SHOW}", place=path)
    if str(data.get("format_version", "1")).partition(".")[0] not in FORMATS:
        raise UserError(
            f"of format_version {data['format_version']}, which is not known",
            fix="known is 1",
            place=path,
        )
    return data


def _document(data: Mapping[str, Any]) -> Document:
    if "resources" in data:
        return Document("recorded", _ordered(_of_state(data)), serial=data.get("serial"), lineage=data.get("lineage"))  # fmt: skip
    if "planned_values" not in data:
        return Document("recorded", _ordered(_of_module(_root(data, "values"))))
    resources = _ordered(_of_module(_root(data, "planned_values")))
    known = [*_of_module(_root(data, "planned_values"), "data"), *_of_module(_root(data.get("prior_state") or {}, "values"), "data"), *resources]  # fmt: skip
    code = None
    if "configuration" in data:
        code = Code(data, [(one.address, one.values) for one in known])
    out = Document("declared", _planned(data, resources, code), code)
    out.partial = list(_partial(data, out))
    return out


def _root(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return (data.get(name) or {}).get("root_module") or {}


def _ordered(resources: Iterable[Resource]) -> list[Resource]:
    return sorted(resources, key=lambda one: one.address)


def _of_module(module: Mapping[str, Any], mode: str = "managed") -> Iterator[Resource]:
    for one in module.get("resources") or ():
        if one["mode"] == mode:
            yield Resource(
                one["address"], one["type"], one.get("values") or {}, one.get("sensitive_values")
            )
    for below in module.get("child_modules") or ():
        yield from _of_module(below, mode)


def _of_state(data: Mapping[str, Any]) -> Iterator[Resource]:
    for one in data["resources"]:
        if one["mode"] != "managed":
            continue
        for instance in one["instances"]:
            key = instance.get("index_key")
            index = "" if key is None else f'["{key}"]' if isinstance(key, str) else f"[{key}]"
            module = f"{one['module']}." if one.get("module") else ""
            address = f"{module}{one['type']}.{one['name']}{index}"
            if deposed := instance.get("deposed"):
                yield Resource(f"{address} (deposed {deposed})", one["type"], {}, unseen="it is to be destroyed")  # fmt: skip
                continue
            marks = of_paths(instance.get("sensitive_attributes"))
            yield Resource(address, one["type"], instance.get("attributes") or {}, marks)


def _planned(data: Mapping[str, Any], resources: Iterable[Resource], code: Code | None) -> list[Resource]:  # fmt: skip
    """The resources with what the plan says of their changes."""
    changes = {
        one["address"]: one["change"]
        for one in data.get("resource_changes") or ()
        if "deposed" not in one
    }
    drifts = {one["address"]: one["change"] for one in data.get("resource_drift") or ()}
    looked = bool(changes) or "prior_state" not in data
    out = []
    for one in resources:
        change, drift = changes.get(one.address), drifts.get(one.address)
        unseen = "" if change or (looked and not changes) else "the plan did not look at it (-target, or -refresh-only)"  # fmt: skip
        change = change or {}
        out.append(one._replace(
            sensitive=_both(one.sensitive, change.get("after_sensitive")), unknown=change.get("after_unknown"),
            drift=(drift.get("before"), drift.get("after")) if drift else None,
            changes=bool(change) and change["actions"] not in QUIET,
            unseen=NO_BLOCK if code and code.block(one.address) is None else unseen,
        ))  # fmt: skip
    return out


def _both(one: Any, other: Any) -> Any:
    """The marks of both: two accounts of the same values."""
    if one is True or other is True:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _both(one.get(key), other.get(key)) for key in one.keys() | other.keys()}
    if isinstance(one, list) and isinstance(other, list):
        longest = max(len(one), len(other))
        padded = [[*marks, *[None] * (longest - len(marks))] for marks in (one, other)]
        return [_both(a, b) for a, b in zip(*padded, strict=True)]
    return one or other


def _partial(data: Mapping[str, Any], document: Document) -> Iterator[str]:
    """Each reason why what is missing in a plan is not gone, or what is in it not applied."""
    if data.get("errored"):
        yield "planning ended with errors (errored: true): mend them and plan again"
    if data.get("complete") is False or data.get("deferred_changes"):
        yield "it is not complete (-target, -exclude, errors or deferred changes): plan again without them"  # fmt: skip
    pending = sorted(
        f"{one['address']} ({'/'.join(one['change']['actions'])})"
        for one in data.get("resource_changes") or ()
        if one.get("mode", "managed") == "managed" and one["change"]["actions"] not in QUIET
    )
    if pending:
        yield f"changes are pending: {told(pending)}: apply them, and plan again"
    there = {one.address for one in document.resources}
    cut = sorted(
        one["address"]
        for one in data.get("resource_changes") or ()
        if one.get("mode", "managed") == "managed" and one["change"]["actions"] == ["no-op"]
        and "deposed" not in one and one["address"] not in there
    )  # fmt: skip
    if cut:
        yield f"planned_values do not have {told(cut)}: plan again, and cut nothing off"
    if unseen := [one.address for one in document.resources if one.unseen not in ("", NO_BLOCK)]:
        yield f"it did not look at {told(unseen)}: plan again without -target and -refresh-only"
    if document.code:
        yield from _missing(data, document, document.code)


def _missing(data: Mapping[str, Any], document: Document, code: Code) -> Iterator[str]:
    """What code and plan ought to have both. A plan that says itself that it is complete is believed where it looked."""
    there = {without_keys(one.address) for one in document.resources}
    missing = sorted(code.single() - there)
    if missing and not (data.get("complete") and data.get("resource_changes")):
        yield f"the code has {told(missing)}, and the plan has not: plan again without -target and -refresh-only"
    if more := [one.address for one in document.resources if one.unseen == NO_BLOCK]:
        yield f"the plan has {told(more)}, and its configuration has not: plan again, and cut nothing off"


def told(addresses: list[str]) -> str:
    """A few of them, and of the others how many."""
    more = len(addresses) - TOLD
    return ", ".join(addresses[:TOLD]) + (f" and {more} more" if more > 0 else "")
