"""What providers (clouds) differ in, as facts. What has a default here is so wherever a provider says nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from driftline.pipeline.common.durations import MINUTE, SECOND

NOTHING: Mapping[str, Any] = MappingProxyType({})


def _never(_: Mapping[str, Any]) -> bool:
    return False


@dataclass(frozen=True)
class Settling:
    """How far a provider's answers lag behind its changes. Microseconds."""

    max_lag: int = 60 * SECOND
    """A reading that much later than a change is trusted whatever it shows."""
    event_resolution: int = SECOND
    """How exactly an audit event says when it happened: a reading of the same second may be of before it."""
    min_gap: int = 10 * SECOND
    """Two readings that agree must be at least that far from each other."""
    list_lag: int = 30 * MINUTE
    """So long after a reading or a change a list may not know the resource yet (and clocks may differ): it is asked for by
    itself then, and ends when a later sweep does not list it either."""


@dataclass(frozen=True)
class AuditLog:
    """The provider's audit events."""

    product: str
    service: str
    """Sigma's log source of them."""
    lateness: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    """Seconds after which an event has come, by the source that brings it."""
    only_reads: Callable[[Mapping[str, Any]], bool] = _never
    """Whether an event, as the provider writes it, says that it changed nothing."""


@dataclass(frozen=True)
class Provider:
    """One provider. Registered as an entry point of the group `driftline.providers` under its name."""

    name: str
    """As records, ids and settings name it."""
    title: str
    """As people write it."""
    audit: AuditLog
    types: Traversable | None = None
    """The types file (JSON): resource type to parts, shapes, hints and permissions."""
    settling: Settling = Settling()
    functions: str = ""
    """Functions for rules about its types, as `module:name` of a Mapping[str, Function] (driftline.pipeline.rulebook.cel.functions).
    Named and not imported: only whoever evaluates rules loads them."""
    sample_uids: tuple[str, str] = ("example", "other")
    """Of the resource in a rule's examples, and of one with other names."""
