"""`permissions`: what is printed, in each form. That it suffices is proven live, and for AWS in tests/collectors."""

import json
import shlex

import pytest

from driftline.pipeline.records.topics import topics_of
from tests.shells.command import Command

PROGRAMS = {
    "administrator",
    "cases",
    "clock",
    "collector",
    "correlator",
    "operator",
    "sink",
    "worker",
}


def test_the_commands_and_the_json_say_the_same(driftline: Command) -> None:
    rows = json.loads(driftline("permissions", "kafka", "--format", "json").out)
    assert {row["program"] for row in rows} == PROGRAMS
    said = set()
    for line in driftline("permissions", "kafka").out.splitlines():
        words = shlex.split(line)
        assert words[:4] == ["kafka-acls.sh", "--bootstrap-server", "127.0.0.1:9092", "--add"]
        pairs = list(zip(words[4::2], words[5::2], strict=True))
        operations = tuple(value for name, value in pairs if name == "--operation")
        [principal] = [value for name, value in pairs if name == "--allow-principal"]
        kind, name = pairs[-1]
        said.add((principal, kind, name, operations))
    assert said == {
        (row["principal"], f"--{row['kind']}", row["name"], tuple(row["operations"]))
        for row in rows
    }
    assert all(row["principal"] == f"User:driftline-{row['program']}" for row in rows)


def test_nobody_gets_what_he_has_no_use_for(driftline: Command) -> None:
    rows = json.loads(driftline("permissions", "kafka", "--format", "json").out)
    ours = {topic.name for topic in topics_of("driftline-assess")}
    for row in rows:
        assert row["kind"] in ("topic", "group")
        assert row["pattern"] == "literal"
        assert not {"All", "Alter", "AlterConfigs", "Delete", "ClusterAction"} & set(row["operations"])  # fmt: skip
        assert row["kind"] == "group" or row["name"] in ours
    creates = {row["program"] for row in rows if "Create" in row["operations"]}
    assert creates == {"administrator"}
    writes = {row["program"] for row in rows if row["name"] == "driftline.findings" and "Write" in row["operations"]}  # fmt: skip
    assert writes == {"worker", "operator"}


def test_names_follow_the_settings_and_the_options(
    driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_WORKER__APP_ID", "other")
    out = driftline("permissions", "kafka", "--program", "worker", "--principal", "User:CN={program}").out  # fmt: skip
    assert "--topic other-state-changelog" in out
    assert "--group other" in out
    assert out.count("User:CN=worker") == len(out.splitlines())
    assert "driftline-sink-ndjson" in driftline("permissions", "kafka", "--sink", "ndjson").out
    monkeypatch.setenv("DRIFTLINE_ELASTICSEARCH__NAMESPACE", "mine")
    roles = json.loads(driftline("permissions", "elasticsearch").out)
    names = roles["driftline_sink"]["indices"][1]["names"]
    assert names == ["logs-driftline.findings-mine", "logs-driftline.drift-mine"]
    one = json.loads(driftline("permissions", "elasticsearch", "--role", "driftline_install").out)
    assert one == roles["driftline_install"]


@pytest.mark.parametrize(("words", "told"), [
    (("kafka", "--program", "nobody"), "no such program"),
    (("aws", "--trust", "123"), "twelve digits"),
    (("aws", "--accounts", "some"), "only all"),
    (("aws", "--type", "AWS::S3::Bukket"), "AWS::S3::Bucket"),
])  # fmt: skip
def test_mistakes_are_told(driftline: Command, words: tuple[str, ...], told: str) -> None:
    said = driftline("permissions", *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_who_may_take_the_role_and_who_walks(driftline: Command) -> None:
    def policy(*words: str) -> dict[str, dict[str, object]]:
        found = json.loads(driftline("permissions", "aws", *words).out)
        return {statement["Sid"]: statement for statement in found["Statement"]}

    trust = policy("--trust", "111111111111", "--external-id", "agreed")["DriftlineTrust"]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "agreed"}}
    assert trust["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    assert "Condition" not in policy("--trust", "111111111111")["DriftlineTrust"]
    walker = policy("--accounts", "all", "--partition", "aws-cn", "--role-name", "Eyes")
    assert walker["DriftlineEnter"]["Resource"] == "arn:aws-cn:iam::*:role/Eyes"
    assert walker["DriftlineRead"] == policy()["DriftlineRead"]
    assert policy().keys() == {"DriftlineRead"}
    actions = policy("--type", "AWS::SQS::Queue")["DriftlineRead"]["Action"]
    assert isinstance(actions, list)
    assert {action.partition(":")[0] for action in actions} == {"sqs", "ec2"}
