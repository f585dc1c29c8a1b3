"""An index of patterns finds what asking each pattern finds."""

from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.common.wildcard_index import PatternIndex
from driftline.pipeline.common.wildcards import matches

TEXT = st.text("ab/", max_size=6)
PATTERN = st.text("ab/*", max_size=6)


@given(st.lists(st.tuples(st.sampled_from("12345"), PATTERN, st.booleans())), st.lists(TEXT))
def test_it_finds_what_each_pattern_alone_would(
    steps: list[tuple[str, str, bool]], texts: list[str]
) -> None:
    index, plain = PatternIndex[str](), dict[str, str]()
    for key, pattern, put in steps:
        if put:
            index.put(key, pattern, key)
            plain[key] = pattern
        else:
            index.drop(key)
            plain.pop(key, None)
    assert len(index) == len(plain)
    for text in texts:
        wanted = sorted(key for key, pattern in plain.items() if matches(pattern, text))
        assert sorted(index.find(text)) == wanted
        assert index.fits(text) == bool(wanted)


def test_it_forgets_what_is_dropped() -> None:
    index = PatternIndex[int]()
    for number in range(100):
        index.put(str(number), f"a{number}*", number)
        index.put(f"exact {number}", f"a{number}", number)
    for number in range(100):
        index.drop(str(number))
        index.drop(f"exact {number}")
    assert len(index) == 0
    assert (index._exact, index._begins) == ({}, {})
