"""A sink of tickets at work: Kafka on one side, the destination on the other."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from driftline.pipeline.records.topics import TICKETS, group_id
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks.reader import Reader, begin_now
from driftline.sinks.subscription import Subscription
from driftline.sinks.tickets.deliver import TicketDeliverer
from driftline.sinks.tickets.destination import Destination
from driftline.sinks.tickets.kafka_links import KafkaLinks
from driftline.sinks.tickets.reconcile import Reconciler


class TicketSink:
    """Delivers until stopped."""

    def __init__(
        self, settings: Settings, subscription: Subscription, destination: Destination,
        now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._settings, self._subscription, self._to = settings, subscription, destination
        self._now = now
        self._loop: TicketDeliverer | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ends after the calls that are under way."""
        self._stopped = True
        if self._loop is not None:
            self._loop.stop()

    async def run(self) -> None:
        """Raises Undelivered, and UserError where Kafka cannot be asked."""
        name, group = self._subscription.name, group_id(f"sink-{self._subscription.name}")
        topics = [TICKETS.name]
        if self._subscription.start == "now":
            await asyncio.to_thread(begin_now, self._settings, group, topics)
        reader = Reader(self._settings, group, topics)
        links = KafkaLinks(self._settings.kafka, name, lambda ticket: loop.home(ticket))
        reconciler = Reconciler(name, self._to, links, self._now, self._to.timing)
        limits = self._to.limits
        loop = self._loop = TicketDeliverer(
            name, reader, reconciler.reconcile, links.load, settings=self._settings, takes=self._takes,
            concurrency=limits.concurrency, rate=limits.rate, now=self._now,
        )  # fmt: skip
        try:
            if not self._stopped:
                await loop.run()
        finally:
            await self._to.shut()

    def _takes(self, ticket: Any) -> bool:
        return self._subscription.given(TICKETS.own, dict(ticket)) is not None
