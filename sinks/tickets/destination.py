"""What a ticket system must be able to do. Jira and ServiceNow implement it; the reconciler knows no more of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from driftline.sinks.base import Limits

Policy = Literal["ours", "initial", "theirs"]
"""`ours`: written whenever it differs, until a person changes it; `initial`: written at creation only; `theirs`: never."""


@dataclass(frozen=True)
class Issue:
    """A real ticket."""

    reference: str
    """What people call it: SEC-12, INC0010023."""
    id: str
    """What its system calls it, whatever it is renamed to."""
    url: str
    created: str
    """When it was created, as text that sorts by time."""
    open: bool
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The fields that we write, as `Destination.fields` spells them. Text fields as they are stored."""
    labels: frozenset[str] = frozenset()
    closed_at: str | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds."""

    lookup_for: float = 600
    """After an unknown outcome: how long the destination is searched before it is tried again."""
    lookup_every: float = 15
    retry: float = 5


class Unclear(Exception):
    """Nobody knows whether it was done: a time-out, a broken connection, a server error."""


class Refused(Exception):
    """It was not done, and never will be as it is. The message says what to change."""


class Forbidden(Exception):
    """The ticket may exist, but we may not see or change it."""


class Destination(Protocol):
    """A ticket system, connected. Every call may also raise Busy (driftline.sinks.base): it was not done."""

    limits: Limits
    """Of these `concurrency` and `rate` are kept: calls for different tickets side by side, and looks a second."""
    timing: Timing
    policies: Mapping[str, Policy]
    """By field. A field that is not named here is `ours`."""
    body: str
    """The field that holds our text, between markers; all else in it is people's."""

    async def shut(self) -> None:
        """Lets go of connections."""

    def fields(self, ticket: Mapping[str, Any]) -> dict[str, Any]:
        """What a wanted ticket asks for, field by field. Pure. Raises Refused."""

    def merged(self, current: Any, ours: Any) -> Any:
        """The body with our part replaced, or added where it is not there. `current`: as `Issue.fields` has it, or None. Pure."""

    def has_part(self, current: Any) -> bool:
        """Whether a body holds our part. Pure."""

    async def find(self, label: str) -> Sequence[Issue]:
        """Every ticket with this label. A search may lag behind. Raises Unclear."""

    async def create(self, fields: Mapping[str, Any], labels: Sequence[str]) -> Issue:
        """Raises Unclear, Refused."""

    async def read(self, id: str, reference: str = "") -> Issue | None:
        """`reference`: what it was last called, where that is known. None: it was deleted. Raises Unclear, Forbidden."""

    async def update(
        self, issue: Issue, fields: Mapping[str, Any], add: Sequence[str], remove: Sequence[str]
    ) -> None:
        """Fields to set, labels to add and to remove. Raises Unclear, Refused, Forbidden."""

    async def comment(self, issue: Issue, comment: str, text: str) -> None:
        """Adds a comment, unless one of this id is there. Raises Unclear, Refused, Forbidden."""

    async def close(self, issue: Issue, reason: str) -> bool:
        """Moves it to a closed state by its own workflow. False: no way leads there. Raises Unclear, Refused, Forbidden."""

    async def reopen(self, issue: Issue) -> bool:
        """Moves it to an open state. False: no way leads there. Raises Unclear, Refused, Forbidden."""

    async def relate(
        self, issue: Issue, other: Issue, kind: Literal["duplicates", "follows"]
    ) -> None:
        """Links two tickets; again is nothing new. Raises Unclear, Refused, Forbidden."""
