"""CloudTrail's own lookup, for accounts without a trail, bus or queue: two requests a second, fifty events a page,
management events only, some minutes late."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from driftline.collectors.aws.api.client import Account
from driftline.collectors.aws.api.errors import ERRORS, trouble
from driftline.collectors.aws.events import origin
from driftline.collectors.aws.sources.dispatch import DispatchOutcome, EventDispatcher
from driftline.collectors.events.producer import EventProducer
from driftline.collectors.redact import safe
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.ops import metrics
from driftline.pipeline.records import codec

log = logging.getLogger("driftline.collect")
GAP = 0.5
"""Seconds between two requests: AWS allows two a second in an account and region."""
OVERLAP = timedelta(minutes=20)
"""Looked at again each time: events come late, and an id is known again wherever it comes."""
EVERY = 60.0
MOST_KNOWN = 20_000


class Lookup:
    """One account's region, asked again and again."""

    def __init__(self, account: Account, region: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:  # fmt: skip
        self._account, self.region, self._now = account, region, now
        self._known: dict[str, None] = {}
        self._since = now() - OVERLAP
        self.until = 0.0
        """Seconds since 1970 up to which it was asked."""

    @property
    def name(self) -> str:
        return f"{self._account.id} {self.region}"

    def records(
        self, pause: Callable[[float], Any] = time.sleep
    ) -> Iterator[dict[str, Any] | Malformed]:
        """What has come since the last time; a Malformed in the place of what is no record of this account. Raises
        ERRORS; the same time is asked for again then."""
        began = self._now()
        params = {"StartTime": self._since - OVERLAP, "EndTime": began, "MaxResults": 50}
        for page in self._account.pages("cloudtrail", self.region, "LookupEvents", params):
            for event in page.get("Events", []):
                if event.get("EventId") in self._known:
                    continue
                self._known[str(event.get("EventId"))] = None
                yield self._record(event)
            pause(GAP)
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        took = (self._now() - began).total_seconds()
        self._since, self.until = began, began.timestamp()
        if took > EVERY:
            log.warning("lookup cannot keep up: it took longer than the time that it looked at (use a trail or a bus)",
                        extra={"scope": self.name, "seconds": round(took)})  # fmt: skip
            metrics.EVENTS.labels("lookup", "cannot keep up").inc()

    def _record(self, event: dict[str, Any]) -> dict[str, Any] | Malformed:
        try:
            record = codec.decode(str(event.get("CloudTrailEvent")).encode(errors="replace"))
            if not isinstance(record, dict):
                return Malformed("a record that is no JSON object")
            return origin.owned(record, self._account.id, "a lookup")
        except Malformed as why:
            return why


def poll(lookup: Lookup, sender: EventProducer, hearer: EventDispatcher, stop: threading.Event, *, once: bool = False) -> None:  # fmt: skip
    """One scope's loop. Raises OSError where Kafka takes nothing more."""
    while not stop.is_set():
        began = time.monotonic()
        try:
            heard = DispatchOutcome()
            some: list[dict[str, Any] | Malformed] = []
            for record in lookup.records(stop.wait):
                some.append(record)
                if len(some) == 50:
                    hearer.records(some, heard)
                    some = []
            hearer.records(some, heard)
            for reason, what in heard.letters():
                sender.bury("cloudtrail.lookup", reason, what)
            sender.flush()
        except ERRORS as error:
            why = trouble(error)
            log.warning("lookup failed", extra={"scope": lookup.name, "why": safe(f"{why.code}: {why.message}")})  # fmt: skip
            if once:
                raise
        if once:
            return
        with contextlib.suppress(ValueError):
            stop.wait(EVERY - (time.monotonic() - began))
