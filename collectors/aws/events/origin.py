"""Who can have written what arrives, and what of it can be verified. Pure.

- **EventBridge.** Whoever may put events on a bus chooses detail-type, detail and source, but only AWS can write a source
  `aws.<service>` (`aws.partner/…` belongs to a partner), and EventBridge sets the account. Both are checked.
- **A log file or a delivery of AWS Config.** Written by whoever may write below a prefix of the bucket. The key contains the
  account, and records of another account are rejected; `buckets` lists the only buckets that are read.
  An EventBridge event that names a file is only as trustworthy as the bucket: unless `buckets` is set, only files of the
  event's own account are read.
- **SNS, S3 notifications, bare records in a queue.** Sent by whoever the policy of the queue admits, and of a topic that sends
  to it. A notification only names a file, which is checked as above. The templates admit one rule and one bucket; `doctor`
  checks the policies (driftline.collectors.aws.queue_policy). The SNS signature only proves who delivered a message.
- **CloudTrail lookup.** Answered by AWS; the account is the one that was queried."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from driftline.pipeline.common.errors import Malformed

_SOURCE = re.compile(r"aws\.((?:[a-z0-9][a-z0-9-]{0,62}\.){0,3}[a-z0-9][a-z0-9-]{0,62})")
"""Only AWS can send events whose source begins with `aws.`; a partner's source contains a slash. Service names have one or
more labels (models.lex, data.iot)."""
_DOMAIN = re.compile(r"\.amazonaws\.com(\.cn)?$")
_KEY = re.compile(r"(?:^|(?<=/))AWSLogs/(?:o-[a-z0-9]{1,32}/)?(\d{12})(?=/)")
_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:(\d{12}):")
_SHORT = re.compile(r"[\w.:/-]{1,80}")
WRITERS = {
    "Object Created": "s3", "Config Configuration Item Change": "config", "GuardDuty Finding": "guardduty",
    "Inspector2 Finding": "inspector2", "Security Hub Findings - Imported": "securityhub",
}  # fmt: skip
"""Maps the detail-type to the only service that writes it."""
ALSO = {"autoscaling": {"application-autoscaling", "autoscaling-plans"}}
"""Services whose calls CloudTrail records under the name of another one."""


class ForgedEvent(Malformed):
    """An event that is evidently not from its purported origin. It has no effect."""


@dataclass(frozen=True)
class TrustedOrigins:
    """The origins that the user trusts."""

    buckets: Collection[str] = ()
    """The only buckets from which files are read; empty: any."""
    administrators: Collection[str] = ()
    """Accounts that may report findings of other accounts: delegated administrators of GuardDuty, Inspector, Security Hub."""


NOBODY = TrustedOrigins()


def shown(value: Any) -> str:
    """Returns a value in a form that is safe to repeat in a message."""
    return (
        value if isinstance(value, str) and _SHORT.fullmatch(value) else f"({type(value).__name__})"
    )


def writer(document: Mapping[str, Any]) -> str:
    """Returns the service that wrote an EventBridge event. Raises ForgedEvent if AWS did not, or if another service must
    have."""
    source, type_ = document.get("source"), document.get("detail-type")
    match = _SOURCE.fullmatch(source) if isinstance(source, str) else None
    if match is None:
        raise ForgedEvent(f"an event of EventBridge whose source is {shown(source)}: not written by AWS (aws.<service>)")  # fmt: skip
    service, wanted = match[1], WRITERS.get(str(type_))
    if wanted is not None and service != wanted:
        raise ForgedEvent(
            f"an event of EventBridge whose source is {source}: only aws.{wanted} writes {type_}"
        )
    return service


def called(record: Mapping[str, Any], service: str, account: Any) -> dict[str, Any]:
    """Returns the CloudTrail record in an EventBridge event of a service and account, with the account added if it is
    missing. Raises ForgedEvent."""
    own = _DOMAIN.sub("", str(record.get("eventSource")))
    if not (_one(own, service) or service in ALSO.get(own, ())):
        raise ForgedEvent(f"an event of EventBridge whose source is aws.{service} with a call of {shown(record.get('eventSource'))}")  # fmt: skip
    return owned(record, account, "an event of EventBridge")


def _one(first: str, second: str) -> bool:
    """Returns whether two names belong to the same service. CloudTrail may name a part of it (models.lex) and EventBridge the
    whole (lex), or vice versa."""
    short, long = sorted((first.split("."), second.split(".")), key=len)
    return short in (long[-len(short) :], long[: len(short)])


def owned(record: Mapping[str, Any], account: Any, way: str) -> dict[str, Any]:
    """Returns a CloudTrail record that arrived through an account (`way`: what it arrived in), with the account added if it
    is missing. Raises ForgedEvent."""
    own = record.get("recipientAccountId")
    if account is None and own is not None:
        return dict(
            record
        )  # EventBridge always sets one; only an input transformer of the user's own rule can drop it
    if not isinstance(account, str) or not account:
        raise ForgedEvent(f"{way} without an account")
    if own is None:
        return {**record, "recipientAccountId": account}
    if own != account:
        raise ForgedEvent(
            f"{way} of account {shown(account)} with a record of account {shown(own)}"
        )
    return dict(record)


def told(
    own: Any, account: Any, trust: TrustedOrigins, way: str = "an event of EventBridge"
) -> None:
    """Checks whether an account may report a finding of another one. Raises ForgedEvent."""
    if own != account and account not in trust.administrators:
        raise ForgedEvent(
            f"{way} of account {shown(account)} with a finding of account {shown(own)} (is {shown(account)} a delegated"
            " administrator? name it in aws.events.administrators)"
        )


def item(found: Mapping[str, Any], account: str | None, way: str) -> None:
    """Checks that an AWS Config item is about a resource of the account that it names, and of the account it arrived
    through, if known. Raises ForgedEvent."""
    own = found.get("awsAccountId") or found.get("accountId")
    if account is not None and own != account:
        raise ForgedEvent(f"{way} of account {shown(account)} with an item of account {shown(own)}")
    arn = found.get("ARN") or found.get("arn")
    match = _ARN.match(arn) if isinstance(arn, str) else None
    if match and match[1] != own:
        raise ForgedEvent(f"an item of account {shown(own)} about a resource of account {match[1]}")


def account_of(key: str) -> str | None:
    """Returns the account of the folder that contains a file, as CloudTrail and AWS Config write their keys; None if there
    is none. Raises ForgedEvent for a folder of one account inside that of another: whoever may write to the outer one could
    speak for the inner one."""
    found = set(_KEY.findall(key))
    if len(found) > 1:
        raise ForgedEvent("a file in the folders of several accounts")
    return found.pop() if found else None


def file(bucket: str, key: str, trust: TrustedOrigins, account: str | None = None) -> None:
    """Checks whether a file named by a notification is read. `account`: that of the EventBridge event that names it, if any.
    Raises ForgedEvent.

    Any account can write whatever it likes to a bucket of its own, and AWS truthfully reports it: an EventBridge event is
    sufficient only for files about its own account."""
    if trust.buckets and bucket not in trust.buckets:
        raise ForgedEvent(f"a notice of a file in bucket {shown(bucket)}, which is none of aws.events.queues' buckets")  # fmt: skip
    own = account_of(key)
    if account is not None and not trust.buckets and own != account:
        raise ForgedEvent(
            f"an event of EventBridge of account {shown(account)} about a file of account {shown(own)} in bucket"
            f" {shown(bucket)} (is it your log bucket? name it in aws.events.queues[].buckets)"
        )
