"""What `driftline owners check` finds: which resources have no owner, and which owners there are no more. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline.pipeline.common.exit_codes import EXIT_FAILED, EXIT_UNREAD


@dataclass
class OwnerShare:
    """Resources of one account and type."""

    account: str
    type: str
    resources: int = 0
    without: int = 0
    """Of which it is known that no source names an owner."""
    unknown: int = 0
    """Whose owner is not known: tags were not read, or contradict each other."""


@dataclass
class OwnerCheck:
    """The answer over all resources."""

    shares: dict[tuple[str, str], OwnerShare] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    """Resources by owner."""
    known: frozenset[str] | None = None
    """All owners that there are; None: not said."""

    @property
    def resources(self) -> int:
        return sum(one.resources for one in self.shares.values())

    @property
    def without(self) -> int:
        return sum(one.without for one in self.shares.values())

    @property
    def unknown(self) -> int:
        return sum(one.unknown for one in self.shares.values())

    @property
    def departed(self) -> dict[str, int]:
        """Owners that there are no more, with their resources."""
        if self.known is None:
            return {}
        return {id: count for id, count in sorted(self.owners.items()) if id not in self.known}

    def lacking(self) -> list[OwnerShare]:
        """Accounts and types where something has no owner, the most first."""
        found = (one for one in self.shares.values() if one.without or one.unknown)
        return sorted(found, key=lambda one: (-one.without - one.unknown, one.account, one.type))

    def exit_code(self, at_most: float) -> int:
        """1: more than `at_most` percent of the resources have no owner, or an owner is no more; 3: there is nothing to
        judge, or too many owners are not known to say; else 0."""
        if self.departed or self.without * 100 > at_most * self.resources:
            return EXIT_FAILED
        unsure = (self.without + self.unknown) * 100 > at_most * self.resources
        return EXIT_UNREAD if unsure or not self.resources else 0

    def as_json(self) -> dict[str, Any]:
        return {
            "resources": self.resources, "without_owner": self.without, "owner_unknown": self.unknown,
            "by_account_and_type": [vars(one) for one in self.lacking()],
            "owners": dict(sorted(self.owners.items())),
            "departed": None if self.known is None else self.departed,
        }  # fmt: skip


def checked(findings: Iterable[Mapping[str, Any]], known: frozenset[str] | None) -> OwnerCheck:
    """Every resource once, by its newest statement; what has ended does not count. `known`: all owners that there are."""
    newest: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for one in findings:
        if not one["retired"]:
            uid, seen = one["resource"]["uid"], str(one["last_seen"])
            if uid not in newest or seen >= newest[uid][0]:
                newest[uid] = (seen, one)
    out = OwnerCheck(known=known)
    for _, one in newest.values():
        resource, owner = one["resource"], one.get("owner")
        key = (resource["account"], resource["type"])
        share = out.shares.setdefault(key, OwnerShare(*key))
        share.resources += 1
        if owner and owner["id"]:
            out.owners[owner["id"]] = out.owners.get(owner["id"], 0) + 1
        elif owner:
            share.unknown += 1
        else:
            share.without += 1
    return out
