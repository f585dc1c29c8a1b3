"""Limits the rate of actions."""

from collections.abc import Callable


class SinkRate:
    """Spreads actions evenly over time. `rate`: actions per second, None for unlimited; `now`: seconds."""

    def __init__(self, rate: float | None, now: Callable[[], float]) -> None:
        self._rate, self._now = rate, now
        self._free = 0.0
        """The time of the next allowed call."""

    def wait(self, actions: int) -> float:
        """Seconds to wait before a call with a number of actions, which is counted as made then."""
        if self._rate is None:
            return 0.0
        now = self._now()
        begin = max(now, self._free)
        self._free = begin + actions / self._rate
        return begin - now
