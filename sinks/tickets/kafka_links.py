"""The links of one sink in the topic `ticket-links`. A link is written to the partition of its ticket's record, so that who
is given that partition reads exactly the links of its tickets."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from driftline.pipeline.common.errors import Undelivered
from driftline.pipeline.kafka.client import Delivery, explained, produce, producer, read_all
from driftline.pipeline.records.topics import TICKET_LINKS
from driftline.pipeline.settings.blocks import Kafka
from driftline.sinks.tickets.link import TicketLink, decode, encode

log = logging.getLogger("driftline.sink")
SECONDS = 30.0


class KafkaLinks:
    """`home`: the partition of a ticket that is being worked on."""

    def __init__(
        self, kafka: Kafka, sink: str, home: Callable[[str], int], out: Any = None
    ) -> None:
        self._kafka, self._sink, self._home = kafka, sink, home
        self._links: dict[str, TicketLink] = {}
        self._out = out or producer(kafka)
        self._delivery = Delivery()
        self._written = self._durable = 0
        self._flushing = asyncio.Lock()

    def get(self, ticket: str) -> TicketLink | None:
        return self._links.get(ticket)

    def load(self, partition: int) -> None:
        """Reads the links of a partition that has just become ours: what its last owner wrote is newer than what we knew.
        Raises UserError, NotThere among them."""
        found: dict[str, TicketLink] = {}
        with explained(self._kafka):
            for message in read_all(self._kafka, TICKET_LINKS.name, {partition: 0}):
                key = (message.key() or b"").decode(errors="replace")
                sink, _, ticket = key.partition("\n")
                if sink != self._sink:
                    continue
                value = message.value()
                if not value:
                    found.pop(ticket, None)
                    continue
                try:
                    found[ticket] = decode(value)
                except msgspec.DecodeError as why:
                    log.error(
                        "a link is not readable; its ticket is searched for",
                        extra={"ticket": ticket, "why": str(why)},
                    )
                    found[ticket] = TicketLink(sink=self._sink, ticket=ticket, phase="intent")
        self._links |= found

    async def put(self, link: TicketLink) -> None:
        """Returns once the brokers have it; those that wait at once share a flush. Raises Undelivered."""
        produce(
            self._out, self._delivery, topic=TICKET_LINKS.name, key=f"{self._sink}\n{link.ticket}".encode(),
            value=encode(link), partition=self._home(link.ticket),
        )  # fmt: skip
        self._written += 1
        number = self._written
        while self._durable < number:
            async with self._flushing:
                if self._durable < number:
                    await self._flush()
        self._links[link.ticket] = link

    async def _flush(self) -> None:
        until = self._written
        left = await asyncio.to_thread(self._out.flush, SECONDS)
        if self._delivery.failed or left:
            why = self._delivery.failed[:1] or [f"{left} not written within {SECONDS:.0f} s"]
            raise Undelivered(f"links of tickets were not written: {why[0]}")
        self._durable = until
