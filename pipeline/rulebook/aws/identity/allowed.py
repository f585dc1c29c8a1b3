"""Policies of an identity, read once: which of their statements allow an action on a resource."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from driftline.pipeline.rulebook.aws.identity.ask import ask
from driftline.pipeline.rulebook.aws.identity.keys import Holder, Request, kind_of
from driftline.pipeline.rulebook.aws.identity.universe import every, whole
from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition, conditions
from driftline.pipeline.rulebook.aws.resource_policy import Statement, covers, many, statements
from driftline.pipeline.rulebook.unjudged import CannotEvaluate, held_by

ANYWHERE = "any"
"""A resource of an action that one makes: whatever is allowed is enough."""
OWN_NAME = "${aws:username}"
LONGEST = 100_000
"""Pairs of places in two patterns."""
MOST = 10_000
"""Patterns of one identity; AWS's own limits stay far below."""


class PolicyGrant(NamedTuple):
    """A statement, with the place where it stands."""

    policy: str
    number: int
    """From 1, of its policy's statements."""
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] | None
    """None: the statement names actions. All of them are in small letters."""
    resources: tuple[str, ...]
    not_resources: tuple[str, ...] | None
    conditions: tuple[PolicyCondition, ...]

    @property
    def place(self) -> str:
        return f"statement {self.number} of {self.policy}" if self.policy else f"statement {self.number}"  # fmt: skip

    def acts(self, action: str) -> bool:
        if self.not_actions is not None:
            return not any(covers(one, action) for one in self.not_actions)
        return any(covers(one, action) for one in self.actions)

    def reaches(self, target: str) -> bool:
        """All that a target (perhaps a pattern) names."""
        if self.not_resources is not None:
            return not any(meets(one, target) for one in self.not_resources)
        return any(covers(one, target) for one in self.resources)

    def touches(self, service: str, account: str) -> Iterator[str]:
        """Resources of a service, in the account, on which the statement lies."""
        if self.not_resources is not None:
            yield from () if "*" in self.not_resources else ("*",)
        for one in self.resources:
            fields = one.split(":", 5)
            if len(fields) < 6:
                if one.strip("*?") in ("", "arn", "arn:aws", "arn:"):
                    yield one
            elif covers(fields[2], service) and (not fields[4] or covers(fields[4], account)):
                yield one


def meets(a: str, b: str) -> bool:
    """Whether some text fits both of two patterns: by all pairs of places that can be reached together."""
    if len(a) * len(b) > LONGEST:
        raise CannotEvaluate("too long a pattern of resources to judge")
    seen, waiting = set[tuple[int, int]](), [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        if i == len(a) and j == len(b):
            return True
        if i < len(a) and a[i] == "*":
            waiting += [(i + 1, j)] + ([(i, j + 1)] if j < len(b) else [])
        if j < len(b) and b[j] == "*":
            waiting += [(i, j + 1)] + ([(i + 1, j)] if i < len(a) else [])
        if i < len(a) and j < len(b) and (a[i] == b[j] or "?" in (a[i], b[j])) and "*" not in (a[i], b[j]):  # fmt: skip
            waiting.append((i + 1, j + 1))
    return False


def read(
    documents: Mapping[str, Any], holder: Holder
) -> tuple[list[PolicyGrant], list[PolicyGrant]]:
    """The Allows and the Denies of policies by their names. Raises ValueError for what is no policy."""
    allows: list[PolicyGrant] = []
    denies: list[PolicyGrant] = []
    for name, document in documents.items():
        deque(statements(document), 0)  # raises for what is none
        for number, one in enumerate(many(document["Statement"]), 1):
            effect = allows if one["Effect"] == "Allow" else denies
            effect.append(_grant(name, number, one, holder))
    return allows, denies


def _grant(policy: str, number: int, one: Statement, holder: Holder) -> PolicyGrant:
    def actions(name: str) -> tuple[str, ...]:
        return tuple(str(value).lower() for value in many(one.get(name)))

    def resources(name: str) -> tuple[str, ...]:
        return tuple(_filled(str(value), holder) for value in many(one.get(name)))

    return PolicyGrant(
        policy, number,
        actions("Action"), actions("NotAction") if "NotAction" in one else None,
        resources("Resource"), resources("NotResource") if "NotResource" in one else None,
        tuple(conditions(one)),
    )  # fmt: skip


def _filled(resource: str, holder: Holder) -> str:
    """A resource with the variables filled of which the value is known."""
    if "${" in resource:
        resource = re.sub(
            r"\$\{aws:(principal|resource)account\}", holder.account, resource, flags=re.I
        )
        resource = re.sub(r"\$\{aws:username\}", OWN_NAME, resource, flags=re.I)
        if holder.kind == "user":
            resource = resource.replace(OWN_NAME, holder.name)
    return resource


class Allowed:
    """What policies allow their holder together."""

    def __init__(self, documents: Mapping[str, Any], holder: Holder) -> None:
        """Raises ValueError for what is no policy."""
        self.allows, self.denies = read(documents, holder)
        if sum(map(_size, chain(self.allows, self.denies))) > MOST:
            raise CannotEvaluate("too many patterns to judge")
        self.holder = holder
        self._by_action: dict[str, tuple[list[PolicyGrant], list[PolicyGrant]]] = {}

    @cached_property
    def places(self) -> tuple[list[str], list[str]]:
        """Partitions and regions that the policies name; they are about one of these."""
        partitions, regions = set(), {"*"}
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
        sure, odd = held_by(denies, lambda one: self._holds(one, asked))
        for one in allows:
            if self.can_hold(one, asked) and any(
                not any(deny.reaches(place) for deny in sure)
                for place in self._targets(one, action, target)
            ):
                if odd is not None:
                    raise odd
                return one
        return None

    def _about(self, action: str) -> tuple[list[PolicyGrant], list[PolicyGrant]]:
        if action not in self._by_action:
            allows = [one for one in self.allows if one.acts(action)]
            denies = [one for one in self.denies if one.acts(action)] if allows else []
            self._by_action[action] = allows, denies
        return self._by_action[action]

    def _targets(self, one: PolicyGrant, action: str, target: str) -> Iterator[str]:
        """Those resources of a target that a statement reaches whole."""
        if target == ANYWHERE:
            yield from one.touches(action.split(":")[0], self.holder.account)
            return
        if target.startswith("arn:"):
            yield from (target,) if one.reaches(target) else ()
            return
        partitions, regions = self.places
        for region in regions if "{region}" in target else [""]:
            for partition in partitions:
                filled = target.replace("{region}", region).replace("{account}", self.holder.account)  # fmt: skip
                if one.reaches(place := f"arn:{partition}:{filled}"):
                    yield place

    def can_hold(self, one: PolicyGrant, asked: Request) -> bool:
        return all(ask(c, self.holder, asked).hold for c in one.conditions)

    def _holds(self, deny: PolicyGrant, asked: Request) -> bool:
        return not any(ask(c, self.holder, asked).fail for c in deny.conditions)

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
        alone = Allowed({}, self.holder)
        alone.allows = list(some)
        return alone

    def judged(self) -> "Allowed":
        """Without the Allows whose conditions cannot be evaluated: what it allows at least."""
        least = self.only(one for one in self.allows if self._can_be_asked(one))
        least.denies = self.denies
        return least

    def _can_be_asked(self, one: PolicyGrant) -> bool:
        try:
            self.can_hold(one, Request("*"))
        except ValueError:
            return False
        return True

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
