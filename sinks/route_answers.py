"""Determines which sinks receive a document, and why. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftline.sinks.configured import ConfiguredSink


@dataclass(frozen=True)
class RoutePart:
    """A part of a `match`, and whether it is true; None if it cannot be evaluated, with the reason in `why`."""

    text: str
    holds: bool | None
    why: str


@dataclass(frozen=True)
class RouteAnswer:
    """Whether a sink receives a document."""

    sink: str
    kind: str
    given: bool
    why: str
    parts: tuple[RoutePart, ...] = ()


def routes(
    sinks: Iterable[ConfiguredSink], topic: str, document: dict[str, Any]
) -> Iterator[RouteAnswer]:
    """The result for each sink. `topic`: without the deployment's prefix."""
    for one in sinks:
        yield _route(one, topic, document)


def _route(one: ConfiguredSink, topic: str, document: dict[str, Any]) -> RouteAnswer:
    kind, to = one.module.kind, one.subscription
    if topic not in {read.own for read in one.module.topics}:
        return RouteAnswer(one.name, kind, False, f"it does not read {topic}")
    adapted = to.adapted(document)
    severity = _severity(adapted)
    if to.match is None:
        why = f"it has no match: it is given all that it reads{severity}"
        return RouteAnswer(one.name, kind, True, why)
    holds, why = to.verdict(topic, adapted)
    parts = tuple(RoutePart(text, *told) for text, told in to.match.explained(topic, adapted))
    if holds is None:
        told = f"match has no answer, so it is given: {why}{severity}"
        return RouteAnswer(one.name, kind, True, told, parts)
    if holds:
        return RouteAnswer(one.name, kind, True, f"match holds: {to.match.text}{severity}", parts)
    false = [part.text for part in parts if part.holds is False] or [to.match.text]
    return RouteAnswer(one.name, kind, False, f"does not hold: {'; '.join(false)}{severity}", parts)


def _severity(adapted: Mapping[str, Any]) -> str:
    """The sink's severity override, as a suffix."""
    rule = adapted.get("rule")
    if not isinstance(rule, Mapping) or not rule.get("original_severity"):
        return ""
    return f" (as {rule['severity']}; its rule says {rule['original_severity']})"
