"""Findings: one rule on one resource, for life."""

import hashlib
import uuid
from typing import Any, Literal

from pydantic import ConfigDict, Field

from driftline.pipeline.model.base import Record, Time
from driftline.pipeline.model.resource import CloudAccount

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "driftline")
_NAMESPACE = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""Of the digit of a UUID whose first two bits say its variant: 10 (RFC 9562)."""

Severity = Literal["informational", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("informational", "low", "medium", "high", "critical")
Evaluation = Literal["passed", "failed", "unknown"]
Status = Literal["clear", "open", "resolved", "suppressed"]


def named_uuid(name: str) -> str:
    """The text of `uuid.uuid5(NAMESPACE, name)`, in a third of its time: a changed reading asks for half a dozen."""
    digest = _NAMESPACE.copy()
    digest.update(name.encode())
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def finding_id(rule_id: str, uid: str) -> str:
    """The one id of a rule on a resource, in every system that shows it."""
    return named_uuid(f"{rule_id}\n{uid}")


def rule_uuid(rule_id: str) -> str:
    return named_uuid(rule_id)


class Remediation(Record):
    """How to mend it, by each way. Texts, commands, snippets; any may be empty."""

    console: str = ""
    cli: str = ""
    terraform: str = ""


class RuleRef(Record):
    """The rule as its findings carry it."""

    id: str
    uuid: str
    version: int
    title: str
    severity: Severity
    original_severity: Severity | None = None
    """What the rule says, where the settings of a sink give another severity; only in what that sink delivers."""
    section: str
    """The service, as people group findings: `S3`, `IAM`."""
    family: str | None = None
    """One name for one question over all clouds: `storage-public`, `admin-port-open`, `key-old`, `mfa-missing`."""
    why: str = ""
    references: list[str] = Field(default_factory=list)
    frameworks: dict[str, list[str]] = Field(default_factory=dict)
    """Framework id to control ids."""


class ResourceRef(Record):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    uid: str
    type: str
    provider: str
    organization: str | None = None
    account: str
    cloud_account: CloudAccount | None = None
    region: str
    class_: str | None = Field(None, alias="class")
    name: str
    tags: dict[str, str] = Field(default_factory=dict)


class Evidence(Record):
    """A path of the resource and its value, that decided."""

    path: str
    value: Any = None


class RiskFactor(Record):
    name: Literal["severity", "exposure", "privilege", "criticality", "age"]
    value: str
    share: int
    """Points of the score that this factor gives."""


class Risk(Record):
    score: int = Field(ge=0, le=100)
    factors: list[RiskFactor] = Field(default_factory=list)


class Owner(Record):
    """Who answers for a resource. No owner at all: it is known that no source names one."""

    id: str
    """A person's address or a team's name; empty where `found_by` says that it is not known."""
    found_by: str
    """How that is known: tag, workspace, group, account, folder, map, fallback. `unread`: tags that would say so could not be
    read; `ambiguous`: tags contradict each other."""


class Declared(Record):
    """Where code declares the resource."""

    workspace: str
    address: str = ""
    repository: str = ""
    path: str = ""


class Finding(Record):
    """A whole statement about one rule on one resource; a later revision replaces it."""

    id: str
    rule: RuleRef
    resource: ResourceRef
    evaluation: Evaluation
    status: Status
    reason: str
    """Why it stands so: opened, reopened, fixed, holds, unread, stale, error, pending,
    resource_deleted, not_applicable, baseline_removed; of rules that changed while the resource did not: rule_added,
    rule_changed, rule_removed; of exceptions: accepted, exception_ended, worse_than_accepted,
    approver_caused_it; of owners: owner_changed (until its next statement)."""
    cause: str = ""
    """For `unread` and `error`: which part, which code. For `owner_changed`: who it was and is, and by what."""
    sentence: str | None = None
    """Why it fails, in one sentence with the values that decide."""
    evidence: list[Evidence] = Field(default_factory=list)
    first_seen: Time
    last_seen: Time
    """The record time of this statement. The finding was last seen at the `last_seen` of its newest Restatement, if that
    is later: a statement itself is up to seven days old while nothing changes. With it, at most 12 hours behind the last sweep
    that saw the resource; while that is more than 24 hours ago the finding is told as `unknown` (see `evaluated_at`)."""
    evaluated_at: Time | None = None
    """When the resource was read that the last real verdict (passed or failed) stands on, as of this statement."""
    opened_at: Time | None = None
    resolved_at: Time | None = None
    reopened: int = 0
    pending_for: int | None = None
    """Seconds that a failing condition must hold before it opens (rule's `for`), where it is not open yet
    or was opened at once by a one-shot scan."""
    actor: dict[str, Any] | None = None
    """Who caused the drift that it opened with (Actor)."""
    drift: str | None = None
    """Id of that drift."""
    attribution: str | None = None
    """How sure that is: attributed, ambiguous, pending, unattributed."""
    risk: Risk
    owner: Owner | None = None
    due_at: Time | None = None
    """When it should be mended, by severity and settings."""
    declared: Declared | None = None
    """Where code declares the resource, if it does."""
    exception: dict[str, Any] | None = None
    """Of the exception that suppresses it, or would: id, reason, owner, approver, until."""
    remediation: Remediation = Field(default_factory=Remediation)
    links: list[str] = Field(default_factory=list)
    """The resource's page in its provider's console."""
    updated_at: Time
    """When status, evaluation or evidence last changed."""
    revision: int
    restated: bool = False
    """Nothing changed: said again so that it does not fade. Wakes nobody."""
    truncated: bool | None = None
    """Long values were cut, so that the statement fits a record."""
    retired: bool = False
    """The finding has ended with its resource or rule: gone from every latest view."""


class Restatement(Record):
    """A finding still stands, and its last whole statement still says how. Key of its record: the finding's id.

    Whoever keeps documents with versions writes the merged one with the version `last_seen` in milliseconds: that is above
    the revision which it belongs to and below every later one."""

    id: str
    last_seen: Time
    revision: int
    """Of the whole statement on `driftline.findings` that this one belongs to; to any other it does not apply."""


def restated(finding: dict[str, Any], last_seen: str) -> dict[str, Any]:
    """The whole statement with what its restatement says."""
    return finding | {"last_seen": max(finding["last_seen"], last_seen), "restated": True}
