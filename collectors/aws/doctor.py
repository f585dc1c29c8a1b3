"""What `driftline doctor` asks of AWS: who the caller is, whether its roles may be taken, what may be listed.

Reads only, and one page of each list."""

from collections.abc import Iterator, Sequence

from driftline.collectors.aws import queue_policy
from driftline.collectors.aws.api.client import Account
from driftline.collectors.aws.api.errors import ERRORS, trouble
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.api.partitions import home
from driftline.collectors.aws.permissions import listing_action
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.settings import AwsSettings
from driftline.collectors.aws.sweep.accounts import accounts as accounts_of
from driftline.collectors.rows.paths import value
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.ops.checks import Line, side_by_side, worst

ROLES = 25
"""Accounts whose role is tried; an organization may have thousands."""
AT_ONCE = 8


def connected(own: AwsSettings) -> Organization:
    """The caller. Raises UserError where there are no usable credentials."""
    return Organization(None, None, own.external_id, own.requests_per_second, AT_ONCE)


def caller(own: AwsSettings) -> Iterator[Line]:
    """Who the credentials are."""
    organization = connected(own)
    where = f"region {organization.region}"
    yield Line("AWS credentials", "ok", f"{organization.caller}, {where}")


def queues(own: AwsSettings) -> Iterator[Line]:
    """Who can write to the queues of change events."""
    yield from queue_policy.queues(connected(own), own.events.queues)


def roles(own: AwsSettings, seconds: float) -> Iterator[Line]:
    """Whether the role may be taken in the accounts that are to be read."""
    what, organization = "AWS accounts", connected(own)
    accounts = wanted(own, organization)
    others = [account for account in accounts if account != organization.account]
    if "all" in own.accounts:
        yield _names(organization)
    if not others:
        yield Line(what, "ok", f"only the caller's own, {organization.account}, is read")
        return
    tried = others[:ROLES]

    def take(account: str) -> None:
        organization.enter(account, own.role_name)

    answers = side_by_side(tried, take, seconds)
    failed = [(account, error) for account, error in answers if error is not None]
    for account, error in failed:
        yield _denied(
            f"AWS account {account}", f"role {own.role_name}", error,
            f"make the role there; its trust: driftline permissions aws --trust {organization.account}",
        )  # fmt: skip
    text = f"role {own.role_name} taken in {len(tried) - len(failed)} of {len(tried)} accounts tried, of {len(others)}"
    yield Line(
        what, "ok" if not failed else "fail", text, "see the accounts above" if failed else ""
    )


def _names(organization: Organization) -> Line:
    """Whether accounts and organizational units are known by name."""
    what, found = "AWS account names", accounts_of(organization)
    if found.missing:
        return Line(
            what, "warn", f"accounts' and organizational units' names are not all read: {found.missing}",
            "allow it: driftline permissions aws --accounts all",
        )  # fmt: skip
    above = {one.id for account in found.known.values() for one in account.ancestors}
    return Line(
        what,
        "ok",
        f"{number_of(len(found.known), 'account')}, {number_of(max(len(above) - 1, 0), 'organizational unit')} above them",
    )


def permissions(
    own: AwsSettings, seconds: float, rows: Sequence[Kind] | None = None
) -> Iterator[Line]:
    """One list call a type, in the caller's account and in the first other one whose role may be taken."""
    organization, rows = connected(own), list(kinds().values()) if rows is None else rows
    region = next((r for r in own.regions if r != "all"), organization.region)
    accounts = wanted(own, organization)
    for account in [a for a in accounts if a == organization.account]:
        entered = organization.enter(account, own.role_name)
        yield from _listed(entered, region, rows, seconds)
    for account in [a for a in accounts if a != organization.account][:ROLES]:
        try:
            entered = organization.enter(account, own.role_name)
        except ERRORS:
            continue  # the check of the accounts tells of it
        yield from _listed(entered, region, rows, seconds)
        return


def wanted(own: AwsSettings, organization: Organization) -> list[str]:
    """The accounts that a sweep would read. Raises UserError where the organization may not be listed."""
    named = own.accounts or [organization.account]
    return organization.accounts() if "all" in named else named


def _listed(account: Account, region: str, rows: Sequence[Kind], seconds: float) -> Iterator[Line]:
    good, told = 0, list[Line]()

    def ask(kind: Kind) -> None:
        at = region
        if kind.scope == "global":
            at = home(account.partition)
        holes = {"item": {}, "account": account.id, "partition": account.partition, "region": at}
        call = kind.listing.under or kind.listing
        params = {name: value(path, holes) for name, path in call.params.items()}
        service = call.service or kind.service
        try:
            next(iter(account.pages(service, at, call.operation, params)), None)
        except ERRORS as error:
            if trouble(error, kind.listing.absent).reason not in ("absent", "gone"):
                raise  # not in use, or not offered there, is an answer

    for kind, answer in side_by_side(rows, ask, seconds):
        if answer is None:
            good += 1
            continue
        told.append(_denied(
            f"{kind.type} in {account.id}", listing_action(kind), answer,
            f"allow it: driftline permissions aws --type {kind.type}",
        ))  # fmt: skip
    yield from told
    yield Line(
        f"AWS permissions in {account.id}", worst(told),
        f"{good} of {len(rows)} types may be listed in {region} (the calls for each resource's details are not tried)",
        "" if good == len(rows) else "see the types above; the whole policy: driftline permissions aws",
    )  # fmt: skip


def _denied(what: str, doing: str, error: Exception, step: str) -> Line:
    if isinstance(error, TimeoutError):
        longer = "try again with a longer --timeout"
        return Line(
            what, "unknown", f"{doing}: no answer in time", longer, ("no answer in time", longer)
        )
    if not isinstance(error, ERRORS):
        raise error  # our own fault
    why = trouble(error)
    if why.reason == "denied":
        alike = (f"denied ({why.code})", "allow them: driftline permissions aws")
        return Line(what, "fail", f"{doing} is denied ({why.code})", step, alike)
    later = "try again; look at AWS's own health page"
    told = f"{why.code}: {why.message}"
    return Line(what, "unknown", f"{doing}: {told}", later, (told, later))
