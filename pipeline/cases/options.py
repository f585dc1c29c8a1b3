"""Options of tickets, from the settings."""

import hashlib
from dataclasses import dataclass

from driftline.pipeline.common.durations import DAY, MINUTE, SECOND
from driftline.pipeline.rulebook.match import Match

SHOWN = 200
"""Maximum number of listed members; the others are counted."""


@dataclass(frozen=True)
class TicketOptions:
    """The same for every ticket. Times in microseconds."""

    group_by: tuple[str, ...] = ("rule", "owner")
    """Fields by which findings are grouped into tickets (driftline.pipeline.cases.route.FIELDS)."""
    match: Match | None = None
    """Which findings and alerts get a ticket; None: all."""
    topics: frozenset[str] = frozenset({"findings"})
    """Of `findings` and `alerts`, without the deployment's prefix."""
    settle: int = 30 * SECOND
    """From the first change of a ticket until it is rendered: later changes are collected until then."""
    close_after: int = 30 * MINUTE
    """How long no member may fail before the ticket closes."""
    reopen_within: int = 14 * DAY
    """For how long after closing a group that fails again gets the same ticket."""
    shown: int = SHOWN

    @property
    def hash(self) -> bytes:
        """Digest of the options that determine a finding's ticket."""
        match = self.match.text if self.match else ""
        said = "\n".join([",".join(self.group_by), match, ",".join(sorted(self.topics))])
        return hashlib.blake2b(said.encode(), digest_size=8).digest()
