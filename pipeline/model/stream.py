"""Records of changes, drifts, re-reads, signals and alerts."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from driftline.pipeline.model.base import ProviderName, Record, Time
from driftline.pipeline.model.finding import Owner, ResourceRef, Severity

ACTOR_KINDS = (
    "user", "role", "root", "federated", "guest", "application", "managed_identity", "service_account", "service", "account",
    "anonymous", "unknown",
)  # fmt: skip
"""Kinds of actors that all providers share. A provider may have others (driftline.pipeline.providers)."""
TOOLS = (
    "console",
    "cli",
    "terraform",
    "pulumi",
    "cloudformation",
    "arm",
    "sdk",
    "service",
    "unknown",
)
"""Tools with which calls are made. A provider may add others."""


def _word(value: Any) -> Any:
    """A string that is not a word is read as `unknown`, so that the record is not rejected."""
    return value if not isinstance(value, str) or _WORD.fullmatch(value) else "unknown"


_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}")
ActorKind = Annotated[str, BeforeValidator(_word), Field(examples=list(ACTOR_KINDS))]
Tool = Annotated[str, BeforeValidator(_word), Field(examples=list(TOOLS))]


class Person(Record):
    """The person behind roles and sessions: the same for one person, whatever role is assumed."""

    id: str
    """The id of a directory user, IAM user or service identity: the origin of the chain as far as it is known."""
    kind: str
    """`user`, `directory_user`, `federated`, `root`, `service`, `workload`; `unknown`: the origin of the session is not known,
    and `id` is that of the session (two sessions of one role may be two people, or one)."""
    name: str = ""
    claimed: str | None = None
    """What the caller claims (a source identity, a session name), unverified. It never replaces `id`."""


class Link(Record):
    """A link of a session chain: who assumed which role."""

    session: str
    """The id of the credential that was issued."""
    issued_to: str
    """Id of the actor that requested it."""
    role: str | None = None
    at: Time
    change: str
    """Id of the change (the audit event) that shows it."""
    person: Person | None = None
    """Who requested it, if the event says."""


class Actor(Record):
    """Who made the call, as far as the event says."""

    id: str
    """The session's issuer (the role), else the caller's own id."""
    type: ActorKind
    name: str | None = None
    account: str | None = None
    """The actor's own account."""
    session: str | None = None
    """The id of the session's credential (AWS: its access key id), which all calls of a deployment share."""
    session_name: str | None = None
    issuer: str | None = None
    """What the session represents: the role's ARN."""
    source_identity: str | None = None
    """What the caller claims; see `person.claimed`."""
    mfa: bool | None = None
    """Whether the session was opened with a second factor; None if the event does not say."""
    invoked_by: str | None = None
    """The cloud service that made the call on the actor's behalf."""
    tool: Tool = "unknown"
    source_ip: str | None = None
    """Where the call came from."""
    person: Person | None = None
    """Who is behind it, if more is known than `id` says."""
    chain: list[Link] = Field(default_factory=list)
    """The session chain, nearest link first."""
    chain_broken: bool = False
    """A link of the chain was not seen, so the first actor is unknown."""

    @property
    def is_nobody(self) -> bool:
        """Whether the event names no actor, but only the account (the user of a sign-in is hidden, or not told)."""
        return self.id in (self.account, "unknown") and self.type in ("user", "unknown")


