"""What a collector's module provides. An entry point of the group `driftline.collectors` names it; the entry point's name is the
provider's, as records have it.

`CollectorModule` is needed. The other protocols are capabilities: a module that has the functions has the capability, and every
command (`scan`, `collect`, `permissions`, `doctor`, `baseline`, `replay`, `kinds`) asks for capabilities, never for a provider.
Every command, at its end, asks a module's `explained(error: BaseException) -> Problem | None`, if it has one, what to tell the
user of an error of its client library; it imports nothing, for what was not imported raises nothing."""

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
    """What a command gives a collector."""

    settings: "Settings"
    """Of the deployment; the module's own block is `settings.collector(provider)`."""
    options: Mapping[str, Any]
    """The values of the module's own options of the command, by name; None where one is not given."""
    redactor: "Redactor"


@dataclass(frozen=True)
class SweepRequest:
    """What to sweep, and where it goes."""

    emit: Emit
    """Is called from one thread only, a scope's header last."""
    types: Sequence[str] = ()
    """Of the module's kinds; empty: all."""
    shard: tuple[int, int] = (0, 1)
    """Which accounts, of how many shares: (index from 0, count)."""
    once: bool = False
    """Nothing comes after it (`scan`): no limit of our own need spread it over time."""
    known: Mapping[str, PreviousSweep] = field(default_factory=dict)
    """What earlier sweeps recorded, by scope."""
    progress: Progress = lambda _: None
    idle: Callable[[], None] = lambda: None
    """Is called every tenth of a second while there is nothing to emit."""
    now: Callable[[], datetime] = _now


class CollectorModule(Protocol):
    """What every collector's module has."""

    provider: str
    title: str
    """The provider's name as people write it."""
    Settings: type[CollectorSettings]
    """Its block of the settings."""

    def kinds(self) -> Mapping[str, TypeRow]:
        """Its rows by type. Raises UserError with every mistake in its tables."""


NEEDED = ("provider", "title", "Settings", "kinds")


@runtime_checkable
class Sweeper(Protocol):
    """Reads configurations (`scan PROVIDER`, `collect PROVIDER`)."""

    scan_options: "Sequence[click.Option]"
    """Beside those that every scan has."""
    sweep_options: "Sequence[click.Option]"
    """Beside those that every `collect` has."""
    no_account: str
    """Why a sweep may have had nothing to read, and what to look at."""
    faster: str
    """What to change where a sweep takes too long: `raise aws.requests_per_second`."""

    def sweep(self, context: CollectorContext, request: SweepRequest) -> list[Sweep]:
        """One sweep; its headers, by scope. Raises UserError for settings and credentials that cannot work at all."""


class ResourceSource(Protocol):
    """Reads single resources and scopes when the stream asks. Its methods may be called side by side."""

    stop: threading.Event
    """Set when the process ends: calls that wait end at once."""

    def one(self, wish: Read) -> Snapshot | None:
        """The resource as it is now; a deletion where the provider knows it no more; what is denied as unread. None where
        no row reads its type. Raises for what may pass: it is to be tried again."""

    def scope(self, wish: Read, known: dict[str, PreviousSweep], emit: Emit) -> None:
        """A whole scope, as a sweep of its own. Raises what a sweep raises."""

    def code(self, error: Exception) -> str | None:
        """The code of an error that the provider's calls may raise; None for any other: a fault of our own."""


@runtime_checkable
class Rereader(Protocol):
    """Reads again what has changed (`collect PROVIDER reads`)."""

    read_options: "Sequence[click.Option]"

    def source(self, context: CollectorContext) -> ResourceSource:
        """Raises UserError where there are no usable credentials."""


class ExtraSource(NamedTuple):
    """Events that come only where somebody asks the provider for them."""

    source: str
    """The source that they come by."""
    text: str
    """What they are."""
    step: str
    """What to do so that they come."""


