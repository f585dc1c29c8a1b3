"""Records of the later stages: their places and shapes, so that topics and readers are ready."""

from typing import Any, Literal

from pydantic import Field

from pipeline.model.base import Record, Time
from pipeline.model.finding import Severity


class Actor(Record):
    id: str
    type: str
    name: str | None = None
    session: str | None = None


class Change(Record):
    """One audit event that touched a resource."""

    id: str
    uid: str
    type: str | None = None
    provider: Literal["aws", "azure", "gcp"]
    account: str
    region: str
    action: str
    actor: Actor
    source_ip: str | None = None
    user_agent: str | None = None
    occurred_at: Time
    outcome: Literal["success", "failure"]
    error: str | None = None
    request: dict[str, Any] | None = None
    raw: dict[str, Any] = Field(default_factory=dict)


class Changed(Record):
    path: str
    before: Any = None
    after: Any = None


class Drift(Record):
    """What changed in a configuration, and who did it."""

    id: str
    uid: str
    at: Time
    changes: list[Changed]
    actor: Actor | None = None
    attribution: Literal["attributed", "unattributed", "pending"]
    baseline: Literal["previous", "approved", "declared"]


class Read(Record):
    """A wish that one resource be read again."""

    uid: str
    type: str
    account: str
    region: str
    reason: str
    after: Time


class Member(Record):
    finding: str
    uid: str
    status: str
    since: Time


class Ticket(Record):
    """The wanted ticket as a whole; a sink makes the real one equal to it."""

    key: str
    revision: int
    state: Literal["open", "closed"]
    title: str
    body: str
    members: list[Member]
    priority: str
    due: Time | None = None
    assignee: str | None = None
    labels: list[str] = Field(default_factory=list)
    comment: str | None = None


class Signal(Record):
    """One match of a detection rule."""

    id: str
    detection: str
    group: str
    uid: str | None = None
    at: Time
    fields: dict[str, Any] = Field(default_factory=dict)


class Alert(Record):
    """What a detection or correlation tells a person."""

    id: str
    rule: str
    title: str
    severity: Severity
    at: Time
    window: str
    group: str
    signals: list[str]
    resources: list[str]
    findings: list[str]
    actor: Actor | None = None
