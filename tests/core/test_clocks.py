"""Wrong clocks: what is dated more than minutes ahead of the broker's time of its record is refused, and what was believed
before there was this check heals. And several readers of one source: it has come as far as the last of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.model import Baseline, Control, Part, Scope, Swept, Tick, micros
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS
from driftline.pipeline.state import clock_skew
from driftline.pipeline.state.resource import Body, Head, State
from driftline.pipeline.state.watermarks import SILENT, Watermarks
from tests.core.test_ghosts import gone, swept
from tests.core.world import Kept, change, heard, key, minute, rulebook, tick, value

YEAR = 60 * 24 * 365
NOW = micros(minute(60))


def fold() -> Partition:
    return Partition(0, dict[bytes, bytes]().get, rulebook())


def part(at: float, **more: Any) -> bytes:
    snapshot = key(60, False, None)
    given: dict[str, Any] = {"name": "rotation", "captured_at": minute(at), **more}
    return value(snapshot.model_copy(update={"parts": [Part(**given)]}))


BASELINE = Baseline(uid="u", type="t", kind="approved", at=minute(60 + YEAR), by="ann")


@pytest.mark.parametrize(
    ("topic", "record"),
    [
        (CONTROL.name, tick(60 + YEAR)), (CONTROL.name, tick(71)), (CONTROL.name, heard(60 + YEAR)),
        (CONTROL.name, swept(60 + YEAR)), (CONTROL.name, gone(60 + YEAR)), (CONTROL.name, Control(baseline=BASELINE).encode()),
        (SNAPSHOTS.name, value(key(60 + YEAR))), (SNAPSHOTS.name, value(key(71))), (SNAPSHOTS.name, part(60 + YEAR)),
        (SNAPSHOTS.name, part(60, provided_at=minute(60 + YEAR))), (CHANGES.name, change(60 + YEAR).encode()),
    ],
)  # fmt: skip
def test_what_is_ahead_of_the_broker_is_refused(topic: str, record: bytes) -> None:
    one = fold()
    one.apply(topic, record, 1, NOW)
    (dead,) = one.take_dead()
    assert "ahead of the broker's clock" in dead.reason
    assert one.watermark == 0
    assert one.newest <= NOW
    work = one.take()
    assert not [row for row in work.rows if row[:1] in (b"h", b"b", b"g")]


@pytest.mark.parametrize(
    ("topic", "record"),
    [(CONTROL.name, tick(69)), (SNAPSHOTS.name, value(key(69))), (CHANGES.name, change(69).encode()),
     (SNAPSHOTS.name, part(60, provided_at=minute(69))), (SNAPSHOTS.name, value(key(-YEAR)))],
)  # fmt: skip
def test_what_clocks_in_step_may_say_is_taken(topic: str, record: bytes) -> None:
    one = fold()
    one.apply(topic, record, 1, NOW)
    assert not one.take_dead()


def test_a_tape_has_no_broker(capfd: object) -> None:
    one = fold()
    one.apply(SNAPSHOTS.name, value(key(60 + YEAR)), 1)
    one.apply(CONTROL.name, tick(60 + YEAR), 2)
    assert not one.take_dead()
    assert one.watermark == micros(minute(60 + YEAR))


def test_the_short_cut_refuses_it_too() -> None:
    kept = Kept(rulebook())
    kept.fold.apply(SNAPSHOTS.name, value(key(60)), 1, NOW)
    kept.keep()
    kept.fold.apply(SNAPSHOTS.name, value(key(60 + YEAR), key(61)), 2, NOW)
    (dead,) = kept.fold.take_dead()
    assert dead.place == 0
    assert kept.fold.counts[Outcome.UNCHANGED] == 1


def test_a_reading_of_before_that_is_ahead_blocks_nothing() -> None:
    """It was believed by a version that did not look: the next right one counts, at once and from then on."""
    kept = Kept(rulebook())
    kept.fold.apply(SNAPSHOTS.name, value(key(YEAR, True)), 1)
    kept.fold.apply(CHANGES.name, change(YEAR, kind="update").encode(), 2)
    kept.keep()
    kept.fold.apply(SNAPSHOTS.name, value(key(60, False)), 3, NOW)
    assert [f["status"] for f in kept.keep() if f["rule"]["id"] == "t-rotation"] == ["open"]
    kept.fold.apply(SNAPSHOTS.name, value(key(61, True)), 4, NOW + 60_000_000)
    assert [f["status"] for f in kept.keep() if f["rule"]["id"] == "t-rotation"] == ["resolved"]


def test_healing_keeps_how_far_versions_have_come() -> None:
    """A sink has a restatement of a wrong time: what is right must be told above that, or it is never seen."""
    head = Head(seen_at=micros(minute(YEAR)), again_at=micros(minute(YEAR)))
    healed = clock_skew.without_future_times(State(head, Body({})), NOW)
    assert (healed.head.seen_at, healed.head.again_at) == (0, micros(minute(YEAR)))


def test_the_end_of_a_sweep_that_is_ahead_is_refused_too() -> None:
    scope = Scope(provider="aws", account="1", region="r", type="t")
    word = Swept(scope=scope, started_at=minute(60), complete=True, ended_at=minute(71))
    one = fold()
    one.apply(CONTROL.name, Control(swept=word).encode(), 1, NOW)
    assert "swept.ended_at" in one.take_dead()[0].reason


def test_a_watermark_of_before_that_is_ahead_neither_blocks_nor_floods() -> None:
    kept = Kept(rulebook())
    kept.fold.apply(SNAPSHOTS.name, value(key(0, False)), 1)
    kept.fold.apply(CONTROL.name, tick(YEAR), 2)
    while kept.fold.advance():
        pass
    kept.keep()
    kept.start(rulebook())
    kept.fold.apply(CONTROL.name, tick(60), 3, micros(minute(62)))
    assert kept.fold.watermark == micros(minute(60))
    said = []
    for hour in range(1, 30):
        kept.fold.apply(
            SNAPSHOTS.name, value(key(60 * hour, False)), hour * 3 + 2, micros(minute(60 * hour))
        )
        kept.fold.apply(CONTROL.name, tick(60 * hour - 2), hour * 3 + 3, micros(minute(60 * hour)))
        while kept.fold.advance():
            pass
        said += [
            (hour, f["status"], f["restated"])
            for f in kept.keep()
            if f["rule"]["id"] == "t-rotation"
        ]
    assert {status for _, status, _ in said} == {"open"}
    assert [again for _, _, again in said].count(False) <= 1, "it does not flap"
    assert 2 <= len(said) <= 5, "and is restated as ever"


def marks() -> Watermarks:
    return Watermarks(lambda _: None)


def at(
    watermarks: Watermarks,
    reader: str,
    when: float,
    *,
    ended: bool = False,
    source: str = "aws.eventbridge",
) -> None:
    watermarks.hear(Tick(source=source, reader=reader, watermark=minute(when), ended=ended))


def test_a_source_has_come_as_far_as_its_last_reader() -> None:
    known = marks()
    at(known, "", 1000, source="sweep")
    at(known, "a-0", 900)
    at(known, "b-0", 700)
    assert known.events("aws") == micros(minute(700))
    at(known, "b-0", 950)
    assert known.events("aws") == micros(minute(900))


def test_a_dead_reader_holds_back_for_a_while_and_is_forgotten() -> None:
    known = marks()
    at(known, "a-0", 0)
    for hours in range(48):
        at(known, "", 60 * hours, source="sweep")
        at(known, "b-0", 60 * hours)
        held = hours < SILENT / 3.6e9
        assert known.events("aws") == micros(minute(0 if held else 60 * hours))
    assert sorted(known._known) == ["aws.eventbridge@b-0", "sweep"]


def test_one_that_stops_holds_back_nobody_but_the_last_may_come_again() -> None:
    known = marks()
    at(known, "", 100, source="sweep")
    at(known, "a-0", 50)
    at(known, "b-0", 90)
    at(known, "a-0", 50, ended=True)
    assert known.events("aws") == micros(minute(90))
    at(known, "b-0", 90, ended=True)
    assert known.events("aws") == micros(minute(90)), "drifts wait for it as they did"


def test_readers_of_an_earlier_version_are_replaced() -> None:
    known = marks()
    at(known, "", 100, source="sweep")
    at(known, "", 10)
    at(known, "a-0", 90)
    assert known.events("aws") == micros(minute(90))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 300)), min_size=1))
def test_never_further_than_any_reader(told: list[tuple[str, int]]) -> None:
    known, furthest = marks(), dict[str, int]()
    at(known, "", 300, source="sweep")
    for reader, when in told:
        at(known, reader, when)
        furthest[reader] = max(when, furthest.get(reader, 0))
    assert known.events("aws") == micros(minute(min(furthest.values())))
