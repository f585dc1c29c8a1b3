"""The threads of a sweep: accounts wait for their scopes, scopes for their resources. Each has a separate pool, so that they
cannot block each other, and everything is emitted in the caller's thread."""

import queue
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from driftline.collectors.base import (
    Emitted,
    PreviousSweep,
    Progress,
    ScopeSweep,
    ServiceNotOffered,
    SweepStopped,
    Vanished,
)
from driftline.collectors.rows.row import TypeRow
from driftline.collectors.sweep.tally import SweepProgress
from driftline.pipeline.model import CloudAccount, Scope, Snapshot, Sweep, UnreadReason

AT_ONCE = 8
"""Accounts processed concurrently; their clients take most of the memory."""
UNDER_WAY = 200
"""Resources of a scope read ahead of their results, to limit memory."""
LAST_CALL = 40.0
"""Seconds given to threads at the end: at most the time-out of one call; others stop by themselves."""


class ScopeFailure(NamedTuple):
    """Why a scope could not be listed."""

    reason: UnreadReason
    code: str
    message: str


class ScopeSource(Protocol):
    """How one scope is read. Raises the walk's errors."""

    @property
    def doing(self) -> str:
        """The name of the listing operation, for messages."""

    def items(self) -> Iterator[tuple[Any, datetime]]:
        """The listed items, each with the time before its page was requested."""

    def resource(self, item: Any, at: datetime) -> Snapshot | Vanished:
        """Reads one resource completely. Called from several threads."""


