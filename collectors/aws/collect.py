"""Sweeps: organization, accounts, enabled regions, types; side by side within bounds."""

import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from collectors.aws.client import Account, Organization, enabled_regions, trouble
from collectors.aws.read import Context, Once, items, resource
from collectors.base import Emit, Emitted, Known, Reading
from collectors.redact import Redactor
from collectors.table import Kind, kinds
from pipeline.errors import UserError
from pipeline.model import Scope, Snapshot, Sweep
from pipeline.rulebook.source import nearest

GLOBAL = "global"
HOME = "us-east-1"
Progress = Callable[[str], None]
ERRORS = (ClientError, BotoCoreError)


@dataclass
class Options:
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
    requests_per_second: float = 20
    concurrency: int = 16
    shard: tuple[int, int] = (0, 1)
    redactor: Redactor = field(default_factory=lambda: Redactor(uuid.uuid4().bytes))


def chosen(types: Sequence[str]) -> list[Kind]:
    """The rows of these types, or all. Raises UserError for an unknown one."""
    table = kinds()
    unknown = [t for t in types if t not in table]
    if unknown:
        raise UserError(*(f"--type {t}: no such type{nearest(t, table)}" for t in unknown))
    return [table[t] for t in types] if types else list(table.values())


def sweep(
    options: Options,
    known: Mapping[str, Known],
    emit: Emit,
    progress: Progress = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Sweep]:
    """One sweep of everything asked for. `emit` is called from this thread only, a scope's header last.

    Returns the headers. Raises UserError for settings and credentials that cannot work at all."""
    rows = chosen(options.types)
    organization = Organization(
        options.profile, options.role_arn, options.external_id, options.requests_per_second, options.concurrency
    )
    accounts = _accounts(options, organization)
    run = _Run(options, rows, organization, known, now, progress)
    headers: list[Sweep] = []
    for record in run.records(accounts):
        emit(record)
        if isinstance(record, Sweep):
            headers.append(record)
    return sorted(headers, key=lambda header: header.scope.key)


def _accounts(options: Options, organization: Organization) -> list[str]:
    wanted = list(options.accounts) or [organization.account]
    if "all" in wanted:
        wanted = organization.accounts()
    index, count = options.shard
    return [account for account in wanted if int(account) % count == index]


class _Run:
    """One sweep's threads. Scopes wait for their own resources only, so the two pools cannot block each other."""

    def __init__(
        self, options: Options, rows: Sequence[Kind], organization: Organization,
        known: Mapping[str, Known], now: Callable[[], datetime], progress: Progress,
    ) -> None:  # fmt: skip
        self.options, self.rows, self.organization, self.known = options, rows, organization, known
        self.now, self.progress = now, progress
        self.id = str(uuid.uuid4())
        self.organization_id = organization.organization_id() if "all" in options.accounts else None
        self._out: queue.Queue[Emitted | BaseException | None] = queue.Queue(2000)
        self._stop = threading.Event()

    def records(self, accounts: Sequence[str]) -> Iterator[Emitted]:
        thread = threading.Thread(target=self._all, args=(accounts,), daemon=True)
        thread.start()
        try:
            while (record := self._out.get()) is not None:
                if isinstance(record, BaseException):
                    raise record
                yield record
        finally:
            self._stop.set()
            while thread.is_alive():
                try:
                    self._out.get(timeout=0.05)
                except queue.Empty:
                    continue

    def _all(self, accounts: Sequence[str]) -> None:
        width = self.options.concurrency
        try:
            with ThreadPoolExecutor(width) as scopes, ThreadPoolExecutor(width) as resources:
                waiting = [scopes.submit(self._account, account) for account in accounts]
                work = [w for future in waiting for w in future.result()]
                # the longest first: global types list whole accounts
                work.sort(key=lambda w: w[1].scope != "global")
                done = [scopes.submit(self._scope, *w, resources) for w in work]
                for future in done:
                    future.result()
            self._out.put(None)
        except BaseException as error:  # handed to the caller's thread, which raises it
            self._out.put(error)

    def _account(self, account: str) -> list[tuple[Account, Kind, str, Once]]:
        """What to read in an account; nothing, after saying so, where it cannot be entered."""
        try:
            entered = self.organization.enter(account, self.options.role_name)
        except ERRORS as error:
            why = trouble(error)
            self.progress(f"{account}: {why.code}")
            for kind in self.rows:
                for region in self._known_regions(account, kind) or [GLOBAL if kind.scope == "global" else "*"]:
                    self._unseen(account, kind, region, error)
            return []
        once = Once()
        out = [(entered, kind, GLOBAL, once) for kind in self.rows if kind.scope == "global"]
        regional = [kind for kind in self.rows if kind.scope == "regional"]
        if not regional:
            return out
        wanted = [region for region in self.options.regions if region != "all"]
        try:
            regions = wanted or enabled_regions(entered, self.organization.region)
        except ERRORS as error:
            for kind in regional:
                for region in self._known_regions(account, kind) or ["*"]:
                    self._unseen(account, kind, region, error)
            return out
        return out + [(entered, kind, region, once) for kind in regional for region in regions]

    def _known_regions(self, account: str, kind: Kind) -> list[str]:
        found = (key.split("/", 3) for key in self.known)
        return [region for provider, a, region, t in found if provider == "aws" and a == account and t == kind.type]

    def _reading(self, account: str, kind: Kind, region: str) -> Reading:
        scope = Scope(provider="aws", account=account, region=region, type=kind.type)
        return Reading(scope, self.id, self.now(), self.known.get(scope.key, Known()))

    def _unseen(self, account: str, kind: Kind, region: str, error: Exception) -> None:
        reading = self._reading(account, kind, region)
        self._failed(reading, "enter the account", error)
        self._end(reading)

    def _failed(self, reading: Reading, doing: str, error: Exception) -> None:
        why = trouble(error)
        reason = "failed" if why.reason in ("absent", "gone") else why.reason
        reading.failed(reason, why.code, f"{doing}: {why.code}: {why.message}")

    def _scope(self, account: Account, kind: Kind, region: str, once: Once, pool: ThreadPoolExecutor) -> None:
        reading = self._reading(account.id, kind, region)
        home = HOME if region == GLOBAL and account.partition == "aws" else self.organization.region
        context = Context(
            account, self.organization_id, home if region == GLOBAL else region, region, self.id,
            self.options.redactor, once, self.now,
        )  # fmt: skip
        under_way: list[Future[Snapshot | None]] = []
        try:
            for item, at in items(kind, context):
                under_way.append(pool.submit(resource, kind, context, item, at))
                if len(under_way) >= 200:  # memory stays flat however many there are
                    self._collect(reading, under_way)
                if self._stop.is_set():
                    return
        except ERRORS as error:
            self._failed(reading, kind.list.operation, error)
        self._collect(reading, under_way)
        self.progress(f"{account.id} {region} {kind.type}: {len(reading.read)}")
        self._end(reading)

    def _collect(self, reading: Reading, under_way: list[Future[Snapshot | None]]) -> None:
        for future in under_way:
            snapshot = future.result()
            if snapshot is not None:
                reading.saw(snapshot)
                self._put(snapshot)
        under_way.clear()

    def _end(self, reading: Reading) -> None:
        for record in reading.end(self.now()):
            self._put(record)

    def _put(self, record: Emitted) -> None:
        while not self._stop.is_set():
            try:
                return self._out.put(record, timeout=0.2)
            except queue.Full:
                continue
