"""What differs and what does not: order of sets, spellings of policies, what changes by itself, secrets."""

import copy
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.compare.diff import (
    MAX_PLACES,
    MAX_VALUE_BYTES,
    Hints,
    diff,
)
from driftline.pipeline.providers.aws.canonical import CANONICAL, canonical_policy

GROUP = {
    "GroupId": "sg-1",
    "IpPermissions": [
        {"FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "0.0.0.0/0"}]},
        {"FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    ],
    "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
}  # fmt: skip
SETS = Hints(
    canonical=CANONICAL,
    ordered=frozenset({"group.Behaviours"}),
    quiet=frozenset({"group.LastUsed", "group.IpPermissions.Hits"}),
    policies=frozenset({"policy", "inline.*"}),
)  # fmt: skip


def changed(change: Any) -> list[tuple[str, str]]:
    after = copy.deepcopy(GROUP)
    change(after)
    return [(one["op"], one["path"]) for one in diff("group", GROUP, after, SETS)]


def test_nothing() -> None:
    assert changed(lambda g: None) == []


def test_a_field_with_its_values() -> None:
    after = GROUP | {"GroupId": "sg-2"}
    assert diff("group", GROUP, after, SETS) == [
        {"op": "replace", "path": "/group/GroupId", "before": "sg-1", "after": "sg-2"}
    ]


def test_an_element_of_a_set_comes_and_goes() -> None:
    assert changed(lambda g: g["IpPermissions"].insert(0, {"FromPort": 80})) == [
        ("add", "/group/IpPermissions/0")
    ]
    assert changed(lambda g: g["IpPermissions"].pop(0)) == [("remove", "/group/IpPermissions/0")]


def test_an_element_with_a_key_is_the_same_one() -> None:
    assert changed(lambda g: g["Tags"][1].update(Value="3")) == [("replace", "/group/Tags/1/Value")]
    assert changed(lambda g: g["Tags"].reverse()) == []


def test_two_with_one_key_are_compared_whole() -> None:
    before = {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    after = {"Tags": [{"Key": "a", "Value": "2"}, {"Key": "a", "Value": "1"}]}
    assert diff("group", before, after, SETS) == []
    assert len(diff("group", before, {"Tags": after["Tags"][:1]}, SETS)) == 1


def test_what_a_hint_calls_ordered_is() -> None:
    before, after = {"Behaviours": [1, 2]}, {"Behaviours": [2, 1]}
    assert len(diff("group", before, after, SETS)) == 2
    assert diff("other", before, after, SETS) == []
    assert [c["op"] for c in diff("group", before, {"Behaviours": [1, 2, 3]}, SETS)] == ["add"]


def test_a_policy_among_many() -> None:
    before = {"own": {"Statement": [STATEMENT]}}
    assert diff("inline", before, {"own": {"Statement": STATEMENT}}, SETS) == []


def test_what_changes_by_itself() -> None:
    assert changed(lambda g: g.update(LastUsed="now")) == []
    assert changed(lambda g: g["IpPermissions"][0].update(Hits=5)) == []
    assert changed(lambda g: g.update(LastUsed="now", GroupId="2")) == [
        ("replace", "/group/GroupId")
    ]


def test_what_changes_by_itself_under_any_key_of_a_map() -> None:
    hints = Hints(quiet=frozenset({"x.*.at"}))
    assert diff("x", {"one": {"at": 1}}, {"one": {"at": 2}}, hints) == []
    assert len(diff("x", {"one": {"of": 1}}, {"one": {"of": 2}}, hints)) == 1


def test_true_is_not_one() -> None:
    assert diff("x", {"a": 1}, {"a": True}) == [
        {"op": "replace", "path": "/x/a", "before": 1, "after": True}
    ]


def test_a_pointer_is_escaped() -> None:
    assert diff("x", {}, {"a/b~c": 1}) == [{"op": "add", "path": "/x/a~1b~0c", "after": 1}]


def test_null_is_a_value() -> None:
    assert diff("x", {"a": None}, {}) == [{"op": "remove", "path": "/x/a", "before": None}]
    assert diff("x", None, {"a": 1}) == [
        {"op": "replace", "path": "/x", "before": None, "after": {"a": 1}}
    ]


STATEMENT = {
    "Sid": "1", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "s3:GetObject",
    "Resource": ["a", "b"], "Condition": {"StringEquals": {"aws:SourceAccount": "222222222222"}},
}  # fmt: skip
SPELLINGS = [
    {"Principal": {"AWS": ["111111111111"]}},
    {"Action": ["s3:getobject"]},
    {"Resource": ["b", "a"]},
    {"Condition": {"StringEquals": {"aws:SourceAccount": ["222222222222"]}}},
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_spellings_of_a_policy(spelling: dict[str, Any]) -> None:
    before, after = {"Statement": [STATEMENT]}, {"Statement": STATEMENT | spelling}
    assert diff("policy", before, after, SETS) == []


def test_a_policy_that_says_something_else() -> None:
    wider = STATEMENT | {"Action": ["s3:GetObject", "s3:PutObject"]}
    assert diff("policy", {"Statement": [STATEMENT]}, {"Statement": [wider]}, SETS) == [
        {"op": "add", "path": "/policy/Statement/0/Action/1", "after": "s3:putobject"}
    ]
    star = STATEMENT | {"Principal": "*"}
    assert diff("policy", {"Statement": [STATEMENT]}, {"Statement": [star]}, SETS)
    assert diff("policy", None, {"Statement": [star]}, SETS)
    assert not diff("policy", {"Statement": [STATEMENT | {"Principal": {"AWS": "*"}}]}, {"Statement": [star]}, SETS)  # fmt: skip


def test_statements_have_no_order() -> None:
    other = STATEMENT | {"Sid": "2", "Action": "s3:*"}
    before, after = {"Statement": [STATEMENT, other]}, {"Statement": [other, STATEMENT]}
    assert diff("policy", before, after, SETS) == []


def test_what_is_no_policy_stays_as_it_is() -> None:
    values: list[Any] = [None, "text", [], {"Other": 1}]
    assert [canonical_policy(value) for value in values] == values


@pytest.mark.parametrize("statement", [5, [7]])
def test_a_statement_that_is_none_stays_in_its_list(statement: Any) -> None:
    assert canonical_policy({"Statement": statement}) == {
        "Version": "2008-10-17", "Statement": statement if isinstance(statement, list) else [statement],
    }  # fmt: skip


def mark(hash_: str, key: str = "k1") -> dict[str, Any]:
    return {"redacted": True, "hash": hash_ * 32, "key_id": key}


def test_secrets_are_told_only_as_changed() -> None:
    found = diff("x", {"password": mark("a")}, {"password": mark("b")})
    assert found == [
        {"op": "replace", "path": "/x/password", "before": {"redacted": True}, "after": {"redacted": True}}
    ]  # fmt: skip
    assert diff("x", {}, {"password": mark("a")}) == [
        {"op": "add", "path": "/x/password", "after": {"redacted": True}}
    ]
    text = "redacted:12345678:" + "a" * 32
    assert diff("x", {}, {"password": text})[0]["after"] == {"redacted": True}


def test_another_key_of_the_hash_is_no_drift() -> None:
    assert diff("x", {"a": mark("a", "k1")}, {"a": mark("b", "k2")}) == []
    texts = [f"redacted:{key * 8}:{key * 32}" for key in "12"]
    assert diff("x", [{"v": texts[0]}], [{"v": texts[1]}]) == []


def test_by_what_a_secret_was_recognized_is_no_drift() -> None:
    """A newer collector may recognize more: the hash decides."""
    known = mark("a") | {"kind": "named"}
    assert diff("x", {"a": mark("a")}, {"a": known}) == []
    assert diff("x", {"a": known}, {"a": mark("b")}) != []
    assert diff("x", {}, {"a": known})[0]["after"] == {"redacted": True}
    text = "redacted:12345678:" + "a" * 32
    for kind in (":named", ":assigned:DB_PASSWORD"):
        assert diff("x", {"a": text}, {"a": text + kind}) == []
        assert diff("x", {}, {"a": text + kind})[0]["after"] == {"redacted": True}


def test_what_is_too_much_is_told_short() -> None:
    assert diff("x", {}, {"a": "y" * (MAX_VALUE_BYTES + 1)})[0]["after"]["omitted"] is True
    many = {str(number): number for number in range(MAX_PLACES + 1)}
    assert [one["path"] for one in diff("x", {}, many)] == ["/x"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "b", "*", "~/"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random) for key in keys}
    if isinstance(value, list):
        items = [shuffled(item, random) for item in value]
        random.shuffle(items)
        return items
    return value


@settings(max_examples=500, deadline=None)
@given(VALUES, st.integers(0, 2**32))
def test_reordering_is_never_drift(value: Any, seed: int) -> None:
    assert diff("x", value, shuffled(value, Random(seed))) == []


@settings(max_examples=500, deadline=None)
@given(VALUES, VALUES)
def test_what_is_told_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    """The places, applied to the first, give the second but for the order of sets: nothing is left out."""
    found = diff("x", before, after)
    document = {"x": copy.deepcopy(before)}
    removed = [one for one in found if one["op"] == "remove"]
    for one in [c for c in found if c["op"] == "replace" and c["path"] == "/x"] or []:
        document["x"] = one["after"]
    if found and not any(c["path"] == "/x" for c in found):
        assert plain(apply(document["x"], after, found, removed)) == plain(after)
    elif not found:
        assert plain(before) == plain(after)


def apply(before: Any, after: Any, found: list[dict[str, Any]], removed: list[dict[str, Any]]) -> Any:  # fmt: skip
    """What stays of `after` without what was added, with what was removed put back, must be the whole of `before`."""
    gone = {one["path"] for one in removed}
    come = {one["path"] for one in found if one["op"] == "add"}
    assert all(at(before, path) is not MISSING for path in gone)
    assert all(at(after, path) is not MISSING for path in come)
    for one in found:
        if one["op"] == "add":
            assert at(after, one["path"]) == one["after"]
        if one["op"] == "remove":
            assert at(before, one["path"]) == one["before"]
        if one["op"] == "replace":
            assert at(after, one["path"]) == one["after"]
    return after


MISSING = object()


def at(value: Any, path: str) -> Any:
    for step in [s.replace("~1", "/").replace("~0", "~") for s in path.split("/")[2:]]:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value


def plain(value: Any) -> str:
    """One form whatever the order."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key}:{plain(item)}" for key, item in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(plain(item) for item in value)) + "]"
    return json.dumps(value)


MARK = {"redacted": True, "hash": "a" * 32, "key_id": "b" * 8}
TEXT_MARK = f"redacted:{'b' * 8}:{'a' * 32}"


@pytest.mark.parametrize(("before", "after"), [
    ({"env": {"a": "hunter2", "b": 1}}, {"env": {"a": MARK, "b": 1}}),
    ({"env": [{"Name": "a", "Value": "hunter2"}]}, {"env": [{"Name": "a", "Value": MARK}]}),
    ({"command": ["--password", "hunter2"]}, {"command": ["--password", TEXT_MARK]}),
    ({"command": "run --password hunter2"}, {"command": f"run --password {TEXT_MARK}"}),
    ({"env": [{"x": "hunter2"}, {"x": "c"}]}, {"env": [{"x": MARK}, {"x": "c"}]}),
    ({"env": {"a": [{"b": "hunter2"}]}}, {"env": {"a": {"b": MARK}}}),
])  # fmt: skip
def test_a_secret_that_one_reading_hides_the_other_does_not_tell(before: Any, after: Any) -> None:
    for one, other in ((before, after), (after, before)):
        told = diff("part", one, other)
        assert told
        assert "hunter2" not in str(told)


def test_what_changes_beside_a_secret_is_told() -> None:
    told = diff("part", {"a": "old", "b": "x"}, {"a": "new", "b": MARK})
    assert {one["path"]: (one["before"], one["after"]) for one in told} == {
        "/part/a": ("old", "new"), "/part/b": ({"redacted": True}, {"redacted": True}),
    }  # fmt: skip
