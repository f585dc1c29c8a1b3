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
    """An account's number may stand without quotes; YAML then drops no zero, for with one it is text."""
    return str(value) if type(value) is int else value


class EventQueue(Block):
    url: str
    """The queue's address, as SQS gives it."""
    source: Literal["eventbridge", "log", "config"] = "eventbridge"
    """What comes by it: events of EventBridge, notices of log files in S3, or AWS Config. It decides how late events may be."""
    buckets: list[str] = Field(default_factory=list)
    """The only buckets whose files are read when a message names them. Empty: any that may be read."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from address("url", self.url)


class EventQueues(Block):
    """Where events of AWS come from."""

    queues: list[EventQueue] = Field(default_factory=list)
    """SQS queues that events come by."""
    lookup: bool = False
    """Ask CloudTrail's lookup in every account and region: for accounts without a bus or trail."""
    administrators: list[Annotated[str, BeforeValidator(_digits)]] = Field(default_factory=list)
    """Accounts whose events may tell findings of other accounts: delegated administrators of GuardDuty, Inspector or Security Hub."""
    readers: int = Field(4, ge=1, le=64)
    """Readers of each queue, side by side."""
    visibility: Seconds = Field(60, ge=2, le=3600)
    """So long a message is a reader's own; it is extended while it works. Of a reader that died, it comes again after."""


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
    """Empty: the caller's own. `[all]`: every account of the organization."""
    excluded_accounts: list[Annotated[str, BeforeValidator(_digits)]] = Field(default_factory=list)
    """Accounts that are not read although the organization has them. What was read of one before stands until `driftline accounts remove`."""
    regions: list[str] = Field(default_factory=list)
    """Empty: every region that is enabled."""
    role_name: str = "DriftlineReader"
    """The role taken in every other account."""
    external_id: str | None = None
    """What the role's trust asks for; named whenever a role is taken."""
    requests_per_second: float = Field(20, gt=0)
    """The most calls a second in one account, retries included, beside AWS's own limits by service and region. `scan aws` goes
    by it only where it is set."""


class AwsSettings(CollectorSettings, AwsAccounts):
    """Pydantic lists the fields of the last base first."""

    events: AwsEvents = Field(default_factory=AwsEvents)
    """Change events."""


def aws_settings(settings: "Settings") -> AwsSettings:
    """AWS's block of the settings."""
    block: AwsSettings = settings.collector("aws")
    return block
