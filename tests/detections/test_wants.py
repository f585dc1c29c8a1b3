"""Which read-only and data events the collector keeps: those that a rule may match, whatever our own fields turn out to be."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.detections import EventView, load
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.rule import compile_rule
from driftline.pipeline.offline.content import watch
from driftline.pipeline.settings.blocks import Settings

READ: dict[str, Any] = {
    "eventName": "DescribeInstances", "eventSource": "ec2.amazonaws.com", "readOnly": True, "userAgent": "aws-cli/2",
    "userIdentity": {"type": "IAMUser"},
}  # fmt: skip


def wants(folder: Path, detection: dict[str, Any], record: dict[str, Any] = READ, **more: Any) -> bool:  # fmt: skip
    rule = {"title": "t", "id": "5b0a3f2c-0000-4000-8000-00000000000a", "level": "high", "detection": detection,
            "logsource": {"product": "aws", "service": "cloudtrail"}} | more  # fmt: skip
    (folder / "r.yml").write_text(yaml.safe_dump(rule))
    found = load([folder])
    assert found.problems == []
    return DetectionEngine(found).wants_of("aws")(record)


@pytest.mark.parametrize(("selection", "wanted"), [
    ({"eventName": "DescribeInstances"}, True),
    ({"eventName": "RunInstances"}, False),
    ({"eventName|startswith": "Describe"}, True),
    ({"eventName|re": "^Get"}, False),
    ({"userAgent|contains": "aws-cli"}, True),
    ({"userAgent|contains": "kali"}, False),
    ({"eventSource": "ec2.amazonaws.com", "eventName|startswith": "List"}, False),
    ({"userAgent|contains": "aws-cli", "driftline.exposure": "internet"}, True),
    ({"userAgent|contains": "kali", "driftline.exposure": "internet"}, False),
    ({"driftline.kind": "read"}, True),
    ({"driftline.kind": ["create", "delete", "update"]}, False),
    ({"driftline.type": "finding"}, False),
    ({"userIdentity.type|fieldref": "driftline.actor.type"}, True),
])  # fmt: skip
def test_a_read_is_kept_where_a_rule_may_match_it(tmp_path: Path, selection: dict[str, Any], wanted: bool) -> None:  # fmt: skip
    assert wants(tmp_path, {"s": selection, "condition": "s"}) is wanted


def test_keywords_and_negations(tmp_path: Path) -> None:
    assert wants(tmp_path, {"k": ["aws-cli"], "condition": "k"})
    assert not wants(tmp_path, {"k": ["kali"], "condition": "k"})
    known = {"s": {"eventName|startswith": "Describe"}, "f": {"driftline.known": True}}
    assert wants(tmp_path, known | {"condition": "s and not f"})
    assert not wants(tmp_path, known | {"condition": "not s and not f"})


def test_a_filter_takes_events_away_again(tmp_path: Path) -> None:
    (tmp_path / "f.yml").write_text(yaml.safe_dump({
        "title": "f", "id": "f1", "logsource": {"product": "aws", "service": "cloudtrail"},
        "filter": {"rules": "any", "selection": {"userAgent|contains": "aws-cli"}, "condition": "not selection"},
    }))  # fmt: skip
    assert not wants(tmp_path, {"s": {"eventName|startswith": "Describe"}, "condition": "s"})


def test_another_log_source_asks_for_nothing(tmp_path: Path) -> None:
    detection = {"s": {"eventName|startswith": "Describe"}, "condition": "s"}
    assert not wants(tmp_path, detection, logsource={"product": "azure", "service": "activitylogs"})


def test_the_content_keeps_no_ordinary_read() -> None:
    """Reads are most of what happens: the content that comes with us must not ask for them by the way."""
    content = watch(Settings())
    for source, action in (("ec2", "DescribeInstances"), ("iam", "ListRoles"), ("s3", "GetObject"), ("kms", "Decrypt")):  # fmt: skip
        record = READ | {"eventName": action, "eventSource": f"{source}.amazonaws.com"}
        assert not content.wants_of("aws")(record), action
    assert content.wants_of("aws")(READ | {"eventName": "GetSecretValue", "eventSource": "secretsmanager.amazonaws.com"})  # fmt: skip


FIELDS = ("eventName", "userAgent", "driftline.kind", "driftline.known", "driftline.open")
VALUES = ("a", "b")
LEAF = st.tuples(st.sampled_from(FIELDS), st.sampled_from(VALUES))


@st.composite
def conditions(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """Selections, and an expression over them."""
    leaves = draw(st.lists(LEAF, min_size=1, max_size=4))
    selections = {f"s{n}": {field: value} for n, (field, value) in enumerate(leaves)}
    words = [f"{draw(st.sampled_from(('', 'not ')))}{name}" for name in selections]
    text = words[0]
    for word in words[1:]:
        text = f"{draw(st.sampled_from(('', 'not ')))}({text} {draw(st.sampled_from(('and', 'or')))} {word})"
    return selections, text


EVENTS = st.fixed_dictionaries({}, optional={field: st.sampled_from(VALUES) for field in FIELDS})


@given(conditions(), EVENTS, st.sets(st.sampled_from(FIELDS)))
def test_what_matches_in_the_stream_was_possible_before(
    condition: tuple[dict[str, Any], str], event: dict[str, Any], known: set[str]
) -> None:
    """Whatever of our own fields was not known yet."""
    selections, text = condition
    rule = compile_rule({"title": "t", "logsource": {"product": "aws"}, "detection": selections | {"condition": text}}, {})  # fmt: skip
    before = {k: v for k, v in event.items() if not k.startswith("driftline.") or k in known}
    if rule.matches(EventView(event)):
        assert rule.may_match(EventView(before))
    if before == event and all(field in event for field in FIELDS):
        assert rule.matches(EventView(event)) == rule.may_match(EventView(before))
