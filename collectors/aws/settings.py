"""The settings of AWS: the block `aws`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from driftline.pipeline.settings.base import (
    Block,
    CollectorSettings,
    EventSettings,
    Mistake,
    Seconds,
    address,
)

if TYPE_CHECKING:
    from driftline.pipeline.settings.blocks import Settings


def _digits(value: object) -> object:
    """Accepts account ids without quotes. YAML never drops a leading zero: with one, the value is a string."""
    return str(value) if type(value) is int else value


class EventQueue(Block):
    url: str
    """The URL of the SQS queue."""
    source: Literal["eventbridge", "log", "config"] = "eventbridge"
    """What the queue delivers: EventBridge events, notifications of log files in S3, or AWS Config. Determines how late events may be."""
    buckets: list[str] = Field(default_factory=list)
    """Read only files in these buckets when a message names them. Empty: any bucket that can be read."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from address("url", self.url)


class EventQueues(Block):
    """Where events of AWS come from."""

    queues: list[EventQueue] = Field(default_factory=list)
    """SQS queues that deliver events."""
    lookup: bool = False
    """Query CloudTrail's lookup API in every account and region, for accounts without a bus or trail."""
    administrators: list[Annotated[str, BeforeValidator(_digits)]] = Field(default_factory=list)
    """Accounts whose events may report findings of other accounts: delegated administrators of GuardDuty, Inspector or Security Hub."""
    readers: int = Field(4, ge=1, le=64)
    """Concurrent readers per queue."""
    visibility: Seconds = Field(60, ge=2, le=3600)
    """Visibility timeout of messages, extended while a reader works. After a reader dies, its messages are redelivered after this time."""


class AwsEvents(EventSettings, EventQueues):
    """Pydantic lists the fields of the last base first."""

    @property
    def sources(self) -> list[str]:
        """The sources that are configured, by their names in ticks."""
        named = {queue.source for queue in self.queues}
        return sorted(named | ({"lookup"} if self.lookup else set()))


class AwsAccounts(Block):
    """Which accounts are read, and as whom."""

    accounts: list[Annotated[str, BeforeValidator(_digits)]] = Field(default_factory=list)
    """Accounts to read. Empty: the caller's own. `[all]`: every account of the organization."""
    excluded_accounts: list[Annotated[str, BeforeValidator(_digits)]] = Field(default_factory=list)
    """Accounts that are not read although the organization has them. What was read of one before stands until `driftline accounts remove`."""
    regions: list[str] = Field(default_factory=list)
    """Regions to read. Empty: all enabled regions."""
    role_name: str = "DriftlineReader"
    """The role to assume in every other account."""
    external_id: str | None = None
    """The external id that the role's trust policy requires; sent whenever a role is assumed."""
    requests_per_second: float = Field(20, gt=0)
    """Maximum calls per second in one account, including retries, in addition to AWS's own limits per service and region. `scan aws`
    applies it only if it is set."""


class AwsSettings(CollectorSettings, AwsAccounts):
    """Pydantic lists the fields of the last base first."""

    events: AwsEvents = Field(default_factory=AwsEvents)
    """Change events."""


def aws_settings(settings: "Settings") -> AwsSettings:
    """AWS's block of the settings."""
    block: AwsSettings = settings.collector("aws")
    return block
