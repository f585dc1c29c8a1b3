"""The interface of a collector module, which an entry point of the group `driftline.collectors` names; the entry point's name is the
provider's, as in records.

`CollectorModule` is required. The other protocols are capabilities: a module with their functions has the capability, and all
commands (`scan`, `collect`, `permissions`, `doctor`, `baseline`, `replay`, `kinds`) check for capabilities, never for a provider.
Those for exported files are in driftline.collectors.folder.formats.
When a command fails, it calls a module's `explained(error: BaseException) -> Problem | None`, if it exists, to explain
an error of its client library. It must not import anything: a library that was not imported has raised nothing."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from driftline.collectors.base import Emit, PreviousSweep, Progress
from driftline.collectors.declared import DeclaredResources
from driftline.collectors.rows.row import TypeRow
from driftline.pipeline.model import Read, Snapshot, Sweep
from driftline.pipeline.settings.base import CollectorSettings as CollectorSettings
from driftline.pipeline.settings.base import EventSettings as EventSettings

if TYPE_CHECKING:
    import click

    from driftline.collectors.redact import Redactor
    from driftline.pipeline.ops.checks import Check
    from driftline.pipeline.settings.blocks import Settings


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class CollectorContext:
    """The context that a command passes to a collector."""

    settings: "Settings"
    """The settings of the deployment; the module's own block is `settings.collector(provider)`."""
    options: Mapping[str, Any]
    """The values of the module's own command options, by name; None if not given."""
    redactor: "Redactor"


@dataclass(frozen=True)
class SweepRequest:
    """What to sweep, and where to send the records."""

    emit: Emit
    """Called from one thread only, a scope's header last."""
    types: Sequence[str] = ()
    """Types of the module's kinds; empty: all."""
    shard: tuple[int, int] = (0, 1)
    """The shard of accounts: (index from 0, count)."""
    once: bool = False
    """A one-time sweep (`scan`), which need not be rate-limited beyond the provider's limits."""
    known: Mapping[str, PreviousSweep] = field(default_factory=dict)
    """What earlier sweeps recorded, by scope."""
    progress: Progress = lambda _: None
    idle: Callable[[], None] = lambda: None
    """Called every tenth of a second while there is nothing to emit."""
    now: Callable[[], datetime] = _now


class CollectorModule(Protocol):
    """The required interface of a collector module."""

    provider: str
    title: str
    """The provider's display name."""
    Settings: type[CollectorSettings]
    """Its settings block."""

    def kinds(self) -> Mapping[str, TypeRow]:
        """Its rows by type. Raises UserError with all errors in its tables."""


NEEDED = ("provider", "title", "Settings", "kinds")


@runtime_checkable
class Sweeper(Protocol):
    """Reads configurations (`scan PROVIDER`, `collect PROVIDER`)."""

    scan_options: "Sequence[click.Option]"
    """Options in addition to those of every scan."""
    sweep_options: "Sequence[click.Option]"
    """Options in addition to those of every `collect`."""
    no_account: str
    """Why a sweep may have had nothing to read, and what to check."""
    faster: str
    """What to change if a sweep takes too long: `raise aws.requests_per_second`."""

    def sweep(self, context: CollectorContext, request: SweepRequest) -> list[Sweep]:
        """Performs one sweep; returns its headers, by scope. Raises UserError for unusable settings or credentials."""


class ResourceSource(Protocol):
    """Re-reads resources and scopes on request of the stream. Its methods may be called concurrently."""

    stop: threading.Event
    """Set when the process ends: waiting calls end immediately."""

    def one(self, wish: Read) -> Snapshot | None:
        """The current resource; a deletion if the provider does not know it; denied parts as unread. None if
        no row reads its type. Raises for transient errors: it is retried."""

    def scope(self, wish: Read, known: dict[str, PreviousSweep], emit: Emit) -> None:
        """Reads a whole scope, as a separate sweep. Raises what a sweep raises."""

    def code(self, error: Exception) -> str | None:
        """The code of an error raised by the provider's calls; None for any other error, which is a bug."""


@runtime_checkable
class Rereader(Protocol):
    """Re-reads changed resources (`collect PROVIDER reads`)."""

    read_options: "Sequence[click.Option]"

    def source(self, context: CollectorContext) -> ResourceSource:
        """Raises UserError if there are no usable credentials."""


