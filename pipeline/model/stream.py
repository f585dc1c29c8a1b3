"""Records of the later stages: their places and shapes, so that topics and readers are ready."""

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
"""What calls are made with. A provider may have other tools."""


def _word(value: Any) -> Any:
    """A text that is no word is `unknown`, and no reason to refuse its record."""
    return value if not isinstance(value, str) or _WORD.fullmatch(value) else "unknown"


_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}")
ActorKind = Annotated[str, BeforeValidator(_word), Field(examples=list(ACTOR_KINDS))]
Tool = Annotated[str, BeforeValidator(_word), Field(examples=list(TOOLS))]


class Person(Record):
    """Whom a call goes back to, behind roles and sessions: the same for one person whatever role is taken."""

    id: str
    """Of a directory's user, an IAM user, a service identity: the origin of the chain as far as it is known."""
    kind: str
    """`user`, `directory_user`, `federated`, `root`, `service`, `workload`; `unknown`: who took the session is not known,
    and `id` is the session's own (two of one role may be two people, or one)."""
    name: str = ""
    claimed: str | None = None
    """What the caller says of itself (a source identity, a session's name) and nobody has checked. It never replaces `id`."""


class Link(Record):
    """One step of a chain of sessions: who took on which role."""

    session: str
    """The id of the credential that was issued."""
    issued_to: str
    """Id of the actor that asked for it."""
    role: str | None = None
    at: Time
    change: str
    """Id of the change (the audit event) that says so."""
    person: Person | None = None
    """Who asked for it, where the event says."""


class Actor(Record):
    """Who did it, as well as the event says."""

    id: str
    """The session's issuer (the role), else the caller's own id."""
    type: ActorKind
    name: str | None = None
    account: str | None = None
    """The actor's own account."""
    session: str | None = None
    """The id of the session's credential (AWS: its access key id): what one deployment has in common."""
    session_name: str | None = None
    issuer: str | None = None
    """What the session stands for: the role's ARN."""
    source_identity: str | None = None
    """What the caller says of itself; see `person.claimed`."""
    mfa: bool | None = None
    """Whether the session was opened with a second factor; None: not said."""
    invoked_by: str | None = None
    """The cloud's own service that called on the actor's behalf."""
    tool: Tool = "unknown"
    source_ip: str | None = None
    """Where the call came from."""
    person: Person | None = None
    """Who is behind it, where that is known better than `id` says."""
    chain: list[Link] = Field(default_factory=list)
    """How the session came to be, the nearest link first."""
    chain_broken: bool = False
    """A link of the chain was never seen: the first actor is not known."""

    @property
    def is_nobody(self) -> bool:
        """Whether the event names no actor, but only the account (the user of a sign-in is hidden, or not told)."""
        return self.id in (self.account, "unknown") and self.type in ("user", "unknown")


class Change(Record):
    """One audit event, as evidence about one resource. An event that touches several is as many changes, of one `id`."""

    id: str
    """The event's own id: however often and by whichever way it comes, it is the same."""
    uid: str
    """The resource; `account:<provider>:<account>` where the event names none, `session:<credential>` of a session."""
    type: str | None = None
    """The resource's type; None where no row of the tables claims the event, or where it does not say which resource."""
    provider: ProviderName
    organization: str | None = None
    account: str
    region: str
    service: str = ""
    """The service that was called, as the provider writes it: s3.amazonaws.com."""
    action: str
    """As the provider writes it: PutBucketPolicy."""
    kind: Literal["create", "update", "delete", "read", "session", "reported", "other"] = "other"
    """What the call does to the resource, also where it cannot be told which one (`type` is None). `reported`: no call, but
    what another service has found (`action`: its kind of finding)."""
    parts: list[str] = Field(default_factory=list)
    """The parts of the configuration that it may have touched; empty: any."""
    actor: Actor
    source_ip: str | None = None
    user_agent: str | None = None
    occurred_at: Time
    outcome: Literal["success", "failure"]
    error: str | None = None
    shared: str | None = None
    """What this event and its twin in another account have in common: two pieces of evidence of one cause."""
    deployment: str | None = None
    """The id of the stack or run that it is part of."""
    resources: list[str] = Field(default_factory=list)
    """Every uid that the event names; of a session, the role that it stands for."""
    source: str = ""
    """The way it came by: `eventbridge`, `log`, `lookup`, `import`."""
    request: Any = None
    """What was asked for, redacted: its values say which of several changes a drift comes from."""
    raw: dict[str, Any] = Field(default_factory=dict)
    """The event as it came, what looks like a secret redacted: detections read it."""
    aside: bool = False
    """The event names other resources and changes this one with them (the account's settings): no detection's match."""
    named: list[str] = Field(default_factory=list)
    """What the event calls resources whose uid cannot be told (a user by its name that no sweep has seen): its word alone."""


class Chain(Record):
    """A session's past, asked for or told, between the states of resources and of sessions."""

    uid: str
    """Whom it is for: `session:<credential>` is asked, a resource is told."""
    session: str
    """The credential whose past it is."""
    asker: str | None = None
    """Who wants to know; None: this is the answer."""
    at: Time
    """When the event happened that is asked about."""
    depth: int = 0
    links: list[Link] = Field(default_factory=list)
    """The nearest first."""
    broken: bool = False
    """A link was never seen."""


class Changed(Record):
    """One place of a configuration, as a JSON Pointer (RFC 6901) beginning with the part."""

    op: Literal["add", "remove", "replace"]
    path: str
    before: Any = None
    after: Any = None
    attribution: Literal["attributed", "ambiguous", "unattributed", "pending"] | None = None
    """Of this place alone. `attributed`: no other candidate explains anything of it."""
    change: str | None = None
    """Id of the change that made it, where it is attributed."""
    person: Person | None = None
    """Who made it, where it is attributed."""


