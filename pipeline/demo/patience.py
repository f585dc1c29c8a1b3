"""Waits for expected results, with a limit per step and a check that can abort the wait."""

import time
from collections.abc import Callable

from driftline.pipeline.demo.probe import Probe
from driftline.pipeline.demo.stage import Check

POLL, LOOK = 0.1, 0.4


class NotSeen(TimeoutError):
    """The expected result did not appear in time."""


class Patience:
    """`watch` is called while waiting, and raises to abort. A step's limit is in seconds of an idle machine
    (see Probe)."""

    def __init__(self, watch: Check, probe: Probe) -> None:
        self.watch, self.probe = watch, probe
        self._until = float("inf")
        self._limit = 0.0

    def begin(self, limit: float) -> None:
        """Begins a step with a time limit."""
        self._limit, self._until = limit, self.probe.now() + limit

    def until(
        self, seen: Callable[[], bool], what: str, poll: float = POLL, now: Callable[[], str] = str
    ) -> float:
        """Waits until something is seen; returns how long it took. `now` describes what is seen instead. Raises NotSeen."""
        began = time.monotonic()
        while not seen():
            try:
                self.watch(what)
            except TimeoutError as why:  # --duration is over
                raise NotSeen(_told(str(why), now())) from None
            if self.probe.now() > self._until:
                limit = f"{self._limit:.0f} s of an idle machine, {time.monotonic() - began:.0f} s of this one"
                raise NotSeen(_told(f"not seen within its limit ({limit}): {what}", now()))
            time.sleep(poll)
        return time.monotonic() - began

    def until_none(self, left: Callable[[], list[str]], what: str) -> None:
        """Waits until no errors are left. Raises NotSeen with some of them."""
        last: list[str] = []

        def right() -> bool:
            last[:] = left()
            return not last

        self.until(right, what, LOOK, lambda: f"{len(last)} wrong: {', '.join(last[:3])}")


def _told(text: str, seen: str) -> str:
    return f"{text}; seen: {seen}" if seen else text
