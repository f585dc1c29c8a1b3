"""Facts in which providers (clouds) differ, with defaults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from re import Pattern
from types import MappingProxyType
from typing import Any

from driftline.pipeline.common.durations import HOUR, MINUTE, SECOND
from driftline.pipeline.compare.diff import PLAIN, Canonical
from driftline.pipeline.model import Change

Document = Mapping[str, Any]

NOTHING: Mapping[str, Any] = MappingProxyType({})


def _never(*_: Any) -> bool:
    return False


def _none(*_: Any) -> None:
    return None


def _requested(change: Change) -> Any:
    return change.request


@dataclass(frozen=True)
class Settling:
    """How far a provider's responses lag behind its changes. Microseconds."""

    max_lag: int = 60 * SECOND
    """A reading this long after a change is trusted whatever it shows."""
    event_resolution: int = SECOND
    """Time resolution of audit events: a reading in the same second may be from before the event."""
    min_gap: int = 10 * SECOND
    """Minimum distance of two readings that confirm each other."""
    list_lag: int = 30 * MINUTE
    """How long after a reading or change a listing may not contain the resource yet (including clock differences): it is then read
    individually, and ends when a later sweep does not list it either."""


@dataclass(frozen=True)
class AuditLog:
    """The provider's audit events."""

    product: str
    service: str
    """Their Sigma log source."""
    lateness: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    """Seconds after which an event must have arrived, by source."""
    only_reads: Callable[[Document], bool] = _never
    """Whether an event is marked by the provider as read-only."""
    catalogued: bool = False
    """Whether its calls and the fields of its records are known, so that `detections check` can find unknown ones."""
    request: Callable[[Change], Any] = _requested
    """The target of a call, which distinguishes calls whose resource is not known."""
    fields: str = ""
    """Additional event fields for detections, as `module:name` of EventFields. Not imported here: loaded only when
    detections are evaluated."""


@dataclass(frozen=True)
class Verbs:
    """Which of a provider's calls name only what they add, or only what they take away. Every other call sets the whole:
    what its request does not name is gone."""

    added: Pattern[str] | None = None
    """Matches the beginning of an action."""
    taken: Pattern[str] | None = None

    def adds(self, action: str) -> bool:
        return self.added is not None and self.added.match(action) is not None

    def takes_away(self, action: str) -> bool:
        return self.taken is not None and self.taken.match(action) is not None


@dataclass(frozen=True)
class EventFields:
    """Driftline fields (`driftline.login`) that are derived from a provider's own event."""

    of_change: Callable[[Change, Document, Callable[[str], str]], dict[str, Any]]
    """Takes a change, its actor with the person behind it, and the function from a name to a person's id."""
    names: Callable[[Change], list[str]]
    """The target of a call whose resource is not known and whose row defines no names (`Change.named`)."""
    of_example: Callable[[Document, str | None], dict[str, Any]]
    """Takes an example of a detection, with Driftline's fields under `driftline`, and its account."""


@dataclass(frozen=True)
class Identities:
    """The forms of a provider's identities, and the persons behind them."""

    chosen: tuple[Pattern[str], ...] = ()
    """Patterns of ids whose end is chosen by the caller (a session name); group 1 is the part confirmed by the provider."""
    actor_kinds: Mapping[str, str | None] = field(default_factory=lambda: NOTHING)
    """Actor kinds specific to this provider, and the kind of person that such an actor is; None: it acts for
    someone else."""
    derive: Callable[[Document], dict[str, Any] | None] = _none
    """Derives the person behind an actor from its ids, for records without a person; None if not possible."""
    derive_link: Callable[[str], dict[str, Any] | None] = _none
    """Derives the person behind a chain link from its id, for records without a person; None if not possible."""
    differ: Callable[[str, str], bool] = _never
    """Whether two ids belong to different roles."""
    words: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Provider-specific descriptions of how a person is known, by kind of person."""


@dataclass(frozen=True)
class SessionPolicy:
    """What a provider's audit events show of sessions opened by others."""

    lifetime: int = 36 * HOUR
    """How long a session is remembered, in microseconds: the longest possible session."""
    hides_callers: bool = False
    """Events identify callers only to the caller's own account."""


def _steps(uid: str) -> list[str]:
    return [step for step in uid.split("/") if step]


def _last(name: str) -> str:
    is_id = name.startswith(("/", "https:"))
    return name.rstrip("/").rpartition("/")[2] or name if is_id else name


@dataclass(frozen=True)
class ResourceNames:
    """How resources are named, and their pages in the provider's console."""

    steps: Callable[[str], list[str]] = _steps
    """The segments of a uid, as named in console rows."""
    last: Callable[[str], str] = _last
    """The name at the end of an id; any other text unchanged."""
    consoles: Traversable | None = None
    """The rows (YAML): console page and remediation placeholders by resource type."""
    origin: Callable[[Document], str | None] = _none
    """The base URL of a resource's console, with a trailing slash; None if there is none."""


@dataclass(frozen=True)
class Provider:
    """A provider. Registered as an entry point of the group `driftline.providers` under its name."""

    name: str
    """Its name in records, ids and settings."""
    title: str
    """As people write it."""
    audit: AuditLog
    types: Traversable | None = None
    """The types file (JSON): maps resource types to parts, shapes, hints and permissions."""
    canonical: Canonical = PLAIN
    """Its equivalent spellings of configuration values."""
    names: ResourceNames = ResourceNames()
    settling: Settling = Settling()
    verbs: Verbs = Verbs()
    identities: Identities = Identities()
    sessions: SessionPolicy = SessionPolicy()
    tools: tuple[str, ...] = ()
    """Tools specific to this provider, in addition to driftline.pipeline.model.stream.TOOLS."""
    vouched_tools: tuple[str, ...] = ("service",)
    """Tools confirmed by the provider. All others are derived from the caller's user agent."""
    functions: str = ""
    """Functions for rules about its types, as `module:name` of a Mapping[str, Function] (driftline.pipeline.rulebook.cel.functions).
    Not imported here: loaded only when rules are evaluated."""
    sample_uids: tuple[str, str] = ("example", "other")
    """Uids of the resource in a rule's examples, and of one with other names."""
