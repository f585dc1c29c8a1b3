"""What a sink subscribes to: its name, its `match`, where it begins."""

from dataclasses import dataclass

from driftline.pipeline.rulebook.match import Match


@dataclass(frozen=True)
class Subscription:
    name: str
    """Of its group, its metrics and its dead letters."""
    match: Match | None = None
    start: str = "all"
    """`now`: a group that never read a topic begins at its end."""
