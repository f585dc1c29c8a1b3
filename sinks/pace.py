"""How fast a destination is given actions."""

from collections.abc import Callable


class SinkRate:
    """Spreads actions evenly over time. `rate`: actions a second, None for any; `now`: seconds."""

    def __init__(self, rate: float | None, now: Callable[[], float]) -> None:
        self._rate, self._now = rate, now
        self._free = 0.0
        """When the next call may be made."""

    def wait(self, actions: int) -> float:
        """Seconds to wait before a call of so many actions, which is counted as made then."""
        if self._rate is None:
            return 0.0
        now = self._now()
        begin = max(now, self._free)
        self._free = begin + actions / self._rate
        return begin - now
