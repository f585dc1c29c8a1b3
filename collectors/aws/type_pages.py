"""Generates docs/types.md from the collectors' rows, the shapes derived from them, and the mapping of AWS Config items."""

from collections.abc import Iterator
from typing import Any

from driftline.collectors.aws.files.config import MAPPINGS
from driftline.collectors.aws.permissions import actions_of
from driftline.collectors.aws.row import Detail, Kind, kinds
from driftline.collectors.aws.shapes import generate
from driftline.pipeline.model import CLASSES
from driftline.pipeline.reference import anchor, code, codes, page, table

MOST = 40
"""A part with more paths is shown with its first level only."""


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    shapes = generate()
    rows = [kind for _, kind in sorted(kinds().items())]
    overview = [
        [f"[{kind.type}]({anchor(kind.type)})", kind.class_, kind.scope, str(len(kind.parts)), _config_parts(kind) or "none"]
        for kind in rows
    ]  # fmt: skip
    intro = (
        "What is read of each resource type. The response of each call is one part of `resource.config`. A part that could not "
        "be read is *unread*, and rules that need it return `unknown`; a part that is not configured is `null`. Values that "
        "look like secrets are redacted anywhere; the values listed below always are. `rules/types/aws.json` has all "
        "paths. *From AWS Config* lists the parts that `driftline scan folder PATH` and `driftline collect folder PATH` find in "
        "an AWS Config snapshot file; other parts cannot be evaluated from it."
    )
    head = ["type", "class", "scope", "parts", "from AWS Config"]
    words = table(["class", "contains"], [[code(name), what] for name, what in CLASSES.items()])
    blocks = [_kind(kind, shapes[kind.type]["parts"]) for kind in rows]
    yield "docs/types.md", page("Resource types", "collectors/aws/kinds/", intro, words, table(head, overview), *blocks)  # fmt: skip


def _config_parts(kind: Kind) -> str:
    return codes(part for part in kind.parts if part in MAPPINGS.get(kind.type, {}))


def _kind(kind: Kind, shapes: dict[str, Any]) -> str:
    facts = [f"class {kind.class_}", f"uid {code(kind.uid)}", f"scope {kind.scope}"]
    if kind.redact:
        facts.append(f"always redacted: {codes(kind.redact)}")
    if kind.listing.drop:
        facts.append(f"omitted: {codes(kind.listing.drop)}")
    listing = _call(kind, kind.listing.service, kind.listing.operation)
    if under := kind.listing.under:
        listing = f"{_call(kind, under.service, under.operation)}, then for each {listing}"
    rows = [[code(kind.listing.part) if kind.listing.keep else "(only lists)", listing, ""]]
    rows += [
        ["(completes the list)", _call(kind, more.service, more.operation), ""] for more in kind.complete
    ]  # fmt: skip
    for detail in kind.details:
        calls = _call(kind, detail.service, detail.operation)
        if detail.each:
            calls += ", then of each " + _call(kind, detail.each.service or detail.service, detail.each.operation)  # fmt: skip
        rows.append([code(detail.part), calls, _notes(detail)])
    if kind.tags and kind.tags.operation:
        absent = f"none on {codes(kind.tags.absent)}" if kind.tags.absent else ""
        rows.append(["(tags)", _call(kind, None, kind.tags.operation), absent])
    paths = [f"- {code(part)}: {_paths(shapes[part])}" for part in kind.parts]
    return "\n\n".join([
        f"## {kind.type}", " · ".join(facts), table(["part", "call", ""], rows),
        "\n".join(paths), f"IAM: {codes(actions_of(kind))}",
    ])  # fmt: skip


def _call(kind: Kind, service: str | None, operation: str) -> str:
    return code(f"{service or kind.service} {operation}")


def _notes(detail: Detail) -> str:
    notes = [f"`null` on {codes(detail.absent)}"] if detail.absent else []
    notes += (
        [f"once {'a' if detail.once == 'region' else 'an'} {detail.once}"] if detail.once else []
    )
    notes += [f"omitted: {codes(detail.drop)}"] if detail.drop else []
    return "; ".join(notes)


def _paths(shape: Any) -> str:
    """A part's paths; only the first level if there are many."""
    if isinstance(shape, str):
        return "paths are not checked (a document stored as written, or arbitrary attributes)" if shape == "any" else f"a {shape}"  # fmt: skip
    every = list(_walk(shape, ""))
    if len(every) <= MOST:
        return ", ".join(f"{code(path)} {kind}" for path, kind in every)
    inner, prefix = (shape["list"], "[].") if "list" in shape else (shape, "")
    first = ", ".join(f"{code(prefix + name)} {_kind_of(s)}" for name, s in inner["fields"].items())
    return f"{first} ({len(every)} paths in all)"


def _walk(shape: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(shape, str):
        yield path or "@", shape
    elif "list" in shape:
        yield from _walk(shape["list"], f"{path}[]")
    elif "map" in shape:
        yield from _walk(shape["map"], f"{path}.*" if path else "*")
    else:
        for name, inner in shape["fields"].items():
            yield from _walk(inner, f"{path}.{name}" if path else name)


def _kind_of(shape: Any) -> str:
    return shape if isinstance(shape, str) else {"list": "list", "map": "map"}.get(next(iter(shape)), "object")  # fmt: skip
