"""Every small change of a condition is found: what an example tells apart, and nothing else, is noticed."""

from typing import Any

import pytest

from driftline.pipeline.detections.rule import closure, compile_rule
from driftline.pipeline.detections.values import EventView
from driftline.pipeline.proof.detections.mutants import MOST_LISTED, survivors


def told(detection: dict[str, Any], fires: list[dict[str, Any]], silent: list[dict[str, Any]]) -> list[str]:  # fmt: skip
    rule = compile_rule({"title": "t", "logsource": {"product": "aws"}, "detection": detection}, {})
    return [one.removeprefix("no example detects that ") for one in survivors(rule.trees, closure, [*map(EventView, fires)], [*map(EventView, silent)])]  # fmt: skip


BOTH = {"s": {"a": 1, "b": 2}, "n": {"c": 3}, "condition": "s and not n"}


@pytest.mark.parametrize(
    ("fires", "silent", "wanted"),
    [
        ([{"a": 1, "b": 2}], [{"b": 2}, {"a": 1}, {"a": 1, "b": 2, "c": 3}], []),
        ([{"a": 1, "b": 2}], [{"a": 1}, {"a": 1, "b": 2, "c": 3}], ["`a: 1` is always true (add one that only it keeps silent)"]),
        ([{"a": 1, "b": 2}], [{"b": 2}, {"a": 1}], ["`c: 3` is never true (add one that fires because of it)"]),
    ],
)  # fmt: skip
def test_what_no_example_tells_apart(fires: Any, silent: Any, wanted: list[str]) -> None:
    assert told(BOTH, fires, silent) == wanted


def test_each_value_of_a_list_has_an_example() -> None:
    detection = {"s": {"a": ["x", "y"]}, "condition": "s"}
    assert told(detection, [{"a": "x"}], [{"a": "z"}]) == ["`a: y` is never true (add one that fires because of it)"]  # fmt: skip
    assert told(detection, [{"a": "x"}, {"a": "y"}], [{"a": "z"}]) == []


def test_a_long_list_is_one() -> None:
    detection = {"s": {"a": [str(n) for n in range(MOST_LISTED + 1)]}, "condition": "s"}
    assert told(detection, [{"a": "3"}], [{"a": "z"}]) == []
    assert told(detection, [{"a": "3"}], []) == [f"`one of {MOST_LISTED + 1} values of a` is always true (add one that only it keeps silent)"]  # fmt: skip
    rule = compile_rule({"title": "t", "logsource": {"product": "aws"}, "detection": detection}, {})
    one_by_one = survivors(rule.trees, closure, [EventView({"a": "3"})], [EventView({"a": "z"})], MOST_LISTED + 1)  # fmt: skip
    assert len(list(one_by_one)) == MOST_LISTED


def test_or_and_not() -> None:
    detection = {"s": {"a": 1}, "t": {"b": 1}, "condition": ["s", "not t"]}
    assert told(detection, [{}, {"a": 1, "b": 1}], [{"b": 1}]) == []
    assert any("`not` is removed" in one for one in told(detection, [{"a": 1}], []))
    assert any("`or` became `and`" in one for one in told(detection, [{"a": 1}], [{"b": 1}]))
