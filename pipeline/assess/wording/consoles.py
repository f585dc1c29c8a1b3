"""A resource's page in its provider's console, and remediation with the resource's own names in it. Pure; rows of data say
both, by type (a file of the provider: ResourceNames.consoles)."""

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from driftline.pipeline.common.yaml_source import Source
from driftline.pipeline.providers.installed import provider, providers

PLACEHOLDER = re.compile(r"(?<![\w-])[A-Z][A-Z0-9_]*[A-Z0-9](?![\w-])")
HOLE = re.compile(r"\{(\w+)\}")
SAFE = re.compile(r"[A-Za-z0-9_./:@%+=,][A-Za-z0-9_./:@%+=,-]*")
"""Text that is safe in a shell, in quotes, in JSON and in HCL, and is never an option."""
LONGEST = 512
SHELL, TEXT = "cli", "terraform"


class Row(NamedTuple):
    """The row of a type."""

    console: str = ""
    """Path of its page, with {names}; empty if there is none."""
    fill: Mapping[str, str] = {}
    """Maps placeholders of remediation to value names."""
    other: frozenset[str] = frozenset()
    """Other words in capitals: the reader's choices, and terms of the provider."""


NO_ROW = Row()


@cache
def rows() -> dict[str, Row]:
    """Every type's, from the rows of the installed providers. Raises ValueError for a file that is none."""
    out: dict[str, Row] = {}
    for one in providers():
        if one.names.consoles is None:
            continue
        source = Source(Path(str(one.names.consoles)))
        if source.problems:
            raise ValueError("; ".join(source.problems))
        everywhere = source.data["everywhere"]
        other = frozenset([*source.data["choices"], *source.data["words"]])
        for type, row in source.data["types"].items():
            fill = everywhere | row.get("fill", {})
            for word in row.get("words", ()):
                del fill[word]
            out[type] = Row(row["console"], fill, other)
    return out


def names(resource: Mapping[str, Any]) -> dict[str, str]:
    """A resource's own names, unmodified, for URLs and commands."""
    uid, full = str(resource["uid"]), str(resource.get("name") or "")
    of = provider(resource["provider"]).names
    steps, name = of.steps(uid), of.last(full)
    return {
        "arn": uid, "id": steps[-1], "name": name or steps[-1], "full_name": full or uid,
        "region": str(resource["region"]), "account": str(resource["account"]),
        **({"path": "/".join(steps[1:])} if ".." not in steps else {}),
        **({"parent": steps[-2]} if len(steps) > 2 else {}),
        **{str(number): step for number, step in enumerate(steps, 1)},
    }  # fmt: skip


def console_url(row: Row, resource: Mapping[str, Any]) -> str | None:
    """The address of its page; None where there is none, or a name in it is not known."""
    origin = provider(resource["provider"]).names.origin(resource)
    if not row.console or origin is None:
        return None
    known = names(resource)
    known["dollars"] = quote(quote(known["name"], safe=""), safe="").replace("%", "$")
    if any(not known.get(name) for name in HOLE.findall(row.console)):
        return None
    return origin + HOLE.sub(lambda hole: _encoded(hole[1], known), row.console)


def _encoded(name: str, known: Mapping[str, str]) -> str:
    if name == "dollars":
        return known[name]
    return quote(known[name], safe="/" if name == "path" else "")


def filled(remediation: Mapping[str, str], fill: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, str]:  # fmt: skip
    """Fills the placeholders of remediation. Unknown or unsafe values stay placeholders."""
    values = {hole: value for hole, name in fill.items() if (value := _single(known.get(name)))}
    out = dict(remediation)
    for part in (SHELL, TEXT):
        if text := out.get(part):
            out[part] = "".join(_replaced(text, values, shell=part == SHELL))
    return out


def _single(value: Any) -> str | None:
    """A value usable for a placeholder: a string, or a list with one string."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST:
        return None
    return None if value.startswith("-") or not value else value


def _replaced(text: str, values: Mapping[str, str], *, shell: bool) -> Iterator[str]:
    end = 0
    for found in PLACEHOLDER.finditer(text):
        yield text[end : found.start()]
        end = found.end()
        value = values.get(found[0], found[0])
        if not SAFE.fullmatch(value):
            alone = shell and _alone(text, found.start(), found.end())
            value = shlex.quote(value) if alone else found[0]
        yield value
    yield text[end:]


def _alone(text: str, start: int, end: int) -> bool:
    """Whether a placeholder is a separate shell word, outside quotes."""
    before, after = text[:start], text[end:]
    open_ = before.count("'") % 2 or before.count('"') % 2
    return not open_ and before[-1:] in ("", " ", "\n") and after[:1] in ("", " ", "\n")
