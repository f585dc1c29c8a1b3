"""The loop of tickets: the newest wanted state of each, side by side, and offsets only of what is done."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from driftline.sinks.base import Busy
from driftline.sinks.tickets.deliver import TicketDeliverer
from driftline.sinks.tickets.reconcile import Again, Never, Outcome, Settled, Wanted
from tests.sinks.test_deliver import Letters, Message

TOPIC = "driftline.tickets"


def record(offset: int, key: str, revision: int = 1, partition: int = 0) -> Message:
    document = {"key": key, "revision": revision, "state": "open", "title": key}
    return Message(orjson.dumps(document), offset, partition, TOPIC, key.encode())


class Tape:
    """A reader that gives what it is told, then stops the loop."""

    def __init__(self, *batches: list[Message]) -> None:
        self.batches = list(batches)
        self.turns: dict[tuple[str, int], int] = {}
        self.stored: dict[int, int] = {}
        self.stop: Callable[[], None] = lambda: None
        self.idle = 0
        self.patience = 20

    def take(self, most: int, within: float) -> list[Any]:
        if self.batches:
            return list(self.batches.pop(0))
        self.idle += 1
        if self.idle > self.patience:
            self.stop()
        return []

    def turn(self, slot: tuple[str, int]) -> int:
        return self.turns.get(slot, 0)

    def store(self, last: dict[tuple[str, int], tuple[int, Any]]) -> None:
        for (_, partition), (turn, message) in last.items():
            if turn == self.turn((TOPIC, partition)):
                self.stored[partition] = message.offset()

    def stay(self) -> None: ...

    def close(self) -> None: ...


class LoopRun:
    """A loop over a tape. Time is a number that each look moves on."""

    def __init__(self, tape: Tape, answer: Callable[[Wanted], Outcome], **more: Any) -> None:
        self.tape, self.answer, self.clock = tape, answer, 0.0
        self.looks: list[tuple[str, int]] = []
        self.loaded: list[int] = []
        self.together = self.most = 0
        self.letters = Letters()
        self.loop = TicketDeliverer(
            "jira",
            tape,
            self.look,
            self.loaded.append,
            settings=None,
            now=self.now,
            chance=lambda: 0.5,
            dead=self.letters,
            **more,
        )
        tape.stop = self.loop.stop
        asyncio.run(self.loop.run())

    def now(self) -> float:
        self.clock += 1
        return self.clock

    async def look(self, wanted: Wanted) -> Outcome:
        self.looks.append((wanted["key"], wanted["revision"]))
        self.together += 1
        self.most = max(self.most, self.together)
        await asyncio.sleep(0)
        self.together -= 1
        return self.answer(wanted)


def waits(one: Wanted) -> Outcome:
    return Again(1e9, "lookup") if one["key"] == "a" else Settled()


def refused(one: Wanted) -> Outcome:
    return Never("required: x") if one["key"] == "a" else Settled()


def test_what_is_done_is_stored() -> None:
    run = LoopRun(Tape([record(0, "a"), record(1, "b")]), lambda _: Settled())
    assert sorted(run.looks) == [("a", 1), ("b", 1)]
    assert run.tape.stored == {0: 1}
    assert run.loaded == [0]


def test_only_the_newest_wanted_state_is_looked_at() -> None:
    run = LoopRun(
        Tape([record(0, "a", 1), record(1, "a", 2), record(2, "a", 3)]), lambda _: Settled()
    )
    assert run.looks[-1] == ("a", 3)
    assert run.tape.stored == {0: 2}


def test_a_ticket_that_waits_holds_back_its_offset_and_no_other_ticket() -> None:
    run = LoopRun(
        Tape([record(0, "a"), record(1, "b")]),
        waits,
    )
    assert ("b", 1) in run.looks
    assert run.tape.stored == {}


def test_what_waited_is_looked_at_again() -> None:
    answers = iter(list[Outcome]([Again(3, "lookup"), Again(3, "lookup"), Settled()]))
    run = LoopRun(Tape([record(0, "a")]), lambda _: next(answers))
    assert run.looks == [("a", 1)] * 3
    assert run.tape.stored == {0: 0}


def test_what_can_never_be_is_buried_and_done() -> None:
    run = LoopRun(
        Tape([record(0, "a"), record(1, "b")]),
        refused,
    )
    assert run.tape.stored == {0: 1}
    assert len(run.letters.written) == 1


def test_what_is_no_ticket_is_buried() -> None:
    values = [b"{", orjson.dumps({"key": "x"}), None]
    odd = [Message(value, n, 0, TOPIC, b"a") for n, value in enumerate(values)]
    run = LoopRun(Tape(odd), lambda _: Settled())
    assert run.looks == []
    assert len(run.letters.written) == 2
    assert run.tape.stored == {0: 2}


def test_a_busy_destination_is_left_alone() -> None:
    calls = {"busy": 1}

    def answer(_: Wanted) -> Outcome:
        if calls["busy"]:
            calls["busy"] -= 1
            raise Busy("too many requests", 5)
        return Settled()

    run = LoopRun(Tape([record(0, "a")]), answer)
    assert run.looks == [("a", 1)] * 2
    assert run.tape.stored == {0: 0}


def test_no_more_calls_side_by_side_than_allowed_and_never_two_for_one_ticket() -> None:
    run = LoopRun(
        Tape([record(n, f"t{n % 10}", n) for n in range(50)]), lambda _: Settled(), concurrency=3
    )
    assert run.most <= 3
    assert run.tape.stored == {0: 49}


def test_a_partition_that_comes_back_is_loaded_anew() -> None:
    tape = Tape([record(0, "a")], [record(1, "b")])
    original = tape.take

    def take(most: int, within: float) -> list[Any]:
        if len(tape.batches) == 1:
            tape.turns[TOPIC, 0] = 1
        return original(most, within)

    tape.take = take  # type: ignore[method-assign]
    run = LoopRun(tape, lambda _: Settled())
    assert run.loaded == [0, 0]
    assert run.tape.stored == {0: 1}


def test_a_sink_takes_only_its_tickets() -> None:
    run = LoopRun(
        Tape([record(0, "a"), record(1, "b")]),
        lambda _: Settled(),
        takes=lambda one: one["key"] == "b",
    )
    assert run.looks == [("b", 1)]
    assert run.tape.stored == {0: 1}


def test_an_error_of_ours_is_said_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    failures = {"left": 1}

    def answer(_: Wanted) -> Outcome:
        if failures["left"]:
            failures["left"] -= 1
            raise KeyError("x")
        return Settled()

    tape = Tape([record(0, "a")])
    tape.patience = 100
    run = LoopRun(tape, answer)
    assert run.tape.stored == {0: 0}
    assert "could not be delivered" in caplog.text
