"""What a collector's module provides for files: configurations and audit events that somebody exported."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change, Snapshot

if TYPE_CHECKING:
    from driftline.collectors.redact import Places, Redactor


@dataclass
class FolderResult:
    """The result of reading files."""

    records: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)
    """Number of resources by type that are not mapped, or that no rule covers."""
    problems: list[str] = field(default_factory=list)


class OtherForm(Malformed):
    """A file that is not of the form that a reader knows."""


class FileReader(Protocol):
    """Reads a provider's files of configurations, those of one command."""

    def read(
        self,
        path: Path,
        emit: Callable[[Snapshot], None],
        told: FolderResult,
        known: set[str] | None,
    ) -> None:
        """Raises OtherForm where the file is not of the provider's form, before anything is emitted. `known`: the types
        that are wanted; None is all."""

    def end(self) -> Iterator[Snapshot]:
        """What several files say together."""


@runtime_checkable
class ReadsFiles(Protocol):
    """Reads files of configurations (`scan folder`, `collect folder`, `replay --snapshots`)."""

    def file_types(self) -> Collection[str]:
        """The types that are read from files."""

    def files(self, redactor: "Redactor") -> FileReader: ...


class LogReader(Protocol):
    """Reads a provider's files of audit events. Records are as the provider writes them."""

    def records(self, path: Path) -> Iterator[tuple[str, dict[str, Any] | Malformed]]:
        """The records of a file, each with its place. Raises Malformed where it is none, or cannot be read to its end."""

    def id_of(self, record: Mapping[str, Any]) -> bytes | None:
        """What is the same wherever the record lies; None for what is no event."""

    def time_of(self, record: Mapping[str, Any]) -> Any: ...

    def names_a_call(self, record: Mapping[str, Any]) -> bool: ...

    def credential(self, record: dict[str, Any]) -> str | None:
        """The credential that the event gave out, if it did."""

    def changes(self, record: dict[str, Any]) -> Iterable[Change]:
        """Raises Malformed."""


@runtime_checkable
class ReadsLogs(Protocol):
    """Reads files of audit events (`backtest --events`, `replay --events`)."""

    def logs(
        self, redactor: "Redactor", wanted: Callable[[Any], bool], seen: Iterable[tuple[str, str, str, Iterable[str]]]
    ) -> LogReader:  # fmt: skip
        """`wanted`: which events that change nothing are kept; `seen`: uids that were read, by type, account and region."""


@runtime_checkable
class KnowsPlaces(Protocol):
    """Knows where its events hold secrets."""

    provider: str

    def event_places(self) -> "Places": ...
