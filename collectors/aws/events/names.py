"""What an event calls a resource, as the uid that AWS keeps it under. Pure.

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
"""What holes of forms and spellings stand for, in RE2: an event's text may be as long and as odd as a caller likes."""
LONGEST = 2048
"""Of a uid (driftline.pipeline.model.Snapshot)."""
TOLD = frozenset({"id", "account", "region", "partition"})
"""What an event tells; the other holes of a form are known only to AWS."""
_ITEM = re.compile(r"\{item\.[^{}]+\}")
_HOLE = re.compile(r"\{(\w+)\}")


class NameResolver(Protocol):
    """What sweeps have seen, for events that give only a name."""

    def uid(self, type: str, account: str, region: str, name: str) -> str | None:
        """The uid of the resource of that name; None where none was seen, or several were."""

    def region(self, uid: str) -> str | None:
        """Where a resource is that lives in a region and is listed globally (a bucket)."""


class NoNames:
    """A resolver that has seen nothing."""

    def uid(self, type: str, account: str, region: str, name: str) -> str | None:  # noqa: ARG002
        return None

    def region(self, uid: str) -> str | None:  # noqa: ARG002
        return None


class CallSite(NamedTuple):
    """Where a call was made: what a bare name is completed with."""

    account: str
    region: str
    partition: str


class NameParts(NamedTuple):
    """A name taken apart. What it does not tell is None."""

    id: str
    account: str | None
    region: str | None
    partition: str | None
    whole: bool
    """It is spelled as the uid itself is."""


def form(kind: Kind) -> str:
    """How a type's uid is made from what an event names it by."""
    return kind.form or _ITEM.sub("{id}", kind.uid)


@cache
def unknown_to_events(type: str) -> bool:
    """Whether the uid holds something that no event tells."""
    return not TOLD.issuperset(_HOLE.findall(form(kinds()[type])))


def uncertain(kind: Kind) -> bool:
    """Whether a name alone does not make the type's uid: only what sweeps have seen does."""
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
    """A name in one of the type's spellings, taken apart; None for what is none of them."""
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
    """Whether a uid can be one of the type's: of its form, as AWS keeps it."""
    found = spelled(kind, uid)
    return found is not None and found.whole and filled(kind, found, CallSite("", "", "")) in (None, uid)  # fmt: skip


def filled(kind: Kind, name: NameParts, where: CallSite) -> str | None:
    """The uid that a name makes with where it was said; None where the form wants more than that."""
    return None if unknown_to_events(kind.type) else likely(kind, name, where)


def likely(kind: Kind, name: NameParts, where: CallSite) -> str:
    """The uid without what no event tells: what a reading by name is asked for under."""
    region = name.region or (where.region if kind.scope == "regional" else home(where.partition))
    holes = {
        "id": name.id, "account": name.account or where.account, "region": region,
        "partition": name.partition or where.partition,
    }  # fmt: skip
    return _HOLE.sub(lambda hole: holes.get(hole[1], ""), form(kind))


def uid_of(kind: Kind, name: str, where: CallSite, resolver: NameResolver, *, seen: bool = False) -> str | None:  # fmt: skip
    """The uid of what is called `name`; None where that is not certain. `seen`: only what sweeps have seen."""
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
    """The types whose uid has an id, by the service that their ARN names."""
    out: dict[str, list[Kind]] = {}
    for kind in kinds().values():
        template = form(kind)
        if "{id}" in template and template.count(":") > 1:
            out.setdefault(template.split(":")[2], []).append(kind)
    return out


def kept(arn: str) -> str:
    """An ARN as the uid that its resource is kept under, whatever version, alias or part of it is named; an ARN that no
    row knows stays as it is."""
    fields = arn.split(":")
    if fields[0] != "arn" or len(fields) < 6:
        return arn
    where = CallSite(fields[4], fields[3], fields[1])
    for kind in _by_service().get(fields[2], ()):
        if (found := spelled(kind, arn)) is not None:
            return arn if found.whole and unknown_to_events(kind.type) else filled(kind, found, where) or arn  # fmt: skip
    return arn


def partition(region: str, arn: object = None) -> str:
    """The partition of a region; of a region that botocore does not know yet the one of an ARN from the same event."""
    if found := of_region(region):
        return found
    told = arn.split(":")[1:2] if isinstance(arn, str) and arn.startswith("arn:") else []
    return told[0] if told and re.fullmatch(HOLES["partition"], told[0]) else DEFAULT
