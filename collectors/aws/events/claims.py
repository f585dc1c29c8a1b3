"""Finds the rows of the table that claim a CloudTrail record, and the names that the record gives their resources. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from driftline.collectors.aws.events import names
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.rows.paths import value
from driftline.collectors.rows.row import Touch
from driftline.pipeline.providers.aws.identities import HIDDEN

Record = Mapping[str, Any]
LONGEST_NAME, MOST_NAMES = 256, 50
"""Limits for names of unresolved resources: characters of a name, and names of one event."""
_VERSION = re.compile(r"(?:_?20\d\d_?\d\d_?\d\d)(?:v\d+)?$")


class RowMatch(NamedTuple):
    """One row's claim on an event."""

    kind: Kind
    touch: Touch
    change: str


@cache
def claims() -> dict[tuple[str, str], list[RowMatch]]:
    """Returns the claims on each event, by source and name."""
    out: dict[tuple[str, str], list[RowMatch]] = {}
    for kind in kinds().values():
        for touch in kind.events:
            source = touch.source or SOURCES.get(kind.service, kind.service)
            for change, name in touch.names():
                out.setdefault((source, name), []).append(RowMatch(kind, touch, change))
    return out


def claimed(record: Record) -> Sequence[RowMatch]:
    """Returns the claims on a record."""
    source = str(record.get("eventSource") or "").partition(".")[0]
    return claims().get((source, bare(record["eventName"])), ())


SOURCES = {
    "cloudwatch": "monitoring", "elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing", "docdb": "rds",
    "neptune": "rds", "stepfunctions": "states", "efs": "elasticfilesystem", "opensearch": "es", "emr": "elasticmapreduce",
    "apigatewayv2": "apigateway", "wafv2": "wafv2", "s3control": "s3", "inspector2": "inspector2", "accessanalyzer": "access-analyzer",
    "account": "account", "events": "events", "macie2": "macie2",
}  # fmt: skip
"""The names that CloudTrail uses for services, if they differ from botocore's."""


def kind_of_call(record: Record) -> str | None:
    """Returns the kind of change that a call makes, for a call whose resource cannot be resolved (a user by a name that no
    sweep has seen, or an omitted request). Rows whose resource the call names take precedence.

    None if no row claims the call, if the call changes nothing (`use`), or if the rows disagree."""
    found = claimed(record)
    said = [one.change for one in found if one.touch.id is not None] or [
        one.change for one in found
    ]
    kinds = set(said)
    return said[0] if len(kinds) == 1 and kinds != {"use"} else None


def named(claim: RowMatch, record: Record) -> Iterator[list[str]]:
    """Yields the names that an event gives the resources of a claim, one list for each path."""
    if not about_caller(record):
        record = {key: said for key, said in record.items() if key != "userIdentity"}
    for path in claim.touch.paths:
        found = searched(path, record)
        yield [
            unquote(one)
            if one[:6].lower() == "arn%3a"
            else one  # percent-encoded as in the URL of the request
            for one in (found if isinstance(found, list) else [found])
            if isinstance(one, str) and one
        ]


def about_caller(record: Record) -> bool:
    """Returns whether a call that names no user is about its caller: only if an IAM user made it and it succeeded. The
    request of a denied call, or one omitted from the event, may have named any user; root is not an IAM user."""
    who, request = record.get("userIdentity"), record.get("requestParameters")
    left_out = isinstance(request, dict) and request.get("omitted") is True
    refused = record.get("errorCode") or record.get("errorMessage")
    return isinstance(who, dict) and who.get("type") == "IAMUser" and not (left_out or refused)


def names_unresolved(record: Record, resolved: Sequence[RowMatch]) -> list[str]:
    """Returns the names that an event gives resources whose uid cannot be resolved, except names that another claim
    (`resolved`) resolves."""
    left = [one for one in claimed(record) if not any(one is other for other in resolved)]
    if not left:
        return []
    said = {
        key: record.get(key) for key in ("requestParameters", "responseElements")
    }  # without the caller
    every = [name for one in left for name in next(filter(None, named(one, said)), [])]
    known = {name for one in resolved for found in named(one, said) for name in found}
    shown = {name[:LONGEST_NAME] for name in every if name not in known and HIDDEN not in name}
    return sorted(shown)[:MOST_NAMES]


def searched(path: str, record: Record) -> Any:
    """Evaluates a row's path on an event. None if the event does not have the documented form."""
    try:
        return value(path, record)
    except JMESPathError:
        return None


def where(claim: RowMatch, record: Record) -> names.CallSite:
    """Returns where the resources of a claim are, to complete what their names leave open."""
    region = str(record.get("awsRegion") or "")
    who = record.get("userIdentity")
    owner = searched(claim.touch.owner, record) if claim.touch.owner else None
    return names.CallSite(
        owner if isinstance(owner, str) and re.fullmatch(r"\d{12}", owner) else account(record), region,
        names.partition(region, who.get("arn") if isinstance(who, dict) else None),
    )  # fmt: skip


def owner(kind: Kind, uid: str, record: Record) -> str:
    """Returns the account that owns a resource: by its uid, else by the event's list of resources, else the recipient. A
    caller's copy of an event may be about a resource of another account."""
    told = names.spelled(kind, uid)
    if told and told.account:
        return told.account
    listed = record.get("resources")
    for one in listed if isinstance(listed, list) else ():
        if (
            isinstance(one, dict)
            and one.get("ARN") == uid
            and isinstance(one.get("accountId"), str)
        ):
            return str(one["accountId"])
    return account(record)


def bare(name: str) -> str:
    """Returns an event's name without the API version."""
    return _VERSION.sub("", name)


def account(record: Record) -> str:
    """Returns the account that received the event, which is the resource's."""
    who = record.get("userIdentity")
    own = who.get("accountId") if isinstance(who, dict) else None
    return str(record.get("recipientAccountId") or own or "")
