"""The working value of the core: one resource under assessment, from the record that came to what is to be sent.

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
    """What one record, or time, makes of a state."""

    state: State
    findings: list[dict[str, Any]]
    """Findings as JSON-ready documents, by rule id."""
    applied: bool
    """False where the record was older than what is known, or known: the state is as before."""
    drifts: list[dict[str, Any]] = []  # noqa: RUF012 - a tuple's default, never changed
    reads: list[dict[str, Any]] = []  # noqa: RUF012
    """Requests to read it again."""
    sessions: list[str] = []  # noqa: RUF012
    """Sessions whose origin is asked for."""
    again: list[dict[str, Any]] = []  # noqa: RUF012
    """Findings that hold as they were last stated; as documents, but only a restatement is sent."""
    ended: list[str] = []  # noqa: RUF012
    """Rules whose findings are forgotten."""
    members: list[dict[str, Any]] = []  # noqa: RUF012
    """MemberChange records: which tickets findings belong to."""


class Difference(NamedTuple):
    """What a reading found different in one part."""

    part: str
    since: int
    """When the old value was last read."""
    changes: list[dict[str, Any]]
    """As driftline.pipeline.compare.diff gives them."""


class Merged(NamedTuple):
    """What merging a snapshot found out."""

    differences: list[Difference]
    applied: bool
    """False where the snapshot was older than all that is known."""
    new: bool = False
    """Nothing was known of this incarnation: the resource is new to us, back, or recreated."""
    stale: bool = False
    """Some part of the snapshot was older than what is known, and was left out."""
    proven: bool = False
    """By the provider's own times every difference is newer than what was known."""


NOTHING_MERGED = Merged([], False)


@dataclass(slots=True)
class Assessment:
    before: State | None
    """What was known. Never changed."""
    state: State
    """The one copy of it; steps change its head and body in place."""
    at: int
    """The time that the steps assess."""
    rulebook: Rulebook
    options: AssessOptions
    events: int | None = None
    """Until when every change event has arrived; None where none arrive at all."""

    stated: Body | None = None
    """What was known when findings were last stated; None before the first reading."""
    snapshot: Snapshot | None = None
    merged: Merged = NOTHING_MERGED
    ending: str = ""
    """Why the resource ends with this record: resource_deleted, account_gone, …"""
    trusted: bool = True
    """False: the reading opens, closes and deletes nothing."""
    new_drifts: list[KnownDrift] = field(default_factory=list)
    """Those that this record shows."""
    new_evidence: bool = False
    """Something arrived that may change the cause of a drift that already has one."""
    rules_changed: bool = False
    """It is the rules that have changed, not the resource."""
    verdicts: list[Verdict] = field(default_factory=list)
    lives_before: dict[str, FindingState] = field(default_factory=dict)
    """The findings' states before the last verdicts."""
    restate: bool = False
    """It is time to state every finding again."""
    whole: bool = False
    """And to state them as whole documents."""
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
        """Of a state; or, where nothing is known, of a resource that is described by `about` (`unseen`: not by a reading)."""
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
        """Those that hold for the resource as it is now described."""
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
        """The record says nothing new: the state is as before."""
        return Step(self.before or self.state, [], False)


def copied(state: State) -> State:
    """A state whose head and body may be changed. What lies in them may be replaced, never changed."""
    head, body = state.head, state.body
    return State(
        msgspec.structs.replace(head, parts=dict(head.parts), provided=dict(head.provided)),
        msgspec.structs.replace(body, lives=dict(body.lives), hidden=dict(body.hidden)),
        state.due,
        state.position,
    )