class Candidate(Record):
    """A change that may be the cause of a drift."""

    change: str
    action: str
    at: Time
    actor: Actor
    confidence: float = Field(ge=0, le=1)
    differs: bool | None = None
    """Its event came more than once with different contents: this is the fullest."""


class Drift(Record):
    """What changed in one part of a configuration, and who did it."""

    id: str
    uid: str
    part: str
    resource: ResourceRef | None = None
    at: Time
    """When the reading was taken that shows it."""
    since: Time | None = None
    """The last reading that still showed the old value."""
    updated_at: Time
    """When its cause was last judged."""
    changes: list[Changed]
    candidates: list[Candidate] = Field(default_factory=list)
    """All that may have caused it, the likeliest first."""
    actor: Actor | None = None
    """Who made all of the changes: none where two places go back to two people."""
    attribution: Literal["attributed", "ambiguous", "unattributed", "pending"]
    """`attributed` only where every place goes back to one person; each of `changes` has its own."""
    baseline: Literal["previous", "approved", "declared", "recorded"]
    found_by: Literal["sweep", "event", "import"] = "sweep"
    """What kind of reading showed it: `sweep` is what the stream of events had missed."""
    expected: bool | None = None
    """Whether it was a matter of course (settings drift.expected); None while its cause may still come."""
    change_set: str | None = None
    """What its cause was part of: a deployment, else the session's credential, else the actor. Drifts of one, no more than
    ten minutes apart and within two hours, are told together (the correlation `change_set`)."""
    truncated: bool | None = None
    """Long values were cut, so that it fits a record."""
    revision: int = 0
    owner: Owner | None = None
    """Who answered for the resource when this was told."""


class Read(Record):
    """A wish that one resource, or a whole scope, be read again."""

    provider: ProviderName = "aws"
    scope: bool = False
    """All of the scope is to be read; `uid` is then its key."""
    uid: str
    """The resource's; or the key of a scope (provider/account/region/type)."""
    name: str | None = None
    """Only this is known of the resource: it is found by it, and `uid` is what it would be without what only the provider
    knows (a role's path, a secret's suffix)."""
    type: str
    account: str
    region: str
    reason: str
    """`change`, `unsettled`, `related`, `unlisted`: a complete sweep did not list it, and may not have known it yet."""
    after: Time
    """The reading must begin later than this: when the change was made."""
    not_before: Time | None = None
    """Wait until then: a repetition with back-off."""
    attempt: int = 0
    change: str | None = None
    """Id of the change that asked."""

    @model_validator(mode="before")
    @classmethod
    def _older(cls, value: Any) -> Any:
        """A wish written before there was `scope`: the key of a scope is made of its other fields."""
        if isinstance(value, dict) and "scope" not in value:
            key = "/".join(str(value.get(name)) for name in ("account", "region", "type"))
            return value | {"scope": value.get("uid") == f"{value.get('provider', 'aws')}/{key}"}
        return value


class Signal(Record):
    """One match of a detection, for one correlation and one group of it."""

    id: str
    detection: str
    """Id of the rule that matched, or of the correlation whose alert it is."""
    correlation: str
    """Id of the correlation that looks for it; a rule that tells for itself is one of its own."""
    group: str
    """The values of group-by, one a line."""
    event: str
    """Id of the change, transition, drift or alert: it counts once, however often it comes."""
    uid: str | None = None
    at: Time
    value: Any = None
    """Of the field that the correlation counts or adds up."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """What the alert shows of it."""
    state: bool = False
    """No event: what stands (a finding that is open) is only said again, for correlations that name it `standing`."""
    gone: bool = False
    """It was none after all: an alert that was merged into another, or withdrawn."""


class Mark(Record):
    """Among signals: a partition of the worker, or of the correlator, has sent every signal of until then."""

    mark: int
    """The partition."""
    level: int = 0
    """0: of the worker; n: of the correlator, signals of correlations of that level (1: of rules only)."""
    until: Time


class Alert(Record):
    """What a detection or correlation tells a person; a later revision replaces it."""

    id: str
    """Made of the correlation, the group, and the event that completed the first match."""
    rule: str
    title: str
    severity: Severity
    state: Literal["active", "ended", "merged", "withdrawn"]
    """`merged`: late events have joined it to another; `withdrawn`: they have taken its ground away."""
    revision: int
    begins: Time
    """The first event that belongs to it."""
    at: Time
    """When its condition first held."""
    last: Time
    group: dict[str, str]
    """Names of group-by, and their values."""
    count: int
    """Events that belong to it."""
    sentence: str = ""
    """What happened, by whom, from where, on what and in which account, as far as it is known."""
    story: list[dict[str, Any]] = Field(default_factory=list)
    """What happened, in order: the first and the last events."""
    distinct: dict[str, int] = Field(default_factory=dict)
    """How many different resources, actions, actors, findings, and values of the field that is counted: exact to 10,000
    of each; there it stays, and `capped` says that there are more."""
    resources: list[str] = Field(default_factory=list)
    """At most 50, as of each of the following: the first by the alphabet."""
    actions: list[str] = Field(default_factory=list)
    findings: list[str] = Field(default_factory=list)
    actors: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    description: str = ""
    next: str = ""
    """What to do first."""
    false_positives: list[str] = Field(default_factory=list)
    capped: bool = False
    """There was more than is looked at: counts are at least so high."""
    held_back: bool = False
    """Its rule had more alerts in that hour than its budget: it stands, but should call nobody."""
    merged_into: str | None = None
    continues: str | None = None
    """The alert that it goes on from."""
