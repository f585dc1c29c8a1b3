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
"""The UUID digit whose first two bits are the variant, 10 (RFC 9562)."""

Severity = Literal["informational", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("informational", "low", "medium", "high", "critical")
Evaluation = Literal["passed", "failed", "unknown"]
Status = Literal["clear", "open", "resolved", "suppressed"]


def named_uuid(name: str) -> str:
    """Same text as `uuid.uuid5(NAMESPACE, name)` in a third of the time; a changed reading needs about six."""
    digest = _NAMESPACE.copy()
    digest.update(name.encode())
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def finding_id(rule_id: str, uid: str) -> str:
    """The id of a rule on a resource, the same in every system that shows it."""
    return named_uuid(f"{rule_id}\n{uid}")


def rule_uuid(rule_id: str) -> str:
    return named_uuid(rule_id)


class Remediation(Record):
    """How to fix it, by tool: texts, commands, snippets. Any may be empty."""

    console: str = ""
    cli: str = ""
    terraform: str = ""


class RuleRef(Record):
    """The rule, as contained in its findings."""

    id: str
    uuid: str
    version: int
    title: str
    severity: Severity
    original_severity: Severity | None = None
    """What the rule says, where the settings of a sink give another severity; only in what that sink delivers."""
    section: str
    """The service, for grouping findings: `S3`, `IAM`."""
    family: str | None = None
    """The question that the rule asks, the same in all clouds: `storage-public`, `admin-port-open`, `key-old`, `mfa-missing`."""
    why: str = ""
    references: list[str] = Field(default_factory=list)
    frameworks: dict[str, list[str]] = Field(default_factory=dict)
    """Maps framework ids to control ids."""


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
    """A path of the resource that decided the verdict, and its value."""

    path: str
    value: Any = None


class RiskFactor(Record):
    name: Literal["severity", "exposure", "privilege", "criticality", "age"]
    value: str
    share: int
    """Points that this factor adds to the score."""


class Risk(Record):
    score: int = Field(ge=0, le=100)
    factors: list[RiskFactor] = Field(default_factory=list)


class Owner(Record):
    """Who is responsible for a resource. If there is no owner, it is known that no source names one."""

    id: str
    """A person's address or a team's name; empty if `found_by` says that it is not known."""
    found_by: str
    """How it was determined: tag, workspace, group, account, folder, map, fallback. `unread`: the tags that would name it could not be
    read; `ambiguous`: tags contradict each other."""


class Declared(Record):
    """Where code declares the resource."""

    workspace: str
    address: str = ""
    repository: str = ""
    path: str = ""


class Finding(Record):
    """The complete state of one rule on one resource. A later revision replaces it."""

    id: str
    rule: RuleRef
    resource: ResourceRef
    evaluation: Evaluation
    status: Status
    reason: str
    """Why it has this status: opened, reopened, fixed, holds, unread, stale, error, pending,
    resource_deleted, not_applicable, baseline_removed; if the rule changed and the resource did not: rule_added,
    rule_changed, rule_removed; for exceptions: accepted, exception_ended, worse_than_accepted,
    approver_caused_it; of owners: owner_changed (until its next statement)."""
    cause: str = ""
    """For `unread` and `error`: the part and the error code. For `owner_changed`: the old and new owner, and their sources."""
    sentence: str | None = None
    """Why it fails, in one sentence with the deciding values."""
    evidence: list[Evidence] = Field(default_factory=list)
    first_seen: Time
    last_seen: Time
    """The record time of this finding record. If the newest Restatement has a later `last_seen`, that one counts: while
    nothing changes, this record can be up to seven days old. With restatements, it is at most 12 hours behind the last sweep
    that saw the resource; if that sweep was more than 24 hours ago, the finding is `unknown` (see `evaluated_at`)."""
    evaluated_at: Time | None = None
    """When the resource was read for the latest actual verdict (passed or failed), as of this record."""
    opened_at: Time | None = None
    resolved_at: Time | None = None
    reopened: int = 0
    pending_for: int | None = None
    """Seconds that a failing condition must hold before the finding opens (`for` of the rule), if it is not open yet
    or was opened immediately by a one-shot scan."""
    actor: dict[str, Any] | None = None
    """Who caused the drift with which it opened (Actor)."""
    drift: str | None = None
    """Id of that drift."""
    attribution: str | None = None
    """How certain that is: attributed, ambiguous, pending, unattributed."""
    risk: Risk
    owner: Owner | None = None
    due_at: Time | None = None
    """When it should be fixed, by severity and settings."""
    declared: Declared | None = None
    """Where code declares the resource, if it does."""
    exception: dict[str, Any] | None = None
    """The exception that suppresses it, or would: id, reason, owner, approver, until."""
    remediation: Remediation = Field(default_factory=Remediation)
    links: list[str] = Field(default_factory=list)
    """The resource's page in its provider's console."""
    updated_at: Time
    """When status, evaluation or evidence last changed."""
    revision: int
    restated: bool = False
    """Nothing changed: written again so that destinations can refresh it. Not a reason to notify anyone."""
    truncated: bool | None = None
    """Long values were cut so that the finding fits into a record."""
    retired: bool = False
    """The finding has ended with its resource or rule. Remove it from latest views."""


class Restatement(Record):
    """A finding is unchanged since its last complete record. The record's key is the finding's id.

    A destination with versioned documents writes the merged document with `last_seen` in milliseconds as its version,
    which is above the revision that it belongs to and below every later one."""

    id: str
    last_seen: Time
    revision: int
    """The revision of the complete record on `driftline.findings` that this restatement belongs to. It applies to no other."""


def restated(finding: dict[str, Any], last_seen: str) -> dict[str, Any]:
    """The complete finding, updated by its restatement."""
    return finding | {"last_seen": max(finding["last_seen"], last_seen), "restated": True}
