"""Watermarks answer from memory what they would answer from what is stored."""

from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.common.durations import HOUR
from driftline.pipeline.state.rows import NEVER, SOURCES_KEY
from driftline.pipeline.state.watermarks import Watermarks

SOURCES = ["0.0", "0.1", "0.2", "1.0", "1.1", "sweep", "0.1@a", "0.1@b"]
PREFIXES = ["", "0.", "1.", "sweep"]

ticks = st.tuples(
    st.sampled_from(SOURCES), st.integers(-1, 60), st.sampled_from([NEVER, NEVER, 20 * HOUR, 40 * HOUR])
)  # fmt: skip
steps = st.lists(st.one_of(ticks, st.sampled_from(SOURCES)), max_size=40)


@given(steps)
def test_after_each_step_the_answers_are_those_after_a_restart(given: list[tuple[str, int, int] | str]) -> None:  # fmt: skip
    one = Watermarks(lambda _: None)
    for step in given:
        if isinstance(step, str):
            one.end(step)
        else:
            source, hour, latest = step
            one.tick(source, hour * HOUR, latest)
        again = Watermarks({SOURCES_KEY: one.row(1)}.get)
        for prefix in PREFIXES:
            for of in (1, 2, 3):
                assert one.least(prefix, of) == again.least(prefix, of)
        assert (one.swept, one.events(), one.all_known()) == (again.swept, again.events(), again.all_known())  # fmt: skip
