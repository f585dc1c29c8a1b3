"""What Sigma rules match: every modifier, both ways; the index never loses a match; wildcards against an oracle."""

import fnmatch
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detections import Detections, View
from pipeline.detections.match import Refused
from pipeline.detections.rule import compiled

LISTS = {"admins": ["root", "adm*"]}


def rule(detection: dict[str, Any], id: str = "r") -> Any:
    data = {"title": "t", "id": id, "logsource": {"product": "aws"}, "detection": detection}
    return compiled({k: v for k, v in data.items() if k != "id"} | {"name": id}, LISTS)


def matches(item: dict[str, Any] | list[Any], event: dict[str, Any]) -> bool:
    return bool(rule({"sel": item, "condition": "sel"}).matches(View(event)))


CASES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "x"}, {"a": "X"}, {"a": "xy"}),
    ({"a": ["x", "y"]}, {"a": "y"}, {"a": "z"}),
    ({"a": "x", "b": "y"}, {"a": "x", "b": "y"}, {"a": "x"}),
    ({"a": "x*z"}, {"a": "x--z"}, {"a": "x--"}),
    ({"a": "x?z"}, {"a": "xyz"}, {"a": "xz"}),
    ({"a": r"x\*z"}, {"a": "x*z"}, {"a": "xyz"}),
    ({"a": r"c:\\x"}, {"a": r"c:\x"}, {"a": r"c:\\x"}),
    ({"a": ""}, {"a": ""}, {"b": ""}),
    ({"a": None}, {"b": 1}, {"a": "x"}),
    ({"a": None}, {"a": None}, {"a": 0}),
    ({"a": 5}, {"a": "5"}, {"a": 6}),
    ({"a": "5"}, {"a": 5}, {"a": 55}),
    ({"a": True}, {"a": True}, {"a": False}),
    ({"a": "true"}, {"a": True}, {"a": 1}),
    ({"a|contains": "x"}, {"a": "-X-"}, {"a": "y"}),
    ({"a|startswith": "x"}, {"a": "Xy"}, {"a": "yx"}),
    ({"a|endswith": "x"}, {"a": "yX"}, {"a": "xy"}),
    ({"a|contains|all": ["x", "y"]}, {"a": "y-x"}, {"a": "x"}),
    ({"a|re": "x.z"}, {"a": "-xyz-"}, {"a": "-XYZ-"}),
    ({"a|re|i": "x.z"}, {"a": "-XYZ-"}, {"a": "xz"}),
    ({"a|re|s": "x.z"}, {"a": "x\nz"}, {"a": "xz"}),
    ({"a|re|m": "^z"}, {"a": "x\nz"}, {"a": "xz"}),
    ({"a|cased": "x"}, {"a": "x"}, {"a": "X"}),
    ({"a|contains|cased": "x"}, {"a": "-x-"}, {"a": "-X-"}),
    ({"a|exists": True}, {"a": ""}, {"b": 1}),
    ({"a|exists": False}, {"b": 1}, {"a": 1}),
    ({"a|neq": "x"}, {"a": "y"}, {"a": "X"}),
    ({"a|lt": 5}, {"a": 4}, {"a": 5}),
    ({"a|lte": 5}, {"a": "5"}, {"a": "6"}),
    ({"a|gt": 5}, {"a": 6.5}, {"a": "x"}),
    ({"a|gte": 5}, {"a": 5}, {"a": 4}),
    ({"a|cidr": "10.0.0.0/8"}, {"a": "10.1.2.3"}, {"a": "11.1.2.3"}),
    ({"a|cidr": "2001:db8::/32"}, {"a": "2001:db8::1"}, {"a": "console.amazonaws.com"}),
    ({"a|fieldref": "b"}, {"a": "x", "b": "X"}, {"a": "x", "b": "y"}),
    ({"a|fieldref|startswith": "b"}, {"a": "xy", "b": "x"}, {"a": "yx", "b": "x"}),
    ({"a|expand": "%admins%"}, {"a": "Administrator"}, {"a": "eve"}),
    ({"a|windash|contains": " -x"}, {"a": "p /x"}, {"a": "p x"}),
    ({"a|base64": "foobar"}, {"a": "Zm9vYmFy"}, {"a": "foobar"}),
    ({"a|base64offset|contains": "foobar"}, {"a": "xxhmb29iYXI="}, {"a": "foobar"}),
    ({"a|hour": 13}, {"a": "2026-11-01T13:05:00Z"}, {"a": "2026-11-01T12:05:00Z"}),
    ({"a|year": 2026}, {"a": "2026-11-01T13:05:00Z"}, {"a": "never"}),
    ({"a.b.c": "x"}, {"a": {"b": {"c": "x"}}}, {"a": {"b": "x"}}),
    ({"a.b": "x"}, {"a.b": "x"}, {"a": "x"}),
    ({"a.b.c": "x"}, {"a": {"b.c": "x"}}, {"a": {"b": 1}}),
    ({"a.b": "x"}, {"a": [{"b": "y"}, {"b": "x"}]}, {"a": [{"b": "y"}]}),
    ({"a": "x"}, {"a": ["y", "x"]}, {"a": ["y"]}),
    ({"a|contains": "Suspended"}, {"a": {"Status": "Suspended"}}, {"a": {"Status": "Enabled"}}),
    ({"a|contains": "0.0.0.0/0"}, {"a": {"items": [{"cidrIp": "0.0.0.0/0"}]}}, {"a": {"items": []}}),
]  # fmt: skip


