"""The demo's steps: each changes something and waits for the result in Elasticsearch."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from driftline.pipeline.demo.changes import Changes
from driftline.pipeline.demo.damage import Damage

LIMITS = {
    "first sweep": 120, "opened to the world": 60, "fixed": 60, "opened again": 60, "risk accepted": 90, "role widened": 90,
    "public bucket read": 90, "bucket deleted": 60, "permission lost": 90, "worker killed": 150, "Elasticsearch stopped": 150,
}  # fmt: skip
"""The steps in order, each with its limit in seconds of an idle machine: about ten times its usual duration."""
NAMES = tuple(LIMITS)


@dataclass
class Step:
    """`what` it shows, whether it was seen, and how long that took. `seconds` is None if it was not started."""

    name: str
    what: str
    seen: bool = False
    seconds: float | None = None
    detail: str = ""
    """What was seen; if the step failed, what was expected, and what was seen instead."""

    @property
    def run(self) -> bool:
        """Whether it was started; nothing is known of the others."""
        return self.seconds is not None

    def as_dict(self) -> dict[str, Any]:
        seconds = None if self.seconds is None else round(self.seconds, 3)
        return asdict(self) | {"seconds": seconds, "run": self.run}


def method(name: str) -> str:
    """What plays a step."""
    return name.replace(" ", "_").lower()


def steps() -> list[Step]:
    """All steps in order, not started."""
    return [
        Step(name, (getattr(Play, method(name)).__doc__ or "").splitlines()[0]) for name in NAMES
    ]


class Play(Changes, Damage):
    """Plays the steps."""

    def play(self, steps: list[Step]) -> Iterator[Step]:
        """Yields each step before it starts and when it is finished; stops at the first that fails, because later ones build on it."""
        for step in steps:
            began = time.monotonic()
            step.seconds = 0.0
            self.begin(LIMITS[step.name])
            yield step
            try:
                step.detail = getattr(self, method(step.name))()
                step.seen = True
            except (TimeoutError, RuntimeError) as why:
                step.detail = str(why)
            step.seconds = time.monotonic() - began
            yield step
            if not step.seen:
                return
