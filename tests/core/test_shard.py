"""A third core needs only its own fold: a tiny one of tickets, made of what assess and correlate share, restores, skips
records that come again, keeps due times, and yields dead letters."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.records import codec
from driftline.pipeline.records.counts import Counts, Outcome
from driftline.pipeline.records.outputs import Dead, Output, Work
from driftline.pipeline.records.topics import CONTROL, MEMBERS, TICKETS
from driftline.pipeline.state import rows
from driftline.pipeline.state.rows import NEVER, NewerState, Position
from driftline.pipeline.state.shard import LOOKS, DueTimes, EarliestDueTimes, Shard
from driftline.pipeline.worker.stages import ShardFold
from tests.core.world import START, tick

MINUTE = 60_000_000
BEGIN = int(START.timestamp()) * 1_000_000
QUIET = 10 * MINUTE
"""A ticket that has had no new member for so long is closed."""


class Case(msgspec.Struct, array_like=True):
    members: list[str]


class Cases:
    """The fold of tickets. Everything else is the shard's."""

    def __init__(self, number: int, get: Callable[[bytes], bytes | None]) -> None:
        self.shard = Shard(number, get)

    @property
    def counts(self) -> Counts:
        return self.shard.counts

    @property
    def watermark(self) -> int:
        return self.shard.time.swept

    @property
    def pending(self) -> bool:
        return self.shard.pending

    def dated(self, _: str) -> int:
        return 0

    def restore(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        self.shard.restore(stored)

    def take(self) -> Work:
        return self.shard.take()

    def take_dead(self) -> list[Dead]:
        return self.shard.take_dead()

    def apply(self, topic: str, value: bytes, offset: int, broker_time: int | None = None) -> None:
        self.shard.begin(broker_time)
        if topic == CONTROL.name:
            if (found := codec.control(value).tick) is not None:
                self.shard.time.hear(found, self.shard.latest)
                self.shard.put_watermarks(offset)
            return
        self.shard.each(value, lambda element, place: self._member(element, offset + 1, place))

    def _member(self, element: bytes, offset: int, place: int) -> None:
        try:
            record = orjson.loads(element)
            ticket, member, at = record["ticket"], record["member"], record["at"]
        except (ValueError, LookupError):
            raise Malformed("expected ticket, member and at") from None
        row = self.shard.row(rows.head_key(ticket))
        case = msgspec.msgpack.decode(rows.content(row), type=Case) if row else Case([])
        if row and rows.prefix(row)[1] >= Position(offset, place):
            self.shard.counts[Outcome.DUPLICATES] += 1
            return
        if member == "broken":
            raise RuntimeError("a fault of ours")
        case.members.append(member)
        self._keep(ticket, case, at + QUIET, Position(offset, place))
        self._say(ticket, case, "open")

    def advance(self, limit: int | None = None, most: int = 1000) -> bool:
        if self.shard.restore_some(most * LOOKS):
            return True
        until = self.watermark if limit is None else min(limit, self.watermark)
        return self.shard.due.run(until, most, self._close)[1]

    def _close(self, due: int, ticket: str) -> bool:
        row = self.shard.row(rows.head_key(ticket))
        if row is None or rows.prefix(row)[0] != due:
            return False  # it has moved on
        case = msgspec.msgpack.decode(rows.content(row), type=Case)
        self._keep(ticket, case, NEVER, rows.prefix(row)[1])
        self._say(ticket, case, "closed")
        return True

    def _keep(self, ticket: str, case: Case, due: int, position: Position) -> None:
        self.shard.put(rows.head_key(ticket), rows.encode(case, due, position), due, ticket)

    def _say(self, ticket: str, case: Case, status: str) -> None:
        value = orjson.dumps({"ticket": ticket, "members": case.members, "status": status})
        self.shard.outputs.append(Output(TICKETS.name, ticket.encode(), value))


def member(ticket: str, name: str, minute: int) -> dict[str, Any]:
    return {"ticket": ticket, "member": name, "at": BEGIN + minute * MINUTE}


class World:
    """A fold with its store: started anew at will."""

    def __init__(self) -> None:
        self.stored: dict[bytes, bytes] = {}
        self.dead: list[Dead] = []
        self.start()

    def start(self) -> None:
        self.fold: ShardFold = Cases(0, self.stored.get)
        self.fold.restore(list(self.stored.items()))

    def feed(self, offset: int, *members: dict[str, Any] | bytes) -> list[Any]:
        parts = [one if isinstance(one, bytes) else orjson.dumps(one) for one in members]
        self.fold.apply(MEMBERS.name, b"[" + b",".join(parts) + b"]", offset)
        return self.keep()

    def tick(self, minute: int, most: int = 1000) -> list[Any]:
        self.fold.apply(CONTROL.name, tick(minute), minute)
        while self.fold.advance(most=most):
            pass
        return self.keep()

    def keep(self) -> list[Any]:
        self.dead += self.fold.take_dead()
        work = self.fold.take()
        for key, row in work.rows.items():
            if row is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = row
        return [orjson.loads(output.value) for output in work.outputs]


@pytest.fixture(params=[False, True], ids=["running", "restarted at each step"])
def world(request: pytest.FixtureRequest) -> World:
    class Restarted(World):
        def keep(self) -> list[Any]:
            found = super().keep()
            self.start()
            return found

    return Restarted() if request.param else World()


def test_a_record_is_applied_once_and_what_is_due_is_processed(world: World) -> None:
    assert [one["members"] for one in world.feed(0, member("a", "x", 0), member("a", "y", 1))] == [["x"], ["x", "y"]]  # fmt: skip
    assert world.feed(0, member("a", "x", 0), member("a", "y", 1)) == []  # delivered again
    assert world.tick(10) == []  # a minute too early: the second member has put it off
    assert world.tick(11) == [{"ticket": "a", "members": ["x", "y"], "status": "closed"}]
    assert world.tick(50) == []


def test_there_is_nothing_to_take_once_it_is_taken() -> None:
    world = World()
    assert not world.fold.pending
    world.fold.apply(MEMBERS.name, orjson.dumps([member("a", "x", 0)]), 0)
    assert world.fold.pending
    world.keep()
    assert not world.fold.pending
    world.fold.apply(CONTROL.name, tick(11), 1)
    world.keep()
    while world.fold.advance():  # what only time has done is to be taken, too
        pass
    assert world.fold.pending


def test_redelivered_records_are_counted() -> None:
    world = World()
    for _ in range(2):
        world.feed(7, member("a", "x", 0), member("b", "y", 0))
    assert world.fold.counts[Outcome.DUPLICATES] == 2


def test_a_bad_element_is_dead_lettered_and_the_others_are_applied(world: World) -> None:
    said = world.feed(0, member("a", "x", 0), b'{"ticket":"b"}', member("c", "broken", 0), member("d", "y", 0))  # fmt: skip
    assert [one["ticket"] for one in said] == ["a", "d"]
    world.feed(1, b"{")
    assert [(one.place, one.reason.partition(":")[0]) for one in world.dead] == [
        (1, "expected ticket, member and at"), (2, "RuntimeError"), (-1, world.dead[2].reason.partition(":")[0]),
    ]  # fmt: skip
    assert world.dead[0].value == b'{"ticket":"b"}'


def test_a_reason_has_an_end() -> None:
    shard = Shard(0, lambda _: None)
    shard.failed(0, Malformed("x" * 10_000), b"")
    assert [len(one.reason) for one in shard.take().dead] == [500]


@pytest.mark.parametrize("error", [NewerState("newer"), MemoryError()])
def test_what_is_no_elements_fault_ends_the_record(error: Exception) -> None:
    shard = Shard(0, lambda _: None)

    def apply(_: bytes, __: int) -> None:
        raise error

    with pytest.raises(type(error)):
        shard.each(b"[{}]", apply)
    assert shard.take_dead() == []


def test_no_time_passes_before_all_is_restored() -> None:
    world = World()
    for number in range(3 * LOOKS):
        world.feed(number, member(f"t{number}", "x", 0))
    world.start()
    world.fold.apply(CONTROL.name, tick(10), 500)
    for _ in range(3):  # a piece of the store each
        assert world.fold.advance(most=1)
        assert world.keep() == []
    assert len(world.tick(11, most=1)) == 3 * LOOKS


def test_state_of_a_newer_version_is_refused() -> None:
    world = World()
    world.feed(0, member("a", "x", 0))
    (key,) = [key for key in world.stored if key[:1] == b"h"]
    row = bytearray(world.stored[key])
    row[28] = rows.STATE_VERSION + 1
    world.stored[key] = bytes(row)
    world.start()
    with pytest.raises(NewerState):
        world.fold.advance()


TIMES = st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abcdef")), max_size=30)


@given(added=TIMES, most=st.integers(1, 4), until=st.integers(0, 20))
def test_due_times_come_in_order_and_none_is_left_out(
    added: list[tuple[int, str]], most: int, until: int
) -> None:
    for make in (DueTimes, EarliestDueTimes):
        due, handled, more = make(), list[tuple[int, str]](), True
        for at, name in added:
            due.add(at, name)
        due.add(NEVER, "never")

        def handle(at: int, name: str, into: list[tuple[int, str]] = handled) -> bool:
            into.append((at, name))
            return True

        while more:
            done, more = due.run(until, most, handle)
            assert done <= most
        earliest: dict[str, int] = {}
        for at, name in added:
            earliest[name] = min(at, earliest.get(name, at))
        wanted = added if make is DueTimes else [(at, name) for name, at in earliest.items()]
        assert handled == sorted(pair for pair in wanted if pair[0] <= until)


def test_states_that_moved_on_do_not_hold_up_a_piece_for_long() -> None:
    due = DueTimes()
    for number in range(5 * LOOKS):
        due.add(number, "x")
    calls = 0

    def moved_on(_: int, __: str) -> bool:
        nonlocal calls
        calls += 1
        return False

    assert due.run(NEVER - 1, 2, moved_on) == (0, True)
    assert calls == 2 * LOOKS
