"""What Sigma rules match: every modifier, both ways; the index never loses a match; wildcards against an oracle."""

import fnmatch
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.detections import DetectionSet, EventView
from driftline.pipeline.detections.match import SigmaRuleError
from driftline.pipeline.detections.rule import compile_rule

LISTS = {"admins": ["root", "adm*"]}


def rule(detection: dict[str, Any], id: str = "r") -> Any:
    data = {"title": "t", "id": id, "logsource": {"product": "aws"}, "detection": detection}
    return compile_rule({k: v for k, v in data.items() if k != "id"} | {"name": id}, LISTS)


def matches(item: dict[str, Any] | list[Any], event: dict[str, Any]) -> bool:
    return bool(rule({"sel": item, "condition": "sel"}).matches(EventView(event)))


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
    ({"a|contains": '"Port":22'}, {"a": {"x": [{"Port": 22}]}}, {"a": {"x": [{"Port": 2}]}}),
    ({"a|re": '"Port":2[0-9]'}, {"a": {"x": [{"Port": 22}]}}, {"a": {"x": [{"Port": [22]}]}}),
    ({"a": "*"}, {"a": {"x": 1}}, {"a": None}),
    ({"a": "*"}, {"a": ""}, {"a": []}),
    ({"a": "x"}, {"a": ["x", None]}, {"a": {"b": "x"}}),
    ({"a": "x"}, {"a": [["y"], ["x"]]}, {"a": [["y"]]}),
    ({"a|fieldref": "b"}, {"a": ["x", "y"], "b": ["Y", "z"]}, {"a": [1, 2], "b": [3]}),
    ({"a|fieldref": "b"}, {"a": 5, "b": "5"}, {"a": None, "b": None}),
    ({"a|fieldref": "b"}, {"a": "", "b": ""}, {"c": 1}),
    ({"a|fieldref": "b"}, {"a": ["x"], "b": "x"}, {"a": {"x": 1}, "b": {"x": 1}}),
    ({"a|fieldref|contains": "b"}, {"a": "-X-", "b": "x"}, {"a": "x", "b": "-x-"}),
    ({"a|fieldref|endswith": "b"}, {"a": "yx", "b": "X"}, {"a": "xy", "b": "x"}),
    ({"a|exists": True}, {"a": None}, {}),
    ({"a|exists": True}, {"a": []}, {"a.b": 1}),
    ({"a": None}, {"a": []}, {"a": ["x"]}),
    ({"a": ""}, {"a": [""]}, {"a": None}),
    ({"a.b": "x"}, {"a": {"c": 1}, "a.b": "x"}, {"a": {"c": 1}}),
    ({"a.b.c": "x"}, {"a": {"d": 1}, "a.b": {"c": "x"}}, {"a": {"d": 1}}),
    ({"a": "straße"}, {"a": "STRASSE"}, {"a": "strase"}),
    ({"a|contains": "ΟΔΟΣ"}, {"a": "οδοσ-1"}, {"a": "οδο"}),
    ({"a": "x?z"}, {"a": "XİZ"}, {"a": "x??z"}),
    ({"a": r"x\?z"}, {"a": "x?z"}, {"a": "xyz"}),
    ({"a": r"x\\*"}, {"a": r"x\yz"}, {"a": "x*"}),
    ({"a": r"x\\\*"}, {"a": r"x\*"}, {"a": r"x\y"}),
    ({"a|cased": "X*"}, {"a": "Xy"}, {"a": "xy"}),
    ({"a|cased": "X?z"}, {"a": "XYz"}, {"a": "XYZ"}),
    ({"a|neq": 5}, {"a": 6}, {"a": "5"}),
    ({"a|neq": "x"}, {"b": 1}, {"a": ["y", "x"]}),
    ({"a|neq": ["x", "y"]}, {"a": "z"}, {"a": "y"}),
    ({"a|fieldref|neq": "b"}, {"a": "x", "b": "y"}, {"a": "x", "b": "x"}),
    ({"a|gt": 9007199254740992}, {"a": 9007199254740993}, {"a": 9007199254740992}),
    ({"a|gt": -1}, {"a": [-5, 0]}, {"a": "inf"}),
    ({"a|lt": 5}, {"a": "4.5"}, {"a": True}),
    ({"a|lt": 5}, {"a": "4e0"}, {"a": "4_0"}),
    ({"a|hour": 13}, {"a": "2026-11-01T13:05:00+02:00"}, {"a": 20261101}),
    ({"a|base64": "foobar"}, {"a": ["Zm9vYmFy"]}, {"a": ["x"]}),
]  # fmt: skip
NUMBERS: list[tuple[Any, Any, bool]] = [
    (443, 443, True), (443, "443", True), (443, 443.0, True), (443, ["x", 443], True), (443, "0443", False), (443, "4_43", False),
    (443, " 443", False), (443, "443 ", False), (443, "+443", False), (443, "٤٤٣", False), (443, "0x1bb", False), (443, "443x", False),
    (443, True, False), (1, True, False), (0, False, False), (0, "", False), (0, None, False), (0, [], False), (4.5, "4.5", True),
    (4.5, 4.5, True), (0, "nan", False),
    ("443", 443, True), ("443", "0443", False), ("443", 443.0, False), ("true", True, True), (True, "TRUE", True), (True, 1, False),
]  # fmt: skip
MARKS = ("[", "]", ",", '","', '["x', "{", "}", "null", ":")
"""What only the JSON text of a list or an object has."""


@pytest.mark.parametrize(("wanted", "value", "holds"), NUMBERS)
def test_a_number_is_a_number(wanted: Any, value: Any, holds: bool) -> None:
    assert matches({"a": wanted}, {"a": value}) is holds


