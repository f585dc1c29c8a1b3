"""Applies exceptions: which failing findings an exception suppresses, and until when. Pure.

A suppressed finding continues: it resolves when fixed, and reopens if it becomes worse than what was accepted."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from driftline.pipeline.assess.assessment import Assessment
from driftline.pipeline.assess.decisions.exception_index import ExceptionIndex
from driftline.pipeline.assess.decisions.growth import Growth
from driftline.pipeline.compare.diff import Hints, diff
from driftline.pipeline.compare.paths import value_at
from driftline.pipeline.people.identity import People
from driftline.pipeline.rulebook import BoundRule, RuleSet
from driftline.pipeline.rulebook.baseline_rules import STANDING_IDS
from driftline.pipeline.state.resource import Body, FindingState
from driftline.pipeline.state.rows import NEVER

LARGEST = 16_384
"""Maximum size in bytes of an accepted value; for a larger one only a digest is kept, and any change counts."""


def until(body: Body, book: ExceptionIndex) -> int:
    """When the next exception of a resource's findings expires."""
    if not book:
        return NEVER
    found = (
        book.get(life.exception) for life in body.lives.values() if life.suppressed or life.lifted
    )
    return min((entry.until for entry in found if entry is not None), default=NEVER)


def drop_accepted(work: Assessment) -> None:
    """Drops exceptions that applied only to the previous incarnation of a recreated resource."""
    lives, book = work.body.lives, work.options.exceptions
    for rule, life in lives.items():
        entry = book.get(life.exception) if life.exception else None
        if entry is not None and entry.exact and not entry.record.recreated:
            lives[rule] = msgspec.structs.replace(
                life, exception="", accepted=[], suppressed=False, lifted="", refused=entry.id
            )


def apply_exceptions(work: Assessment) -> None:
    """Suppresses failing findings that an exception covers at this time, and reopens those no longer covered."""
    body, book = work.body, work.options.exceptions
    if not book and not any(life.exception for life in body.lives.values()):
        return
    for bound in work.rules.every:
        life = body.lives.get(bound.id)
        if life is not None:
            body.lives[bound.id] = _with_exception(work, life, bound)
    for rule, life in body.lives.items():
        if (life.suppressed or life.lifted) and (life.retired or life.status != "open"):
            body.lives[rule] = msgspec.structs.replace(life, suppressed=False, lifted="")


def _with_exception(work: Assessment, life: FindingState, bound: BoundRule) -> FindingState:
    body = work.body
    people = work.options.people.of(body.resource["provider"])
    if life.retired or life.status != "open":
        # keep what was accepted: it may fail again, as before or worse
        calm = not (life.suppressed or life.lifted)
        return life if calm else msgspec.structs.replace(life, suppressed=False, lifted="")
    entry = work.options.exceptions.best(bound, body.resource, work.at, life.refused)
    if entry is None:
        if not life.exception:
            return life
        lifted = "exception_ended" if life.suppressed or life.lifted else ""
        return msgspec.structs.replace(
            life, exception="", approved_at=0, accepted=[], suppressed=False, lifted=lifted
        )
    now, accepted = values(bound.evidence, body), life.accepted
    if bound.id in STANDING_IDS:  # for a baseline, only the differences count
        now = [[one["path"], one["value"]] for one in life.evidence]
    if (life.exception, life.approved_at) != (entry.id, entry.at):
        accepted = now
    lifted = ""
    if people.is_known_as(entry.record.approver, _suspects(life, people)):
        lifted = "approver_caused_it"
    elif worse(accepted, now, work.hints, bound, body, work.at):
        lifted = "worse_than_accepted"
    return msgspec.structs.replace(
        life, exception=entry.id, approved_at=entry.at, accepted=accepted, suppressed=not lifted, lifted=lifted
    )  # fmt: skip


def _suspects(life: FindingState, people: People) -> set[str]:
    """The names of everyone who caused the failure, or all candidates until that is known."""
    return {*life.suspects, *(people.names(life.actor) if life.actor else ())}


def values(paths: Sequence[tuple[str, ...]], body: Body) -> list[list[Any]]:
    """The complete deciding values (evidence in findings is trimmed): [path, value] each, or [path, digest, True]."""
    out = []
    for path in paths:
        value = value_at({**body.resource, "config": body.config}, path)
        packed = msgspec.msgpack.encode(value, order="deterministic")
        if len(packed) > LARGEST:
            out.append([".".join(path), hashlib.sha256(packed).digest(), True])
        else:
            out.append([".".join(path), value])
    return out


def worse(
    accepted: Sequence[Sequence[Any]], now: Sequence[Sequence[Any]], hints: Hints, bound: BoundRule, body: Body, at: int
) -> bool:  # fmt: skip
    """Whether the current failure is more than, or different from, what was accepted.

    A removal is not worse if the rule would pass without the whole value. New or
    different values are worse if the rule objects to them (driftline.pipeline.assess.decisions.growth). (A path that only one of the two has
    comes from another version of the rule and is ignored.)"""
    if bound.id in STANDING_IDS:
        return any(list(one) not in [list(old) for old in accepted] for one in now)
    before = {one[0]: one for one in accepted}
    for path, *value in now:
        old = before.get(path, [])[1:]
        if not old or old == value:
            continue
        if len(old) > 1 or len(value) > 1:
            return True
        dotted = path.removeprefix("config.")
        changes = diff(dotted, old[0], value[0], hints)
        if all(change["op"] == "remove" for change in changes):
            if changes and not _passes_without(path, bound, body, at):
                return True
            continue
        form = hints.canonical.policy if dotted in hints.policies else _itself
        document = {**body.resource, "config": body.config}
        if Growth(bound, document, path.split("."), at).grown(form(old[0]), form(value[0])):
            return True
    return False


def _passes_without(path: str, bound: BoundRule, body: Body, at: int) -> bool:
    """Whether a rule would pass without a value at that path."""
    document: dict[str, Any] = {**body.resource, "config": body.config}
    steps = path.split(".")
    holder = document
    for step in steps[:-1]:
        below = holder.get(step)
        if not isinstance(below, dict):
            return False
        holder[step] = holder = dict(below)
    value = holder.get(steps[-1])
    if isinstance(value, list | dict):
        holder[steps[-1]] = type(value)()
    else:
        holder.pop(steps[-1], None)
    return RuleSet([bound]).evaluate(document, {}, at)[0].evaluation == "passed"


def _itself(value: Any) -> Any:
    return value
