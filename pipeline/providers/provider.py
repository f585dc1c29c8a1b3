"""What providers (clouds) differ in, as facts. What has a default here is so wherever a provider says nothing else."""

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
    only_reads: Callable[[Document], bool] = _never
    """Whether an event, as the provider writes it, says that it changed nothing."""
    request: Callable[[Change], Any] = _requested
    """What a call asked for: it tells calls apart whose resource is not known."""
    fields: str = ""
    """What its events tell detections beside, as `module:name` of EventFields. Named and not imported: only whoever
    evaluates detections loads it."""


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
    """Fields of Driftline's own (`driftline.login`) that only a provider's own event tells."""

    of_change: Callable[[Change, Document, Callable[[str], str]], dict[str, Any]]
    """From a change, its actor with the person behind it, and the function from a name to a person's id."""
    names: Callable[[Change], list[str]]
    """What a call is about whose resource is not known and whose row says no names (`Change.named`)."""
    of_example: Callable[[Document, str | None], dict[str, Any]]
    """From an example of a detection, with Driftline's fields under `driftline`, and its account."""


@dataclass(frozen=True)
class Identities:
    """What a provider's identities look like, and who is behind them."""

    chosen: tuple[Pattern[str], ...] = ()
    """Each matches ids whose end their caller chose (the name of a session); group 1 is what the provider vouches for."""
    actor_kinds: Mapping[str, str | None] = field(default_factory=lambda: NOTHING)
    """Kinds of actors that only this provider has, and the kind of person that such an actor is itself; None: it acts for
    somebody else."""
    derive: Callable[[Document], dict[str, Any] | None] = _none
    """The person behind an actor whose record does not say it, as far as its ids do; None where they do not."""
    derive_link: Callable[[str], dict[str, Any] | None] = _none
    """The person behind the id of a link of a chain, whose record does not say it; None where the id does not."""
    differ: Callable[[str, str], bool] = _never
    """Whether two ids are those of two different roles."""
    words: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """How a person is known, by kind of person, where the provider has a word of its own."""


@dataclass(frozen=True)
class SessionPolicy:
    """What a provider's audit events tell of sessions that are opened by others."""

    lifetime: int = 36 * HOUR
    """How long a session is remembered, in microseconds: the longest that there is."""
    hides_callers: bool = False
    """An event tells an account only of its own callers who they are."""


def _steps(uid: str) -> list[str]:
    return [step for step in uid.split("/") if step]


def _last(name: str) -> str:
    is_id = name.startswith(("/", "https:"))
    return name.rstrip("/").rpartition("/")[2] or name if is_id else name


@dataclass(frozen=True)
class ResourceNames:
    """How resources are named, and their pages in the provider's console."""

    steps: Callable[[str], list[str]] = _steps
    """The steps of a uid, by which the rows of consoles name them."""
    last: Callable[[str], str] = _last
    """The name at the end of a text that is an id; any other text as it is."""
    consoles: Traversable | None = None
    """The rows (YAML): by resource type its page in the console, and what stands for placeholders of remediation."""
    origin: Callable[[Document], str | None] = _none
    """Where a resource's console is, with a slash at the end; None if there is none."""


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
    canonical: Canonical = PLAIN
    """Its own equivalent spellings."""
    names: ResourceNames = ResourceNames()
    settling: Settling = Settling()
    verbs: Verbs = Verbs()
    identities: Identities = Identities()
    sessions: SessionPolicy = SessionPolicy()
    tools: tuple[str, ...] = ()
    """What calls are made with, beside driftline.pipeline.model.stream.TOOLS: only this provider has them."""
    vouched_tools: tuple[str, ...] = ("service",)
    """Tools that the provider itself reports. All others are known from the caller's own user agent."""
    functions: str = ""
    """Functions for rules about its types, as `module:name` of a Mapping[str, Function] (driftline.pipeline.rulebook.cel.functions).
    Named and not imported: only whoever evaluates rules loads them."""
    sample_uids: tuple[str, str] = ("example", "other")
    """Of the resource in a rule's examples, and of one with other names."""
