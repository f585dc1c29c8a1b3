"""The known paths of every type, from the rows and the service models that botocore carries: rules are checked with them."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

from driftline.collectors.aws.permissions import actions_by_part
from driftline.collectors.aws.row import Complete, Detail, Each, Kind, kinds

SCALARS = {"string": "string", "character": "string", "blob": "string", "integer": "int", "long": "int",
           "boolean": "bool", "double": "double", "float": "double", "timestamp": "timestamp"}  # fmt: skip
_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(\[0?\])?$")
_CHOSEN = re.compile(r"\{\w+: \w+(?:, \w+: \w+)*\}$")
_PAIR = re.compile(r"(\w+): ([\w.]+)")
_FILTER = re.compile(r"\[\?.*\]")
_ADDED = re.compile(r"[{,] *(\w+): ")
_MERGED = re.compile(r"merge\((\w+), (\{\w+: \w+(?:, \w+: \w+)*\})\)$")
DEEPEST = 12


def generate() -> dict[str, Any]:
    """Type to {"parts": {part: shape}, "hints": …, "actions": {part: those that reading it needs}}
    (driftline.pipeline.rulebook.shapes, driftline.pipeline.compare.diff, driftline.pipeline.assess.wording.sentences), for every row."""
    out = {}
    for type, kind in sorted(kinds().items()):
        hints = {
            "quiet": [*kind.quiet, *kind.copies_of_tags],
            "ordered": kind.ordered,
            "policies": list(_documents(kind)),
        }
        out[type] = {
            "parts": _parts(kind), "hints": {k: v for k, v in hints.items() if v}, "actions": actions_by_part(kind),
        }  # fmt: skip
    return out


def _documents(kind: Kind) -> Iterator[str]:
    """Where the row decodes JSON: such texts are policies."""
    if kind.listing.keep:
        yield from (f"{kind.listing.part}.{name}" for name in kind.listing.decode_at)
    for detail in kind.details:
        if detail.decode:
            yield detail.part
        yield from (f"{detail.part}.{name}" for name in detail.decode_at)
        if detail.each and detail.each.decode:
            yield f"{detail.part}.{detail.each.into}" if detail.each.into else f"{detail.part}.*"


@cache
def service_model(service: str) -> Any:
    """botocore's model of a service."""
    return _session().get_service_model(service)


@cache
def _session() -> Any:
    return botocore.session.get_session()


def output_of(service: str, operation: str) -> Any:
    """The shape of an operation's answer."""
    return service_model(service).operation_model(operation).output_shape


def _parts(kind: Kind) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if kind.listing.keep:
        output = output_of(kind.listing.service or kind.service, kind.listing.operation)
        shape = _decoded(
            _item(output, kind.listing.items), kind.listing.decode_at, kind.listing.drop
        )
        for complete in kind.complete:
            if isinstance(shape, dict) and "fields" in shape:
                added = _completed(complete, complete.service or kind.service)
                fields = added | shape["fields"]
                shape = {"fields": {k: v for k, v in fields.items() if k not in kind.listing.drop}}
        out[kind.listing.part] = shape
    for detail in kind.details:
        out[detail.part] = _detail(kind, detail)
    return out


def _completed(complete: Complete, service: str) -> dict[str, Any]:
    """The fields that a completing call adds: chosen ones, or those of a structure and some beside it."""
    if complete.value.startswith("{"):
        return dict.fromkeys(_ADDED.findall(complete.value), "string")
    output = output_of(service, complete.operation)
    whole = _MERGED.match(complete.value)
    fields: dict[str, Any] = _at(output, whole[1] if whole else complete.value)["fields"]
    beside = _PAIR.findall(whole[2]) if whole else []
    return fields | {new: _at(output, old) for new, old in beside}


def _detail(kind: Kind, detail: Detail) -> Any:
    if detail.decode or detail.joined:
        return "any"
    service = detail.service or kind.service
    shape = _decoded(
        _at(output_of(service, detail.operation), detail.value), detail.decode_at, detail.drop
    )
    return _each(detail.each, service, shape) if detail.each else shape


