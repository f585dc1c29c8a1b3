"""The records that travel between collectors, stream and sinks; JSON Schemas are made from them."""

from pipeline.model.base import Record, Time, from_micros, micros, rfc3339, to_micros
from pipeline.model.control import Baseline, Control, RiskException, Tick, exception_id
from pipeline.model.finding import (
    SEVERITIES,
    Evaluation,
    Evidence,
    Finding,
    Remediation,
    ResourceRef,
    Risk,
    RiskFactor,
    RuleRef,
    Severity,
    Status,
    finding_id,
    rule_uuid,
)
from pipeline.model.resource import (
    Part,
    Related,
    Scope,
    Snapshot,
    Sweep,
    SweepUids,
    SweepUnread,
    Unread,
    UnreadReason,
)
from pipeline.model.stream import (
    Actor,
    Alert,
    Candidate,
    Chain,
    Change,
    Changed,
    Drift,
    Link,
    Mark,
    Member,
    Read,
    Signal,
    Ticket,
    Tool,
)

RECORDS: tuple[type[Record], ...] = (
    Snapshot, Sweep, SweepUids, Change, Chain, Control, RiskException, Baseline, Read, Finding, Drift, Signal, Mark, Alert, Ticket,
)  # fmt: skip

__all__ = [
    "RECORDS", "SEVERITIES", "Actor", "Alert", "Baseline", "Candidate", "Chain", "Change", "Changed", "Control", "Drift", "Evaluation", "Evidence",
    "Finding", "Link", "Mark", "Member", "Part", "Read", "Record", "Related", "Remediation", "ResourceRef", "Risk", "RiskException", "RiskFactor",
    "RuleRef", "Scope", "Severity", "Signal", "Snapshot", "Status", "Sweep", "SweepUids", "SweepUnread", "Tick",
    "Ticket", "Time", "Tool", "Unread", "UnreadReason", "exception_id", "finding_id", "from_micros", "micros", "rfc3339", "rule_uuid", "to_micros",
]  # fmt: skip
