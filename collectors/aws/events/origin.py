"""Who can have written what came, and what of it can be checked. Pure.

- **EventBridge.** Whoever may put events on a bus chooses detail-type, detail and source; but only AWS itself writes a source
  `aws.<service>` (`aws.partner/…` is a partner's), and EventBridge writes the account. So both are checked.
- **A log file or a delivery of AWS Config.** Whoever may write below a prefix of the bucket. The key names the account, and a
  record of another account is refused; `buckets` names those that are read at all.
  An event of EventBridge that names a file is only as good as the bucket: of buckets that nobody has named, only files of
  the event's own account are read.
- **SNS, S3's notices, bare records in a queue.** Whoever the queue's policy lets in, and the policy of a topic that sends to
  it; a notice only names a file, which is checked as above. The templates let in one rule and one bucket; `doctor` looks at
  the policies (driftline.collectors.aws.queue_policy). SNS's signature says only who delivered.
- **CloudTrail's lookup.** AWS; the account is the one that was asked."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from driftline.pipeline.common.errors import Malformed

_SOURCE = re.compile(r"aws\.((?:[a-z0-9][a-z0-9-]{0,62}\.){0,3}[a-z0-9][a-z0-9-]{0,62})")
"""AWS takes no event from anybody else whose source begins with `aws.`; a partner's has a slash. Services have names of one
label or more (models.lex, data.iot)."""
_DOMAIN = re.compile(r"\.amazonaws\.com(\.cn)?$")
_KEY = re.compile(r"(?:^|(?<=/))AWSLogs/(?:o-[a-z0-9]{1,32}/)?(\d{12})(?=/)")
_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:(\d{12}):")
_SHORT = re.compile(r"[\w.:/-]{1,80}")
WRITERS = {
    "Object Created": "s3", "Config Configuration Item Change": "config", "GuardDuty Finding": "guardduty",
    "Inspector2 Finding": "inspector2", "Security Hub Findings - Imported": "securityhub",
}  # fmt: skip
"""Detail-type to the one service that writes it."""
ALSO = {"autoscaling": {"application-autoscaling", "autoscaling-plans"}}
"""Services whose calls CloudTrail records under another's name."""


class ForgedEvent(Malformed):
    """Not from whom it says, as far as that can be seen. Nothing is done because of it."""


@dataclass(frozen=True)
class TrustedOrigins:
    """What a user has said of who may tell what."""

    buckets: Collection[str] = ()
    """The only buckets whose files are read; empty: any."""
    administrators: Collection[str] = ()
    """Accounts that tell findings of other accounts: delegated administrators of GuardDuty, Inspector, Security Hub."""


NOBODY = TrustedOrigins()


def shown(value: Any) -> str:
    """A value as a reason may repeat it."""
    return (
        value if isinstance(value, str) and _SHORT.fullmatch(value) else f"({type(value).__name__})"
    )


def writer(document: Mapping[str, Any]) -> str:
    """The service that wrote an event of EventBridge. Raises Forged where AWS did not, or another one must have."""
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
    """A record of CloudTrail in an event of EventBridge by a service and account; with its account, where it has none.
    Raises Forged."""
    own = _DOMAIN.sub("", str(record.get("eventSource")))
    if not (_one(own, service) or service in ALSO.get(own, ())):
        raise ForgedEvent(f"an event of EventBridge whose source is aws.{service} with a call of {shown(record.get('eventSource'))}")  # fmt: skip
    return owned(record, account, "an event of EventBridge")


def _one(first: str, second: str) -> bool:
    """Whether two names are one service's: CloudTrail may name a part of it (models.lex), EventBridge the whole (lex), or the
    other way round."""
    short, long = sorted((first.split("."), second.split(".")), key=len)
    return short in (long[-len(short) :], long[: len(short)])


def owned(record: Mapping[str, Any], account: Any, way: str) -> dict[str, Any]:
    """A record of CloudTrail that came by a way of an account; with its account, where it has none. Raises Forged."""
    own = record.get("recipientAccountId")
    if account is None and own is not None:
        return dict(
            record
        )  # EventBridge always writes one; only a transformer in one's own rule leaves it out
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
    """Whether an account may tell a finding of another. Raises Forged."""
    if own != account and account not in trust.administrators:
        raise ForgedEvent(
            f"{way} of account {shown(account)} with a finding of account {shown(own)} (is {shown(account)} a delegated"
            " administrator? name it in aws.events.administrators)"
        )


def item(found: Mapping[str, Any], account: str | None, way: str) -> None:
    """Whether an item of AWS Config is about a resource of the account that it names, and of the one that the way
    names, if it names one. Raises Forged."""
    own = found.get("awsAccountId") or found.get("accountId")
    if account is not None and own != account:
        raise ForgedEvent(f"{way} of account {shown(account)} with an item of account {shown(own)}")
    arn = found.get("ARN") or found.get("arn")
    match = _ARN.match(arn) if isinstance(arn, str) else None
    if match and match[1] != own:
        raise ForgedEvent(f"an item of account {shown(own)} about a resource of account {match[1]}")


def account_of(key: str) -> str | None:
    """The account whose folder a file lies in, as CloudTrail and AWS Config write their keys; None where it says none.
    Raises Forged for a folder of one account in that of another: whoever may write below the one speaks for the other."""
    found = set(_KEY.findall(key))
    if len(found) > 1:
        raise ForgedEvent("a file in the folders of several accounts")
    return found.pop() if found else None


def file(bucket: str, key: str, trust: TrustedOrigins, account: str | None = None) -> None:
    """Whether a file is read that a notice names; `account`: of the EventBridge event that names it, if one does. Raises
    Forged.

    Every account has buckets of its own, writes into them what it likes, and AWS tells of it truly: an event of EventBridge
    is enough only for files about its own account."""
    if trust.buckets and bucket not in trust.buckets:
        raise ForgedEvent(f"a notice of a file in bucket {shown(bucket)}, which is none of aws.events.queues' buckets")  # fmt: skip
    own = account_of(key)
    if account is not None and not trust.buckets and own != account:
        raise ForgedEvent(
            f"an event of EventBridge of account {shown(account)} about a file of account {shown(own)} in bucket"
            f" {shown(bucket)} (is it your log bucket? name it in aws.events.queues[].buckets)"
        )
