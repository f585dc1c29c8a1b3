"""How fast we ask: a bucket of tokens for each limit of AWS's, by region, that halves when AWS throttles and recovers; and a
budget for a whole account, for who comes again and again."""

import threading
import time
from collections.abc import Callable

from driftline.collectors.aws.api.rates import CallRate, rate
from driftline.collectors.base import SweepStopped

CALM = 5.0
"""Seconds without being throttled after which a bucket fills faster again."""
SLOWEST = 1.0
"""Calls a second below which no bucket goes."""
AT_ONCE = 1.0
"""Seconds in which calls that are throttled were sent at the same rate: they slow it down once."""


class TokenBucket:
    """Tokens for the calls of one limit. Not safe for threads by itself."""

    def __init__(self, full: CallRate, now: float) -> None:
        self.full, self.rate = full, full.per_second
        self._tokens, self._filled = full.burst, now
        self._throttled = self._raised = float("-inf")

    def take(self, now: float) -> float:
        """Takes a token; how many seconds from now it is there."""
        self._fill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self.rate)

    def throttled(self, now: float) -> None:
        """AWS has refused a call: the bucket is empty there, and fills half as fast from now on."""
        if now < self._throttled + AT_ONCE:
            return
        self._fill(now)
        self._throttled = self._raised = now
        self.rate = max(SLOWEST, self.rate / 2)
        self._tokens = min(self._tokens, 0.0)

    def _fill(self, now: float) -> None:
        """Since the last time; at a rate that comes back by a quarter after each calm."""
        elapsed, self._filled = max(0.0, now - self._filled), now
        self._tokens = min(self.full.burst, self._tokens + elapsed * self.rate)
        if self.rate < self.full.per_second and now >= self._raised + CALM:
            self._raised = now
            self.rate = min(self.full.per_second, self.rate * 1.25)


class CallPacer:
    """The buckets of an account, and its budget where it has one (calls a second over all; None: none)."""

    def __init__(
        self, budget: float | None, stop: threading.Event, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop, self._now = stop, now
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._budget = TokenBucket(CallRate(budget, max(1.0, budget)), now()) if budget else None

    def wait(self, service: str, region: str, action: str) -> None:
        """Returns when the next call may go. Raises Stopped."""
        with self._lock:
            now = self._now()
            pause = self._bucket(service, region, action, now).take(now)
            if self._budget is not None:
                pause = max(pause, self._budget.take(now))
        if self._stop.wait(pause) if pause > 0 else self._stop.is_set():
            raise SweepStopped

    def throttled(self, service: str, region: str, action: str) -> None:
        """AWS said that this was too fast."""
        with self._lock:
            now = self._now()
            self._bucket(service, region, action, now).throttled(now)

    def _bucket(self, service: str, region: str, action: str, now: float) -> TokenBucket:
        name, full = rate(service, action)
        key = (region, name)
        if key not in self._buckets:
            self._buckets[key] = TokenBucket(full, now)
        return self._buckets[key]
