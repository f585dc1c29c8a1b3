"""The accounts of an organization with what stands above them: names of accounts and organizational units.

From Organizations, as far as the caller may ask; walked once a run from the root down, two calls an organizational unit."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from driftline.collectors.aws.api.errors import ERRORS, trouble
from driftline.collectors.aws.api.organization import Organization
from driftline.pipeline.model import Ancestor, CloudAccount


@dataclass
class Accounts:
    """What is known of the organization."""

    caller: str
    """The caller's account: it is in the organization, whatever else may be asked."""
    organization: str | None = None
    whole: bool = False
    """Every account of the organization is in `known`."""
    known: dict[str, CloudAccount] = field(default_factory=dict)
    missing: str = ""
    """Why names and units are not known: the call, and the error's code."""

    def named(self, account: str) -> str | None:
        """The organization whose list names another account than the caller's: who sweeps its own account goes on with
        that when it leaves."""
        return self.organization if account in self.known and account != self.caller else None

    def of(self, account: str) -> CloudAccount:
        """An account as far as it is known; one that the organization does not have stands alone."""
        if found := self.known.get(account):
            return found
        mine = self.organization and not self.whole and account == self.caller
        above = [Ancestor(kind="organization", id=str(self.organization))] if mine else []
        return CloudAccount(kind="account", id=account, ancestors=above)


_last: dict[str, Accounts] = {}
"""By the caller's account: what was known last, where AWS only does not answer now. Names that come and go would make
every resource look changed."""


def accounts(organization: Organization) -> Accounts:
    """Asks Organizations. What may not be asked is missing, and no error."""
    try:
        out = Accounts(organization.account, organization.describe())
    except ERRORS as error:
        return _kept(Accounts(organization.account), error)
    above = [Ancestor(kind="organization", id=str(out.organization))]
    try:
        for root in organization.list("ListRoots", "Roots"):
            _walk(organization, out, root["Id"], above)
    except ERRORS as error:
        out = _kept(out, error)
        if not out.whole:
            with contextlib.suppress(*ERRORS):
                _take(out, organization.list("ListAccounts", "Accounts"), above)
                out.whole = True
        return out
    out.whole = True
    _last[organization.account] = out
    return out


def _walk(organization: Organization, out: Accounts, parent: str, above: list[Ancestor]) -> None:
    _take(out, organization.list("ListAccountsForParent", "Accounts", ParentId=parent), above)
    for unit in organization.list("ListOrganizationalUnitsForParent", "OrganizationalUnits", ParentId=parent):  # fmt: skip
        here = Ancestor(kind="organizational_unit", id=unit["Id"], name=str(unit.get("Name") or ""))
        _walk(organization, out, unit["Id"], [here, *above])


def _take(out: Accounts, listed: Iterator[dict[str, Any]], above: list[Ancestor]) -> None:
    for one in listed:
        out.known[one["Id"]] = CloudAccount(
            kind="account", id=one["Id"], name=str(one.get("Name") or ""), ancestors=above
        )


def _kept(found: Accounts, error: Exception) -> Accounts:
    """What is known where a call failed: what was known last, if AWS only does not answer now."""
    why = trouble(error)
    if why.reason == "denied":
        name = getattr(error, "operation_name", "DescribeOrganization")
        return Accounts(
            found.caller, found.organization, missing=f"organizations:{name} ({why.code})"
        )
    passing = why.reason == "throttled" or not isinstance(error, ClientError)
    known = _last.get(found.caller) if passing else None
    return known or Accounts(found.caller, found.organization)
