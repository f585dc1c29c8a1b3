"""What is out of what is watched: accounts that left the organization, regions that were switched off, types that no row
reads any more. Each only by a list that was answered whole; who was not asked for in one run is not gone. Pure."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from driftline.collectors.base import PreviousSweep
from driftline.pipeline.model import Gone

NO_REGION = ("global", "*")
UNCLAIMED = timedelta(days=2)
"""Who swept an account is known since headers say whose list named it. Where none says so, somebody else may still sweep
the account, unless nobody has for so long: sweeps are at most twelve hours apart."""


def accounts(
    provider: str, known: Mapping[str, PreviousSweep], listed: Collection[str], organization: str | None, mine: Collection[str], at: datetime
) -> Iterator[Gone]:  # fmt: skip
    """Accounts that were swept and that the organization's list (of `at`), suspended ones with it, names no more. `mine`:
    the accounts among those known that this collector is about."""
    if not listed or organization is None:
        return
    for account in sorted(set(mine) - set(listed)):
        scopes = [one for (a, _, _), one in _scopes(provider, known) if a == account]
        others = [one for one in scopes if one.organization != organization]
        if any(one.organization for one in others) or (others and not _unclaimed(others, at)):
            continue  # somebody else sweeps it, or did so a moment ago
        if scopes:
            yield Gone(provider=provider, account=account, reason="account_gone", at=at)


def regions(
    provider: str,
    known: Mapping[str, PreviousSweep],
    account: str,
    enabled: Collection[str],
    at: datetime,
) -> Iterator[Gone]:
    """Regions of an account that were swept and that its list of enabled ones names no more."""
    if not enabled:
        return
    swept = {region for (a, region, _), _ in _scopes(provider, known) if a == account}
    for region in sorted(swept - set(enabled) - set(NO_REGION)):
        yield Gone(
            provider=provider, account=account, region=region, reason="region_disabled", at=at
        )


def types(
    provider: str,
    known: Mapping[str, PreviousSweep],
    account: str,
    table: Collection[str],
    at: datetime,
) -> Iterator[Gone]:
    """Types of an account that were swept and that this version reads no more, nor another one that still runs."""
    swept: dict[str, list[PreviousSweep]] = {}
    for (a, _, type_), one in _scopes(provider, known):
        if a == account and type_ not in table:
            swept.setdefault(type_, []).append(one)
    for type_ in sorted(type_ for type_, scopes in swept.items() if _unclaimed(scopes, at)):
        yield Gone(provider=provider, account=account, type=type_, reason="type_removed", at=at)


def _unclaimed(scopes: Collection[PreviousSweep], at: datetime) -> bool:
    """Whether nobody has swept any of them for so long that nobody will."""
    times = [time for one in scopes if (time := one.swept_at or one.completed_at)]
    return bool(times) and max(times) < at - UNCLAIMED


def known_accounts(provider: str, known: Mapping[str, PreviousSweep]) -> set[str]:
    """The accounts of a provider that were swept."""
    return {account for (account, _, _), _ in _scopes(provider, known)}


def _scopes(
    provider: str, known: Mapping[str, PreviousSweep]
) -> Iterator[tuple[tuple[str, str, str], PreviousSweep]]:
    """A provider's scopes: account, region and type, and what is known of each."""
    for key, one in known.items():
        steps = key.split("/", 3)
        if len(steps) == 4 and steps[0] == provider:
            yield (steps[1], steps[2], steps[3]), one