@pytest.mark.parametrize(("item", "yes", "no"), CASES)
def test_a_modifier(item: dict[str, Any], yes: dict[str, Any], no: dict[str, Any]) -> None:
    assert matches(item, yes)
    assert not matches(item, no)


EVENT = {"eventName": "PutBucketPolicy", "user": {"name": "ann"}, "list": ["one", {"deep": "Needle here"}], "n": 5}  # fmt: skip


@pytest.mark.parametrize(
    ("detection", "want"),
    [
        ({"kw": ["needle"], "condition": "kw"}, True),
        ({"kw": ["needle", "hay"], "condition": "kw"}, True),
        ({"kw": {"|all": ["needle", "hay"]}, "condition": "kw"}, False),
        ({"kw": ["nee*ere"], "condition": "kw"}, True),
        ({"kw": ["eventName"], "condition": "kw"}, False),
        ({"a": {"eventName": "PutBucketPolicy"}, "b": {"n": 6}, "condition": "a and not b"}, True),
        ({"a1": {"n": 6}, "a2": {"n": 5}, "condition": "1 of a*"}, True),
        ({"a1": {"n": 6}, "a2": {"n": 5}, "condition": "all of a*"}, False),
        ({"a1": {"n": 6}, "a2": {"n": 5}, "condition": "1 of them"}, True),
        ({"a": {"n": 6}, "b": {"n": 5}, "c": {"missing": "x"}, "condition": "(a or b) and not c"}, True),
        ({"sel": [{"n": 6}, {"user.name": "ann"}], "condition": "sel"}, True),
    ],
)  # fmt: skip
def test_a_condition(detection: dict[str, Any], want: bool) -> None:
    assert rule(detection).matches(View(EVENT)) is want


def test_a_list_that_is_missing_and_a_pattern_that_is_dear_are_refused() -> None:
    with pytest.raises(Refused, match="no list of the name nobodys"):
        matches({"a|expand": "%nobodys%"}, {})
    with pytest.raises(Refused, match="invalid"):
        matches({"a|re": "(?=x)y"}, {})


def test_a_pattern_cannot_be_made_slow() -> None:
    assert not matches({"a|re": "(x+x+)+y"}, {"a": "x" * 5000})


@settings(max_examples=500, deadline=None)
@given(st.text("ab*?.", min_size=1, max_size=6), st.text("ab.", max_size=6))
def test_wildcards_against_the_shells(pattern: str, text: str) -> None:
    want = fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
    assert matches({"a": pattern}, {"a": text}) is want


ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "eventName": st.sampled_from(["x", "Y", ["x", "z"], "x*", 5]),
        "eventSource": st.sampled_from(["x", "y"]),
        "other": st.sampled_from(["x", "y", None]),
        "eventName|contains": st.sampled_from(["x", "y"]),
    },
).filter(bool)
CONDITIONS = ["a", "a and b", "a or b", "a and not b", "not a", "1 of *", "all of *"]
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "eventName": st.sampled_from(["X", "y", "z", 5, "xx", ["x", "q"], None]),
        "eventSource": st.sampled_from(["x", "y", "q"]),
        "other": st.sampled_from(["x", "y", None]),
    },
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(ITEMS, ITEMS, st.sampled_from(CONDITIONS)), min_size=1, max_size=4), EVENTS)  # fmt: skip
def test_the_index_loses_nothing(rules: list[Any], event: dict[str, Any]) -> None:
    """What the index finds is what asking every rule finds."""
    found = Detections()
    for number, (a, b, condition) in enumerate(rules):
        id = f"r{number}"
        own = rule({"a": a, "b": b, "condition": condition}, id)
        found.rules[id] = own.__class__(**{**vars(own), "id": id})
    found.indexed()
    want = {id for id, one in found.rules.items() if one.matches(View(event))}
    got = {one.id for one in found.matching(View(event), "aws", "cloudtrail")}
    assert got == want


def test_only_rules_of_the_log_source_are_asked() -> None:
    found = Detections()
    found.rules["r"] = rule({"a": {"n": 5}, "condition": "a"})
    found.indexed()
    assert found.matching(View(EVENT), "aws", "cloudtrail")
    assert not found.matching(View(EVENT), "azure", "activitylogs")


def test_the_cases_are_many() -> None:
    modifiers = {part for item, _, _ in CASES for key in item for part in key.split("|")[1:]}
    assert len(modifiers) >= 22, sorted(modifiers)
