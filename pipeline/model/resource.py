"""Snapshots of resources, and the sweeps in which they were read."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from driftline.pipeline.model.base import ProviderName, Record, Time

CLASSES = {
    "compute": "what runs code: machines, functions, containers, and their images and templates",
    "data": "storage and databases, their images and copies",
    "network": "addresses, routes, firewalls and load balancers",
    "identity": "who acts: users, roles, groups, service accounts, an account's root user",
    "security": "keys, secrets, certificates, policies, protection and threat detection",
    "management": "logging, alarms, and the setup of an account or organization",
    "integration": "queues, topics, streams, APIs, workflows",
    "analytics": "jobs and queries over data",
    "ai": "models, and where they are built",
}
"""Classes of resources, the same in every cloud."""
UnreadReason = Literal["denied", "throttled", "failed", "unsupported", "oversize"]


class Ancestor(Record):
    """A container of accounts: organizational unit, management group, folder, organization or tenant."""

    kind: str
    id: str
    name: str = ""


class CloudAccount(Record):
    """The account that contains a resource, with its ancestors. `Snapshot.account` is its id."""

    kind: str
    """`account`, `subscription`, `tenant`, `project`, `folder` or `organization`."""
    id: str
    name: str = ""
    ancestors: list[Ancestor] = Field(default_factory=list)
    """The nearest first."""

    @property
    def organization(self) -> str | None:
        """The id of its organization."""
        return next((one.id for one in self.ancestors if one.kind == "organization"), None)


class Container(Record):
    """What a resource is in, with the tags of that: a resource group, an account (subscription, project), a folder."""

    kind: str
    """`resource_group`, `account`, `subscription`, `project`; any other is a folder above the account."""
    id: str
    tags: dict[str, str] | None = None
    """None: they could not be read."""


class Part(Record):
    """A piece of a configuration, read by one call."""

    name: str
    captured_at: Time
    """The time before the call was made, so that changes during the call are read again."""
    provided_at: Time | None = None
    """The provider's own timestamp of the response (updateTime, configurationItemCaptureTime). If two readings of a
    part both have one, it determines their order, else `captured_at` does."""


class Unread(Record):
    """A part that could not be read. `part` is `*` if the resource as a whole could not."""

    part: str
    reason: UnreadReason
    code: str = ""
    """The provider's error code."""


class Related(Record):
    uid: str
    relation: str
    type: str | None = None


class Snapshot(Record):
    """A resource's configuration, or part of it, as read at `captured_at`."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    uid: str = Field(min_length=1, max_length=2048)
    type: str = Field(min_length=1, max_length=256)
    provider: ProviderName
    organization: str | None = None
    account: str
    """Id of the account (AWS), subscription or tenant (Azure), project or organization (Google Cloud)."""
    cloud_account: CloudAccount | None = None
    """The same account with its name and ancestors, if the collector knows them."""
    region: str
    """The provider's region, or `global`."""
    class_: str | None = Field(None, alias="class")
    """The class of the type: one of CLASSES."""
    name: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    captured_at: Time
    """The time before the first call of this reading. Determines the order of a resource's snapshots."""
    config: dict[str, Any] = Field(default_factory=dict)
    """One key per part. `null` means that the part was read and is not configured."""
    parts: list[Part] = Field(default_factory=list)
    """The parts that this snapshot covers. Other parts are kept, never treated as absent."""
    related: list[Related] = Field(default_factory=list)
    unread: list[Unread] = Field(default_factory=list)
    incarnation: str | None = None
    """Differs if the resource was recreated under the same uid."""
    source: Literal["sweep", "event", "import"] = "sweep"
    sweep: str | None = None
    appeared: bool = False
    """True if the previous sweep of the scope was complete and did not list it: it is new. False: it may have existed for long."""
    deleted: bool = False
    deleted_reason: str | None = None
    containers: list[Container] | None = None
    """What the resource is in, nearest first, as far as the collector reads the tags of that: they may name its owner."""


class Scope(Record):
    """The unit of a sweep: one type in one region of one account."""

    provider: ProviderName
    account: str
    region: str
    type: str

    @property
    def key(self) -> str:
        """The key in `sweeps`: provider/account/region/type."""
        return f"{self.provider}/{self.account}/{self.region}/{self.type}"


class SweepUnread(Record):
    """Summary of what a sweep could not read."""

    part: str
    reason: UnreadReason
    code: str = ""
    count: int = 1


class Sweep(Record):
    """The header of a sweep, written last. Its uids are in `pages` records of type SweepUids."""

    scope: Scope
    id: str
    started_at: Time
    finished_at: Time
    status: Literal["complete", "partial", "denied"]
    reason: str | None = None
    """Why it is not complete: the error code and the call, as text."""
    count: int = 0
    """Resources known in the scope after this sweep."""
    pages: int = 0
    completed_at: Time | None = None
    """When the last complete sweep of this scope began; carried forward by incomplete ones."""
    organization: str | None = None
    """The organization whose list contained the account. Only that list can show that the account is gone."""
    unread: list[SweepUnread] = Field(default_factory=list)


class SweepUids(Record):
    """Up to 5,000 uids of a sweep, with the key scope#page."""

    scope: Scope
    id: str
    page: int
    uids: list[str]
