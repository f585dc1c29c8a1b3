"""Which groups an event belongs to, and what of it is counted."""

from typing import Any

import pytest

from pipeline.detections.correlations import Correlation
from pipeline.detections.match import View
from pipeline.detections.watch import MOST_GROUPS, MOST_VALUES, _counted, groups


def one(*group_by: str, kind: Any = "value_count") -> Correlation:
    return Correlation("c", "", "low", kind, ("r",), group_by, 1, counted="v")


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({"a": "x", "b": {"c": "y"}}, [("x", "y")]),
        ({"a": "x"}, []), ({"a": "x", "b": None}, []), ({"a": "x", "b": {}}, []), ({"a": "x", "b": {"c": None}}, []),
        ({"a": "x", "b": {"c": ""}}, []), ({"a": "x", "b": {"c": []}}, []), ({"a": "x", "b": {"c": [None, ""]}}, []),
        ({"a": None, "b": {"c": "y"}}, []), ({}, []),
        ({"a": ["x", None, "z", "x"], "b": {"c": "y"}}, [("x", "y"), ("z", "y")]),
        ({"a": 0, "b": {"c": False}}, [("0", "false")]),
        ({"a": "x\nz", "b": {"c": "y"}}, [("x z", "y")]),
    ],
)  # fmt: skip
def test_what_is_missing_null_or_empty_is_no_group(
    event: dict[str, Any], wanted: list[Any]
) -> None:
    assert groups(one("a", "b.c"), "r", None, View(event)) == wanted


def test_groups_of_a_list_are_bounded() -> None:
    assert len(groups(one("a"), "r", None, View({"a": [str(n) for n in range(99)]}))) == MOST_GROUPS


@pytest.mark.parametrize("kind", ["value_count", "first_seen"])
def test_every_element_of_a_list_counts(kind: str) -> None:
    def counted(value: Any) -> Any:
        return _counted(View({"v": value}), one(kind=kind))

    assert counted(["x", "y", "x", None]) == ["x", "y"]
    assert counted(["x"]) == counted("x") == "x"
    assert counted([]) is counted(None) is None
    assert len(counted([str(n) for n in range(200)])) == MOST_VALUES


def test_of_numbers_the_first_counts() -> None:
    assert _counted(View({"v": [3, 5]}), one(kind="value_sum")) == "3"
