"""Notices when this process was suspended, and whether its event loop still runs."""

import asyncio
import time

from driftline.pipeline.worker.offsets import exit_now

INTERVAL = 0.5
"""Seconds between two beats."""


class Heartbeat:
    """`session`: the group's session timeout, seconds."""

    def __init__(self, session: float) -> None:
        self._session = session
        self._last: float | None = None

    def start(self) -> None:
        """Begins to beat in the running event loop; does nothing if it does already."""
        if self._last is None:
            self._beat()

    @property
    def alive(self) -> bool:
        """Whether the event loop still runs."""
        return self._last is None or time.monotonic() - self._last < self._session

    def check(self) -> None:
        """Exits if this process was suspended: its partitions may be assigned to another member by now, and its outputs out of
        date."""
        suspended = time.monotonic() - (self._last or time.monotonic())
        if suspended > self._session / 2:
            exit_now(
                "this process was suspended: its partitions may be assigned to another member by now",
                seconds=round(suspended, 1),
            )

    def _beat(self) -> None:
        self.check()
        self._last = time.monotonic()
        asyncio.get_running_loop().call_later(INTERVAL, self._beat)
