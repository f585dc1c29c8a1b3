"""One sink of the deployment, as the delivery loop knows it."""

from dataclasses import dataclass

from driftline.pipeline.rulebook.match import Match


@dataclass(frozen=True)
class Route:
    name: str
    """Of its group, its metrics and its dead letters."""
    match: Match | None = None
    start: str = "all"
    """`now`: a group that never read a topic begins at its end."""
