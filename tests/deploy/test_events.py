"""The templates of change events: linted, made on a simulated AWS, and an event runs through them."""

import json
from typing import Any

import pytest
from cfnlint import lint_file  # type: ignore[import-untyped]

from pipeline.demo.audit import Recorder, to_bus, user
from tests.collectors.moto import MASTER, Moto
from tests.deploy.words import DEPLOY

CENTRAL, FORWARDER, DATA = (
    DEPLOY / "aws" / f"events-{name}.yaml" for name in ("central", "forwarder", "data")
)


@pytest.mark.parametrize("template", [CENTRAL, FORWARDER, DATA])
def test_cfn_lint_finds_nothing(template: Any) -> None:
    assert [str(match) for match in lint_file(template)] == []


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
