"""Which groups an event belongs to, and what of it is counted."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.redact import Redactor
from driftline.pipeline.detections import load
from driftline.pipeline.detections.correlations import Correlation
from driftline.pipeline.detections.engine import (
    MOST_GROUPS,
    MOST_VALUES,
    DetectionEngine,
    _counted,
    groups,
)
from driftline.pipeline.detections.observed import of_change
from driftline.pipeline.detections.rule import compile_rule
from driftline.pipeline.detections.values import EventView
from driftline.pipeline.rulebook.aws.audit_events import foreign

RULE = compile_rule({"title": "r", "logsource": {"product": "aws"}, "detection": {"s": {"a": 1}, "condition": "s"}}, {})  # fmt: skip


def one(*group_by: str, kind: Any = "value_count") -> Correlation:
    return Correlation("c", "", "low", kind, ("r",), group_by, 1, counted=("v",))


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
    assert groups(one("a", "b.c"), "r", None, EventView(event)) == wanted


def test_groups_of_a_list_are_bounded() -> None:
    assert (
        len(groups(one("a"), "r", None, EventView({"a": [str(n) for n in range(99)]})))
        == MOST_GROUPS
    )


@pytest.mark.parametrize("kind", ["value_count", "first_seen"])
def test_every_element_of_a_list_counts(kind: str) -> None:
    def counted(value: Any) -> Any:
        return _counted(EventView({"v": value}), one(kind=kind), RULE)

    assert counted(["x", "y", "x", None]) == ["x", "y"]
    assert counted(["x"]) == counted("x") == "x"
    assert counted([]) is counted(None) is None
    assert len(counted([str(n) for n in range(200)])) == MOST_VALUES


def test_of_numbers_the_first_counts() -> None:
    assert _counted(EventView({"v": [3, 5]}), one(kind="value_sum"), RULE) == "3"


def test_several_fields_count_together() -> None:
    several = Correlation("c", "", "low", "value_count", ("r",), ("a",), 1, counted=("u", "v"))
    assert _counted(EventView({"u": "x", "v": ["y", "z"]}), several, RULE) == [
        '["x","y"]',
        '["x","z"]',
    ]
    assert _counted(EventView({"u": "x", "v": None}), several, RULE) is None


@pytest.mark.parametrize(
    ("said", "alone"),
    [
        ([], True), ([None], False), ([False], False), ([True], True), ([None, True], True), ([False, True], False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["rule", "correlation"])
def test_what_a_correlation_refers_to_alerts_where_it_says_generate(
    said: list[bool | None], alone: bool, kind: str, tmp_path: Path
) -> None:
    documents: list[dict[str, Any]] = [
        {"title": "r", "name": "r", "level": "high", "logsource": {"product": "aws", "service": "cloudtrail"},
         "detection": {"s": {"a": 1}, "condition": "s"}},
        {"title": "c", "id": "c", "level": "high", "correlation": {
            "type": "event_count", "rules": ["r"], "generate": True, "group-by": ["g"], "timespan": "1h", "condition": {"gte": 1}}},
    ]  # fmt: skip
    for number, generate in enumerate(said):
        block: dict[str, Any] = {"type": "event_count", "rules": [kind[0]], "group-by": ["g"], "timespan": "1h", "condition": {"gte": 2}}  # fmt: skip
        block |= {} if generate is None else {"generate": generate}
        documents.append({"title": str(number), "id": f"up-{number}", "level": "low", "correlation": block})  # fmt: skip
    (tmp_path / "all.yml").write_text(yaml.safe_dump_all(documents))
    found = load([tmp_path])
    assert found.problems == []
    assert (kind[0] not in DetectionEngine(found).parts) is (
        alone or (kind == "rule" and False not in said)
    )


def test_an_alert_without_the_group_of_a_correlation_above_is_not_its_hit(tmp_path: Path) -> None:
    (tmp_path / "all.yml").write_text(yaml.safe_dump_all([
        {"title": "r", "name": "r", "level": "high", "logsource": {"product": "aws", "service": "cloudtrail"},
         "detection": {"s": {"a": 1}, "condition": "s"}},
        {"title": "c", "id": "c", "level": "high", "correlation": {
            "type": "event_count", "rules": ["r"], "group-by": ["g"], "timespan": "1h", "condition": {"gte": 1}}},
        {"title": "d", "id": "d", "level": "high", "correlation": {
            "type": "temporal_ordered", "rules": ["c", "r"], "group-by": ["h"], "timespan": "1h"}},
    ]))  # fmt: skip
    watch = DetectionEngine(load([tmp_path]))
    told = {
        "id": "1",
        "rule": "c",
        "at": "2026-11-01T00:00:00Z",
        "state": "active",
        "resources": [],
    }
    assert list(watch.alert_signals(told | {"group": {"g": "x"}})) == []
    assert list(watch.alert_signals(told | {"group": {"g": "x", "h": ""}})) == []
    assert len(list(watch.alert_signals(told | {"group": {"h": "y"}}))) == 1


TRUST = '{"Statement":[{"Effect":"Allow","Principal":%s,"Action":"sts:AssumeRole"}]}'


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"policyDocument": TRUST % '{"AWS":"arn:aws:iam::999999999999:root"}'}, True),
        ({"assumeRolePolicyDocument": TRUST % '{"AWS":["arn:aws:iam::111111111111:role/a","999999999999"]}'}, True),
        ({"policyDocument": TRUST % '{"AWS":"*"}'}, True), ({"policyDocument": TRUST % '"*"'}, True),
        ({"policyDocument": TRUST % '{"AWS":"arn:aws:iam::111111111111:root"}'}, False),
        ({"policyDocument": TRUST % '{"Service":"ec2.amazonaws.com"}'}, False),
        ({"policyDocument": TRUST % '{"AWS":"AROAEXAMPLE"}'}, False),
        ({"attributes": {"Policy": TRUST % '{"AWS":"999999999999"}'}}, True), ({"attributes": {}}, None),
        ({"attributeName": "Policy", "attributeValue": TRUST % '"*"'}, True), ({"attributeName": "Other", "attributeValue": TRUST % '"*"'}, None),
        ({"bucketPolicy": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}}, True),
        ({"policyDocument": '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'}, None),
        ({"policyDocument": "{"}, None), ({"policyDocument": 5}, None), ({"policyDocument": "[]"}, None), ({}, None), (None, None), ([], None),
    ],
)  # fmt: skip
def test_whether_a_request_lets_others_in(parameters: Any, wanted: bool | None) -> None:
    assert foreign(parameters, "111111111111") is wanted


def test_what_a_call_is_about_without_a_resource() -> None:
    """Ten recovery points are ten, though Driftline reads none."""
    said = {"eventVersion": "1.08", "eventSource": "backup.amazonaws.com", "eventName": "DeleteRecoveryPoint", "awsRegion": "eu-west-1",
            "eventTime": "2026-11-01T00:00:00Z", "recipientAccountId": "111111111111", "userIdentity": {"type": "Root"}}  # fmt: skip
    reader = ChangeReader(Redactor(b"k" * 32), "eventbridge", NoNames())
    found = set()
    for number in (1, 2, 2):
        record = said | {"eventID": str(number), "requestParameters": {"recoveryPointArn": f"arn:aws:backup:::{number}"}}  # fmt: skip
        (change,) = reader.changes(record)
        found.add(of_change(change, {}).fields["driftline"]["target"])
    assert len(found) == 2
