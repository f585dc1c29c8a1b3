"""Sweeps: organization, accounts, enabled regions, types; side by side within bounds."""

import contextlib
import queue
import re
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from driftline.collectors.aws.api.client import Account, enabled_regions
from driftline.collectors.aws.api.errors import ERRORS, NotOffered, trouble
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.sweep import departed
from driftline.collectors.aws.sweep.accounts import accounts as accounts_known
from driftline.collectors.aws.sweep.read import (
    GLOBAL,
    CallCache,
    ScopeContext,
    Vanished,
    items,
    resource,
)
from driftline.collectors.aws.sweep.tally import SweepProgress
from driftline.collectors.base import (
    Emit,
    Emitted,
    PreviousSweep,
    Progress,
    ScopeSweep,
    SweepStopped,
)
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.common.yaml_source import hint
from driftline.pipeline.model import Scope, Snapshot, Sweep

SOMEWHERE = "*"
"""The region of a denied sweep where not even the account's regions could be asked."""
AT_ONCE = 8
"""Accounts under way side by side; their clients are what takes memory."""


@dataclass
class CollectOptions:
    """What to sweep, and how hard."""

    accounts: Sequence[str] = ()
    """Empty: the caller's; ("all",): the organization's."""
    regions: Sequence[str] = ()
    """Empty or ("all",): every enabled one."""
    types: Sequence[str] = ()
    profile: str | None = None
    role_arn: str | None = None
    role_name: str = "DriftlineReader"
    external_id: str | None = None
    requests_per_second: float | None = 20
    """Over all calls in one account, beside the limits of each service (driftline.collectors.aws.api.rates); None: only those."""
    concurrency: int = 16
    shard: tuple[int, int] = (0, 1)
    """Which of how many: accounts are shared out by a hash of their id."""
    redactor: Redactor = field(default_factory=lambda: Redactor(uuid.uuid4().bytes))


def chosen(types: Sequence[str]) -> list[Kind]:
    """The rows of these types, or all. Raises UserError for an unknown one."""
    table = kinds()
    unknown = [t for t in types if t not in table]
    if unknown:
        raise UserError(
            *(Problem("no such type", fix=hint(t, table), place=f"--type {t}") for t in unknown)
        )
    return [table[t] for t in types] if types else list(table.values())


def in_shard(account: str, shard: tuple[int, int]) -> bool:
    """Whether an account belongs to this collector: (index from 0, count)."""
    index, count = shard
    return zlib.crc32(account.encode()) % count == index


def sweep(
    options: CollectOptions,
    known: Mapping[str, PreviousSweep],
    emit: Emit,
    progress: Progress = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    idle: Callable[[], None] = lambda: None,
) -> list[Sweep]:
    """One sweep of everything asked for. `emit` is called from this thread only, a scope's header last;
    `idle` every tenth of a second while there is nothing to emit.

    Returns the headers. Raises UserError for settings and credentials that cannot work at all."""
    rows, stop = chosen(options.types), threading.Event()
    wrong = [a for a in options.accounts if a != "all" and not re.fullmatch(r"\d{12}", a)]
    problems = [
        Problem("not an account id", fix="expected twelve digits, or all", place=f"--accounts {a}")
        for a in wrong
    ]
    problems += [
        Problem(
            "no region's name", fix="write for example eu-west-1, or all", place=f"--regions {r}"
        )
        for r in options.regions
        if r != "all" and not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d+", r)
    ]
    if problems:
        raise UserError(*problems)
    organization = Organization(
        options.profile,
        options.role_arn,
        options.external_id,
        options.requests_per_second,
        options.concurrency,
        stop,
    )
    run = _SweepRun(options, rows, organization, known, now, progress, stop)
    headers: list[Sweep] = []
    at, listed = now(), organization.listed() if "all" in options.accounts else {}
    accounts = _accounts(options, organization, listed)
    mine = [a for a in departed.known_accounts(known) if in_shard(a, options.shard)]
    for gone in departed.accounts(known, listed, run.organization_id, mine, at):
        emit(gone)
    for record in run.records(accounts, idle):
        emit(record)
        if isinstance(record, Sweep):
            headers.append(record)
    return sorted(headers, key=lambda header: header.scope.key)


def accounts_of(options: CollectOptions, organization: Organization) -> list[Account]:
    """The accounts that may be entered; the others are left out. Raises UserError."""
    found = []
    listed = organization.listed() if "all" in options.accounts else {}
    for account in _accounts(options, organization, listed):
        with contextlib.suppress(*ERRORS):
            found.append(organization.enter(account, options.role_name))
    return found


