"""What a module of a sink provides. An entry point of the group `driftline.sinks` names it; the entry point's name is the kind.

`SinkModule` is needed. The other protocols are capabilities: a module that has the functions has the capability, and every
command (`sink`, `doctor`, `upgrade`, `permissions`, `findings`, `alerts`) asks for capabilities, never for a kind."""

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

Given = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""Topic and document; the document as the sink is given it (driftline.sinks.subscription), None where it is not."""


def everything(topic: str, document: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ARG001 - as every Given
    """Of a sink without `match` and `severities`."""
    return document


@dataclass(frozen=True)
class SinkContext:
    """What a sink may know of the deployment beside its own settings."""

    name: str
    """Of the sink, as in the settings; unique."""
    kafka: "Kafka"
    bad_share: float = 0.1
    """The share of refused documents above which something is wrong with the deployment (`sink.bad_share`)."""
    given: Given = everything


class Found(NamedTuple):
    """What a lookup gives."""

    documents: list[dict[str, Any]]
    total: int
    """How many there are, shown or not."""


class SinkModule(Protocol):
    """What every module of a sink has."""

    kind: str
    Settings: type[SinkSettings]
    topics: tuple[Topic, ...]
    """What it reads."""
    references: bool
    """Whether its receipts carry references (a ticket's key), which are kept in the topic `ticket-links`."""

    def create(self, settings: Any, context: SinkContext) -> "Sink":
        """Connects nothing yet. Raises UserError where the settings cannot work."""


def remembers(module: SinkModule) -> bool:
    """Whether its sinks can only append, so that their deliveries are kept in the topic `delivered`: the module says
    `transitions_only`, as its sinks do."""
    return bool(getattr(module, "transitions_only", False))


NEEDED = ("kind", "Settings", "topics", "references", "create")


@runtime_checkable
class Checks(Protocol):
    """Can say whether its destination is ready (`--check`, `upgrade`; also asked before each start)."""

    async def check(self, settings: Any, context: SinkContext) -> str | None:
        """What differs from what `install` would write, with the next step in parentheses; None if nothing does."""


@runtime_checkable
class Installs(Protocol):
    """Can prepare its destination (`--install`, `upgrade --apply`)."""

    async def install(
        self, settings: Any, context: SinkContext, tell: Callable[[str], None]
    ) -> None:
        """Idempotent. `tell` gets a line for each thing done."""


@runtime_checkable
class Explains(Protocol):
    """Knows the errors of its client library."""

    def explained(self, error: Exception, settings: Any, context: SinkContext) -> UserError | None:
        """What to tell the user, NotThere where the destination may answer later; None for an error of somebody else."""


@runtime_checkable
class Examined(Protocol):
    """Has checks of its own in `driftline doctor`; its kind is an area there."""

    def doctor(self, settings: Any, context: SinkContext, seconds: float) -> "list[Check]":
        """`seconds`: how long one call may take. The first check is the one that the others need."""


@runtime_checkable
class Permitted(Protocol):
    """Has roles at its destination (`driftline permissions KIND`)."""

    roles: tuple[str, ...]

    def permissions(self, settings: Any) -> Mapping[str, Any]:
        """The least that each role must allow, as JSON. The docstring is the command's help."""


@runtime_checkable
class Searched(Protocol):
    """Its destination can be asked for findings and alerts (`driftline findings`, `alerts`). The calls raise the client's errors."""

    def searchable(self, settings: Any) -> bool:
        """Whether the settings say where the destination is: else Kafka is asked."""

    async def findings(self, settings: Any, wanted: "WantedFindings", limit: int) -> Found:
        """The first of those that are asked for, worst first."""

    async def finding_named(self, settings: Any, id: str) -> Sequence[dict[str, Any]]:
        """A few of those whose id begins so."""

    async def alerts(self, settings: Any, wanted: "WantedAlerts", limit: int) -> Found:
        """The first of those that are asked for, newest first."""

    async def alert_named(self, settings: Any, id: str) -> Sequence[dict[str, Any]]:
        """A few of those whose id begins so."""
