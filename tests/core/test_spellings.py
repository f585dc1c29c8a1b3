"""One meaning, two spellings: never a difference. Another meaning: always one."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.assess.decisions.baselines import differences
from driftline.pipeline.compare.diff import Hints, diff
from driftline.pipeline.compare.equivalence import is_same
from driftline.pipeline.providers.aws.canonical import CANONICAL, canonical_policy, canonical_ports

POLICIES = Hints(policies=frozenset({"policy"}), canonical=CANONICAL)
ACCOUNT = "123456789012"
ACTIONS = ("s3:GetObject", "s3:PutObject", "kms:Decrypt")
ARNS = ("arn:aws:s3:::b/*", "arn:aws:s3:::b", "*")
PRINCIPALS: tuple[Any, ...] = (
    "*",
    {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    {"AWS": ["arn:aws:iam::111111111111:role/r", ACCOUNT]},
    {"Service": "ec2.amazonaws.com"},
)
CONDITIONS: tuple[dict[str, Any], ...] = (
    {},
    {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    {"Bool": {"aws:SecureTransport": "false"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "300"}},
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    some = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3, unique=True)
    statements = [
        {
            "Sid": f"s{number}",
            "Effect": draw(st.sampled_from(["Allow", "Deny"])),
            "Principal": draw(st.sampled_from(PRINCIPALS)),
            "Action": draw(some),
            "Resource": draw(st.lists(st.sampled_from(ARNS), min_size=1, max_size=2, unique=True)),
            "Condition": draw(st.sampled_from(CONDITIONS)),
        }
        for number in range(draw(st.integers(1, 3)))
    ]
    if draw(st.booleans()):
        for statement in statements:
            statement["Sid"] = ""
    return {"Version": "2012-10-17", "Statement": statements}


def respelled(draw: st.DrawFn, document: dict[str, Any]) -> Any:
    """The same document as somebody else would write it."""
    out = copy.deepcopy(document)
    for statement in out["Statement"]:
        if not statement["Sid"] and draw(st.booleans()):
            del statement["Sid"]
        if not statement["Condition"] and draw(st.booleans()):
            del statement["Condition"]
        for name in ("Action", "Resource"):
            values = draw(st.permutations(statement[name]))
            statement[name] = values[0] if len(values) == 1 and draw(st.booleans()) else values
        if draw(st.booleans()):
            actions = statement["Action"]
            statement["Action"] = actions.upper() if isinstance(actions, str) else [a.upper() for a in actions]  # fmt: skip
        if statement["Principal"] == "*" and draw(st.booleans()):
            statement["Principal"] = {"AWS": draw(st.sampled_from(["*", ["*"]]))}
        if statement["Principal"] == PRINCIPALS[1] and draw(st.booleans()):
            statement["Principal"] = {"AWS": draw(st.sampled_from([ACCOUNT, [ACCOUNT]]))}
        if statement.get("Condition"):
            statement["Condition"] = {
                operator: {
                    draw(st.sampled_from([key, key.lower(), key.upper()])): draw(
                        st.sampled_from([value, [value]])
                    )
                    for key, value in keys.items()
                }
                for operator, keys in statement["Condition"].items()
            }
            numeric = statement["Condition"].get("NumericLessThan")
            if numeric and draw(st.booleans()):
                statement["Condition"]["NumericLessThan"] = dict.fromkeys(numeric, 300)
            boolean = statement["Condition"].get("Bool")
            if boolean and draw(st.booleans()):
                statement["Condition"]["Bool"] = dict.fromkeys(boolean, False)
    out["Statement"] = draw(st.permutations(out["Statement"]))
    if len(out["Statement"]) == 1 and draw(st.booleans()):
        out["Statement"] = out["Statement"][0]
    return json.dumps(out) if draw(st.booleans()) else out


@given(st.data())
def test_a_policy_in_other_words_is_the_same(data: st.DataObject) -> None:
    document = data.draw(documents())
    other = data.draw(st.composite(lambda draw: respelled(draw, document))())
    assert diff("policy", document, other, POLICIES) == []
    assert list(differences({"/policy": other}, {"policy": document}, POLICIES)) == []


def wider(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A document of another meaning."""
    out = copy.deepcopy(document)
    statement = draw(st.sampled_from(out["Statement"]))
    match draw(st.integers(0, 4)):
        case 0:
            statement["Action"].append("iam:PassRole")
        case 1:
            statement["Resource"].append("arn:aws:s3:::other")
        case 2:
            statement["Principal"] = {"AWS": "arn:aws:iam::999999999999:root"}
        case 3:
            statement["Effect"] = {"Allow": "Deny", "Deny": "Allow"}[statement["Effect"]]
        case _:
            statement["Condition"] = {"StringEquals": {"aws:SourceAccount": "999999999999"}}
    return out


