"""The loop itself: reads ahead, stores only what has its receipts, and stops in time."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from driftline.pipeline.kafka.dead_letters import Origin, letter_id
from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.settings.blocks import Settings
from driftline.sinks import deliver
from driftline.sinks.base import Action, Receipt
from driftline.sinks.deliver import Deliverer, TooManyRefused
from driftline.sinks.reader import Slot
from driftline.sinks.subscription import Subscription
from tests.sinks.test_deliver import Letters, Listing, Message, finding


class Reading:
    """In the reader's place: gives each list once, then nothing. Remembers what was stored."""

    def __init__(self, *batches: list[Message]) -> None:
        self.batches, self.stored, self.stays, self.closed = list(batches), [], 0, False  # type: ignore[var-annotated]

    def take(self, most: int, within: float) -> list[Message]:
        if not self.batches:
            time.sleep(0.001)  # as the real one waits for messages
            return []
        return self.batches.pop(0)

    def turn(self, slot: Slot) -> int:
        return 0

    def owned(self) -> dict[Slot, int]:
        return {}

    def store(self, last: dict[Slot, tuple[int, Any]]) -> None:
        self.stored.append({slot[1]: message.offset() for slot, (_, message) in last.items()})  # fmt: skip

    def stay(self) -> None:
        self.stays += 1

    def close(self) -> None:
        self.closed = True


class Slow(Listing):
    """Each send waits to be let through."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: list[asyncio.Event] = []

    async def send(self, actions: Sequence[Action]) -> list[Receipt]:
        self.gates.append(gate := asyncio.Event())
        await gate.wait()
        return await super().send(actions)


def loop(
    monkeypatch: pytest.MonkeyPatch, reading: Reading, sink: Listing, share: float = 0.5
) -> Deliverer:
    monkeypatch.setattr(deliver, "Reader", lambda *_: reading)
    monkeypatch.setattr(deliver, "STAY", 0.01)
    settings = Settings.model_validate({"sink": {"bad_share": share}})
    return Deliverer(settings, sink, Subscription("list"), dead=Letters(), written=set)


async def until(ready: Any) -> None:
    async with asyncio.timeout(10):
        while not ready():
            await asyncio.sleep(0.001)


def batches(count: int) -> list[list[Message]]:
    return [[Message(finding(f"f{n}"), n)] for n in range(count)]


def test_the_next_is_read_while_one_is_under_way_and_sent_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, sink = Reading(*batches(3)), Slow()
    it = loop(monkeypatch, reading, sink)

    async def test() -> None:
        running = asyncio.ensure_future(it.run())
        await until(lambda: reading.stays >= 2)
        assert (len(reading.batches), len(sink.gates)) == (1, 1), (
            "one ahead, one sent, one not read"
        )
        assert reading.stored == []
        for n in range(3):
            await until(lambda n=n: len(sink.gates) == n + 1)
            sink.gates[n].set()
            await until(lambda n=n: len(reading.stored) == n + 1)
        it.stop()
        await running

    asyncio.run(test())
    assert reading.stored == [{0: 0}, {0: 1}, {0: 2}]
    assert [sent[0] for sent in sink.sent] == ["a/f0", "a/f1", "a/f2"]
    assert reading.closed


def test_what_is_under_way_is_finished_when_it_stops_and_what_is_read_ahead_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, sink = Reading(*batches(2)), Slow()
    it = loop(monkeypatch, reading, sink)

    async def test() -> None:
        running = asyncio.ensure_future(it.run())
        await until(lambda: reading.stays >= 1)
        it.stop()
        await asyncio.sleep(0)
        sink.gates[0].set()
        await running

    asyncio.run(test())
    assert reading.stored == [{0: 0}]
    assert len(sink.gates) == 1


def test_a_destination_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "GRACE", 0.05)
    reading, sink = Reading(*batches(1)), Slow()
    it = loop(monkeypatch, reading, sink)

    async def test() -> None:
        running = asyncio.ensure_future(it.run())
        await until(lambda: sink.gates)
        it.stop()
        await asyncio.wait_for(running, 5)

    asyncio.run(test())
    assert reading.stored == []
    assert reading.closed


@pytest.mark.parametrize("more", [0, 1])
def test_a_fault_ends_the_loop_and_stores_nothing(
    monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    bad = [Message(b"{", n) for n in range(200)]
    reading = Reading(bad, *batches(more))
    it = loop(monkeypatch, reading, Listing())
    with pytest.raises(TooManyRefused):
        asyncio.run(asyncio.wait_for(it.run(), 10))
    assert reading.stored == []
    assert reading.closed


def test_a_reader_that_fails_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, sink = Reading(*batches(1)), Slow()
    it = loop(monkeypatch, reading, sink)

    def take(most: int, within: float) -> list[Message]:
        if reading.batches:
            return reading.batches.pop(0)
        raise OSError("fenced")

    monkeypatch.setattr(reading, "take", take)
    with pytest.raises(OSError, match="fenced"):
        asyncio.run(asyncio.wait_for(it.run(), 10))
    assert reading.stored == []


def test_letters_that_a_stop_left_behind_are_not_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = [Message(b"{", n) for n in range(200)]
    good = Message(b"[", 200)
    it = loop(monkeypatch, Reading([*bad, good]), Listing())
    it._dead = letters = Letters()
    it._written = lambda: {letter_id("list", Origin(FINDINGS.name, 0, n, -1), b"{") for n in range(200)}  # fmt: skip
    with pytest.raises(TooManyRefused):
        asyncio.run(asyncio.wait_for(it.run(), 10))
    assert len(letters.written) == 1, "only the one that is new"
