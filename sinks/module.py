"""The interface of a sink module, which an entry point of the group `driftline.sinks` names; the entry point's name is the kind.

`SinkModule` is required. The other protocols are capabilities: a module with their functions has the capability, and all
commands (`sink`, `doctor`, `upgrade`, `permissions`, `findings`, `alerts`) check for capabilities, never for a kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.records.topics import Topic
from driftline.pipeline.settings.base import SinkSettings as SinkSettings

if TYPE_CHECKING:
    from driftline.pipeline.ops.checks import Check
    from driftline.pipeline.report.query import WantedAlerts, WantedFindings
    from driftline.pipeline.settings.blocks import Kafka
    from driftline.sinks.base import Sink
    from driftline.sinks.tickets.destination import Destination

Given = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""Topic and document; the document as the sink is given it (driftline.sinks.subscription), None where it is not."""


def everything(topic: str, document: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ARG001 - as every Given
    """For a sink without `match` and `severities`."""
    return document


@dataclass(frozen=True)
class SinkContext:
    """Information about the deployment that a sink may use besides its own settings."""

    name: str
    """The sink's name in the settings; unique."""
    kafka: "Kafka"
    bad_share: float = 0.1
    """The share of refused documents above which something is wrong with the deployment (`sink.bad_share`)."""
    given: Given = everything


class Found(NamedTuple):
    """What a lookup gives."""

    documents: list[dict[str, Any]]
    total: int
    """The total number, shown or not."""


class SinkModule(Protocol):
    """The required interface of a sink module."""

    kind: str
    Settings: type[SinkSettings]
    topics: tuple[Topic, ...]
    """What it reads."""
    references: bool
    """Whether its receipts carry references (a ticket's key), which are kept in the topic `ticket-links`."""


@runtime_checkable
class Creates(Protocol):
    """Delivers documents one by one (driftline.sinks.deliver). A module has this capability, or the next."""

    def create(self, settings: Any, context: SinkContext) -> "Sink":
        """Does not connect yet. Raises UserError for settings that cannot work."""


@runtime_checkable
class KeepsTickets(Protocol):
    """Its destination is a ticket system (driftline.sinks.tickets)."""

    def destination(self, settings: Any, context: SinkContext) -> "Destination":
        """Connects nothing yet. Raises UserError where the settings cannot work."""


def remembers(module: SinkModule) -> bool:
    """Whether its sinks can only append, so that their deliveries are kept in the topic `delivered`: the module says
    `transitions_only`, as its sinks do."""
    return bool(getattr(module, "transitions_only", False))


NEEDED = ("kind", "Settings", "topics", "references")
ONE_OF = ("create", "destination")


@runtime_checkable
class Checks(Protocol):
    """Can say whether its destination is ready (`--check`, `upgrade`; also asked before each start)."""

    async def check(self, settings: Any, context: SinkContext) -> str | None:
        """The difference from what `install` would write, with the next step in parentheses; None if there is none."""


@runtime_checkable
class Installs(Protocol):
    """Can prepare its destination (`--install`, `upgrade --apply`)."""

    async def install(
        self, settings: Any, context: SinkContext, tell: Callable[[str], None]
    ) -> None:
        """Idempotent. `tell` is called with a line for each action."""


@runtime_checkable
class Explains(Protocol):
    """Can explain the errors of its client library."""

    def explained(self, error: Exception, settings: Any, context: SinkContext) -> UserError | None:
        """The user-facing error, NotThere if the destination may answer later; None for other errors."""


@runtime_checkable
class Examined(Protocol):
    """Has its own checks in `driftline doctor`, where its kind is an area."""

    def doctor(self, settings: Any, context: SinkContext, seconds: float) -> "list[Check]":
        """`seconds`: time limit of a call. The others need the first check."""


@runtime_checkable
class Permitted(Protocol):
    """Has roles at its destination (`driftline permissions KIND`)."""

    roles: tuple[str, ...]

    def permissions(self, settings: Any) -> Mapping[str, Any]:
        """The minimum privileges of each role, as JSON. The docstring is the command's help."""


@runtime_checkable
class Searched(Protocol):
    """Its destination can be searched for findings and alerts (`driftline findings`, `alerts`). Calls raise the client's errors."""

    def searchable(self, settings: Any) -> bool:
        """Whether the settings contain the destination's address; otherwise Kafka is used."""

    async def findings(self, settings: Any, wanted: "WantedFindings", limit: int) -> Found:
        """The first matching findings, worst first."""

    async def finding_named(self, settings: Any, id: str) -> Sequence[dict[str, Any]]:
        """A few documents whose id begins with a prefix."""

    async def alerts(self, settings: Any, wanted: "WantedAlerts", limit: int) -> Found:
        """The first matching alerts, newest first."""

    async def alert_named(self, settings: Any, id: str) -> Sequence[dict[str, Any]]:
        """A few documents whose id begins with a prefix."""
