"""Which sinks a document goes to, and why. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftline.sinks.configured import ConfiguredSink


@dataclass(frozen=True)
class RoutePart:
    """One part of a `match`, and whether it holds; None: it has no answer, `why` says so."""

    text: str
    holds: bool | None
    why: str


@dataclass(frozen=True)
class RouteAnswer:
    """Whether a sink is given a document."""

    sink: str
    kind: str
    given: bool
    why: str
    parts: tuple[RoutePart, ...] = ()


def routes(
    sinks: Iterable[ConfiguredSink], topic: str, document: Mapping[str, Any]
) -> Iterator[RouteAnswer]:
    """An answer for each sink. `topic`: without the deployment's prefix."""
    for one in sinks:
        yield _route(one, topic, document)


def _route(one: ConfiguredSink, topic: str, document: Mapping[str, Any]) -> RouteAnswer:
    kind = one.module.kind
    if topic not in {read.own for read in one.module.topics}:
        return RouteAnswer(one.name, kind, False, f"it does not read {topic}")
    if one.match is None:
        return RouteAnswer(one.name, kind, True, "it has no match: it is given all that it reads")
    holds, why = one.match.verdict(topic, document)
    parts = tuple(RoutePart(text, *told) for text, told in one.match.explained(topic, document))
    if holds is None:
        return RouteAnswer(one.name, kind, True, f"match has no answer, so it is given: {why}", parts)  # fmt: skip
    if holds:
        return RouteAnswer(one.name, kind, True, f"match holds: {one.match.text}", parts)
    false = [part.text for part in parts if part.holds is False] or [one.match.text]
    return RouteAnswer(one.name, kind, False, f"does not hold: {'; '.join(false)}", parts)
