"""The state of one resource: a small head under one key, a body under another. An unchanged snapshot writes only the
head. Rows: driftline.pipeline.state.rows."""

from typing import Any

import msgspec

from driftline.pipeline.state.rows import NEVER, Position, content


class Head(msgspec.Struct, array_like=True):
    """The fields that the fast path for unchanged readings needs. Times in microseconds since 1970."""

    digest: bytes = b""
    seen_at: int = 0
    """The newest `captured_at` applied."""
    said_at: int = 0
    """When all findings were last written."""
    parts: dict[str, int] = {}
    """When each part was last read."""
    provided: dict[str, int] = {}
    """The provider's own timestamp of each part, if it provides one."""
    scope: bytes = b""
    """The scopes of the resource (driftline.pipeline.assess.retirement.backlog.marks)."""
    told: bytes = b""
    """Digest of the findings when all of them were last written (driftline.pipeline.assess.findings)."""
    again_at: int = 0
    """`last_seen` of the newest Restatement; 0 if there is none. Later revisions are above it, in milliseconds."""


class UnreadPart(msgspec.Struct, array_like=True):
    """A part that was unread at `at`."""

    reason: str
    code: str
    at: int


class FindingState(msgspec.Struct, array_like=True):
    """The finding of one rule on this resource."""

    evaluation: str
    status: str
    reason: str
    detail: str
    evidence: list[dict[str, Any]]
    first_seen: int
    updated_at: int
    revision: int = 0
    evaluated_at: int | None = None
    opened_at: int | None = None
    resolved_at: int | None = None
    reopened: int = 0
    pending_since: int | None = None
    passing_since: int | None = None
    retired: bool = False
    rule: int = 0
    """Version of the rule at the last evaluation."""
    severity: str = ""
    drift: str = ""
    """Id of the drift that opened it, if one did."""
    actor: dict[str, Any] | None = None
    attribution: str = ""
    known: int = 0
    """How much is known about the actor; part of the revision."""
    exception: str = ""
    """Id of the exception that covers it."""
    approved_at: int = 0
    """When that was last confirmed."""
    accepted: list[list[Any]] = []
    """What was wrong at that time: paths and their values (driftline.pipeline.assess.decisions.risk_exceptions)."""
    suppressed: bool = False
    lifted: str = ""
    """Why it is open despite an exception, or since an exception ended."""
    refused: str = ""
    """Id of an exception that covered an earlier resource with this name."""
    because: str = ""
    """Reason of the status if the resource did not cause it: rule_added, rule_changed."""
    causes: list[list[Any]] = []
    """The drifts that opened it, and their places that caused it: [drift id, [numbers of its changes]]."""
    suspects: list[str] = []
    """Names, casefolded, of everyone who may have caused it or made it worse."""
    worsened: list[list[Any]] = []
    """Like `causes`: what made it worse since it opened."""
    as_found: bool = False
    """It has failed since the resource was first read (or evaluated by the rule), and nothing says when that began:
    it may have failed for a long time."""

    ticket: str = ""
    """The ticket group that it belongs to; empty: none."""


class ChangeEvidence(msgspec.Struct, array_like=True):
    """A successful change of this resource: evidence for differences."""

    id: str
    at: int
    action: str
    kind: str
    actor: dict[str, Any]
    parts: list[str] = []
    """Parts that it may have touched; empty: any part."""
    values: list[int] = []
    """Hashes of the scalars in its request."""
    shared: str | None = None
    deployment: str | None = None
    units: list[list[int]] = []
    """The same hashes grouped by what belongs together in the request: the elements of a list, the fields of a map."""
    opaque: bool = False
    """Not all scalars of the request are known."""
    differs: bool = False
    """The event arrived more than once with different contents; this is the most complete one."""
    earlier: bool = False
    """It also represents earlier changes of the same actor whose requests were dropped, because there were too many."""


class KnownDrift(msgspec.Struct, array_like=True):
    """A drift that was written and may be completed by a late event."""

    id: str
    part: str
    at: int
    since: int
    changes: list[dict[str, Any]]
    values: list[int]
    found_by: str
    attribution: str = ""
    revision: int = 0
    told: bytes = b""
    """Digest of its cause as last written."""
    signals: list[list[str]] = []
    """Its signals that were not withdrawn: correlation, group and rule of each, and a mark of its fields
    (driftline.pipeline.assess.outputs)."""
    owner: dict[str, str] | None = None
    """Who owned the resource when it was found: evidence may come after the resource is another's, or made anew."""


