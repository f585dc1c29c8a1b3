"""Statements of an identity's policies, read once."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from driftline.pipeline.rulebook.aws.condition_block import known_conditions
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.policy_condition import PolicyCondition
from driftline.pipeline.rulebook.aws.statement import (
    EFFECTS,
    Statement,
    actions,
    covers,
    listed,
    patterns,
    wrong,
)
from driftline.pipeline.rulebook.unjudged import CannotEvaluate

OWN_NAME = "${aws:username}"
LONGEST = 100_000
"""Pairs of places in two patterns."""
Value = TypeVar("Value")


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
    broken: ValueError | None = None
    """Why it cannot be understood. It then says at most what stands here, and perhaps nothing."""

    @property
    def place(self) -> str:
        return f"statement {self.number} of {self.policy}" if self.policy else f"statement {self.number}"  # fmt: skip

    def acts(self, action: str) -> bool:
        if self.not_actions is not None:
            return not any(covers(one, action) for one in self.not_actions)
        return any(covers(one, action) for one in self.actions)

    def reaches(self, target: str, apart: str = "") -> bool:
        """All that a target (perhaps a pattern) names; `apart`: letters for which its wildcards do not stand."""
        if self.not_resources is not None:
            return not any(meets(one, target, apart) for one in self.not_resources)
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


def meets(a: str, b: str, apart: str = "") -> bool:
    """Whether some text fits both of two patterns: by all pairs of places that can be reached together. `apart`: letters
    for which the wildcards of `b` do not stand."""
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
            waiting += [(i, j + 1)] + ([(i + 1, j)] if i < len(a) and a[i] not in apart else [])
        if i < len(a) and j < len(b) and _same(a[i], b[j], apart):
            waiting.append((i + 1, j + 1))
    return False


def _same(one: str, other: str, apart: str) -> bool:
    """Whether letters of two patterns stand for some same one; * stands for none."""
    if "*" in (one, other):
        return False
    return one in (other, "?") or (other == "?" and one not in apart)


def read(
    documents: Mapping[str, Any], holder: Holder
) -> tuple[list[PolicyGrant], list[PolicyGrant]]:
    """The Allows and the Denies of policies by their names. What is no statement may be either, of everything."""
    found: dict[str, list[PolicyGrant]] = {effect: [] for effect in EFFECTS}
    for name, document in documents.items():
        try:
            every = listed(document)
        except ValueError as why:
            every = []
            for grants in found.values():
                grants.append(_grant(name, 0, {}, holder)._replace(broken=why))
        for number, one in enumerate(every, 1):
            if isinstance(one, dict) and one.get("Effect") in EFFECTS:
                found[one["Effect"]].append(_grant(name, number, one, holder))
                continue
            odd = CannotEvaluate(f"not a policy statement: {wrong(one)}")
            for grants in found.values():
                said = one if isinstance(one, dict) else {}
                grants.append(_grant(name, number, said, holder)._replace(broken=odd))
    return found["Allow"], found["Deny"]


def _grant(policy: str, number: int, one: Statement, holder: Holder) -> PolicyGrant:
    """A statement; what of it cannot be understood may be everything."""
    odd: list[ValueError] = []

    def known(read: Callable[[], Value], otherwise: Value) -> Value:
        try:
            return read()
        except ValueError as why:
            odd.append(why)
            return otherwise

    everything: tuple[list[str], list[str] | None] = (["*"], None)
    acts, but = known(lambda: actions(one), everything)
    on, off = known(lambda: patterns(one, "Resource"), everything)
    conditions, why = known_conditions(one)
    return PolicyGrant(
        policy, number, tuple(acts), None if but is None else tuple(but),
        tuple(_filled(r, holder) for r in on), None if off is None else tuple(_filled(r, holder) for r in off),
        tuple(conditions), next(iter(odd), why),
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
