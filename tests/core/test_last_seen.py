"""`last_seen` follows the sweeps that see a resource: to within 12 hours, and only for so long as one has read it lately."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.world import World, key, minute

HOURS = timedelta(hours=1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=12))
def test_it_is_at_most_twelve_hours_behind_the_last_sweep(gaps: list[int]) -> None:
    """Whatever the times between sweeps, with a tick every half hour; readings that change nothing write nothing."""
    world, hour = World(), 0
    world.snapshot(key(0, rotation=False))
    for gap in gaps:
        for half in range(1, 2 * gap):
            world.tick(hour * 60 + half * 30)
        hour += gap
        world.snapshot(key(hour * 60, rotation=False))
        world.tick(hour * 60)
        finding = world.finding()
        assert finding.evaluation == "failed"
        assert minute(hour * 60) - 12 * HOURS <= finding.last_seen <= minute(hour * 60)


@settings(max_examples=10, deadline=None)
@given(st.integers(25, 80))
def test_what_no_sweep_sees_any_more_is_not_known(hours: int) -> None:
    """It is said again all the same, as not known; when it was read last is `evaluated_at`."""
    world = World()
    world.snapshot(key(0, rotation=False))
    for half in range(1, 2 * hours + 1):
        world.tick(half * 30)
    finding = world.finding()
    assert (finding.evaluation, finding.status) == ("unknown", "open")
    assert finding.evaluated_at == minute(0)
