"""What policies of an identity allow together, on which resources."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from driftline.pipeline.rulebook.aws.identity.ask import ask
from driftline.pipeline.rulebook.aws.identity.grant import OWN_NAME, PolicyGrant, meets, read
from driftline.pipeline.rulebook.aws.identity.keys import Holder, Request, kind_of
from driftline.pipeline.rulebook.aws.identity.targets import required
from driftline.pipeline.rulebook.aws.identity.universe import every, whole
from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition
from driftline.pipeline.rulebook.aws.statement import covers
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, holds_for_any

ANYWHERE = "any"
"""A resource of an action that one makes: whatever is allowed is enough."""
MOST = 10_000
"""Patterns of one identity; AWS's own limits stay far below."""


class Allowed:
    """What policies allow their holder together."""

    def __init__(self, documents: Mapping[str, Any], holder: Holder, *, most: bool = False) -> None:
        """What cannot be evaluated counts as if it denied, or, with `most`, as if it allowed; `odd` then says why it
        cannot. Raises ValueError for too many patterns."""
        self.allows, self.denies = read(documents, holder)
        if sum(map(_size, chain(self.allows, self.denies))) > MOST:
            raise CannotEvaluate("too many patterns to judge")
        self.holder, self.most = holder, most
        self.odd: list[ValueError] = []
        self._by_action: dict[str, tuple[list[PolicyGrant], list[PolicyGrant]]] = {}

    @cached_property
    def places(self) -> tuple[list[str], list[str]]:
        """Partitions and regions that the policies name, and one that none names; they are about one of these."""
        partitions, regions = set(), {"xx-other-1"}
        for one in chain(self.allows, self.denies):
            for resource in chain(one.resources, one.not_resources or ()):
                fields = resource.split(":")
                if len(fields) > 5:
                    partitions |= {fields[1]} if re.fullmatch(r"aws[a-z-]*", fields[1]) else set()
                    regions |= {fields[3]} if re.fullmatch(r"[a-z0-9-]+", fields[3]) else set()
        return sorted(partitions) or ["aws"], sorted(regions)

    def on(self, action: str, target: str, service: str = "") -> PolicyGrant | None:
        """A statement that allows an action (in small letters) on all that a target names: what follows `arn:PARTITION:`,
        with holes {region} and {account}; or ANYWHERE."""
        allows, denies = self._about(action)
        if not allows:
            return None
        asked = Request(action, service)
        walls = [deny for deny in denies if self._holds(deny, asked)]
        if walls and self._shut(action, walls):
            return None
        for one in allows:
            if self.can_hold(one, asked) and self._leaves(one, action, target, walls):
                return one
        return None

    def _shut(self, action: str, walls: Sequence[PolicyGrant]) -> bool:
        """Whether Denies lie on all resources of some kind without which there is no such request."""
        return any(
            all(_walled(place, walls, ":") for kind in kinds for place in self._filled(kind))
            for kinds in required(action)
        )

    def _about(self, action: str) -> tuple[list[PolicyGrant], list[PolicyGrant]]:
        if action not in self._by_action:
            allows = [one for one in self.allows if one.acts(action)]
            denies = [one for one in self.denies if one.acts(action)] if allows else []
            self._by_action[action] = allows, denies
        return self._by_action[action]

    def _filled(self, target: str) -> Iterator[str]:
        """The ARNs of a target, in each partition and region that the policies name."""
        partitions, regions = self.places
        for region in regions if "{region}" in target else [""]:
            for partition in partitions:
                filled = target.replace("{region}", region).replace("{account}", self.holder.account)  # fmt: skip
                yield NAMED.sub("?*", f"arn:{partition}:{filled}")

    def _leaves(
        self, one: PolicyGrant, action: str, target: str, walls: Sequence[PolicyGrant]
    ) -> bool:
        """Whether Denies leave something of a target that a statement reaches whole."""
        if target == ANYWHERE:
            places = one.touches(action.split(":")[0], self.holder.account)
            return any(not _walled(place, walls) for place in places)
        filled = [target] if target.startswith("arn:") else self._filled(target)
        return any(one.reaches(place, ":") and not _walled(place, walls, ":") for place in filled)

    def can_hold(self, one: PolicyGrant, asked: Request) -> bool:
        """Whether some request fulfils a statement."""

        def fails(condition: PolicyCondition) -> bool:
            return not ask(condition, self.holder, asked).hold

        return self._judged(one, fails, self.most)

    def _holds(self, deny: PolicyGrant, asked: Request) -> bool:
        """Whether every request fulfils a statement."""
        return self._judged(deny, lambda c: ask(c, self.holder, asked).fail, not self.most)

    def _judged(
        self, one: PolicyGrant, fails: Callable[[PolicyCondition], bool], otherwise: bool
    ) -> bool:
        try:
            if holds_for_any(one.conditions, fails):
                return False
            if one.broken is not None:
                raise one.broken
        except ValueError as why:
            self.odd.append(why)
            return otherwise
        return True

    def everything(self, services: Iterable[str]) -> bool:
        """Whether the Allows are, together, every action of these services on every resource."""
        asked = Request("*")
        open_ = [one for one in self.allows if self.can_hold(one, asked)]
        named = {r for one in open_ for r in one.not_resources or () if _real(r, services)}
        left_out = {r for r in named if not every_resource(r)}
        return all(
            self._whole([one for one in open_ if self._lies(one, place)], services)
            for place in (None, *sorted(left_out))
        )

    def only(self, some: Iterable[PolicyGrant]) -> "Allowed":
        """Some of the Allows alone."""
        alone = Allowed({}, self.holder, most=self.most)
        alone.allows, alone.odd = list(some), self.odd
        return alone

    def broad(self, one: PolicyGrant) -> bool:
        """Whether an Allow is about all that no statement names, under no limit."""
        return self._lies(one, None) and self.can_hold(one, Request("*"))

    def _lies(self, one: PolicyGrant, place: str | None) -> bool:
        """Whether a statement is about all that no statement names (None), or about all of a pattern."""
        if one.not_resources is not None:
            if any(every_resource(r) for r in one.not_resources):
                return False  # it is about nothing
            return place is None or not any(meets(r, place) for r in one.not_resources)
        if place is None:
            return any(every_resource(r) for r in one.resources)
        return any(every_resource(r) or covers(r, place) for r in one.resources)

    @staticmethod
    def _whole(grants: list[PolicyGrant], services: Iterable[str]) -> bool:
        allowed = [p for one in grants for p in one.actions]
        left_out = [one.not_actions for one in grants if one.not_actions is not None]
        if not grants:
            return False
        return every(allowed) or all(whole(service, allowed, left_out) for service in services)

    def own(self, kind: str) -> list[str]:
        """ARNs of the holder, and of what is his, that are of a kind (user, role, group, policy); for the user of a policy or
        group, what it calls the user's own."""
        mine = [arn for arn in (self.holder.arn, *self.holder.others) if kind_of(arn) == kind]
        if mine or kind != "user" or self.holder.kind == "role":
            return mine
        named = (r for one in self.allows for r in one.resources)
        return sorted({r for r in named if ":user/" in r and r.endswith(f"/{OWN_NAME}")})


NAMED = re.compile(r"(?<=[:/])\*$")
"""A name at an ARN's end, which is never empty."""


def _walled(place: str, walls: Sequence[PolicyGrant], apart: str = "") -> bool:
    return any(wall.reaches(place, apart) for wall in walls)


def _size(one: PolicyGrant) -> int:
    return (
        len(one.actions)
        + len(one.not_actions or ())
        + len(one.resources)
        + len(one.not_resources or ())
    )


def every_resource(pattern: str) -> bool:
    """`*`, and ARNs of which nothing is said but the partition."""
    if "*" not in pattern:
        return False
    head, _, rest = pattern.partition(":")
    partition, _, rest = rest.partition(":")
    if head != "arn":
        return not pattern.strip("*?") and pattern.count("?") <= 3
    if not rest:
        return not partition.strip("*")
    return not rest.strip("*:") and (not partition.strip("*") or partition.startswith("aws"))


def _real(resource: str, services: Iterable[str]) -> bool:
    """Whether a pattern that is left out can be a resource."""
    fields = resource.split(":")
    if len(fields) < 6:
        return "*" in resource
    return bool(set(fields[2]) & set("*?")) or fields[2] in set(services)
