"""The templates of change events: linted, made on a simulated AWS, and an event runs through them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cfnlint import lint_file  # type: ignore[import-untyped]

from driftline.pipeline.demo.audit import Recorder, to_bus, user
from tests.collectors.moto import MASTER, Moto
from tests.deploy.words import DEPLOY

CENTRAL, FORWARDER, DATA = (
    DEPLOY / "aws" / f"events-{name}.yaml" for name in ("central", "forwarder", "data")
)


@pytest.mark.parametrize("template", [CENTRAL, FORWARDER, DATA])
def test_cfn_lint_finds_nothing(template: Any) -> None:
    assert [str(match) for match in lint_file(template)] == []


class _Tags(yaml.SafeLoader):
    """Reads CloudFormation's short functions as what stands behind them."""


def _plain(loader: Any, _: str, node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value  # fmt: skip


_Tags.add_multi_constructor("!", _plain)


def patterns(value: Any) -> Iterator[dict[str, Any]]:
    """Every pattern of events in a document, however deep it stands."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key in ("EventPattern", "event_pattern"):
                yield json.loads(below) if isinstance(below, str) else below
            else:
                yield from patterns(below)
    elif isinstance(value, list):
        for below in value:
            yield from patterns(below)


def test_every_rule_takes_only_what_aws_itself_has_written() -> None:
    """Whoever may put events on a bus chooses their detail-type; a source that begins with aws. only AWS writes."""
    found = []
    for path in sorted(
        p for p in DEPLOY.rglob("*") if p.suffix in (".yaml", ".yml", ".json", ".template")
    ):
        found += [
            (path.name, one)
            for document in yaml.load_all(path.read_text(), _Tags)
            for one in patterns(document)
        ]
    assert {name for name, _ in found} == {CENTRAL.name, FORWARDER.name}
    for name, pattern in found:
        assert pattern["source"] == [{"prefix": "aws."}], name
        assert pattern["detail-type"], name
    for path in DEPLOY.rglob(
        "*.tf"
    ):  # rules of Terraform's own would have to be looked at here as well
        assert "event_pattern" not in path.read_text(), path


def outputs(client: Any, name: str) -> dict[str, str]:
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


@pytest.mark.live
def test_an_event_runs_from_an_account_to_the_queue(moto: Moto) -> None:
    cloudformation, sqs = moto.client("cloudformation"), moto.client("sqs")
    cloudformation.create_stack(
        StackName="central", TemplateBody=CENTRAL.read_text(), Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": "OrganizationId", "ParameterValue": "o-0123456789"}],
    )  # fmt: skip
    made = outputs(cloudformation, "central")
    cloudformation.create_stack(
        StackName="forwarder", TemplateBody=FORWARDER.read_text(), Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": "BusArn", "ParameterValue": made["BusArn"]}],
    )  # fmt: skip
    outputs(cloudformation, "forwarder")
    session = moto.session()
    records: list[dict[str, Any]] = []
    put = to_bus(moto.client("events"))

    def sink(record: dict[str, Any]) -> None:
        records.append(record)
        put(record)

    Recorder(session, MASTER, user("ann", MASTER), sink)
    ec2 = session.client("ec2", region_name="us-east-1", endpoint_url=moto.url)
    ec2.create_security_group(GroupName="g", Description="g")
    ec2.describe_security_groups()
    found = sqs.receive_message(QueueUrl=made["QueueUrl"], MaxNumberOfMessages=10).get("Messages", [])  # fmt: skip
    told = [json.loads(message["Body"])["detail"] for message in found]
    assert [one["eventID"] for one in told] == [one["eventID"] for one in records]
    assert [one["eventName"] for one in told] == ["CreateSecurityGroup"]
    attributes = sqs.get_queue_attributes(QueueUrl=made["QueueUrl"], AttributeNames=["All"])["Attributes"]  # fmt: skip
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] in (20, "20")
