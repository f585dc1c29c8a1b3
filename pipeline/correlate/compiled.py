"""A correlation as its groups use it. Pure; times in microseconds."""

from dataclasses import dataclass
from functools import cached_property

from driftline.pipeline.detections.windows import Spec


@dataclass(frozen=True)
class CompiledCorrelation:
    """What all groups of one correlation share. `lateness`: how far behind the watermark a hit may be, in
    microseconds."""

    id: str
    spec: Spec
    lateness: int

    @cached_property
    def undecided(self) -> int:
        """How far behind the watermark a match may still be found, in microseconds."""
        return self.lateness + (self.spec.timespan if self.spec.absent else 0)

    @cached_property
    def _standing(self) -> frozenset[str]:
        return frozenset([*self.spec.standing, *self.spec.standing.values()])

    def concerns(self, rule: str, *, state: bool) -> bool:
        """Returns whether hits of a rule affect this correlation. `state`: hits that only report that something still
        holds."""
        return rule in (self._standing if state else self.spec.rules)
