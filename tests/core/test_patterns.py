"""`*` in scopes: the same as a regular expression says, and never slow."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.common.wildcards import matches


@given(st.text("ab*", max_size=8), st.text("ab\n", max_size=12))
def test_a_star_stands_for_any_text(pattern: str, text: str) -> None:
    wanted = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)
    assert matches(pattern, text) == (wanted is not None)


@pytest.mark.parametrize("pattern", ["*a" * 5 + "*b", "*a" * 2000 + "*b", "*" * 5000 + "b", "a*" * 1000 + "b"])  # fmt: skip
def test_no_pattern_is_slow(pattern: str) -> None:
    began = time.process_time()
    for _ in range(100):
        assert not matches(pattern, "a" * 2048)
    assert time.process_time() - began < 1
