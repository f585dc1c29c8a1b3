"""Exponential back-off. Pure: the caller waits, with its own clock and stop condition."""

from dataclasses import dataclass

MOST_DOUBLINGS = 60
"""Limits the exponent, which could overflow a float; the longest wait is reached long before."""


def delay(tries: int, first: float, longest: float) -> float:
    """Seconds to wait after a number of consecutive failures: `first`, doubled each time, at most `longest`."""
    return min(longest, first * 2.0 ** min(max(tries - 1, 0), MOST_DOUBLINGS))


@dataclass
class Backoff:
    """Counts consecutive failures. `first` and `longest` are in seconds."""

    first: float
    longest: float
    failures: int = 0

    def failed(self) -> float:
        """Records a failure and returns how long to wait."""
        self.failures += 1
        return delay(self.failures, self.first, self.longest)

    def succeeded(self) -> None:
        self.failures = 0
