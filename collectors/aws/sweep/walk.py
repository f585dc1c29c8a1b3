"""How an account of AWS is walked in a sweep: its role, its regions, and in each every row."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftline.collectors.aws.api.client import Account, enabled_regions
from driftline.collectors.aws.api.errors import ERRORS, trouble
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.sweep.accounts import Accounts
from driftline.collectors.aws.sweep.accounts import accounts as accounts_known
from driftline.collectors.aws.sweep.options import CollectOptions
from driftline.collectors.aws.sweep.read import (
    CallCache,
    ScopeContext,
    items,
    resource,
)
from driftline.collectors.base import Progress, SweepStopped, Vanished
from driftline.collectors.rows.build import GLOBAL
from driftline.collectors.sweep import departed
from driftline.collectors.sweep.engine import ScopeFailure, SweepRun
from driftline.pipeline.model import CloudAccount, Snapshot

PROVIDER = "aws"
SOMEWHERE = "*"
"""The region of a denied sweep where not even the account's regions could be asked."""
Started = Sequence[Future[None] | None]


@dataclass(frozen=True)
class RowSource:
    """A row's resources in one region of an account."""

    kind: Kind
    context: ScopeContext

    @property
    def doing(self) -> str:
        return self.kind.listing.operation

    def items(self) -> Iterator[tuple[dict[str, Any], datetime]]:
        return items(self.kind, self.context)

    def resource(self, item: dict[str, Any], at: datetime) -> Snapshot | Vanished:
        return resource(self.kind, self.context, item, at)


class AwsWalk:
    """The accounts of one sweep."""

    provider = PROVIDER
    errors = ERRORS

    def __init__(
        self, options: CollectOptions, rows: Sequence[Kind], organization: Organization, progress: Progress
    ) -> None:  # fmt: skip
        self.options, self.rows, self._organization = options, rows, organization
        self._accounts: Accounts = accounts_known(organization)
        every = "all" in options.accounts
        if self._accounts.missing and every:
            progress(f"names of accounts and organizational units are not read: {self._accounts.missing}")  # fmt: skip
        self.organization_id = self._accounts.organization if every else None
        self._only = [region for region in options.regions if region != "all"]

    def failure(self, error: Exception) -> ScopeFailure:
        why = trouble(error)
        return ScopeFailure(why.hidden, why.code, why.message)

    def owner(self, account: str) -> CloudAccount:
        return self._accounts.of(account)

    def organization(self, account: str) -> str | None:
        return self.organization_id or self._accounts.named(account)

    def walk(self, run: SweepRun, account: str) -> None:
        try:
            entered = self._organization.enter(account, self.options.role_name)
        except ERRORS as error:
            run.progress(f"{account}: cannot be entered: {trouble(error).code}")
            for kind in self.rows:
                nowhere = GLOBAL if kind.scope == "global" else SOMEWHERE
                for region in self._known_regions(run, account, kind) or [nowhere]:
                    run.unseen(account, kind, region, error)
            run.tally.entered()
            return
        self._entered(run, entered)

    def _entered(self, run: SweepRun, account: Account) -> None:
        once = CallCache()
        if not self.options.types:
            for gone in departed.types(PROVIDER, run.known, account.id, kinds(), run.now()):
                run.put(gone)
        # what is global lists whole accounts: first, beside everything else
        global_rows = [kind for kind in self.rows if kind.scope == "global"]
        run.tally.more(len(global_rows))
        global_started = self._start(run, account, global_rows, GLOBAL, once)
        regional = [kind for kind in self.rows if kind.scope == "regional"]
        before: tuple[str, Started] = ("", [])
        regions = self._regions(run, account, regional)
        run.tally.more(len(regional) * len(regions))
        run.tally.entered()
        for region in regions:
            started = self._start(run, account, regional, region, once)
            self._wait(run, account, *before)
            before = (region, started)
        self._wait(run, account, *before)
        self._wait(run, account, GLOBAL, global_started)

    def _start(
        self, run: SweepRun, account: Account, rows: Sequence[Kind], region: str, once: CallCache
    ) -> Started:
        context = ScopeContext(
            account, self.owner(account.id), self._organization.home if region == GLOBAL else region, region, run.id,
            self.options.redactor, once, run.now,
        )  # fmt: skip
        return [run.start(account.id, kind, region, RowSource(kind, context)) for kind in rows]

    def _wait(self, run: SweepRun, account: Account, region: str, started: Started) -> None:
        run.wait(started)
        if region != GLOBAL:
            account.release(region)

    def _regions(self, run: SweepRun, account: Account, regional: Sequence[Kind]) -> list[str]:
        if self._only or not regional:
            return self._only
        at = run.now()
        try:
            enabled = enabled_regions(account, self._organization.region)
            for gone in departed.regions(PROVIDER, run.known, account.id, enabled, at):
                run.put(gone)
            return enabled
        except SweepStopped:
            return []
        except ERRORS as error:
            for kind in regional:
                for region in self._known_regions(run, account.id, kind) or [SOMEWHERE]:
                    run.unseen(account.id, kind, region, error)
            return []

    def _known_regions(self, run: SweepRun, account: str, kind: Kind) -> list[str]:
        return sorted(
            region
            for region in run.known_regions(account, kind)
            if region != SOMEWHERE and (region == GLOBAL or not self._only or region in self._only)
        )
