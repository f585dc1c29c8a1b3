"""Resolves the names that events give resources to uids. Pure.

One mechanism for every type: a row says what an id looks like, which spellings there are beside it and whether case
counts (driftline.collectors.rows.row.NameSpelling). A name from which no uid can be made is asked of what sweeps have seen; where they do not
know it either there is no uid."""

import re
from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol

import re2  # type: ignore[import-untyped]

from driftline.collectors.aws.api.partitions import DEFAULT, home, of_region
from driftline.collectors.aws.row import Kind, kinds

HOLES = {
    "partition": r"aws[a-z0-9-]*", "account": r"\d{12}", "region": r"[a-z0-9-]+", "rest": r".+",
    "path": r"(?:[^\s:]+/)?", "uuid": r"[^\s:/]+", "suffix": r"-[A-Za-z0-9]{6}",
}  # fmt: skip
"""Regular expressions for the placeholders of forms and spellings. RE2, because callers control the text of events."""
LONGEST = 2048
"""Maximum length of a uid (driftline.pipeline.model.Snapshot)."""
TOLD = frozenset({"id", "account", "region", "partition"})
"""Placeholders that an event can fill; the others are known only to AWS."""
_ITEM = re.compile(r"\{item\.[^{}]+\}")
_HOLE = re.compile(r"\{(\w+)\}")


class NameResolver(Protocol):
    """Resolves bare names by what sweeps have seen."""

    def uid(self, type: str, account: str, region: str, name: str) -> str | None:
        """Returns the uid of the resource with that name; None if none or several were seen."""

    def region(self, uid: str) -> str | None:
        """Returns the region of a resource that is regional but listed globally (a bucket)."""


class NoNames:
    """A resolver that knows no names."""

    def uid(self, type: str, account: str, region: str, name: str) -> str | None:  # noqa: ARG002
        return None

    def region(self, uid: str) -> str | None:  # noqa: ARG002
        return None


class CallSite(NamedTuple):
    """Where a call was made; completes bare names."""

    account: str
    region: str
    partition: str


class NameParts(NamedTuple):
    """The parts of a name; None for those it lacks."""

    id: str
    account: str | None
    region: str | None
    partition: str | None
    whole: bool
    """Whether it has the form of the uid itself."""


def form(kind: Kind) -> str:
    """Returns the template that makes a type's uid from a name."""
    return kind.form or _ITEM.sub("{id}", kind.uid)


@cache
def unknown_to_events(type: str) -> bool:
    """Returns whether the uid contains something that events never contain."""
    return not TOLD.issuperset(_HOLE.findall(form(kinds()[type])))


def uncertain(kind: Kind) -> bool:
    """Returns whether a name alone is not enough for the type's uid, so that only sweeps can resolve it."""
    return unknown_to_events(kind.type) or kind.named.case == "any"


@cache
def _spellings(type: str) -> list[tuple[str, Any]]:
    kind = kinds()[type]
    return [(one, _compiled(one, kind.named.pattern)) for one in (form(kind), *kind.named.also, "{id}")]  # fmt: skip


def _compiled(template: str, id: str) -> Any:
    out, named = "", set[str]()
    for plain, hole in re.findall(r"([^{]*)(?:\{(\w+)\})?", template):
        out += re2.escape(plain)
        if hole in (*TOLD, "suffix") and hole not in named:
            named.add(hole)
            out += f"(?P<{hole}>{id if hole == 'id' else HOLES[hole]})"
        elif hole:
            out += HOLES[hole]
    return re2.compile(f"(?s){out}")


@cache
def _never(pattern: str) -> Any:
    return re2.compile(pattern)


def spelled(kind: Kind, name: str) -> NameParts | None:
    """Parses a name in one of the type's spellings; None if it matches none."""
    return _spelled(kind.type, name) if len(name) <= LONGEST else None


@lru_cache(maxsize=4096)
def _spelled(type: str, name: str) -> NameParts | None:
    kind = kinds()[type]
    arn = name.startswith("arn:")
    for number, (template, pattern) in enumerate(_spellings(kind.type)):
        if template.startswith("arn:") == arn and (match := pattern.fullmatch(name)):
            found = match.groupdict()
            id = found.get("id") or ""
            if kind.named.never and _never(kind.named.never).search(id):
                return None
            suffix = (found.get("suffix") or "")[1:]
            if suffix.isalpha() and suffix.islower():
                continue  # as well a word of the name: AWS adds letters of both kinds and digits
            return NameParts(
                id.lower() if kind.named.case == "lower" else id, found.get("account"),
                found.get("region"), found.get("partition"), number == 0,
            )  # fmt: skip
    return None


def fits(kind: Kind, uid: str) -> bool:
    """Returns whether a uid can belong to the type."""
    found = spelled(kind, uid)
    return found is not None and found.whole and filled(kind, found, CallSite("", "", "")) in (None, uid)  # fmt: skip


def filled(kind: Kind, name: NameParts, where: CallSite) -> str | None:
    """Returns the uid of a name at a call site; None if the form needs more than that."""
    return None if unknown_to_events(kind.type) else likely(kind, name, where)


def likely(kind: Kind, name: NameParts, where: CallSite) -> str:
    """Returns the uid without the parts that events never contain, under which a read by name is requested."""
    region = name.region or (where.region if kind.scope == "regional" else home(where.partition))
    holes = {
        "id": name.id, "account": name.account or where.account, "region": region,
        "partition": name.partition or where.partition,
    }  # fmt: skip
    return _HOLE.sub(lambda hole: holes.get(hole[1], ""), form(kind))


def uid_of(kind: Kind, name: str, where: CallSite, resolver: NameResolver, *, seen: bool = False) -> str | None:  # fmt: skip
    """Returns the uid of the resource called `name`; None if uncertain. `seen`: only if a sweep has seen it."""
    found = spelled(kind, name)
    if found is None:
        return None
    asked = uncertain(kind)
    if asked or seen:
        region = (found.region or where.region) if kind.scope == "regional" else "global"
        if known := resolver.uid(kind.type, found.account or where.account, region, found.id):
            return known
    if seen:
        return None
    if found.whole and asked:
        return name
    if kind.named.case == "any" and found.id != found.id.lower():
        return None
    return filled(kind, found, where)


@cache
def _by_service() -> dict[str, list[Kind]]:
    """Returns the types whose uid contains an id, by the service in their ARN."""
    out: dict[str, list[Kind]] = {}
    for kind in kinds().values():
        template = form(kind)
        if "{id}" in template and template.count(":") > 1:
            out.setdefault(template.split(":")[2], []).append(kind)
    return out


def kept(arn: str) -> str:
    """Returns the uid of the resource that an ARN belongs to, even if the ARN names a version, an alias or a part of it.
    ARNs that no row knows are returned unchanged."""
    fields = arn.split(":")
    if fields[0] != "arn" or len(fields) < 6:
        return arn
    where = CallSite(fields[4], fields[3], fields[1])
    for kind in _by_service().get(fields[2], ()):
        if (found := spelled(kind, arn)) is not None:
            return arn if found.whole and unknown_to_events(kind.type) else filled(kind, found, where) or arn  # fmt: skip
    return arn


def partition(region: str, arn: object = None) -> str:
    """Returns the partition of a region; if botocore does not know the region yet, that of an ARN of the same event."""
    if found := of_region(region):
        return found
    told = arn.split(":")[1:2] if isinstance(arn, str) and arn.startswith("arn:") else []
    return told[0] if told and re.fullmatch(HOLES["partition"], told[0]) else DEFAULT
