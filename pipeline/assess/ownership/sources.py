"""Finds the owner of a resource from sources in order. Pure.

The first source that names an owner decides. An unread or contradictory source ends the search, because any
later result would be a guess."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import orjson

from driftline.pipeline.assess.ownership.owner_id import owner_id, same_key
from driftline.pipeline.common.wildcards import matches

Source = Literal["tag", "workspace", "group", "account", "folder", "map", "fallback"]
SOURCES: tuple[Source, ...] = get_args(Source)
TAGS = ("owner", "team")
UNREAD, AMBIGUOUS, NOBODY = "unread", "ambiguous", "none"
"""In place of a source: the owner is not known, tags of one source name different owners, or no source
names one."""
UNDECIDED = frozenset((UNREAD, AMBIGUOUS))
GROUP_KINDS = frozenset(("resource_group",))
ACCOUNT_KINDS = frozenset(("account", "subscription", "project"))


class OwnerAnswer(NamedTuple):
    """The owner's id (empty if there is none), and the source, or why no source decides."""

    id: str
    found_by: str


NONE = OwnerAnswer("", NOBODY)


class Facts(NamedTuple):
    """Properties of a resource that may determine its owner."""

    resource: Mapping[str, Any]
    """In the form of findings."""
    tags_read: bool
    """Whether its tags are known. Unread tags are not empty tags."""
    workspace: str = ""
    """Where code declares it."""
    containers: Sequence[Mapping[str, Any]] = ()
    """model.Container, nearest first."""


@dataclass(frozen=True)
class OwnerRow:
    """A row of the map: all conditions must match; `*` matches any text, an empty string matches anything."""

    owner: str
    account: str = ""
    """Id, name, or path of the account: Workloads/Payments/shop."""
    folder: str = ""
    """Id, name, or path of a folder above the account."""
    type: str = ""
    resource: str = ""
    """The uid."""
    workspace: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        if self.workspace:
            return "workspace"
        return "folder" if self.folder else "map"


class ContainerPlace(NamedTuple):
    """All names of an account or folder."""

    names: tuple[str, ...]

    def fits(self, pattern: str) -> bool:
        return any(matches(pattern, name) for name in self.names)


