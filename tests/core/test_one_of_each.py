"""Back-off, durations, JSON Pointers, values at paths and limits of size exist once."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.common import durations, limits
from driftline.pipeline.common.backoff import Backoff, delay
from driftline.pipeline.compare.paths import escaped, pointer, steps, unescaped, value_at

ROOT = Path(__file__).parents[2]
COPIES = {
    r"\* 2, \w*(LONGEST|\d)|min\(2 \* |\* 2(\.0)? \*\* ": "pipeline/common/backoff.py",
    r"86_?400(?!_)|(?<!\d)3_600_000_000|(?<!\d)60_000_000(?!\d)": "pipeline/common/durations.py",
    r"\"h\": 3600": "pipeline/common/durations.py",
    r"~[01]\"": "pipeline/compare/paths.py",
    r"(?<!\d)(3_500_000|3_900_000|4_500_000)(?!_)": "pipeline/common/limits.py",
}
"""How a copy would look, and the only file that may look so."""
OTHERS = {
    "pipeline/model/base.py": "a timedelta's days",
    "pipeline/records/topics.py": "milliseconds, as Kafka's settings have them",
    "pipeline/settings/blocks.py": "defaults in seconds",
    "collectors/coverage.py": "seconds",
}
KEYS = st.text(alphabet="ab/~01 ", max_size=5)


@pytest.mark.parametrize(("form", "home"), COPIES.items())
def test_it_exists_once(form: str, home: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in ("pipeline", "collectors", "sinks")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(form, path.read_text())
    }
    assert home in found
    assert found - {home} <= OTHERS.keys()


@given(st.floats(0.01, 10), st.floats(10, 1000), st.integers(1, 2000))
def test_waits_grow_to_the_longest_and_begin_anew(first: float, longest: float, count: int) -> None:
    backoff = Backoff(first, longest)
    waits = [backoff.failed() for _ in range(count)]
    assert waits[0] == first
    assert waits == sorted(waits)
    assert max(waits) <= longest
    assert all(later in (2 * earlier, longest) for earlier, later in pairwise(waits))
    assert waits[-1] == delay(count, first, longest)
    backoff.succeeded()
    assert backoff.failed() == first


@pytest.mark.parametrize(("text", "seconds", "whole"), [
    ("500ms", 0.5, None), ("30s", 30.0, 30), ("10m", 600.0, 600), ("1.5h", 5400.0, None), ("1d", 86_400.0, 86_400),
    ("7", 7.0, None), (" 6h ", 21_600.0, None), ("0s", 0.0, 0), ("", None, None), ("h", None, None), ("-1s", None, None),
    ("1w", None, None), ("1h30m", None, None), ("10M", None, None), ("10m\n", 600.0, 600),
])  # fmt: skip
def test_durations_as_people_write_them(
    text: str, seconds: float | None, whole: int | None
) -> None:
    assert durations.seconds(text) == seconds
    assert durations.whole_seconds(text.strip("\n")) == whole


@given(st.integers(0, 10_000), st.sampled_from("smhd"))
def test_a_duration_is_read_as_it_is_written(count: int, unit: str) -> None:
    seconds = durations.whole_seconds(f"{count}{unit}")
    assert seconds is not None
    assert seconds * durations.SECOND == count * {"s": durations.SECOND, "m": durations.MINUTE, "h": durations.HOUR, "d": durations.DAY}[unit]  # fmt: skip
    assert durations.seconds(durations.written(seconds)) == pytest.approx(seconds, rel=1e-5)


@given(st.lists(KEYS, min_size=1, max_size=4))
def test_a_pointer_leads_where_its_steps_do(path: list[str]) -> None:
    assert steps(pointer(*path)) == path
    assert all(unescaped(escaped(step)) == step for step in path)
    document: Any = "here"
    for step in reversed(path):
        document = {step: document}
    assert value_at(document, steps(pointer(*path))) == "here"
    assert value_at(document, [*path, "x"], "nothing") == "nothing"


@pytest.mark.parametrize(("document", "path", "found"), [
    ([1, [2, 3]], [1, 0], 2), ([1, [2, 3]], ["1", "1"], 3), ([1], [1], "none"), ([1], [-1], "none"), ([1], ["-1"], "none"),
    ([1], ["²"], "none"), ([1], ["x"], "none"), ({"a": None}, ["a"], None), ({"a": None}, ["a", "b"], "none"),
    ({"0": 1}, ["0"], 1), ({"a": 1}, [], {"a": 1}), ("text", [0], "none"), (None, ["a"], "none"),
])  # fmt: skip
def test_a_value_at_a_path(document: Any, path: list[str | int], found: Any) -> None:
    assert value_at(document, path, "none") == found


def test_each_limit_leaves_room_for_the_next() -> None:
    assert limits.EXCEPTIONS < limits.VALUE < limits.RECORD < limits.BROKER
    assert limits.FETCH >= limits.RECORD