@pytest.mark.parametrize("modifier", ["", "|contains", "|startswith", "|endswith", "|re"])
@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize(
    "value", [["x", "y"], [], [["x"]], [None], {"k": ["x", "y"]}, {"k": {}}, [{"k": ["x"]}]]
)
def test_a_list_is_never_text(modifier: str, mark: str, value: Any) -> None:
    wanted = f"\\{mark}" if modifier == "|re" and len(mark) == 1 and mark in "[]{}" else mark
    wanted = wanted.replace('["', '\\["') if modifier == "|re" else wanted
    assert not matches({f"a{modifier}": wanted}, {"a": value})


CIDRS = [
    ("10.0.0.0/8", "::ffff:10.1.2.3", True), ("10.0.0.0/8", "::FFFF:a01:203", True), ("10.0.0.0/8", "::ffff:11.1.2.3", False),
    ("::ffff:10.0.0.0/104", "10.1.2.3", True), ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True), ("::ffff:10.0.0.0/104", "11.1.2.3", False),
    ("::/0", "2001:db8::1", True), ("::/0", "10.1.2.3", False), ("0.0.0.0/0", "2001:db8::1", False), ("10.1.2.3", "10.1.2.3", True),
    ("fe80::/10", "fe80::1%eth0", True), ("10.0.0.0/8", "010.1.2.3", False), ("10.0.0.0/8", ["x", "10.9.9.9"], True),
    ("10.0.0.0/8", "AWS Internal", False), ("0.0.0.0/8", 5, False), ("10.0.0.0/8", None, False),
]  # fmt: skip


@pytest.mark.parametrize(("network", "value", "holds"), CIDRS)
def test_addresses(network: str, value: Any, holds: bool) -> None:
    assert matches({"a|cidr": network}, {"a": value}) is holds


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
        ({"kw": {"|re": "Needle"}, "condition": "kw"}, True),
        ({"kw": {"|re": "needle"}, "condition": "kw"}, False),
        ({"kw": {"|cased": "Needle"}, "condition": "kw"}, True),
        ({"kw": {"|cased": "needle"}, "condition": "kw"}, False),
        ({"kw": {"|cased": "N*dle"}, "condition": "kw"}, True),
        ({"kw": {"|cased": "n*dle"}, "condition": "kw"}, False),
        ({"kw": [5], "condition": "kw"}, True),
        ({"kw": [55], "condition": "kw"}, False),
        ({"a": {"n": 5}, "_b": {"n": 6}, "condition": "all of them"}, True),
        ({"a": {"n": 6}, "b": {"n": 5}, "condition": ["a", "b"]}, True),
        ({"a": {"eventName": "PutBucketPolicy"}, "b": {"n": 6}, "condition": "a and not b"}, True),
        ({"a1": {"n": 6}, "a2": {"n": 5}, "condition": "1 of a*"}, True),
        ({"a1": {"n": 6}, "a2": {"n": 5}, "condition": "all of a*"}, False),
        ({"a1": {"n": 6}, "a2": {"n": 5}, "condition": "1 of them"}, True),
        ({"a": {"n": 6}, "b": {"n": 5}, "c": {"missing": "x"}, "condition": "(a or b) and not c"}, True),
        ({"sel": [{"n": 6}, {"user.name": "ann"}], "condition": "sel"}, True),
    ],
)  # fmt: skip
def test_a_condition(detection: dict[str, Any], want: bool) -> None:
    assert rule(detection).matches(EventView(EVENT)) is want


def test_a_list_that_is_missing_and_a_pattern_that_is_dear_are_refused() -> None:
    with pytest.raises(SigmaRuleError, match="no list named nobodys"):
        matches({"a|expand": "%nobodys%"}, {})
    with pytest.raises(SigmaRuleError, match="does not go into a regular expression"):
        matches({"a|re|expand": "x%admins%"}, {})
    with pytest.raises(SigmaRuleError, match="invalid"):
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


TEXTS = st.text("aAxXßSs\u03a3\u03c3\u03c2\u0130i*?k\u212a", max_size=4)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_the_index_and_the_rule_fold_alike(pattern: str, text: str) -> None:
    found = DetectionSet()
    found.rules["r"] = rule({"s": {"eventName": pattern}, "condition": "s"})
    found.indexed()
    event = EventView({"eventName": text})
    assert bool(found.matching(event, "aws", "cloudtrail")) == found.rules["r"].matches(event)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(ITEMS, ITEMS, st.sampled_from(CONDITIONS)), min_size=1, max_size=4), EVENTS)  # fmt: skip
def test_the_index_loses_nothing(rules: list[Any], event: dict[str, Any]) -> None:
    """What the index finds is what asking every rule finds."""
    found = DetectionSet()
    for number, (a, b, condition) in enumerate(rules):
        id = f"r{number}"
        own = rule({"a": a, "b": b, "condition": condition}, id)
        found.rules[id] = own.__class__(**{**vars(own), "id": id})
    found.indexed()
    want = {id for id, one in found.rules.items() if one.matches(EventView(event))}
    got = {one.id for one in found.matching(EventView(event), "aws", "cloudtrail")}
    assert got == want


def test_only_rules_of_the_log_source_are_asked() -> None:
    found = DetectionSet()
    found.rules["r"] = rule({"a": {"n": 5}, "condition": "a"})
    found.indexed()
    assert found.matching(EventView(EVENT), "aws", "cloudtrail")
    assert not found.matching(EventView(EVENT), "azure", "activitylogs")


def test_the_cases_are_many() -> None:
    modifiers = {part for item, _, _ in CASES for key in item for part in key.split("|")[1:]}
    assert len(modifiers) >= 22, sorted(modifiers)