class _Case:
    """A resource during the search; values needed by few sources are computed lazily."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.resource = facts, facts.resource

    @cached_property
    def places(self) -> list[ContainerPlace]:
        """The account, and every folder above it, nearest first."""
        account = self.resource.get("cloud_account") or {"id": self.resource["account"]}
        above = account.get("ancestors") or ()
        folders = [one for one in above if one.get("kind") not in ("organization", "tenant")]
        path, found = "", list[ContainerPlace]()
        for one in reversed((account, *folders)):
            called = str(one.get("name") or one["id"])
            path = f"{path}/{called}" if path else called
            found.append(ContainerPlace(tuple(dict.fromkeys((str(one["id"]), called, path)))))
        return found[::-1]

    def fits(self, row: OwnerRow, folder: ContainerPlace | None = None) -> bool | None:
        """Whether a row matches; None if that depends on unread tags. `folder`: the one in question."""
        if not (
            (not row.account or self.places[0].fits(row.account))
            and (not row.type or matches(row.type, self.resource["type"]))
            and (not row.resource or matches(row.resource, self.resource["uid"]))
            and (not row.workspace or (bool(self.facts.workspace) and matches(row.workspace, self.facts.workspace)))
            and (not row.folder or any(one.fits(row.folder) for one in ([folder] if folder else self.places[1:])))
        ):  # fmt: skip
            return False
        if row.tags and not self.facts.tags_read:
            return None
        tags = self.resource["tags"]
        return all(matches(value, tags.get(key, "\0")) for key, value in row.tags.items())


class _Rows:
    """Rows of one source. Rows with a literal value are indexed by it, because a map may have a row per account or per
    resource."""

    def __init__(self, rows: Iterable[OwnerRow]) -> None:
        self._exact: dict[tuple[str, str], list[tuple[int, OwnerRow]]] = {}
        self._others: list[tuple[int, OwnerRow]] = []
        for number, row in enumerate(rows):
            exact = (
                (name, getattr(row, name)) for name in ("resource", "folder", "account", "type")
            )
            key = next(((name, text) for name, text in exact if text and "*" not in text), None)
            (self._others if key is None else self._exact.setdefault(key, [])).append((number, row))

    def __bool__(self) -> bool:
        return bool(self._exact or self._others)

    def first(self, case: _Case, folder: ContainerPlace | None = None) -> OwnerAnswer | None:
        """The owner from the first matching row."""
        for _, row in self._candidates(case, [folder] if folder else case.places[1:]):
            fits = case.fits(row, folder)
            if fits is None:
                return OwnerAnswer("", UNREAD)
            if fits:
                return OwnerAnswer(owner_id(row.owner), row.source)
        return None

    def _candidates(
        self, case: _Case, folders: Sequence[ContainerPlace]
    ) -> list[tuple[int, OwnerRow]]:
        if not self._exact:
            return self._others
        keys = [("resource", case.resource["uid"]), ("type", case.resource["type"])]
        keys += [("account", name) for name in case.places[0].names]
        keys += [("folder", name) for folder in folders for name in folder.names]
        found = [*self._others]
        for key in keys:
            found += self._exact.get(key, ())
        return sorted(found, key=_number)


class Owners:
    """The compiled owner settings."""

    def __init__(
        self,
        sources: Sequence[Source] = SOURCES,
        tags: Sequence[str] = TAGS,
        rows: Iterable[OwnerRow] = (),
        fallback: str = "",
    ) -> None:
        every = list(rows)
        self._ranks = {same_key(key): (rank, key) for rank, key in reversed([*enumerate(tags)])}
        self._rows = {
            source: _Rows(row for row in every if row.source == source) for source in SOURCES
        }
        self._fallback = owner_id(fallback)
        self._ask = {
            "tag": self._tag, "workspace": self._workspace, "group": self._group, "account": self._account,
            "folder": self._folder, "map": self._map, "fallback": self._last,
        }  # fmt: skip
        self.sources = tuple(sources)
        content = [self.sources, list(tags), [asdict(row) for row in every], self._fallback]
        self.hash = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()[:8]
        """Differs if the same resource may have another owner."""

    def of(self, facts: Facts) -> OwnerAnswer:
        """Returns the owner, or why there is none."""
        case = _Case(facts)
        for source in self.sources:
            found = self._ask[source](case)
            if found is not None:
                return found
        return NONE

    def explained(self, facts: Facts) -> Iterator[tuple[Source, OwnerAnswer | None]]:
        """Yields the result of each source, in order; None if it names no owner."""
        case = _Case(facts)
        return ((source, self._ask[source](case)) for source in self.sources)

    def _tag(self, case: _Case) -> OwnerAnswer | None:
        if not case.facts.tags_read:
            return OwnerAnswer("", UNREAD)
        return self._tagged(case.resource["tags"], "tag")

    def _tagged(self, tags: Mapping[str, str], source: Source) -> OwnerAnswer | None:
        """From tags: the first key of the settings; if it has several spellings, the one in the settings."""
        found: dict[tuple[int, str], dict[str, str]] = {}
        for key, value in tags.items():
            if (rank := self._ranks.get(same_key(key))) is not None and (id := owner_id(value)):
                found.setdefault(rank, {})[key] = id
        if not found:
            return None
        (_, exact), named = min(found.items())
        if exact in named:
            return OwnerAnswer(named[exact], source)
        ids = set(named.values())
        return OwnerAnswer(ids.pop(), source) if len(ids) == 1 else OwnerAnswer("", AMBIGUOUS)

    def _workspace(self, case: _Case) -> OwnerAnswer | None:
        return self._mapped(case, "workspace") if case.facts.workspace else None

    def _group(self, case: _Case) -> OwnerAnswer | None:
        return self._container(case, "group")

    def _account(self, case: _Case) -> OwnerAnswer | None:
        return self._container(case, "account")

    def _folder(self, case: _Case) -> OwnerAnswer | None:
        if (found := self._container(case, "folder")) is not None:
            return found
        rows = self._rows["folder"]
        for folder in (
            case.places[1:] if rows else ()
        ):  # the nearest one decides, regardless of the order of rows
            if (found := rows.first(case, folder)) is not None:
                return found
        return None

    def _map(self, case: _Case) -> OwnerAnswer | None:
        return self._mapped(case, "map")

    def _last(self, case: _Case) -> OwnerAnswer | None:  # noqa: ARG002 - as the others
        return OwnerAnswer(self._fallback, "fallback") if self._fallback else None

    def _mapped(self, case: _Case, source: Source) -> OwnerAnswer | None:
        return self._rows[source].first(case)

    def _container(self, case: _Case, source: Source) -> OwnerAnswer | None:
        """From tags of the resource's containers, nearest first."""
        for one in case.facts.containers:
            if _kind(one["kind"]) != source:
                continue
            tags = one.get("tags")
            found = OwnerAnswer("", UNREAD) if tags is None else self._tagged(tags, source)
            if found is not None:
                return found
        return None


def _number(row: tuple[int, OwnerRow]) -> int:
    return row[0]


def _kind(kind: str) -> Source:
    """The source of a container's tags."""
    if kind in GROUP_KINDS:
        return "group"
    return "account" if kind in ACCOUNT_KINDS else "folder"