class Change(Record):
    """An audit event, as evidence about one resource. An event about several resources is one change for each, with the same `id`."""

    id: str
    """The event's own id, the same however often and on whichever path it arrives."""
    uid: str
    """The resource; `account:<provider>:<account>` if the event names none, `session:<credential>` for a session."""
    type: str | None = None
    """The resource's type; None if no row of a table claims the event, or if it does not say which resource."""
    provider: ProviderName
    organization: str | None = None
    account: str
    region: str
    service: str = ""
    """The called service, as the provider writes it: s3.amazonaws.com."""
    action: str
    """As the provider writes it: PutBucketPolicy."""
    kind: Literal["create", "update", "delete", "read", "session", "reported", "other"] = "other"
    """What the call does to the resource, even if it is not known which one (`type` is None). `reported`: not a call, but
    a finding of another service (`action` is its type)."""
    parts: list[str] = Field(default_factory=list)
    """The parts of the configuration that it may have changed; empty means any."""
    actor: Actor
    source_ip: str | None = None
    user_agent: str | None = None
    occurred_at: Time
    outcome: Literal["success", "failure"]
    error: str | None = None
    shared: str | None = None
    """Shared by this event and its copy in another account: two pieces of evidence for one cause."""
    deployment: str | None = None
    """The id of the stack or run to which it belongs."""
    resources: list[str] = Field(default_factory=list)
    """Every uid that the event names; for a session, its role."""
    source: str = ""
    """The path on which it arrived: `eventbridge`, `log`, `lookup`, `import`."""
    request: Any = None
    """The request parameters, redacted. Their values show which of several changes caused a drift."""
    raw: dict[str, Any] = Field(default_factory=dict)
    """The event as received, with secrets redacted, for detections."""
    aside: bool = False
    """The event names other resources and changes this one as a side effect (the account's settings). Detections do not match it."""
    named: list[str] = Field(default_factory=list)
    """What the event calls resources whose uid cannot be told (a user by its name that no sweep has seen): its word alone."""


class Chain(Record):
    """A query for a session's origin, or its answer, between the states of resources and of sessions."""

    uid: str
    """The addressee: `session:<credential>` for a query, a resource for an answer."""
    session: str
    """The credential of the session in question."""
    asker: str | None = None
    """The resource that asks; None for an answer."""
    at: Time
    """When the event in question happened."""
    depth: int = 0
    links: list[Link] = Field(default_factory=list)
    """The nearest first."""
    broken: bool = False
    """A link was not seen."""


class Changed(Record):
    """One place of a configuration, as a JSON Pointer (RFC 6901) beginning with the part."""

    op: Literal["add", "remove", "replace"]
    path: str
    before: Any = None
    after: Any = None
    attribution: Literal["attributed", "ambiguous", "unattributed", "pending"] | None = None
    """Of this place only. `attributed`: no other candidate explains any of it."""
    change: str | None = None
    """Id of the change that made it, if attributed."""
    person: Person | None = None
    """Who made it, if attributed."""


class Candidate(Record):
    """A change that may have caused a drift."""

    change: str
    action: str
    at: Time
    actor: Actor
    confidence: float = Field(ge=0, le=1)
    differs: bool | None = None
    """Copies of its event arrived with different contents; this is the most complete one."""


class Drift(Record):
    """What changed in a part of a configuration, and who changed it."""

    id: str
    uid: str
    part: str
    resource: ResourceRef | None = None
    at: Time
    """When the reading that shows it was taken."""
    since: Time | None = None
    """The last reading that still showed the old value."""
    updated_at: Time
    """When its cause was last evaluated."""
    changes: list[Changed]
    candidates: list[Candidate] = Field(default_factory=list)
    """All changes that may have caused it, most likely first."""
    actor: Actor | None = None
    """Who made all of the changes; None if they were made by different people."""
    attribution: Literal["attributed", "ambiguous", "unattributed", "pending"]
    """`attributed` only if one person made every change; each of `changes` has its own attribution."""
    baseline: Literal["previous", "approved", "declared", "recorded"]
    found_by: Literal["sweep", "event", "import"] = "sweep"
    """The kind of reading that showed it; `sweep` means that no event had reported it."""
    expected: bool | None = None
    """Whether it was expected (settings drift.expected); None while its cause is pending."""
    change_set: str | None = None
    """The deployment of its cause, else the session's credential, else the actor. Drifts with the same value, at most
    ten minutes apart and within two hours, are grouped (correlation `change_set`)."""
    truncated: bool | None = None
    """Long values were cut so that it fits into a record."""
    revision: int = 0
    owner: Owner | None = None
    """Who answered for the resource when this was told."""