class KnownBaseline(msgspec.Struct, array_like=True):
    """What is expected of the resource by one kind of baseline."""

    at: int
    expect: dict[str, Any]
    by: str = ""
    source: str = ""
    recreated: bool = False
    revoked: bool = False
    appliers: list[str] = []
    """Who applies declarations (patterns): while one of them is at work, the result may be incomplete."""
    address: str = ""
    """Address in the code; with its repository and the folder or file in it, where known."""
    repository: str = ""
    path: str = ""


class KnownOwner(msgspec.Struct, array_like=True):
    """Who owns the resource, as last found (driftline.pipeline.assess.ownership)."""

    id: str
    """Empty: nobody, or not known; `found_by` says which."""
    found_by: str
    settings: bytes
    """Hash of the settings by which it was found."""
    tags_read: bool = True
    """Whether the tags of this resource were ever read."""


class Body(msgspec.Struct, array_like=True):
    """Everything known about one resource."""

    resource: dict[str, Any]
    """The resource as findings carry it (ResourceRef)."""
    config: dict[str, Any] = {}
    hidden: dict[str, UnreadPart] = {}
    incarnation: str | None = None
    deleted_at: int | None = None
    lives: dict[str, FindingState] = {}
    previous: dict[str, Any] | None = None
    changes: list[dict[str, Any]] = []
    related: list[dict[str, Any]] = []
    not_before: int = 0
    """Readings at or before this time belong to an earlier resource (deleted, or recreated)."""
    history: list[ChangeEvidence] = []
    """Ordered by time."""
    drifts: list[KnownDrift] = []
    changed_at: int = 0
    """The newest change that no reading has shown yet; 0: none, readings are trusted."""
    agreed_at: int = 0
    """Since when readings after that change have shown the previous state."""
    before: bytes = b""
    """Digest of the configuration before the last difference."""
    replaced_at: int = 0
    """When that difference was seen."""
    unseen: bool = False
    """Only changes are known; there is no reading yet."""
    baselines: dict[str, KnownBaseline] = {}
    """By kind."""
    rules: bytes = b""
    """Hash of the rules (of its type) by which it was last evaluated."""
    ended: str = ""
    """Why it left the scope although nobody reported it as deleted: account_gone, region_disabled, type_removed,
    forgotten."""
    forgotten: int = 0
    """Time of the newest change that `history` has dropped completely, including its actor."""
    owner: KnownOwner | None = None
    """None: not looked for yet."""
    containers: list[dict[str, Any]] = []
    """What the resource is in, with tags (model.Container), nearest first."""
    routed: bytes = b""
    """Hash of the settings by which its findings were last distributed to tickets."""


class SourceWatermarks(msgspec.Struct, array_like=True):
    """The watermarks of a partition, stored beside its states."""

    watermarks: dict[str, int] = {}
    """By source of change events."""


class KnownExceptions(msgspec.Struct, array_like=True):
    """The exceptions of a partition, stored beside its states."""

    exceptions: list[dict[str, Any]] = []
    """JSON-ready, as in their model."""
    asking: list[str] = []
    """Patterns of resources that must still be checked against a new or changed exception."""


class EvaluatedBy(msgspec.Struct, array_like=True):
    """The rules by which all states of a partition have been evaluated."""

    rulebook: str


class State(msgspec.Struct):
    head: Head
    body: Body
    due: int = NEVER
    position: Position = Position()


_head = msgspec.msgpack.Decoder(Head)
_body = msgspec.msgpack.Decoder(Body)
_sources = msgspec.msgpack.Decoder(SourceWatermarks)
_accepted = msgspec.msgpack.Decoder(KnownExceptions)
_judged = msgspec.msgpack.Decoder(EvaluatedBy)
DUE_NOW = 0
"""A due time: handle this state as soon as possible."""


def decode_head(row: bytes) -> Head:
    return _head.decode(content(row))


def decode_body(row: bytes) -> Body:
    return _body.decode(content(row))


def decode_sources(row: bytes) -> SourceWatermarks:
    return _sources.decode(content(row))


def decode_accepted(row: bytes) -> KnownExceptions:
    return _accepted.decode(content(row))


def decode_judged(row: bytes) -> EvaluatedBy:
    return _judged.decode(content(row))
