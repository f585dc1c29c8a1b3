"""What a worker buries: letters of bad records, a log line now and then, and whether it must be too many."""

import logging
import time
from collections.abc import Callable, Container, Sequence
from typing import Any

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.kafka.dead_letters import Origin, Share, letter, letter_id
from driftline.pipeline.ops import metrics
from driftline.pipeline.records import codec as wire
from driftline.pipeline.records.outputs import Dead

log = logging.getLogger("driftline.worker")
QUIET = 1.0
"""Seconds between two lines about bad records: never a line for each."""


class Graves:
    """`send` produces a letter. Records bad as a whole have a share of their own: beside the many elements of good
    ones they would weigh nothing."""

    def __init__(
        self,
        most: float,
        send: Callable[..., None],
        stage: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._elements, self._records = Share(most), Share(most)
        self._send, self._stage, self._now = send, stage, now
        self._told, self._untold = float("-inf"), 0
        self.known: Container[str] = ()
        """Ids of letters that a process before this one has written: they count, and are not written again."""

    def bury(self, message: Any, dead: Sequence[Dead], good: int) -> bool:
        """Writes a letter for each of the dead of one record; True where so many are bad that it must be us."""
        for one in dead:
            origin = Origin(message.topic, message.partition, message.offset, one.place)
            if letter_id(self._stage, origin, one.value) not in self.known:
                self._send(**letter(self._stage, one.reason, origin, one.value))
                metrics.DEAD.labels(self._stage).inc()
        if dead:
            self._tell(message, dead)
        whole = sum(one.place < 0 for one in dead)
        return any([self._elements.add(good, len(dead)), self._records.add(1 - whole, whole)])

    def _tell(self, message: Any, dead: Sequence[Dead]) -> None:
        self._untold += len(dead)
        if self._now() - self._told < QUIET:
            return
        first = dead[0]
        log.warning("bad records were buried", extra={
            "count": self._untold, "reason": first.reason, "topic": message.topic, "partition": message.partition,
            "offset": message.offset, "place": first.place, **about(first.value),
        })  # fmt: skip
        self._told, self._untold = self._now(), 0


def about(value: bytes) -> dict[str, str]:
    """Whom a bad element is about, as far as it can be read: uid, and scope (provider/account/region/type)."""
    try:
        found = wire.decode(value)
    except Malformed:
        return {}
    if not isinstance(found, dict):
        return {}
    out = {"uid": found["uid"][:500]} if isinstance(found.get("uid"), str) else {}
    scope = [found.get(name) for name in ("provider", "account", "region", "type")]
    if all(isinstance(step, str) for step in scope):
        out["scope"] = "/".join(map(str, scope))[:500]
    return out
