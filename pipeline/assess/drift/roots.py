"""Finds the drift places that made a rule fail. Pure.

These are places that the rule reads; of several, those without which it would not fail, or else each that is sufficient alone.
A resource may have a dozen unrelated changes by other people, who did not cause the finding."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from driftline.pipeline.assess.decisions import risk_exceptions
from driftline.pipeline.compare.diff import Hints
from driftline.pipeline.compare.paths import pointer, steps
from driftline.pipeline.rulebook import BoundRule
from driftline.pipeline.rulebook.cel.expression import ELEMENT
from driftline.pipeline.rulebook.ruleset import answer
from driftline.pipeline.state.resource import Body, KnownDrift

MOST = 64
"""Above this number of places, all count without further checks."""
WHOLE, TAGS = "*", "tags"
Root = tuple[KnownDrift, int]
"""A drift, and the index of one of its changes."""


def of_rule(bound: BoundRule, body: Body, drifts: Sequence[KnownDrift], at: int) -> list[Root]:
    """The places that caused a rule to fail; none if nothing that it reads has changed."""
    read = that_it_reads(bound, drifts)
    if not 1 < len(read) <= MOST or any(drift.part == WHOLE for drift, _ in read):
        return read

    def fails(without: Sequence[Root]) -> bool | None:
        document = reverted(body, without)
        if document is None:
            return None
        said = answer(bound, document, at, body.previous, body.changes)
        return {"failed": True, "passed": False, "not_applicable": False}.get(said)

    alone = {(drift.id, number): fails([(drift, number)]) for drift, number in read}
    if False in alone.values():
        return [root for root in read if alone[root[0].id, root[1]] is not True]
    enough = [
        root for root in read if fails([other for other in read if other is not root]) is not False
    ]
    return enough or read


def that_it_reads(bound: BoundRule, drifts: Sequence[KnownDrift]) -> list[Root]:
    """The places that a rule reads."""
    return [
        (drift, number)
        for drift in drifts
        for number, change in enumerate(drift.changes)
        if drift.part == WHOLE or bound.compares or any(_touches(path, steps(change["path"])) for path in bound.paths)
    ]  # fmt: skip


def worsening(
    bound: BoundRule, body: Body, drifts: Sequence[KnownDrift], hints: Hints, at: int
) -> list[Root]:
    """The drift places without which a failing rule would object to less. A list element is
    evaluated without the others, so that long lists cost no more."""
    read = that_it_reads(bound, drifts)
    if len(read) > MOST:
        return read
    return [root for root in read if _worsens(bound, body, root, hints, at)]


def _worsens(bound: BoundRule, body: Body, root: Root, hints: Hints, at: int) -> bool:
    drift, number = root
    if drift.part != TAGS and drift.changes[number]["op"] != "remove":
        config, change = _narrowed(body.config, drift.changes[number])
        body = msgspec.structs.replace(body, config=config)
        root = msgspec.structs.replace(drift, changes=[change]), 0
    without = reverted(body, [root])
    if without is None:
        return True
    resource = {**body.resource, TAGS: without[TAGS]}
    old = msgspec.structs.replace(body, config=without["config"], resource=resource)
    accepted, now = (risk_exceptions.values(bound.evidence, one) for one in (old, body))
    return risk_exceptions.worse(accepted, now, hints, bound, body, at)


def _narrowed(config: Any, change: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A configuration with only those list elements that lead to a place; and the change there."""
    way, path = steps(change["path"]), list[str]()

    def narrow(value: Any, left: Sequence[str]) -> Any:
        if not left:
            return value
        below = _below(value, left[0])
        if isinstance(value, list):
            path.append("0")
            return [narrow(below, left[1:])]
        path.append(left[0])
        return {**value, left[0]: narrow(below, left[1:])} if isinstance(value, dict) else value

    narrowed = narrow(config, way)
    return narrowed, {**change, "path": pointer(*path)}


def of_evidence(paths: Sequence[str], drifts: Sequence[KnownDrift]) -> list[Root]:
    """The places at, above or below pointers (the differences from a baseline)."""
    pointers = [tuple(steps(path)) for path in paths if path.startswith("/")]
    cut = len(pointers) < len(paths)
    parts = {pointer[0] for pointer in pointers}
    return [
        (drift, number)
        for drift in drifts
        for number, change in enumerate(drift.changes)
        if drift.part == WHOLE
        or (cut and drift.part in parts)
        or any(_along(pointer, steps(change["path"])) for pointer in pointers)
    ]


def _touches(path: Sequence[str], place: Sequence[str]) -> bool:
    """Whether a rule's path and a place contain each other."""
    if path[:1] == ("config",):
        return _along(path[1:], place)
    return path[:1] == (TAGS,) and _along(path, place)


def _along(path: Sequence[str], place: Sequence[str]) -> bool:
    return all(own in (ELEMENT, step) for own, step in zip(path, place, strict=False))


def reverted(body: Body, places: Sequence[Root]) -> dict[str, Any] | None:
    """The resource without these changes; None if that cannot be determined."""
    config, tags = dict(body.config), dict(body.resource["tags"])
    holder = {**config, TAGS: tags} if any(drift.part == TAGS for drift, _ in places) else config
    for part in {drift.part for drift, _ in places}:
        if part not in holder:
            return None
        holder[part] = orjson.loads(orjson.dumps(holder[part]))
    changes = [drift.changes[number] for drift, number in places]
    if not all(
        _undone(holder, change) for change in sorted(changes, key=_last_first, reverse=True)
    ):
        return None
    if holder is not config:
        tags = holder.pop(TAGS)
    return body.resource | {"tags": tags, "config": holder}


def _last_first(change: Mapping[str, Any]) -> tuple[int, int]:
    """Order for undoing: restore old values first, then remove new ones, list elements from the end."""
    last = steps(change["path"])[-1]
    return change["op"] != "add", int(last) if last.isdigit() else 0


def _undone(config: Any, change: Mapping[str, Any]) -> bool:
    """Undoes one change; False if the place does not match the change."""
    *above, last = steps(change["path"])
    holder = config
    for step in above:
        holder = _below(holder, step)
    if change["op"] == "remove":
        if isinstance(holder, list):
            holder.append(change["before"])
        elif isinstance(holder, dict):
            holder[last] = change["before"]
        return isinstance(holder, list | dict) and not _omitted(change["before"])
    if _below(holder, last) != change["after"] or _omitted(change.get("before")):
        return False
    key: Any = int(last) if isinstance(holder, list) else last
    if change["op"] == "add":
        del holder[key]
    else:
        holder[key] = change["before"]
    return True


def _below(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    if isinstance(holder, list) and step.isdigit() and int(step) < len(holder):
        return holder[int(step)]
    return None


def _omitted(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"omitted", "size"}
