"""The working value of the core: one resource under assessment, from the input record to the outputs.

Every step of `driftline.pipeline.assess.step` takes it, reads it and changes it. Times in microseconds since 1970."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.compare.diff import Hints
from driftline.pipeline.model import Snapshot
from driftline.pipeline.rulebook import Rulebook, RuleSet, Verdict
from driftline.pipeline.state.resource import Body, FindingState, Head, KnownDrift, State


class Step(NamedTuple):
    """The result of applying a record, or time, to a state."""

    state: State
    findings: list[dict[str, Any]]
    """Findings as JSON-ready documents, by rule id."""
    applied: bool
    """False if the record was older than what is known, or already known: the state is unchanged."""
    drifts: list[dict[str, Any]] = []  # noqa: RUF012 - a tuple's default, never changed
    reads: list[dict[str, Any]] = []  # noqa: RUF012
    """Requests to read it again."""
    sessions: list[str] = []  # noqa: RUF012
    """Sessions whose origin is queried."""
    again: list[dict[str, Any]] = []  # noqa: RUF012
    """Unchanged findings, as documents, of which only a restatement is sent."""
    ended: list[str] = []  # noqa: RUF012
    """Rules whose findings are deleted."""
    members: list[dict[str, Any]] = []  # noqa: RUF012
    """MemberChange records: which tickets findings belong to."""


class Difference(NamedTuple):
    """The differences that a reading found in one part."""

    part: str
    since: int
    """When the old value was last read."""
    changes: list[dict[str, Any]]
    """As returned by driftline.pipeline.compare.diff."""


class Merged(NamedTuple):
    """The result of merging a snapshot."""

    differences: list[Difference]
    applied: bool
    """False if the snapshot was older than everything known."""
    new: bool = False
    """Nothing was known of this incarnation: the resource is new, has reappeared, or was recreated."""
    stale: bool = False
    """A part of the snapshot was older than the known one and was ignored."""
    proven: bool = False
    """According to the provider's own times, every difference is newer than what was known."""


NOTHING_MERGED = Merged([], False)


@dataclass(slots=True)
class Assessment:
    before: State | None
    """The state before. Never modified."""
    state: State
    """The one copy of it; steps modify its head and body in place."""
    at: int
    """The time that the steps assess."""
    rulebook: Rulebook
    options: AssessOptions
    events: int | None = None
    """The time up to which every change event has arrived; None if there are no events."""

    stated: Body | None = None
    """What was known when findings were last written; None before the first reading."""
    snapshot: Snapshot | None = None
    merged: Merged = NOTHING_MERGED
    ending: str = ""
    """Why the resource ends with this record: resource_deleted, account_gone, …"""
    trusted: bool = True
    """False: the reading opens, closes and deletes nothing."""
    new_drifts: list[KnownDrift] = field(default_factory=list)
    """The differences that this record shows."""
    new_evidence: bool = False
    """Evidence arrived that may change the cause of a drift that already has one."""
    rules_changed: bool = False
    """The rules have changed, not the resource."""
    verdicts: list[Verdict] = field(default_factory=list)
    lives_before: dict[str, FindingState] = field(default_factory=dict)
    """The findings' states before the last verdicts."""
    restate: bool = False
    """All findings are due to be written again."""
    whole: bool = False
    """They are due as complete documents."""
    scan: bool = False
    """A one-shot scan, which cannot wait."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    restatements: list[dict[str, Any]] = field(default_factory=list)
    drifts: list[dict[str, Any]] = field(default_factory=list)
    reads: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def begin(
        cls, before: State | None, at: int, rulebook: Rulebook, options: AssessOptions,
        events: int | None = None, *, about: dict[str, Any] | None = None, unseen: bool = False,
    ) -> "Assessment":  # fmt: skip
        """For a state; or, if nothing is known, for a resource described by `about` (`unseen`: not from a reading)."""
        state = (
            State(Head(), Body(about or {}, unseen=unseen)) if before is None else copied(before)
        )
        return cls(before, state, at, rulebook, options, events, before.body if before else None)

    @property
    def head(self) -> Head:
        return self.state.head

    @property
    def body(self) -> Body:
        return self.state.body

    @property
    def rules(self) -> RuleSet:
        """Those that apply to the resource as currently described."""
        return self.rulebook.of(self.state.body.resource)

    @property
    def hints(self) -> Hints:
        resource = self.state.body.resource
        return self.options.hints_of(resource["type"], resource["provider"])

    def step(self) -> Step:
        """What came of it."""
        return Step(
            self.state, self.findings, True, self.drifts, self.reads, self.sessions, self.restatements, self.forgotten,
            self.members,
        )  # fmt: skip

    def nothing(self) -> Step:
        """The record contains nothing new: the state is unchanged."""
        return Step(self.before or self.state, [], False)


def copied(state: State) -> State:
    """A state whose head and body may be modified. Values in them may be replaced, but not modified."""
    head, body = state.head, state.body
    return State(
        msgspec.structs.replace(head, parts=dict(head.parts), provided=dict(head.provided)),
        msgspec.structs.replace(body, lives=dict(body.lives), hidden=dict(body.hidden)),
        state.due,
        state.position,
    )
