"""Tickets: which findings and alerts belong to one, and the ticket that is wanted for them."""

from typing import Any, Literal

from pydantic import Field

from driftline.pipeline.model.base import Record, Time
from driftline.pipeline.model.finding import Owner, Severity, named_uuid

MemberState = Literal["failing", "passing", "gone", "suppressed", "unknown"]
MEMBER_STATES: tuple[MemberState, ...] = ("failing", "passing", "gone", "suppressed", "unknown")


def group_key(by: str, values: list[str]) -> str:
    """The key of a ticket group: `by` names the fields, `values` are theirs, in the same order."""
    return named_uuid("\n".join(["ticket", by, *values]))


class MemberChange(Record):
    """One finding or alert joins, changes in, or leaves a ticket group. Topic `members`, keyed by the group."""

    group: str
    by: str
    """The fields that the group is made of, joined by `,`: `rule,owner`."""
    values: list[str]
    """Their values, in the same order; empty where a document has none."""
    id: str
    """`finding:` or `alert:`, and the id."""
    op: Literal["joined", "changed", "left"]
    revision: int
    """Of the finding or alert. A record with a lower revision than the last one is ignored."""
    at: Time
    state: MemberState
    reason: str = ""
    """The finding's `reason`, or the alert's `state`."""
    read_at: Time | None = None
    """When the reading was captured that the state stands on. None for alerts."""
    as_found: bool = False
    """It was so when the resource was first read, or the rule was added or changed: nothing happened now."""
    severity: Severity = "medium"
    risk: int = 0
    document: dict[str, Any] = Field(default_factory=dict)
    """What a ticket shows of the finding or alert. Empty when it leaves."""


class TicketMember(Record):
    """One line of a ticket."""

    id: str
    """`finding:` or `alert:`, and the id."""
    state: MemberState
    reason: str = ""
    unread_since: Time | None = None
    """Its state is the last one known: since then it could not be read."""
    severity: Severity
    risk: int = 0
    resource: str
    """The resource's name, or the alert's title."""
    uid: str = ""
    type: str = ""
    region: str = ""
    sentence: str = ""
    since: Time
    """When it came into this state."""
    read_at: Time | None = None
    due_at: Time | None = None
    actor: str = ""
    """Who caused it, where that is known."""
    command: str = ""
    """The command that fixes it, with the resource's own names."""
    link: str = ""
    """The resource's page in its provider's console."""


class TicketSection(Record):
    """The members of one account."""

    account: str
    name: str = ""
    provider: str = ""
    members: list[TicketMember]


class TicketComment(Record):
    """One substantive change of a ticket's membership. A sink writes each id once."""

    id: str
    at: Time
    text: str


class Ticket(Record):
    """The wanted ticket. Topic `tickets`, keyed by `key`. A sink makes the real ticket equal to it."""

    key: str
    """The group and the generation: `<group>.<n>`."""
    group: str
    generation: int
    """1, 2, …: a group that fails again long after it was closed gets a new ticket."""
    revision: int
    state: Literal["open", "closed"]
    reason: Literal["", "fixed", "deleted", "accepted", "moved"] = ""
    """Why it is closed."""
    title: str
    summary: str
    """One paragraph: what is wrong, and with how many resources of which accounts."""
    by: str
    values: list[str]
    severity: Severity
    """The highest of the failing members; of a closed ticket, of those that were."""
    owner: Owner | None = None
    due_at: Time | None = None
    """The earliest of the failing members."""
    labels: list[str] = Field(default_factory=list)
    rule: str = ""
    family: str = ""
    frameworks: dict[str, list[str]] = Field(default_factory=dict)
    why: str = ""
    fix: dict[str, str] = Field(default_factory=dict)
    """How to fix one of the members: console, cli, terraform; `for` names the resource."""
    references: list[str] = Field(default_factory=list)
    sections: list[TicketSection]
    counts: dict[str, int]
    """Members by state, shown or not."""
    more: int = 0
    """Members that are not shown."""
    comments: list[TicketComment] = Field(default_factory=list)
    """The last ones, oldest first."""
    evidence: list[str] = Field(default_factory=list)
    """Of a closed ticket: what shows that each member is fixed, gone or accepted."""
    follows: str | None = None
    """The key of the group's earlier ticket."""
    opened_at: Time
    closed_at: Time | None = None
    reopened: int = 0
