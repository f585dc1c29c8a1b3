"""Sweeps of AWS: an organization's accounts, or those that are named."""

import contextlib
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from driftline.collectors.aws.api.client import Account, enabled_regions
from driftline.collectors.aws.api.errors import ERRORS
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.sweep.options import CollectOptions, chosen
from driftline.collectors.aws.sweep.walk import PROVIDER, AwsWalk
from driftline.collectors.base import Emit, PreviousSweep, Progress
from driftline.collectors.sweep import departed
from driftline.collectors.sweep.engine import SweepRun, in_shard
from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.model import Sweep


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
    way = AwsWalk(options, rows, organization, progress)
    run = SweepRun(way, known, now, progress, stop, options.concurrency)
    at, listed = now(), organization.listed() if "all" in options.accounts else {}
    accounts = _accounts(options, organization, listed)
    mine = [a for a in departed.known_accounts(PROVIDER, known) if in_shard(a, options.shard)]
    for gone in departed.accounts(PROVIDER, known, listed, way.organization_id, mine, at):
        emit(gone)
    return run.headers(accounts, emit, idle)


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
    return [
        account
        for account in dict.fromkeys(wanted)
        if in_shard(account, options.shard) and account not in options.excluded
    ]