class AccountWalk(Protocol):
    """The provider's part of a sweep."""

    provider: str

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The errors of its calls; any other error is a bug."""

    def walk(self, run: "SweepRun", account: str) -> None:
        """Starts every scope of an account (`run.start`), waits for them (`run.wait`), and reports those it could not enter
        (`run.unseen`). Called in a separate thread."""

    def failure(self, error: Exception) -> ScopeFailure: ...

    def owner(self, account: str) -> CloudAccount:
        """The account with its name and ancestors, as far as known."""

    def organization(self, account: str) -> str | None:
        """The organization whose list contained the account."""


@dataclass
class SweepRun:
    """One sweep."""

    way: AccountWalk
    known: Mapping[str, PreviousSweep]
    now: Callable[[], datetime]
    progress: Progress
    stop: threading.Event
    concurrency: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        self.tally = SweepProgress(0)
        self._out: queue.Queue[Emitted | BaseException | None] = queue.Queue(2000)
        self._scopes = ThreadPoolExecutor(self.concurrency, "scope")
        self._resources = ThreadPoolExecutor(self.concurrency, "resource")

    def records(self, accounts: Sequence[str], idle: Callable[[], None]) -> Iterator[Emitted]:
        """Emits all output of the sweep in the caller's thread. Always ends its threads."""
        self.tally = SweepProgress(len(accounts))
        thread = threading.Thread(target=self._all, args=(accounts,), daemon=True)
        thread.start()
        patience = 1.0  # an interrupt does not wait for a running call
        try:
            while True:
                try:
                    record = self._out.get(timeout=0.1)
                except queue.Empty:
                    idle()
                    continue
                if record is None:
                    patience = LAST_CALL
                    return
                if isinstance(record, BaseException):
                    raise record
                yield record
        finally:
            self.stop.set()
            for pool in (self._scopes, self._resources):
                pool.shutdown(wait=False, cancel_futures=True)
            thread.join(patience)

    def headers(
        self, accounts: Sequence[str], emit: Callable[[Emitted], None], idle: Callable[[], None]
    ) -> list[Sweep]:
        """Runs the sweep: emits everything, and returns the headers by scope."""
        headers: list[Sweep] = []
        for record in self.records(accounts, idle):
            emit(record)
            if isinstance(record, Sweep):
                headers.append(record)
        return sorted(headers, key=lambda header: header.scope.key)

    def start(self, account: str, row: TypeRow, region: str, source: ScopeSource) -> Future[None] | None:  # fmt: skip
        """Starts reading a scope; None if the sweep was cancelled."""
        if self.stop.is_set():
            return None
        return self._scopes.submit(self._scope, account, row, region, source)

    def wait(self, started: Sequence[Future[None] | None]) -> None:
        """Waits until these scopes are done. Raises only for bugs."""
        for future in started:
            if future is not None and not (future.cancelled() or self.stop.is_set()):
                future.result()

    def unseen(self, account: str, row: TypeRow, region: str, error: Exception) -> None:
        """Reports a scope that was not read because the account could not be entered."""
        reading = self._reading(account, row, region)
        self._failed(reading, "entering the account", error)
        self._end(reading)

    def known_regions(self, account: str, row: TypeRow) -> list[str]:
        """The regions in which the type was swept before."""
        found = (key.split("/", 3) for key in self.known)
        return [
            region
            for provider, a, region, type_ in found
            if (provider, a, type_) == (self.way.provider, account, row.type)
        ]

    def put(self, record: Emitted | BaseException | None) -> None:
        """Passes a record to the caller's thread."""
        while not self.stop.is_set():
            try:
                self._out.put(record, timeout=0.2)
            except queue.Full:
                continue
            return

    def _all(self, accounts: Sequence[str]) -> None:
        try:
            with ThreadPoolExecutor(min(AT_ONCE, self.concurrency), "account") as pool:
                for done in [pool.submit(self._account, account) for account in accounts]:
                    done.result()
            self.put(None)
        except BaseException as error:  # passed to the caller's thread, which raises it
            self.put(error)

    def _account(self, account: str) -> None:
        """Processes an account. If it cannot be entered, its sweeps report it."""
        try:
            self.way.walk(self, account)
        finally:
            self.tally.left()

    def _reading(self, account: str, row: TypeRow, region: str) -> ScopeSweep:
        scope = Scope(provider=self.way.provider, account=account, region=region, type=row.type)
        known = self.known.get(scope.key, PreviousSweep())
        return ScopeSweep(
            scope, self.id, self.now(), known, self.way.organization(account), self.way.owner(account), row.class_
        )  # fmt: skip

    def _failed(self, reading: ScopeSweep, doing: str, error: Exception) -> None:
        why = self.way.failure(error)
        reading.failed(why.reason, why.code, f"{doing}: {why.code}: {why.message}")

    def _scope(self, account: str, row: TypeRow, region: str, source: ScopeSource) -> None:
        reading = self._reading(account, row, region)
        under_way: list[Future[Snapshot | Vanished]] = []
        try:
            for item, at in source.items():
                under_way.append(self._resources.submit(source.resource, item, at))
                if len(under_way) >= UNDER_WAY:
                    self._collect(reading, under_way)
        except ServiceNotOffered as error:
            if reading.known.uids:  # it had resources, so report it
                self._failed(reading, source.doing, error)
            reading.answered = False
        except self.way.errors as error:
            self._failed(reading, source.doing, error)
        except (SweepStopped, RuntimeError) as error:
            if isinstance(error, SweepStopped) or self.stop.is_set():
                return  # the pool was shut down
            self._failed(reading, source.doing, error)
        try:
            self._collect(reading, under_way)
        except SweepStopped:
            return
        if self.stop.is_set():
            return
        self.progress(f"{self.tally.done()}: {account} {region} {row.type}: {len(reading.read)}")
        self._end(reading)

    def _collect(self, reading: ScopeSweep, under_way: list[Future[Snapshot | Vanished]]) -> None:
        for future in under_way:
            if self.stop.is_set():
                raise SweepStopped
            try:
                got = future.result()
            except (SweepStopped, KeyboardInterrupt):
                raise
            except (
                Exception
            ) as error:  # a row that does not match a response affects only its scope
                self._failed(reading, "reading a resource", error)
                continue
            read = got.left if isinstance(got, Vanished) else got
            if read is None:
                reading.missed(got.uid)
            else:
                self.put(reading.saw(read))
        under_way.clear()

    def _end(self, reading: ScopeSweep) -> None:
        for record in reading.end(self.now()):
            self.put(record)


def in_shard(account: str, shard: tuple[int, int]) -> bool:
    """Whether an account belongs to this collector: (index from 0, count)."""
    index, count = shard
    return zlib.crc32(account.encode()) % count == index