@runtime_checkable
class Listens(Protocol):
    """Hears of changes (`collect PROVIDER events`). Which sources are configured its block of the settings says (`events.sources`)."""

    provider: str
    title: str
    event_options: "Sequence[click.Option]"
    no_source: tuple[str, str]
    """The next step where no source is configured, and the setting."""
    guide: str
    """What helps to configure a source, and the setting: `deploy/aws/README.md, then aws.events.queues`."""
    more_readers: str
    """What to change where one reader is too slow; empty: start more of them."""
    extra_sources: "Mapping[str, ExtraSource]"
    """What detections may ask for beside changes (`driftline: {sources: […]}`)."""

    def listen(self, context: CollectorContext, stop: threading.Event, *, once: bool) -> None:
        """Reads the sources until `stop` is set, or (once) until they are empty. Raises NotThere where a system does not answer."""


@dataclass(frozen=True)
class FileOutcome:
    """What one file of past events came to."""

    events: int
    changes: int
    bad: int
    """Records that were not understood."""


@runtime_checkable
class Backfills(Protocol):
    """Can read events that lie in files of the cloud already (`collect PROVIDER events --backfill`)."""

    backfill_place: str
    """The form of such a place, for people: `s3://BUCKET/PREFIX`."""

    def backfill(
        self, context: CollectorContext, where: str, since: datetime | None, until: datetime | None,
        done: Callable[[FileOutcome], None],
    ) -> None:  # fmt: skip
        """All files of a place and a time range; `done` is called after each. Raises UserError where it cannot be read."""


@runtime_checkable
class ExaminedProvider(Protocol):
    """Has checks of its own in `driftline doctor`; its provider is an area there."""

    def doctor(self, settings: Any, seconds: float) -> "list[Check]":
        """`settings`: its block; `seconds`: how long one call may take. The first check is the one that the others need."""


@runtime_checkable
class PermittedProvider(Protocol):
    """Can say what the provider must allow (`driftline permissions PROVIDER`)."""

    permission_options: "Sequence[click.Option]"

    def permissions(
        self, settings: Any, types: Sequence[str], options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The least that it must allow, as JSON, for reading these types (empty: all). `settings`: its block. The docstring is the
        command's help."""


@runtime_checkable
class Documented(Protocol):
    """Writes what is generated of it (`make docs`), where it comes with Driftline."""

    provider: str

    def shapes(self) -> Mapping[str, Any]:
        """The types file: type to its parts' shapes, hints and permissions."""

    def pages(self) -> Iterator[tuple[str, str]]:
        """Pages of docs/, as path and text."""

    def deployed(self) -> Iterator[tuple[str, str]]:
        """Files of deploy/, as path and text."""


@runtime_checkable
class ChecksRows(Protocol):
    """Can hold a row against a model of the provider's services (`driftline kinds check`)."""

    def kinds(self) -> Mapping[str, TypeRow]: ...

    def row_problems(self, row: Any) -> Iterator[str]:
        """What is wrong with one of its rows, a line each: `TYPE PLACE: what`."""


@runtime_checkable
class ProposesRows(Protocol):
    """Can propose the row of a type (`driftline kinds new`), in a checkout of its own source."""

    def propose_row(self, type: str, service: str | None, listing: str | None) -> list[str]:
        """Writes it; lines that say what was written, and what to do next. Raises UserError."""


@runtime_checkable
class KnowsCalls(Protocol):
    """Knows the calls that the provider's audit log records (`driftline detections`)."""

    def calls(self) -> Any:
        """As driftline.pipeline.proof.detections.events.KnownCalls, and what `detections new` asks."""


@runtime_checkable
class Declares(Protocol):
    """Reads from Terraform's plans and states what resources ought to be (`driftline baseline declare`)."""

    def declared(
        self, path: Path, workspace: str, ignored: Sequence[str], now: datetime, *, claims: bool, sets: Sequence[str], partition: str,
    ) -> DeclaredResources:  # fmt: skip
        """Of one file. Raises UserError where it is neither a plan nor a state."""
