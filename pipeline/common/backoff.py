"""Growing waits between tries of something that fails. Pure: the caller waits, with its own clock and its own way to stop."""

from dataclasses import dataclass

MOST_DOUBLINGS = 60
"""More would overflow a float some day; long before, every wait is the longest."""


def delay(tries: int, first: float, longest: float) -> float:
    """Seconds to wait after so many failures in a row: `first`, doubled each time, `longest` at most."""
    return min(longest, first * 2.0 ** min(max(tries - 1, 0), MOST_DOUBLINGS))


@dataclass
class Backoff:
    """Counts failures in a row. `first` and `longest`: seconds."""

    first: float
    longest: float
    failures: int = 0

    def failed(self) -> float:
        """One more failure: how long to wait now."""
        self.failures += 1
        return delay(self.failures, self.first, self.longest)

    def succeeded(self) -> None:
        self.failures = 0
