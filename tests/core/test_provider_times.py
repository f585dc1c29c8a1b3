"""A part is ordered by its provider's own time where both readings have one: a listing that lags behind is read later,
and says what was."""

from datetime import datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.model import Part, Snapshot
from driftline.pipeline.records.topics import SNAPSHOTS
from tests.core.world import World, key, minute, value


def reading(at: float, rotation: bool, provided: float | None, **more: object) -> Snapshot:
    """Read at a minute; the provider's time of it is another."""
    said: datetime | None = None if provided is None else minute(provided)
    part = Part(name="rotation", captured_at=minute(at), provided_at=said)
    return key(at, rotation, None, **more).model_copy(update={"parts": [part]})  # type: ignore[arg-type]


def evaluation(*readings: Snapshot) -> str:
    world = World()
    for one in readings:
        world.snapshot(one)
    return world.finding().evaluation


def test_a_lagging_listing_rolls_nothing_back() -> None:
    assert evaluation(reading(10, False, 9), reading(20, True, 5)) == "failed"
    assert (
        evaluation(reading(10, False, 9), *(reading(at, True, 5) for at in (20, 21, 22)))
        == "failed"
    )


def test_nor_does_it_by_its_tags() -> None:
    world = World()
    world.snapshot(reading(10, False, 9, tags={"team": "new"}))
    world.snapshot(reading(20, True, 5, tags={"team": "old"}))
    world.snapshot(reading(30, True, 29, tags={"team": "newest"}))
    assert world.finding().resource.tags == {"team": "newest"}
    assert [d.changes[0].before for d in (world.drift("tags"),)] == ["new"]


def test_nor_by_an_older_incarnation() -> None:
    world = World()
    world.snapshot(reading(10, False, 9, incarnation="two"))
    world.snapshot(reading(20, True, 5, incarnation="one"))
    assert world.brief()[:2] == ("open", "failed")


def test_one_that_comes_late_but_is_newer_counts() -> None:
    assert evaluation(reading(20, True, 5), reading(10, False, 9)) == "failed"


def test_without_the_provider_s_time_the_reading_s_counts() -> None:
    assert evaluation(reading(10, False, 9), reading(20, True, None)) == "passed"
    assert evaluation(reading(10, False, None), reading(20, True, 5)) == "passed"
    assert evaluation(reading(20, True, None), reading(10, False, 9)) == "passed"


def test_a_part_that_was_left_out_is_not_taken_for_unchanged() -> None:
    """The next reading says the same as the one before, which did not count."""
    world = World()
    world.snapshot(reading(10, False, None))
    late = Part(name="rotation", captured_at=minute(5))
    world.snapshot(key(12, True, None).model_copy(update={"parts": [late]}))
    world.snapshot(key(15, True, None))
    assert world.finding().evaluation == "passed"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 2**32))
def test_whatever_the_order_the_newest_by_the_provider_stands(truth: list[bool], seed: int) -> None:
    """The truth changes every 10 minutes; readings of it come in any order, some of them twice."""
    random = Random(seed)
    said = [reading(1000 + random.randrange(60), flag, 10 * n) for n, flag in enumerate(truth)]
    random.shuffle(said)
    said += random.sample(said, len(said) // 2)
    world = World()
    for one in said:
        world.feed(SNAPSHOTS.name, value(one))
    assert world.finding().evaluation == ("passed" if truth[-1] else "failed")
