"""Risks that are accepted for a while: which failing findings an exception suppresses, and until when. Pure.

A finding lives on below: one that is mended resolves, and one that is worse than what was accepted is open again."""

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
"""Bytes of an accepted value; of a larger one only a digest is kept, and any change of it counts."""


def until(body: Body, book: ExceptionIndex) -> int:
    """When the next exception of a resource's findings ends by itself."""
    if not book:
        return NEVER
    found = (
        book.get(life.exception) for life in body.lives.values() if life.suppressed or life.lifted
    )
    return min((entry.until for entry in found if entry is not None), default=NEVER)


def drop_accepted(work: Assessment) -> None:
    """The resource was recreated: what was accepted of the old one alone is not accepted of this one."""
    lives, book = work.body.lives, work.options.exceptions
    for rule, life in lives.items():
        entry = book.get(life.exception) if life.exception else None
        if entry is not None and entry.exact and not entry.record.recreated:
            lives[rule] = msgspec.structs.replace(
                life, exception="", accepted=[], suppressed=False, lifted="", refused=entry.id
            )


def apply_exceptions(work: Assessment) -> None:
    """Suppresses the failing findings that an exception accepts at this time, and lifts what none accepts any more."""
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
        # what was accepted is kept: it may fail again, as before or worse
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
    if bound.id in STANDING_IDS:  # of a baseline, what differs is all that counts
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
    """The names of whoever caused what fails, or may have: until it is known who did, all candidates."""
    return {*life.suspects, *(people.names(life.actor) if life.actor else ())}


def values(paths: Sequence[tuple[str, ...]], body: Body) -> list[list[Any]]:
    """What decides, whole (a finding's evidence is trimmed): [path, value] each, or [path, digest, True]."""
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
    """Whether what is wrong now is more, or other, than what was accepted.

    Only that something is gone may be no worse: where the rule would pass if all of it were gone. What is new or
    different is worse as far as the rule objects to it (driftline.pipeline.assess.decisions.growth). (A path that only one of the two has is
    another version's of the rule: it says nothing.)"""
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
    """Whether a rule would pass if there were nothing at that path."""
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
