"""Workers that are killed, put to sleep, joined, left and cut off lose nothing, say nothing wrong, close nothing wrongly."""

from pathlib import Path

import pytest

from tests.live.crash import MUST_BE_ZERO, trial

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.mark.parametrize(("how", "n", "seconds", "expected"), [
    ("kill", 100_000, 45, -9), ("chaos", 30_000, 20, -9), ("sleep", 20_000, 20, 75),
    ("rebalance", 20_000, 15, 0), ("broker", 20_000, 20, 75),
])  # fmt: skip
def test_nothing_is_lost(how: str, n: int, seconds: float, expected: int, tmp_path: Path) -> None:
    counts = trial(how, tmp_path, n=n, seconds=seconds, seed=n)
    print(counts)
    assert {name: counts[name] for name in MUST_BE_ZERO} == dict.fromkeys(MUST_BE_ZERO, 0)
    assert counts["exits"].get(expected), "the disturbance did not happen"
    assert counts["transitions"] > n / 10
    assert counts["slowest_stop_s"] < 5