@given(st.data())
def test_a_policy_of_another_meaning_is_a_difference(data: st.DataObject) -> None:
    document = data.draw(documents())
    other = data.draw(st.composite(lambda draw: wider(draw, document))())
    again = data.draw(st.composite(lambda draw: respelled(draw, other))())
    assert diff("policy", document, again, POLICIES) != []


def pair(before: dict[str, Any], after: dict[str, Any]) -> tuple[Any, Any]:
    own = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject", "Resource": "*"}  # fmt: skip
    return ({"Version": "2012-10-17", "Statement": [own | one]} for one in (before, after))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        ({"Condition": {"StringEquals": {"AWS:SourceAccount": "1"}}}, {"Condition": {"StringEquals": {"aws:sourceaccount": "1"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "A"}}}, {"Condition": {"StringEquals": {"aws:SourceAccount": "a"}}}, False),
        ({"Condition": {"StringEquals": {"a:b": "1", "A:b": "2"}}}, {"Condition": {"StringEquals": {"a:b": "2", "A:b": "1"}}}, False),
        ({"Condition": {"StringEquals": {"a:b": []}}}, {}, False),
        ({"Condition": {}}, {}, True),
        ({"Condition": None}, {}, True),
        ({"Sid": ""}, {"Sid": None}, True),
        ({"Sid": ""}, {"Sid": "x"}, False),
        ({"Resource": []}, {"Resource": "*"}, False),
        ({"Principal": {"AWS": int(ACCOUNT)}}, {}, True),
        ({"Principal": {"Federated": "*"}}, {"Principal": "*"}, False),
    ],
)  # fmt: skip
def test_spellings_of_a_statement(
    before: dict[str, Any], after: dict[str, Any], equal: bool
) -> None:
    one, other = pair(before, after)
    assert (canonical_policy(one) == canonical_policy(other)) is equal


def test_the_oldest_version_need_not_be_written() -> None:
    assert canonical_policy({"Statement": []}) == canonical_policy(
        {"Version": "2008-10-17", "Id": "", "Statement": []}
    )
    assert canonical_policy({"Statement": []}) != canonical_policy(
        {"Version": "2012-10-17", "Statement": []}
    )
    assert canonical_policy("no document") == "no document"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (None, "", True), ([], None, True), ({}, "", True), (False, None, False), (0, None, False), (0, "", False),
        (300, "300", True), (300.0, "300", True), (300, 300.0, True), ("0300", 300, False), (True, "true", True),
        (True, 1, False), (False, "", False), ("a", "A", False), ([1], [1], False), ({"a": 1}, "x", False),
    ],
)  # fmt: skip
def test_a_value_as_text_and_none(one: Any, other: Any, equal: bool) -> None:
    assert is_same(one, other) is is_same(other, one) is equal


@pytest.mark.parametrize(
    ("written", "answered"),
    [
        (("50", 0, 0), ("50", None, None)),
        (("esp", 0, 0), ("50", None, None)),
        (("ALL", 0, 65535), ("-1", None, None)),
        ((-1, 0, 0), ("-1", None, None)),
        (("6", 22, 22), ("tcp", 22, 22)),
        ((17, "53", "53"), ("udp", 53, 53)),
        (("icmp", -1, -1), ("icmp", None, None)),
        (("1", 8, 0), ("icmp", 8, 0)),
        (("58", -1, -1), ("icmpv6", -1, -1)),
    ],
)
def test_protocols_and_their_ports(written: Any, answered: Any) -> None:
    assert canonical_ports(*written) == canonical_ports(*answered)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("tcp", 0, 0), ("tcp", None, None)), (("tcp", 22, 22), ("udp", 22, 22)), (("icmp", 8, 0), ("icmp", -1, -1)),
     (("50", 0, 0), ("51", 0, 0))],
)  # fmt: skip
def test_other_protocols_and_ports_are_others(one: Any, other: Any) -> None:
    assert canonical_ports(*one) != canonical_ports(*other)


def test_what_changes_by_itself_at_a_peer_is_no_drift() -> None:
    def group(**peer: str) -> dict[str, Any]:
        pairs = [{"GroupId": "sg-9", "UserId": "111122223333", **peer}]
        return {"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": pairs}]}  # fmt: skip

    assert (
        diff("group", group(PeeringStatus="active"), group(PeeringStatus="deleted"), POLICIES) == []
    )
    assert diff("group", group(), group(GroupId="sg-8"), POLICIES) != []
    odd = {"IpPermissions": [{"IpProtocol": "tcp", "IpRanges": ["10.0.0.0/8"]}]}
    assert diff("group", odd, group(), POLICIES) != [], (
        "what is no rule of EC2 is compared as it is"
    )