def regions_of(options: CollectOptions, organization: Organization, account: Account) -> list[str]:
    """The regions of an account to look at. Raises ERRORS."""
    wanted = [region for region in options.regions if region != "all"]
    return wanted or enabled_regions(account, organization.region)


def _accounts(
    options: CollectOptions, organization: Organization, listed: Mapping[str, bool]
) -> list[str]:
    wanted = list(options.accounts) or [organization.account]
    if "all" in wanted:
        wanted = [account for account, active in listed.items() if active]
    return [account for account in dict.fromkeys(wanted) if in_shard(account, options.shard)]


class _SweepRun:
    """One sweep's threads: accounts wait for their scopes, scopes for their resources. Each has a pool of its
    own, so that they cannot block each other."""

    def __init__(
        self, options: CollectOptions, rows: Sequence[Kind], organization: Organization, known: Mapping[str, PreviousSweep],
        now: Callable[[], datetime], progress: Progress, stop: threading.Event,
    ) -> None:  # fmt: skip
        self.options, self.rows, self.organization, self.known = options, rows, organization, known
        self.now, self.progress = now, progress
        self.id = str(uuid.uuid4())
        self.accounts = accounts_known(organization)
        if self.accounts.missing and "all" in options.accounts:
            progress(f"names of accounts and organizational units are not read: {self.accounts.missing}")  # fmt: skip
        self.organization_id = self.accounts.organization if "all" in options.accounts else None
        self._out: queue.Queue[Emitted | BaseException | None] = queue.Queue(2000)
        self._stop = stop
        self._tally = SweepProgress(0)
        self._scopes = ThreadPoolExecutor(options.concurrency, "scope")
        self._resources = ThreadPoolExecutor(options.concurrency, "resource")

    def records(self, accounts: Sequence[str], idle: Callable[[], None]) -> Iterator[Emitted]:
        """Everything that the sweep says, in the caller's thread. Ends its threads however it ends."""
        self._tally = SweepProgress(len(accounts))
        thread = threading.Thread(target=self._all, args=(accounts,), daemon=True)
        thread.start()
        patience = 1.0  # who interrupts does not wait for a call that is under way
        try:
            while True:
                try:
                    record = self._out.get(timeout=0.1)
                except queue.Empty:
                    idle()
                    continue
                if record is None:
                    patience = 40  # at most one call's time-out; the others stop by themselves
                    return
                if isinstance(record, BaseException):
                    raise record
                yield record
        finally:
            self._stop.set()
            for pool in (self._scopes, self._resources):
                pool.shutdown(wait=False, cancel_futures=True)
            thread.join(patience)

    def _all(self, accounts: Sequence[str]) -> None:
        try:
            with ThreadPoolExecutor(min(AT_ONCE, self.options.concurrency), "account") as pool:
                for done in [pool.submit(self._account, account) for account in accounts]:
                    done.result()
            self._put(None)
        except BaseException as error:  # handed to the caller's thread, which raises it
            self._put(error)

    def _account(self, account: str) -> None:
        """One account, whole. Where it cannot be entered, its sweeps say so."""
        try:
            self._entered(account)
        finally:
            self._tally.left()

    def _entered(self, account: str) -> None:
        try:
            entered = self.organization.enter(account, self.options.role_name)
        except ERRORS as error:
            why = trouble(error)
            self.progress(f"{account}: cannot be entered: {why.code}")
            for kind in self.rows:
                for region in self._known_regions(account, kind) or [
                    GLOBAL if kind.scope == "global" else SOMEWHERE
                ]:
                    self._unseen(account, kind, region, error)
            self._tally.entered()
            return
        once = CallCache()
        if not self.options.types:
            for gone in departed.types(self.known, account, kinds(), self.now()):
                self._put(gone)
        # what is global lists whole accounts: first, beside everything else
        global_rows = [kind for kind in self.rows if kind.scope == "global"]
        self._tally.more(len(global_rows))
        global_started = self._start(entered, global_rows, GLOBAL, once)
        regional = [kind for kind in self.rows if kind.scope == "regional"]
        before: tuple[str, list[Future[None]]] = ("", [])
        regions = self._regions(entered, regional)
        self._tally.more(len(regional) * len(regions))
        self._tally.entered()
        for region in regions:
            started = self._start(entered, regional, region, once)
            self._await(entered, *before)
            before = (region, started)
        self._await(entered, *before)
        self._await(entered, GLOBAL, global_started)

    def _start(
        self, account: Account, rows: Sequence[Kind], region: str, once: CallCache
    ) -> list[Future[None]]:
        if self._stop.is_set():
            return []
        return [self._scopes.submit(self._scope, account, kind, region, once) for kind in rows]

    def _await(self, account: Account, region: str, started: Sequence[Future[None]]) -> None:
        for future in started:
            if not (future.cancelled() or self._stop.is_set()):
                future.result()
        if region != GLOBAL:
            account.release(region)

    def _regions(self, account: Account, regional: Sequence[Kind]) -> list[str]:
        wanted = [region for region in self.options.regions if region != "all"]
        if wanted or not regional:
            return wanted
        at = self.now()
        try:
            enabled = enabled_regions(account, self.organization.region)
            for gone in departed.regions(self.known, account.id, enabled, at):
                self._put(gone)
            return enabled
        except SweepStopped:
            return []
        except ERRORS as error:
            for kind in regional:
                for region in self._known_regions(account.id, kind) or [SOMEWHERE]:
                    self._unseen(account.id, kind, region, error)
            return []

    def _known_regions(self, account: str, kind: Kind) -> list[str]:
        found = (key.split("/", 3) for key in self.known)
        mine = (
            region
            for provider, a, region, type_ in found
            if (provider, a, type_) == ("aws", account, kind.type)
        )
        only = [region for region in self.options.regions if region != "all"]
        return sorted(
            region
            for region in mine
            if region != SOMEWHERE and (region == GLOBAL or not only or region in only)
        )

    def _reading(self, account: str, kind: Kind, region: str) -> ScopeSweep:
        scope = Scope(provider="aws", account=account, region=region, type=kind.type)
        known = self.known.get(scope.key, PreviousSweep())
        return ScopeSweep(
            scope, self.id, self.now(), known, self.organization_id or self.accounts.named(account),
            self.accounts.of(account), kind.class_,
        )  # fmt: skip

    def _unseen(self, account: str, kind: Kind, region: str, error: Exception) -> None:
        reading = self._reading(account, kind, region)
        self._failed(reading, "entering the account", error)
        self._end(reading)

    def _failed(self, reading: ScopeSweep, doing: str, error: Exception) -> None:
        why = trouble(error)
        reading.failed(why.hidden, why.code, f"{doing}: {why.code}: {why.message}")

    def _scope(self, account: Account, kind: Kind, region: str, once: CallCache) -> None:
        reading = self._reading(account.id, kind, region)
        home = self.organization.home
        context = ScopeContext(
            account, self.accounts.of(account.id), home if region == GLOBAL else region, region, self.id,
            self.options.redactor, once, self.now,
        )  # fmt: skip
        under_way: list[Future[Snapshot | Vanished]] = []
        try:
            for item, at in items(kind, context):
                under_way.append(self._resources.submit(resource, kind, context, item, at))
                if len(under_way) >= 200:  # memory stays flat however many there are
                    self._collect(reading, under_way)
        except NotOffered as error:
            if reading.known.uids:  # there was something, so it is
                self._failed(reading, kind.listing.operation, error)
            reading.answered = False
        except ERRORS as error:
            self._failed(reading, kind.listing.operation, error)
        except (SweepStopped, RuntimeError) as error:
            if (
                isinstance(error, SweepStopped) or self._stop.is_set()
            ):  # a pool that was shut down takes no more
                return
            self._failed(reading, kind.listing.operation, error)
        try:
            self._collect(reading, under_way)
        except SweepStopped:
            return
        if self._stop.is_set():
            return
        self.progress(
            f"{self._tally.done()}: {account.id} {region} {kind.type}: {len(reading.read)}"
        )
        self._end(reading)

    def _collect(self, reading: ScopeSweep, under_way: list[Future[Snapshot | Vanished]]) -> None:
        for future in under_way:
            if self._stop.is_set():
                raise SweepStopped
            try:
                got = future.result()
            except (SweepStopped, KeyboardInterrupt):
                raise
            except (
                Exception
            ) as error:  # a row that does not fit one answer spoils its own scope only, and says so
                self._failed(reading, "reading a resource", error)
                continue
            read = got.left if isinstance(got, Vanished) else got
            if read is None:
                reading.missed(got.uid)
            else:
                self._put(reading.saw(read))
        under_way.clear()

    def _end(self, reading: ScopeSweep) -> None:
        for record in reading.end(self.now()):
            self._put(record)

    def _put(self, record: Emitted | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                self._out.put(record, timeout=0.2)
            except queue.Full:
                continue
            return
