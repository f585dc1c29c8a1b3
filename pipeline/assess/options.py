"""Options of the core: settings, and properties of resource types."""

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
"""Microseconds after which ended resources and findings are deleted; every sink has received them long before."""


@dataclass(frozen=True)
class AssessOptions:
    """Options that are the same for all resources of a run."""

    criticality: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tag -> value -> level (lower case)."""
    hints: Mapping[str, Hints] = field(default_factory=dict)
    """Comparison hints by resource type: sets, and fields that change by themselves."""
    grants: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """The provider's actions required to read a part, by resource type and part."""
    consoles: Mapping[str, Row] = field(default_factory=dict)
    """Console pages and remediation placeholders by resource type."""
    expected: Sequence[Expected] = ()
    """Expected changes."""
    exceptions: ExceptionIndex = field(default_factory=ExceptionIndex)
    """The accepted risks."""
    forget: int = FORGET_AFTER
    """Microseconds from the end of a resource or finding until it is deleted."""
    tickets: TicketOptions | None = None
    """How findings become tickets; None: tickets are disabled."""
    people: People = NOBODY_MAPPED
    """The map of people's names."""
    owners: Owners = field(default_factory=Owners)
    """The sources of owners."""

    def level(self, resource: Mapping[str, Any]) -> str:
        """The criticality of a resource."""
        return criticality(resource["tags"], self.criticality)

    def hints_of(self, type: str, provider: str) -> Hints:
        """The hints of a type's row; for a type without one, those common to all types of its provider."""
        return self.hints.get(type) or plain_hints(provider)

    def signature(self, rulebook: str) -> str:
        """The settings whose change requires states to be processed again: rules, owners, tickets."""
        tickets = self.tickets.hash.hex() if self.tickets else ""
        return f"{rulebook}-{self.owners.hash.hex()}" + (f"-{tickets}" if tickets else "")
