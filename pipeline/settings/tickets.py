"""The block `tickets`: which findings and alerts become tickets, and how they are grouped."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from driftline.pipeline.common.durations import UNITS
from driftline.pipeline.records.topics import CASES_ID
from driftline.pipeline.settings.base import Block, Mistake, Seconds, TopicName
from driftline.pipeline.settings.match_text import match_mistakes

Field_ = Literal[
    "rule", "family", "resource", "account", "unit", "owner", "declared", "change", "alert"
]


class Tickets(Block):
    enabled: bool = False
    """Whether findings and alerts become tickets. Sinks of tickets (Jira, ServiceNow) deliver them."""
    match: str = "severity in ['high', 'critical']"
    """CEL: which findings and alerts; empty: all. The variables are those of a sink's `match`."""
    topics: list[Literal["findings", "alerts"]] = Field(default=["findings"])
    """What becomes a ticket. An alert always has its own, which only people close."""
    group_by: list[Field_] = Field(default=["rule", "owner"], min_length=1)
    """What shares one ticket: findings with the same values of these fields (docs/tickets.md)."""
    settle: Seconds = Field(30, ge=1)
    """How long changes are collected before a ticket is written."""
    close_after: Seconds = Field(1800, ge=0)
    """How long nothing may fail before a ticket is closed."""
    reopen_within: Seconds = Field(14 * UNITS["d"], ge=0)
    """How long after closing a group that fails again gets the same ticket; later it gets a new one that names the old."""
    app_id: TopicName = CASES_ID
    """The consumer group of `driftline cases`, and the beginning of its changelog topic's name."""
    port: int = Field(6062, ge=0, le=65_535)
    """/live, /ready and /metrics of `driftline cases`, at worker.bind; 0 takes a free one. Its state is in worker.state_dir."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from match_mistakes(self.match)
        for name in sorted({name for name in self.group_by if self.group_by.count(name) > 1}):
            yield Mistake(("group_by",), f"{name} is there twice", "write each field once")
