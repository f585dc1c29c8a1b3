"""The state of one resource: a small head under one key, a body under another. An unchanged snapshot writes only the
head. Rows: driftline.pipeline.state.rows."""

from typing import Any

import msgspec
from driftline.pipeline.state.rows import NEVER, Position, content


class Head(msgspec.Struct, array_like=True):
    """What the short cut needs. Times in microseconds since 1970."""

    digest: bytes = b""
    seen_at: int = 0
    """The newest `captured_at` applied."""
    said_at: int = 0
    """When every finding was last said."""
    parts: dict[str, int] = {}
    """When each part was last read."""
    provided: dict[str, int] = {}
    """The provider's own time of each part, where it gave one."""
    scope: bytes = b""
    """Where its resource belongs (driftline.pipeline.assess.retirement.backlog.marks)."""
    told: bytes = b""
    """Digest of what the findings said when all of them were said last (driftline.pipeline.assess.findings)."""
    again_at: int = 0
    """`last_seen` of the newest Restatement; 0: none yet. Later revisions are above it, in milliseconds."""


class UnreadPart(msgspec.Struct, array_like=True):
    """A part that was unread at `at`."""

    reason: str
    code: str
    at: int


class FindingState(msgspec.Struct, array_like=True):
    """Where one rule stands on this resource."""

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
    """The rule's version when last judged."""
    severity: str = ""
    drift: str = ""
    """Id of the drift that it opened with, where it did."""
    actor: dict[str, Any] | None = None
    attribution: str = ""
    known: int = 0
    """How much is known of the actor; part of the revision."""
    exception: str = ""
    """Id of the exception in whose scope it is."""
    approved_at: int = 0
    """When that was said last."""
    accepted: list[list[Any]] = []
    """What was wrong then: paths and their values (driftline.pipeline.assess.decisions.risk_exceptions)."""
    suppressed: bool = False
    lifted: str = ""
    """Why it is open in spite of an exception, or since one ended."""
    refused: str = ""
    """Id of an exception that was about an earlier resource of this name."""
    because: str = ""
    """Why it stands as it does, where the resource is not the reason: rule_added, rule_changed."""
    causes: list[list[Any]] = []
    """The drifts that it opened with, and their places that it goes back to: [drift id, [numbers of its changes]]."""
    suspects: list[str] = []
    """Names of all who may have caused it, or made it worse, lower case."""
    worsened: list[list[Any]] = []
    """As `causes`: what has made it worse since it began."""
    as_found: bool = False
    """It has not held since the resource was first read (or judged by the rule), and nothing says when that began: it may
    have been so for long."""


class ChangeEvidence(msgspec.Struct, array_like=True):
    """A successful change of this resource: evidence for what is found different."""

    id: str
    at: int
    action: str
    kind: str
    actor: dict[str, Any]
    parts: list[str] = []
    """What it may have touched; empty: any part."""
    values: list[int] = []
    """Hashes of the scalars in its request."""
    shared: str | None = None
    deployment: str | None = None
    units: list[list[int]] = []
    """The same hashes by what belongs together in the request: an element of a list, the fields of a map."""
    opaque: bool = False
    """Not all of the request's scalars are known."""
    differs: bool = False
    """The event came more than once with different contents; this is the fullest."""
    earlier: bool = False
    """It stands for earlier changes of the same actor too, of whose requests nothing is kept: there were too many."""


class KnownDrift(msgspec.Struct, array_like=True):
    """A drift that was told, and may yet be completed by an event that comes late."""

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
    """Digest of what was said of its cause."""
    signals: list[list[str]] = []
    """Those that stand of it: correlation, group and rule of each, and a mark of its fields (driftline.pipeline.assess.outputs)."""


class KnownBaseline(msgspec.Struct, array_like=True):
    """What the resource ought to be, by one kind of baseline."""

    at: int
    expect: dict[str, Any]
    by: str = ""
    source: str = ""
    recreated: bool = False
    revoked: bool = False
    appliers: list[str] = []
    """Who makes reality as declared (patterns): while one of them works, it may be half done."""
    address: str = ""
    """Where in the code; with its repository and the folder or file in it, where these were said."""
    repository: str = ""
    path: str = ""


class Body(msgspec.Struct, array_like=True):
    """The whole knowledge about one resource."""

    resource: dict[str, Any]
    """As findings carry it (ResourceRef)."""
    config: dict[str, Any] = {}
    hidden: dict[str, UnreadPart] = {}
    incarnation: str | None = None
    deleted_at: int | None = None
    lives: dict[str, FindingState] = {}
    previous: dict[str, Any] | None = None
    changes: list[dict[str, Any]] = []
    related: list[dict[str, Any]] = []
    not_before: int = 0
    """A reading at or before this is of a life that has ended (deleted, or made anew)."""
    history: list[ChangeEvidence] = []
    """By time."""
    drifts: list[KnownDrift] = []
    changed_at: int = 0
    """The newest change that no reading has shown yet; 0: none, readings are settled."""
    agreed_at: int = 0
    """Since when readings after that change have shown what was known before it."""
    before: bytes = b""
    """Digest of the configuration before the last difference."""
    replaced_at: int = 0
    """When that was."""
    unseen: bool = False
    """Only changes are known; no reading has come yet."""
    baselines: dict[str, KnownBaseline] = {}
    """By kind."""
    rules: bytes = b""
    """Hash of the rules (of its type) that it was judged by last."""
    ended: str = ""
    """Why it is out of what is watched, where nobody says that it was deleted: account_gone, region_disabled,
    type_removed, forgotten."""
    forgotten: int = 0
    """When the newest change was made of which `history` holds nothing any more, not even the actor."""


class SourceWatermarks(msgspec.Struct, array_like=True):
    """What a partition knows of time, beside its states."""

    watermarks: dict[str, int] = {}
    """Of each source of change events."""


class KnownExceptions(msgspec.Struct, array_like=True):
    """The exceptions that a partition knows, beside its states."""

    exceptions: list[dict[str, Any]] = []
    """As their model has them, JSON-ready."""
    asking: list[str] = []
    """Patterns of resources whose states are still to be looked at for a new or changed exception."""


class EvaluatedBy(msgspec.Struct, array_like=True):
    """The rules by which every state of a partition has been judged."""

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
"""A due time: look at this state again, as soon as there is time."""


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
