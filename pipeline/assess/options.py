"""What people configure about assessing, and what the types' rows say about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from driftline.pipeline.assess.decisions.exception_index import ExceptionIndex
from driftline.pipeline.assess.drift.expected import Expected
from driftline.pipeline.assess.ownership.sources import Owners
from driftline.pipeline.assess.risk import criticality
from driftline.pipeline.assess.wording.consoles import Row
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.compare.diff import Hints
from driftline.pipeline.people.identity import NOBODY_MAPPED, People
from driftline.pipeline.providers.installed import plain_hints

FORGET_AFTER = 30 * 24 * HOUR
"""Microseconds after which what has ended is forgotten: every sink has received it long before."""


@dataclass(frozen=True)
class AssessOptions:
    """The same for every resource of a run."""

    criticality: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tag -> value -> level (lower case)."""
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """By resource type: what is a set, what changes by itself."""
    grants: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """By resource type and part: the provider's actions that reading it needs."""
    consoles: Mapping[str, Row] = field(default_factory=dict)
    """By resource type: its page in the provider's console, and its names in remediation."""
    expected: Sequence[Expected] = ()
    """Changes that are a matter of course."""
    exceptions: ExceptionIndex = field(default_factory=ExceptionIndex)
    """The accepted risks."""
    forget: int = FORGET_AFTER
    """Microseconds from the end of a resource, or of a finding, until nothing is kept of it."""
    tickets: TicketOptions | None = None
    """How findings become tickets; None: they do not."""
    people: People = NOBODY_MAPPED
    """The names of one person."""
    owners: Owners = field(default_factory=Owners)
    """The sources that name a resource's owner."""

    def level(self, resource: Mapping[str, Any]) -> str:
        """The criticality of a resource."""
        return criticality(resource["tags"], self.criticality)

    def hints_of(self, type: str, provider: str) -> Hints:
        """What the type's row says; of a type without one, what is so of all types of its provider."""
        return self.hints.get(type) or plain_hints(provider)

    def signature(self, rulebook: str) -> str:
        """What states are to be looked at again for when it changes: rules, owners, tickets."""
        tickets = self.tickets.hash.hex() if self.tickets else ""
        return f"{rulebook}-{self.owners.hash.hex()}" + (f"-{tickets}" if tickets else "")