def _each(each: Each, service: str, elements: Any) -> Any:
    got = (
        "any"
        if each.decode
        else _at(output_of(each.service or service, each.operation), each.value)
    )
    if each.into is None:
        return {"map": got}
    return {"list": {"fields": elements["list"]["fields"] | {each.into: got}}}


def _item(output: Any, path: str) -> Any:
    if renamed := re.match(r"^\[\{(\w+): \w+\}\]$", path):
        return {"fields": {renamed[1]: shape_of(output.members[renamed[1]])}}
    if named := re.match(r"^(\w+)\[\]\.\{(\w+): @\}$", path):
        return {"fields": {named[2]: shape_of(output.members[named[1]].member)}}
    if one := re.match(r"^\[(\w+)\]$", path):
        return shape_of(output.members[one[1]])
    found = _at(output, path)
    return found["list"] if isinstance(found, dict) and "list" in found else "any"


def _at(output: Any, path: str) -> Any:
    """The shape at a JMESPath of the simple forms that rows use; `any` for others."""
    path = _FILTER.sub("[]", path).split(" || ")[0]
    if path == "@":
        return shape_of(output)
    inner, _, chosen = path.partition(".{")
    if _CHOSEN.match(path) or chosen:
        # `X[].{…}` of a list is a list
        many = "[]" in inner
        holder = _walked(output, inner) if chosen else output
        pairs = _PAIR.findall(chosen if chosen else path)
        fields = {"fields": {new: _at(holder, old) for new, old in pairs}}
        return {"list": fields} if many else fields
    many = "[]" in path
    found = _walked(output, path)
    if found is None:
        return "any"
    return {"list": shape_of(found)} if many else shape_of(found)


def _walked(output: Any, path: str) -> Any:
    """The shape at plain steps; None for other paths."""
    for step in path.split("."):
        match = _STEP.match(step)
        if (
            match is None
            or not isinstance(output, StructureShape)
            or match[1] not in output.members
        ):
            return None
        output = output.members[match[1]]
        if match[2] and isinstance(output, ListShape):
            output = output.member
    return output


def shape_of(shape: Shape, depth: int = 0, above: frozenset[str] = frozenset()) -> Any:
    """A botocore shape as rules know it; recursive ones end as `any` where they meet themselves."""
    if depth > DEEPEST or shape.name in above:
        return "any"
    if isinstance(shape, StructureShape):
        if getattr(shape, "is_document_type", False):
            return "any"
        within = above | {shape.name}
        return {
            "fields": {
                name: shape_of(member, depth + 1, within) for name, member in shape.members.items()
            }
        }
    if isinstance(shape, ListShape):
        return {"list": shape_of(shape.member, depth + 1, above)}
    if isinstance(shape, MapShape):
        return {"map": shape_of(shape.value, depth + 1, above)}
    return SCALARS.get(shape.type_name, "any")


def _decoded(shape: Any, names: list[str], dropped: list[str]) -> Any:
    """Fields that hold JSON as text are objects after decoding; a map of texts gets them as values of any kind."""
    if isinstance(shape, dict) and "fields" in shape:
        below = {
            n: [p.partition(".")[2] for p in dropped if p.startswith(f"{n}.")]
            for n in shape["fields"]
        }
        fields = {
            n: _decoded(s, [], below[n]) for n, s in shape["fields"].items() if n not in dropped
        }
        return {"fields": fields | dict.fromkeys(names, "any")}
    if isinstance(shape, dict) and "list" in shape and dropped:
        return {"list": _decoded(shape["list"], [], dropped)}
    if isinstance(shape, dict) and "map" in shape and dropped and not names:
        below_all = [p.removeprefix("*.") for p in dropped if p.startswith("*.")]
        return {"map": _decoded(shape["map"], [], below_all)}
    return "any" if names else shape
