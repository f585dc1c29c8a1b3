"""All exceptions of a partition, and which of them is in force for a rule on a resource. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.common.wildcard_index import PatternIndex
from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.model import RiskException, from_micros, micros
from driftline.pipeline.rulebook import BoundRule

KEPT = 24 * HOUR
"""How long an exception is kept after its end, because an old record of it may be redelivered."""


class RiskEntry(NamedTuple):
    """An exception, prepared for lookups."""

    record: RiskException
    at: int
    until: int

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def exact(self) -> bool:
        """Whether it covers a single resource, given without patterns."""
        return "*" not in self.record.resource

    def matches(self, uid: str) -> bool:
        """Whether a resource may be in its scope, judging by the uid only."""
        return matches(self.record.resource, uid)

    def covers(self, resource: Mapping[str, Any], at: int) -> bool:
        """Whether it applies to a resource at that time."""
        record = self.record
        return (
            record.ended is None
            and at < self.until
            and record.account in (None, resource["account"])
            and record.provider in (None, resource["provider"])
            and self.matches(resource["uid"])
            and all(resource["tags"].get(key) == value for key, value in record.tags.items())
        )

    def told(self) -> dict[str, Any]:
        """Its form in findings."""
        record = self.record
        return {"id": record.id, "reason": record.reason, "owner": record.owner, "approver": record.approver,
                "until": from_micros(self.until)}  # fmt: skip


class ExceptionIndex:
    """All exceptions, by rule."""

    def __init__(self, records: Iterable[RiskException] = ()) -> None:
        self._entries: dict[str, RiskEntry] = {}
        self._documents: dict[str, dict[str, Any]] = {}
        self._by_rule: dict[str, PatternIndex[RiskEntry]] = {}
        self._by_control: dict[str, PatternIndex[RiskEntry]] = {}
        for record in records:
            self.add(record)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def get(self, id: str) -> RiskEntry | None:
        return self._entries.get(id)

    def knows(self, record: RiskException) -> bool:
        """Whether it is already known, or older than the known one."""
        old = self._entries.get(record.id)
        return old is not None and old.at >= micros(record.at)

    def add(self, record: RiskException) -> list[RiskEntry]:
        """Adds an exception. Returns its previous and new version; nothing if it is known or older."""
        new, old = _entry(record), self._entries.get(record.id)
        if old is not None:
            if old.at >= new.at:
                return []
            for place in (
                self._by_rule.get(old.record.rule or ""),
                self._by_control.get(old.record.control or ""),
            ):
                if place is not None:
                    place.drop(old.id)
        self._entries[new.id] = new
        self._documents[new.id] = record.model_dump(mode="json", exclude_none=True)
        by, name = (
            (self._by_rule, record.rule) if record.rule else (self._by_control, record.control)
        )
        if name:
            by.setdefault(name, PatternIndex()).put(new.id, record.resource, new)
        return [new] if old is None else [old, new]

    def kept(self, now: int) -> list[dict[str, Any]]:
        """Exceptions that did not end long ago, JSON-ready."""
        return [
            self._documents[entry.id]
            for entry in self._entries.values()
            if entry.until + KEPT > now
        ]

    def best(
        self, bound: BoundRule, resource: Mapping[str, Any], at: int, refused: str
    ) -> RiskEntry | None:
        """The longest-lasting exception in force for a rule on a resource."""
        uid = resource["uid"]
        found = list(self._by_rule[bound.id].find(uid)) if bound.id in self._by_rule else []
        if self._by_control:
            for framework, controls in bound.ref.get("frameworks", {}).items():
                for control in controls:
                    if (scoped := self._by_control.get(f"{framework}:{control}")) is not None:
                        found += scoped.find(uid)
        fitting = [e for e in found if e.id != refused and e.covers(resource, at)]
        return max(fitting, key=lambda entry: (entry.until, entry.id), default=None)


def _entry(record: RiskException) -> RiskEntry:
    return RiskEntry(record, micros(record.at), micros(record.until))
