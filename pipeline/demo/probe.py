"""Continuously measures how busy this machine is, by the duration of a fixed piece of work. Limits are scaled with it, so
that a loaded machine gets longer ones, also if it becomes busy in the meantime."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable

WORK = bytes(1 << 20)
TIMES = 60
"""The piece of work: how often a megabyte is hashed. Long enough that a busy machine must interrupt it."""
UNIT = 0.06
"""Seconds that it takes on an idle reference machine."""
PAUSE = 2.0
LAST = 5
"""Number of latest measurements of which the worst counts."""


def piece() -> None:
    """The work. It releases the interpreter lock."""
    for _ in range(TIMES):
        hashlib.sha256(WORK).digest()


class Probe:
    """`slower`: how many times slower than the reference machine this one currently is, at least 1. `now()`: seconds scaled to
    the idle reference machine, with which limits are measured."""

    def __init__(
        self, work: Callable[[], None] = piece, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._work, self._clock = work, clock
        self._last: deque[float] = deque([1.0], maxlen=LAST)
        self._lock = threading.Lock()
        self._at, self._spent = clock(), 0.0
        self._stop = threading.Event()

    @property
    def slower(self) -> float:
        return max(self._last)

    def measure(self) -> None:
        """Once, now."""
        began = self._clock()
        self._work()
        took = self._clock() - began
        with self._lock:
            self._count()
            self._last.append(max(1.0, took / UNIT))

    def start(self) -> None:
        """Measures once, then continues in a separate thread."""
        self.measure()
        threading.Thread(target=self._run, daemon=True, name="probe").start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            self.measure()

    def now(self) -> float:
        with self._lock:
            self._count()
            return self._spent

    def _count(self) -> None:
        at = self._clock()
        self._spent += (at - self._at) / self.slower
        self._at = at