class ExtraSource(NamedTuple):
    """Events that must be enabled at the provider."""

    source: str
    """The source that delivers them."""
    text: str
    """What they are."""
    step: str
    """How to enable them."""


@runtime_checkable
class Listens(Protocol):
    """Receives change events (`collect PROVIDER events`). Its settings block defines the sources (`events.sources`)."""

    provider: str
    title: str
    event_options: "Sequence[click.Option]"
    no_source: tuple[str, str]
    """The next step if no source is configured, and the setting."""
    guide: str
    """How to configure a source: `deploy/aws/README.md, then aws.events.queues`."""
    more_readers: str
    """What to change if one reader is too slow; empty: start more of them."""
    extra_sources: "Mapping[str, ExtraSource]"
    """Further sources that detections may use (`driftline: {sources: […]}`)."""

    def listen(self, context: CollectorContext, stop: threading.Event, *, once: bool) -> None:
        """Reads the sources until `stop` is set, or (once) until they are empty. Raises NotThere if a system does not answer."""


@dataclass(frozen=True)
class FileOutcome:
    """The result of one file of past events."""

    events: int
    changes: int
    bad: int
    """Records that were not understood."""


@runtime_checkable
class Backfills(Protocol):
    """Can read past events from files in the cloud (`collect PROVIDER events --backfill`)."""

    backfill_place: str
    """The form of such a location: `s3://BUCKET/PREFIX`."""

    def backfill(
        self, context: CollectorContext, where: str, since: datetime | None, until: datetime | None,
        done: Callable[[FileOutcome], None],
    ) -> None:  # fmt: skip
        """Reads all files of a location and time range; `done` is called after each. Raises UserError if it cannot be read."""


@runtime_checkable
class ExaminedProvider(Protocol):
    """Has its own checks in `driftline doctor`, where its provider is an area."""

    def doctor(self, settings: Any, seconds: float) -> "list[Check]":
        """`settings`: its block; `seconds`: time limit of a call. The others need the first check."""


@runtime_checkable
class PermittedProvider(Protocol):
    """Can list the permissions it requires (`driftline permissions PROVIDER`)."""

    permission_options: "Sequence[click.Option]"

    def permissions(
        self, settings: Any, types: Sequence[str], options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The minimum permissions, as JSON, for reading these types (empty: all). `settings`: its block. The docstring is the
        command's help."""


@runtime_checkable
class Documented(Protocol):
    """Generates files (`make docs`), for built-in collectors."""

    provider: str

    def shapes(self) -> Mapping[str, Any]:
        """The types file: maps a type to its parts' shapes, hints and permissions."""

    def pages(self) -> Iterator[tuple[str, str]]:
        """Pages of docs/, as path and text."""

    def deployed(self) -> Iterator[tuple[str, str]]:
        """Files of deploy/, as path and text."""


@runtime_checkable
class ChecksRows(Protocol):
    """Can check a row against a model of the provider's services (`driftline kinds check`)."""

    def kinds(self) -> Mapping[str, TypeRow]: ...

    def row_problems(self, row: Any) -> Iterator[str]:
        """The problems of a row, one line each: `TYPE PLACE: what`."""


@runtime_checkable
class ProposesRows(Protocol):
    """Can propose the row of a type (`driftline kinds new`), in a checkout of its source."""

    def propose_row(self, type: str, service: str | None, listing: str | None) -> list[str]:
        """Writes it; returns lines about the written files and the next step. Raises UserError."""


@runtime_checkable
class KnowsCalls(Protocol):
    """Knows the calls in the provider's audit log (`driftline detections`)."""

    def calls(self) -> Any:
        """See driftline.pipeline.proof.detections.events.KnownCalls; also used by `detections new`."""


@runtime_checkable
class Declares(Protocol):
    """Reads the expected configuration from Terraform plans and states (`driftline baseline declare`)."""

    def declared(
        self, path: Path, workspace: str, ignored: Sequence[str], now: datetime, *, claims: bool, sets: Sequence[str], partition: str,
    ) -> DeclaredResources:  # fmt: skip
        """Reads one file. Raises UserError if it is neither a plan nor a state."""
