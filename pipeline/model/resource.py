"""Snapshots of resources, and the sweeps that they were read in."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from driftline.pipeline.model.base import ProviderName, Record, Time

CLASSES = {
    "compute": "what runs code: machines, functions, containers and what they are started from",
    "data": "storage and databases, images and copies of them",
    "network": "addresses, paths, what lets through and what shares out",
    "identity": "who acts: users, roles, groups, service accounts, an account's root",
    "security": "keys, secrets, certificates, policies, and what guards and watches for attacks",
    "management": "what records, warns, and sets up an account or an organization",
    "integration": "queues, topics, streams, interfaces, workflows",
    "analytics": "jobs and queries over data",
    "ai": "models and where they are made",
}
"""What kinds of things resources are, the same words in every cloud."""
UnreadReason = Literal["denied", "throttled", "failed", "unsupported", "oversize"]


class Ancestor(Record):
    """What an account belongs to: an organizational unit, a management group, a folder, an organization, a tenant."""

    kind: str
    id: str
    name: str = ""


class CloudAccount(Record):
    """What owns a resource, with what stands above it. `Snapshot.account` is its id."""

    kind: str
    """`account`, `subscription`, `tenant`, `project`, `folder` or `organization`."""
    id: str
    name: str = ""
    ancestors: list[Ancestor] = Field(default_factory=list)
    """The nearest first."""

    @property
    def organization(self) -> str | None:
        """The id of the organization that it is in."""
        return next((one.id for one in self.ancestors if one.kind == "organization"), None)


class Container(Record):
    """What a resource is in, with the tags of that: a resource group, an account (subscription, project), a folder."""

    kind: str
    """`resource_group`, `account`, `subscription`, `project`; any other is a folder above the account."""
    id: str
    tags: dict[str, str] | None = None
    """None: they could not be read."""


class Part(Record):
    """One piece of a configuration, read by one call."""

    name: str
    captured_at: Time
    """Taken before the call was made: what changed during it is read again."""
    provided_at: Time | None = None
    """The provider's own time of what it answered (an updateTime, configurationItemCaptureTime). Where two readings of a
    part have one, it orders them, else `captured_at` does."""


class Unread(Record):
    """A part that could not be read. `part` is `*` where the whole resource could not."""

    part: str
    reason: UnreadReason
    code: str = ""
    """The provider's own error code."""


class Related(Record):
    uid: str
    relation: str
    type: str | None = None


class Snapshot(Record):
    """A resource's configuration, or a part of it, as read at `captured_at`."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    uid: str = Field(min_length=1, max_length=2048)
    type: str = Field(min_length=1, max_length=256)
    provider: ProviderName
    organization: str | None = None
    account: str
    """Id of the account (AWS), subscription or tenant (Azure), project or organization (Google Cloud)."""
    cloud_account: CloudAccount | None = None
    """The same account with its name and ancestors, where the collector knows them."""
    region: str
    """The provider's region, or `global`."""
    class_: str | None = Field(None, alias="class")
    """What kind of thing the type is: one of CLASSES."""
    name: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    captured_at: Time
    """The time before the first call of this reading; orders snapshots of one resource."""
    config: dict[str, Any] = Field(default_factory=dict)
    """One key a part. `null` is a value: read, and not configured."""
    parts: list[Part] = Field(default_factory=list)
    """The parts this snapshot covers; what is not covered is kept, never taken as absent."""
    related: list[Related] = Field(default_factory=list)
    unread: list[Unread] = Field(default_factory=list)
    incarnation: str | None = None
    """Differs when the resource was made anew under the same uid."""
    source: Literal["sweep", "event", "import"] = "sweep"
    sweep: str | None = None
    appeared: bool = False
    """The last sweep of its scope knew what is there, and not this: it is new. False: it may have been there for long."""
    deleted: bool = False
    deleted_reason: str | None = None
    containers: list[Container] | None = None
    """What the resource is in, nearest first, as far as the collector reads the tags of that: they may name its owner."""


class Scope(Record):
    """What a sweep reads: one type in one region of one account."""

    provider: ProviderName
    account: str
    region: str
    type: str

    @property
    def key(self) -> str:
        """The key in `sweeps`: provider/account/region/type."""
        return f"{self.provider}/{self.account}/{self.region}/{self.type}"


class SweepUnread(Record):
    """What a sweep could not read, summed up."""

    part: str
    reason: UnreadReason
    code: str = ""
    count: int = 1


class Sweep(Record):
    """The header of one reading of a scope, written last. Its uids are in `pages` SweepUids."""

    scope: Scope
    id: str
    started_at: Time
    finished_at: Time
    status: Literal["complete", "partial", "denied"]
    reason: str | None = None
    """Why it is not complete: the error code and the call, in words."""
    count: int = 0
    """Resources known in the scope after this sweep."""
    pages: int = 0
    completed_at: Time | None = None
    """When the last complete sweep of this scope began; carried forward by the incomplete ones."""
    organization: str | None = None
    """The organization whose list named the account: only that list can say that it is gone."""
    unread: list[SweepUnread] = Field(default_factory=list)


class SweepUids(Record):
    """Up to 5,000 uids of a sweep, under the key scope#page."""

    scope: Scope
    id: str
    page: int
    uids: list[str]
