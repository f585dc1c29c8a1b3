"""Writes dead letters for malformed records, with a rate-limited log line, and detects when too many are malformed."""

import logging
import time
from collections.abc import Callable, Container, Sequence
from typing import Any

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.kafka.dead_letters import Origin, Share, letter, letter_id
from driftline.pipeline.ops import metrics
from driftline.pipeline.records import codec
from driftline.pipeline.records.outputs import Dead

log = logging.getLogger("driftline.worker")
QUIET = 1.0
"""Minimum seconds between two log lines about malformed records."""


class DeadLetterWriter:
    """`send` produces a letter; `most` is the share of malformed elements above which the worker must stop. Records that are
    malformed as a whole have a share of their own: among the many elements of good records they would not show."""

    def __init__(
        self,
        most: float,
        send: Callable[..., None],
        stage: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._elements, self._records = Share(most), Share(most)
        self._send, self._stage, self._now = send, stage, now
        self._logged_at, self._unlogged = float("-inf"), 0
        self.known: Container[str] = ()
        """Ids of letters that an earlier process has written: they count towards the share, but are not written again."""

    def write(self, message: Any, dead: Sequence[Dead], good: int) -> bool:
        """Writes a letter for each malformed element of one record. True if so many are malformed that the worker itself is
        likely to be at fault. `good`: elements of the record that were processed."""
        for one in dead:
            origin = Origin(message.topic, message.partition, message.offset, one.place)
            if letter_id(self._stage, origin, one.value) not in self.known:
                self._send(**letter(self._stage, one.reason, origin, one.value))
                metrics.DEAD.labels(self._stage).inc()
        if dead:
            self._log(message, dead)
        whole = sum(one.place < 0 for one in dead)
        return any([self._elements.add(good, len(dead)), self._records.add(1 - whole, whole)])

    def _log(self, message: Any, dead: Sequence[Dead]) -> None:
        self._unlogged += len(dead)
        if self._now() - self._logged_at < QUIET:
            return
        first = dead[0]
        log.warning("malformed records were dead-lettered", extra={
            "count": self._unlogged, "reason": first.reason, "topic": message.topic, "partition": message.partition,
            "offset": message.offset, "place": first.place, **about(first.value),
        })  # fmt: skip
        self._logged_at, self._unlogged = self._now(), 0


def about(value: bytes) -> dict[str, str]:
    """What a malformed element is about, as far as it can be read: uid, and scope (provider/account/region/type)."""
    try:
        found = codec.decode(value)
    except Malformed:
        return {}
    if not isinstance(found, dict):
        return {}
    out = {"uid": found["uid"][:500]} if isinstance(found.get("uid"), str) else {}
    scope = [found.get(name) for name in ("provider", "account", "region", "type")]
    if all(isinstance(step, str) for step in scope):
        out["scope"] = "/".join(map(str, scope))[:500]
    return out