class Read(Record):
    """A request to re-read a resource or a scope."""

    provider: ProviderName = "aws"
    scope: bool = False
    """Read the whole scope; `uid` is its key."""
    uid: str
    """The resource's uid, or the key of a scope (provider/account/region/type)."""
    name: str | None = None
    """Only the name of the resource is known, and it is looked up by name. `uid` lacks the portion that only the provider
    knows (a role's path, a secret's suffix)."""
    type: str
    account: str
    region: str
    reason: str
    """`change`, `unsettled`, `related`, or `unlisted`: a complete sweep did not list it, possibly because it was too new."""
    after: Time
    """The reading must start after this time, when the change was made."""
    not_before: Time | None = None
    """Do not read before this time (retry with back-off)."""
    attempt: int = 0
    change: str | None = None
    """Id of the change that caused the request."""

    @model_validator(mode="before")
    @classmethod
    def _older(cls, value: Any) -> Any:
        """Supports requests written before `scope` existed: a scope's key consists of its other fields."""
        if isinstance(value, dict) and "scope" not in value:
            key = "/".join(str(value.get(name)) for name in ("account", "region", "type"))
            return value | {"scope": value.get("uid") == f"{value.get('provider', 'aws')}/{key}"}
        return value


class Signal(Record):
    """A match of a detection, for one group of one correlation."""

    id: str
    detection: str
    """Id of the rule that matched, or of the correlation whose alert it is."""
    correlation: str
    """Id of the correlation that uses it; a rule that alerts by itself is its own correlation."""
    group: str
    """The values of group-by, one per line."""
    event: str
    """Id of the change, transition, drift or alert; it counts once, however often it arrives."""
    uid: str | None = None
    at: Time
    value: Any = None
    """Value of the field that the correlation counts or sums."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """What the alert shows."""
    state: bool = False
    """Not an event, but a repetition of a state (an open finding), for correlations that list it as `standing`."""
    gone: bool = False
    """Retracts the signal: its alert was merged into another, or withdrawn."""


class Mark(Record):
    """A watermark among signals: a partition of the worker or correlator has sent all signals up to that time."""

    mark: int
    """The partition."""
    level: int = 0
    """0: from the worker; n: from the correlator, for signals of correlations of that level (1: of rules only)."""
    until: Time


class Alert(Record):
    """The result of a detection or correlation. A later revision replaces it."""

    id: str
    """Derived from the correlation, the group, and the event that completed the first match."""
    rule: str
    title: str
    severity: Severity
    state: Literal["active", "ended", "merged", "withdrawn"]
    """`merged`: late events joined it to another alert; `withdrawn`: because of late events, its condition no longer holds."""
    revision: int
    begins: Time
    """The first event that belongs to it."""
    at: Time
    """When its condition first held."""
    last: Time
    group: dict[str, str]
    """Names of group-by, and their values."""
    count: int
    """Number of events that belong to it."""
    sentence: str = ""
    """What happened, by whom, from where, on what and in which account, as far as known."""
    story: list[dict[str, Any]] = Field(default_factory=list)
    """The first and last events, in order."""
    distinct: dict[str, int] = Field(default_factory=dict)
    """Numbers of distinct resources, actions, actors, findings, and values of the counted field: exact up to 10,000
    each; above that the number stays there and `capped` is set."""
    resources: list[str] = Field(default_factory=list)
    """At most 50, the first in alphabetical order, as for the following fields."""
    actions: list[str] = Field(default_factory=list)
    findings: list[str] = Field(default_factory=list)
    actors: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    description: str = ""
    next: str = ""
    """What to do first."""
    false_positives: list[str] = Field(default_factory=list)
    capped: bool = False
    """A limit was reached; counts are lower bounds."""
    held_back: bool = False
    """Its rule exceeded its alert budget in that hour. The alert is valid but should notify nobody."""
    merged_into: str | None = None
    continues: str | None = None
    """The alert that it continues."""
    owner: Owner | None = None
    """Who answers for the resource that it is about, where that is one alone."""
