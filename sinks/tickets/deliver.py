"""The delivery loop of tickets: for each the newest wanted state counts. Calls for one ticket follow each other, those for
different tickets go side by side. An offset is stored once every ticket at or below it is as wanted."""

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from driftline.pipeline.common.backoff import Backoff
from driftline.pipeline.common.errors import Undelivered
from driftline.pipeline.kafka.client import Delivery, produce, producer
from driftline.pipeline.kafka.dead_letters import Origin, letter
from driftline.pipeline.ops import metrics
from driftline.sinks.base import Busy
from driftline.sinks.pace import SinkRate
from driftline.sinks.reader import Slot
from driftline.sinks.tickets.reconcile import Again, Never, Outcome, Settled, Wanted

log = logging.getLogger("driftline.sink")
BATCH, WITHIN = 500, 0.1
"""Messages read at once, and seconds to wait for them."""
MOST_WAITING = 20_000
"""Tickets that are not yet as wanted; beyond, nothing more is read."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
GRACE = 10.0
"""Seconds that calls under way are given when we are told to stop."""
LETTERS = 30.0


class NotOurs(Exception):
    """The partition of a ticket was given to another process meanwhile."""


class TicketReader(Protocol):
    """Of driftline.sinks.reader.Reader."""

    def take(self, most: int, within: float) -> list[Any]: ...
    def turn(self, slot: Slot) -> int: ...
    def store(self, last: dict[Slot, tuple[int, Any]]) -> None: ...
    def stay(self) -> None: ...
    def close(self) -> None: ...


@dataclass
class _Ticket:
    """One ticket that is not yet as wanted."""

    wanted: Wanted
    slot: Slot
    turn: int
    raw: bytes
    offset: int
    messages: list[int] = field(default_factory=list)
    """Offsets of every record of it that is not done."""
    running: bool = False
    due: float = 0


class _Offsets:
    """What may be stored of one partition: everything below the lowest that is not done."""

    def __init__(self) -> None:
        self.messages: dict[int, Any] = {}
        """In order; those that are done are taken away from the front."""
        self.done: set[int] = set()

    def advance(self) -> Any:
        """The last message of the front that is done; None where nothing is."""
        last = None
        for offset in list(self.messages):
            if offset not in self.done:
                break
            last = self.messages.pop(offset)
            self.done.discard(offset)
        return last


class TicketDeliverer:
    """`reconcile`: one look at a ticket. `load`: called with a partition before its first ticket. `takes`: whether the sink
    wants a ticket."""

    def __init__(
        self,
        name: str,
        reader: TicketReader,
        reconcile: Callable[[Wanted], Any],
        load: Callable[[int], None],
        *,
        settings: Any,
        takes: Callable[[Wanted], bool] = lambda _: True,
        concurrency: int = 8,
        rate: float | None = None,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        dead: Any = None,
    ) -> None:
        self._name, self._reader, self._reconcile, self._load = name, reader, reconcile, load
        self._takes, self._concurrency, self._now, self._chance = takes, concurrency, now, chance
        self._tickets: dict[str, _Ticket] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._offsets: dict[Slot, tuple[int, _Offsets]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        self._closed_until = 0.0
        """The destination takes nothing before."""
        self._pace = SinkRate(rate, now)
        self._dead = dead or producer(settings.kafka)
        self._delivery = Delivery()
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """Ends the loop after the calls that are under way."""
        self._stopping.set()
        self._wake.set()

    def home(self, ticket: str) -> int:
        """The partition of a ticket that is being worked on. Raises NotOurs where it was taken from us."""
        if ticket not in self._tickets:
            raise NotOurs(ticket)
        return self._tickets[ticket].slot[1]

    async def run(self) -> None:
        """The loop. Raises Undelivered where Kafka does not do its part."""
        try:
            while not self._stopping.is_set():
                if len(self._tickets) < MOST_WAITING:
                    messages = await asyncio.to_thread(self._reader.take, BATCH, WITHIN)
                    await self._arrived(messages)
                else:
                    await asyncio.to_thread(self._reader.stay)
                    await self._sleep(WITHIN)
                self._start()
                self._store()
                if self._failure is not None:
                    raise self._failure
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=GRACE)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._store()
            await asyncio.to_thread(self._reader.close)

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _arrived(self, messages: list[Any]) -> None:
        for message in messages:
            slot = message.topic(), message.partition()
            turn = self._reader.turn(slot)
            if slot not in self._offsets or self._offsets[slot][0] != turn:
                self._drop(slot)
                await asyncio.to_thread(self._load, slot[1])
                self._offsets[slot] = turn, _Offsets()
            own = self._offsets[slot][1]
            own.messages[message.offset()] = message
            key, value = (message.key() or b"").decode(errors="replace"), message.value()
            wanted = _decoded(value) if value else None
            if wanted is None or wanted.get("key") != key:
                if value:
                    self._bury("not a ticket", Origin(*slot, message.offset(), -1), value)
                own.done.add(message.offset())
                continue
            if not self._takes(wanted):
                own.done.add(message.offset())
                continue
            self._want(key, wanted, slot, turn, message)

    def _want(self, key: str, wanted: Wanted, slot: Slot, turn: int, message: Any) -> None:
        known = self._tickets.get(key)
        offsets = known.messages if known is not None and known.turn == turn else []
        running = known.running if known is not None else False
        ticket = _Ticket(
            wanted,
            slot,
            turn,
            message.value(),
            message.offset(),
            [*offsets, message.offset()],
            running,
        )
        self._tickets[key] = ticket
        self._later(key, 0)

    def _later(self, key: str, seconds: float) -> None:
        ticket = self._tickets[key]
        ticket.due = self._now() + seconds
        heapq.heappush(self._queue, (ticket.due, next(self._numbers), key))

    def _drop(self, slot: Slot) -> None:
        """What we held of a partition that was taken from us is no longer ours."""
        for key in [key for key, one in self._tickets.items() if one.slot == slot]:
            del self._tickets[key]
        self._offsets.pop(slot, None)

    def _start(self) -> None:
        """Begins with what is due, as far as the destination allows."""
        now = self._now()
        waiting = []
        while self._queue and self._queue[0][0] <= now and len(self._tasks) < self._concurrency and now >= self._closed_until:  # fmt: skip
            due, number, key = heapq.heappop(self._queue)
            ticket = self._tickets.get(key)
            if ticket is None or ticket.due != due:
                continue
            if ticket.running:
                waiting.append((due, number, key))
                continue
            if ticket.turn != self._reader.turn(ticket.slot):
                self._drop(ticket.slot)
                continue
            ticket.running = True
            task = asyncio.ensure_future(self._one(key, ticket))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        for entry in waiting:
            heapq.heappush(self._queue, entry)

    async def _one(self, key: str, ticket: _Ticket) -> None:
        try:
            await asyncio.sleep(self._pace.wait(1))
            outcome: Outcome = await self._reconcile(ticket.wanted)
            self._backoff.succeeded()
        except Busy as why:
            pause = max(self._backoff.failed() * (0.5 + self._chance()), why.retry_after or 0)
            self._closed_until = max(self._closed_until, self._now() + pause)
            log.warning("the destination takes nothing now", extra={"sink": self._name, "why": str(why), "seconds": round(pause, 1)})  # fmt: skip
            metrics.RETRIED.labels(self._name).inc()
            outcome = Again(pause, str(why))
        except NotOurs:
            outcome = Settled()
        except Exception as why:
            log.exception(
                "a ticket could not be delivered", extra={"sink": self._name, "ticket": key}
            )
            if isinstance(why, Undelivered):
                self._failure = why
            outcome = Again(LONGEST_WAIT, str(why))
        self._outcome(key, ticket, outcome)

    def _outcome(self, key: str, ticket: _Ticket, outcome: Outcome) -> None:
        now = self._tickets.get(key)
        self._wake.set()
        if now is None or now.turn != ticket.turn:
            return
        now.running = False
        if now is not ticket:  # a newer wanted state came meanwhile
            self._later(key, 0)
            return
        match outcome:
            case Again(after, why):
                log.info("again later", extra={"sink": self._name, "ticket": key, "why": why})
                self._later(key, after)
                return
            case Never(why):
                self._bury(why, Origin(*ticket.slot, ticket.offset, -1), ticket.raw)
            case Settled():
                metrics.DELIVERED.labels(self._name).inc()
        self._offsets[ticket.slot][1].done.update(ticket.messages)
        del self._tickets[key]

    def _bury(self, reason: str, origin: Origin, raw: bytes) -> None:
        log.error("a ticket was refused", extra={"sink": self._name, "reason": reason})
        produce(self._dead, self._delivery, **letter(self._name, reason, origin, raw))
        metrics.DEAD.labels(self._name).inc()
        left = self._dead.flush(LETTERS)
        if left or self._delivery.failed:
            self._failure = Undelivered(
                f"dead letters were not written: {self._delivery.failed[:1] or left}"
            )

    def _store(self) -> None:
        last = {
            slot: (turn, found)
            for slot, (turn, own) in self._offsets.items()
            if (found := own.advance()) is not None
        }
        if last:
            self._reader.store(last)


def _decoded(value: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(value)
    except ValueError:
        return None
    return (
        found
        if isinstance(found, dict) and {"key", "state", "revision", "title"} <= found.keys()
        else None
    )
