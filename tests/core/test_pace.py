"""Work that takes too long is done in smaller pieces, and in larger ones again when it no longer does."""

from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.worker.slices import Pace


@given(st.floats(1e-6, 1e3), st.floats(0.001, 10))
def test_whatever_one_thing_costs_a_go_soon_fits_or_is_the_least(cost: float, limit: float) -> None:
    pace = Pace(100, 1, 1000, limit)
    for _ in range(60):
        pace.took(pace.amount * cost)
    assert pace.amount == 1 or pace.amount * cost <= limit * 1.25
    assert pace.amount == 1000 or pace.amount * cost >= limit / 8 or pace.amount == 1


def test_it_recovers_after_a_slow_time() -> None:
    pace = Pace(1.0, 0.05, 1.0, 2.5)
    for _ in range(10):
        pace.took(9)
    assert pace.amount == 0.05
    for _ in range(20):
        pace.took(0.1)
    assert pace.amount == 1.0
