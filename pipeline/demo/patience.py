"""Waiting for what is to be seen, with somebody who says when it is enough."""

import time
from collections.abc import Callable

from pipeline.demo.stage import Check

POLL, LOOK = 0.1, 0.4


class Patience:
    """`watch` is called while we wait; it raises TimeoutError when time is up."""

    def __init__(self, watch: Check) -> None:
        self.watch = watch

    def until(self, seen: Callable[[], bool], what: str, poll: float = POLL) -> float:
        """Waits until something is seen; how long it took."""
        began = time.monotonic()
        while not seen():
            self.watch(what)
            time.sleep(poll)
        return time.monotonic() - began

    def until_none(self, left: Callable[[], list[str]], what: str) -> None:
        """Waits until nothing is left that is wrong. Raises TimeoutError with some of what is."""
        last: list[str] = []

        def right() -> bool:
            last[:] = left()
            return not last

        try:
            self.until(right, what, LOOK)
        except TimeoutError as why:
            raise TimeoutError(f"{why}; {len(last)} wrong: {'; '.join(last[:3])}") from None
