"""Events and tapes: what a row hides in a configuration is hidden in every event, at any depth and in any case."""

import base64
from typing import Any

import orjson
import pytest

from driftline.collectors.aws.events import reported
from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.places import places
from driftline.collectors.aws.row import kinds
from driftline.collectors.folder.read import _redacted_change
from driftline.collectors.redact import WRAPPERS, Redactor
from tests.collectors.events.samples import ACCOUNT, event

OURS = Redactor(b"k" * 32)
READER = ChangeReader(OURS, "eventbridge", NoNames(), lambda _: True)
PLAIN = "Zq9plain"
"""A value that neither its form nor its name betrays."""
ENVIRONMENT = [{"name": "MODE", "value": PLAIN}]
SCRIPT = base64.b64encode(b"#!/bin/sh\necho Zq9plain\n").decode()

BY_PLACE: list[tuple[str, str, dict[str, Any]]] = [
    ("RegisterTaskDefinition", "ecs", {"containerDefinitions": [{"name": "a", "environment": ENVIRONMENT}]}),
    ("RunTask", "ecs", {"overrides": {"containerOverrides": [{"name": "a", "environment": ENVIRONMENT}]}}),
    ("CreateFunction20150331", "lambda", {"environment": {"variables": {"MODE": PLAIN}}}),
    ("UpdateFunctionConfiguration20150331v2", "lambda", {"Environment": {"Variables": {"MODE": PLAIN}}}),
    ("CreateProject", "codebuild", {"environment": {"environmentVariables": [{"name": "MODE", "type": "PLAINTEXT", "value": PLAIN}]}}),
    ("StartBuild", "codebuild", {"environmentVariablesOverride": [{"name": "MODE", "value": PLAIN}]}),
    ("CreateProject", "codebuild", {"source": {"type": "NO_SOURCE", "buildspec": f"phases: {{build: {{commands: [run {PLAIN}]}}}}"}}),
    ("StartBuild", "codebuild", {"buildspecOverride": f"phases: {{build: {{commands: [run {PLAIN}]}}}}"}),
    ("CreateFleet", "ec2", {"launchTemplateConfigs": [{"overrides": [{"launchTemplateSpecificationUserData": PLAIN}]}]}),
    ("CreateImageRecipe", "imagebuilder", {"additionalInstanceConfiguration": {"userDataOverride": PLAIN}}),
    ("CreateOptimizationJob", "sagemaker", {"optimizationEnvironment": {"MODE": PLAIN}, "optimizationConfigs": [{"modelQuantizationConfig": {"overrideEnvironment": {"MODE": PLAIN}}}]}),
    ("CreateAppImageConfig", "sagemaker", {"jupyterLabAppImageConfig": {"containerConfig": {"containerEnvironmentVariables": {"MODE": PLAIN}}}}),
    ("StartStreamSession", "gameliftstreams", {"additionalEnvironmentVariables": {"MODE": PLAIN}}),
    ("PutJobSuccessResult", "codepipeline", {"outputVariables": {"mode": PLAIN}}),
    ("CreateJob", "glue", {"defaultArguments": {"--mode": PLAIN}}), ("StartJobRun", "glue", {"arguments": {"--mode": PLAIN}}),
    ("CreateStage", "apigateway", {"createStageInput": {"stageName": "p", "variables": {"mode": PLAIN}}}),
    ("CreateStage", "apigateway", {"stageVariables": {"mode": PLAIN}}),
    ("CreateModel", "sagemaker", {"primaryContainer": {"environment": {"MODE": PLAIN}}}),
    ("CreateModel", "sagemaker", {"containers": [{"image": "a", "environment": {"MODE": PLAIN}}]}),
    ("CreateTrainingJob", "sagemaker", {"environment": {"MODE": PLAIN}, "hyperParameters": {"mode": PLAIN}}),
    ("UpdateDistribution", "cloudfront", {"distributionConfig": {"origins": {"items": [{"customHeaders": {"quantity": 1, "items": [{"headerName": "X-Mode", "headerValue": PLAIN}]}}]}}}),
    ("CreateWebACL", "wafv2", {"rules": [{"statement": {"andStatement": {"statements": [{"byteMatchStatement": {"searchString": PLAIN}}]}}}]}),
    ("CreateRule", "waf-regional", {"x": [{"byteMatchTuple": {"targetString": PLAIN}}]}),
    ("RegisterJobDefinition", "batch", {"containerProperties": {"environment": ENVIRONMENT}}),
    ("SubmitJob", "batch", {"containerOverrides": {"environment": ENVIRONMENT}}),
    ("CreateLaunchTemplate", "ec2", {"CreateLaunchTemplateRequest": {"LaunchTemplateData": {"UserData": SCRIPT}}}),
    ("RunInstances", "ec2", {"userData": SCRIPT}), ("ModifyInstanceAttribute", "ec2", {"userData": {"value": SCRIPT}}),
    ("CreateLaunchConfiguration", "autoscaling", {"userData": SCRIPT}),
    ("CreateVpnConnection", "ec2", {"options": {"tunnelOptions": [{"preSharedKey": PLAIN}]}}),
    ("CreateService", "apprunner", {"sourceConfiguration": {"imageRepository": {"imageConfiguration": {"runtimeEnvironmentVariables": {"MODE": PLAIN}}}}}),
    ("CreateApp", "amplify", {"environmentVariables": {"MODE": PLAIN}}),
    ("CreateEnvironment", "airflow", {"airflowConfigurationOptions": {"core.mode": PLAIN}}),
    ("CreateContainerServiceDeployment", "lightsail", {"containers": {"app": {"environment": {"MODE": PLAIN}}}}),
    ("CreateWebhook", "codebuild", {"webhook": {"secret": PLAIN}}),
]  # fmt: skip
SECRET = "Zq9hunter22"
PLAIN_VALUES: list[tuple[str, str, dict[str, Any]]] = [
    ("ModifyInstanceAttribute", "ec2", {"instanceId": "i-1", "instanceType": {"value": "p3.2xlarge"}}),
    ("CreateTags", "ec2", {"tagSet": {"items": [{"key": "env", "value": "p3.2xlarge"}]}}),
    ("ModifyInstanceAttribute", "ec2", {"disableApiTermination": {"value": "p3.2xlarge"}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source", "asked"), PLAIN_VALUES)
def test_a_value_of_something_plain_is_no_secret(
    name: str, source: str, asked: dict[str, Any]
) -> None:
    """Though rows name a `Value` of one of their parts: every event has values."""
    event = {"eventSource": f"{source}.amazonaws.com", "eventName": name, "requestParameters": asked}  # fmt: skip
    assert Redactor(b"k" * 32).event(event, places())["requestParameters"] == asked


@pytest.mark.parametrize(
    ("source", "name", "asked"),
    [
        ("ssm", "PutParameter", {"name": "/mode", "type": "String", "value": PLAIN}),
        ("elasticbeanstalk", "UpdateEnvironment", {"optionSettings": [{"namespace": "aws:elasticbeanstalk:application:environment", "optionName": "MODE", "value": PLAIN}]}),
        ("apigateway", "UpdateStage", {"patchOperations": [{"op": "replace", "path": "/variables/mode", "value": PLAIN}]}),
        ("events", "CreateConnection", {"authParameters": {"invocationHttpParameters": {"headerParameters": [{"key": "x", "value": PLAIN}]}}}),
    ],
)  # fmt: skip
def test_a_value_that_rows_hide_is_hidden_in_a_request(
    source: str, name: str, asked: dict[str, Any]
) -> None:
    event = {"eventSource": f"{source}.amazonaws.com", "eventName": name, "requestParameters": asked}  # fmt: skip
    assert PLAIN not in str(Redactor(b"k" * 32).event(event, places()))


BY_NAME: list[tuple[str, str, dict[str, Any]]] = [
    ("RegisterTaskDefinition", "ecs", {"containerDefinitions": [{"command": ["app", "--password", SECRET]}]}),
    ("RegisterTaskDefinition", "ecs", {"containerDefinitions": [{"command": ["sh", "-c", f"app --password {SECRET}"]}]}),
    ("CreateProject", "codebuild", {"source": {"buildspec": f"env:\n  variables:\n    DB_PASSWORD: {SECRET}\nphases: {{}}\n"}}),
    ("StartBuild", "codebuild", {"buildspecOverride": f"phases:\n  build:\n    commands:\n      - export API_TOKEN={SECRET}\n"}),
    ("CreateStack", "cloudformation", {"parameters": [{"parameterKey": "DBPassword", "parameterValue": SECRET}]}),
    ("CreateStack", "cloudformation", {"templateBody": f'{{"Parameters": {{"DBPassword": {{"Type": "String", "Default": "{SECRET}"}}}}}}'}),
    ("CreateStateMachine", "states", {"definition": f'{{"States": {{"A": {{"Parameters": {{"password": "{SECRET}"}}}}}}}}'}),
    ("CreateDocument", "ssm", {"content": f'{{"mainSteps": [{{"inputs": {{"runCommand": ["export DB_PASSWORD={SECRET}"]}}}}]}}'}),
    ("PutParameter", "ssm", {"name": "/prod/db/password", "type": "String", "value": SECRET}),
    ("UpdateEnvironment", "elasticbeanstalk", {"optionSettings": [{"namespace": "aws:elasticbeanstalk:application:environment", "optionName": "DB_PASSWORD", "value": SECRET}]}),
    ("RunJobFlow", "elasticmapreduce", {"steps": [{"hadoopJarStep": {"args": ["spark-submit", "--password", SECRET]}}]}),
    ("PutPipelineDefinition", "datapipeline", {"pipelineObjects": [{"id": "x", "fields": [{"key": "*password", "stringValue": SECRET}]}]}),
    ("CreateConnection", "glue", {"connectionInput": {"connectionProperties": {"PASSWORD": SECRET}}}),
    ("UpdateStage", "apigateway", {"patchOperations": [{"op": "replace", "path": "/variables/dbPassword", "value": SECRET}]}),
    ("CreateConnection", "events", {"authParameters": {"apiKeyAuthParameters": {"apiKeyName": "x", "apiKeyValue": SECRET}}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source", "request_"), BY_PLACE + BY_NAME)
@pytest.mark.parametrize(
    "where", ["requestParameters", "responseElements", "serviceEventDetails", "additionalEventData"]
)
def test_a_secret_of_a_request_does_not_leave(
    name: str, source: str, request_: dict[str, Any], where: str
) -> None:
    for told in ({where: request_}, {where: {"a": [{"b": request_}]}}, {where: _upper(request_)}):
        for change in READER.changes(event(name, source, **told)):
            data = change.encode()
            assert not any(text.encode() in data for text in (PLAIN, SECRET, SCRIPT))


def test_names_that_rows_hide_are_hidden_alone_in_events() -> None:
    """Every path of every row, built as a request has it."""
    for kind in kinds().values():
        for path in kind.redact:
            steps = path.split(".")[1:]
            value: Any = PLAIN
            for step in reversed(steps):
                value = (
                    [{step[0].lower() + step[1:]: value}]
                    if step not in ("Variables", "variables")
                    else {step: {"a": value}}
                )
            assert PLAIN not in str(OURS.event({"requestParameters": value}, places())), path


def test_the_rest_of_an_event_stays() -> None:
    request = {
        "containerDefinitions": [
            {"name": "app", "image": "nginx:1", "environment": ENVIRONMENT, "cpu": 10}
        ],
        "family": "web",
    }
    (change,) = [
        c
        for c in READER.changes(event("RegisterTaskDefinition", "ecs", requestParameters=request))
        if c.raw
    ]
    own = change.raw["requestParameters"]
    assert own["family"] == "web"
    assert {k: v for k, v in own["containerDefinitions"][0].items() if k != "environment"} == {
        "name": "app",
        "image": "nginx:1",
        "cpu": 10,
    }
    assert own["containerDefinitions"][0]["environment"][0]["name"] == "MODE"
    assert change.raw["userIdentity"] == event("x", "y")["userIdentity"]


def test_an_error_message_and_a_finding_of_another_service_are_redacted() -> None:
    (change,) = READER.changes(
        event("CreateX", "ec2", errorCode="Bad", errorMessage=f"Invalid: password={SECRET}")
    )
    assert SECRET.encode() not in change.encode()
    detail = {"findings": [{"Id": "f", "AwsAccountId": ACCOUNT, "Title": "t", "Severity": {"Label": "HIGH"}, "Resources": [
        {"Id": "arn:aws:lambda:eu-west-1:111111111111:function:f", "Details": {"AwsLambdaFunction": {"Environment": {"Variables": {"MODE": PLAIN}}},
         "AwsEcsTaskDefinition": {"ContainerDefinitions": [{"Environment": [{"Name": "MODE", "Value": PLAIN}]}]}}}]}]}  # fmt: skip
    document = {"detail-type": "Security Hub Findings - Imported", "account": ACCOUNT, "region": "eu-west-1", "time": "2026-11-01T00:00:00Z", "detail": detail}  # fmt: skip
    (told,) = reported.changes(document, OURS, "eventbridge")
    assert PLAIN.encode() not in told.encode()


def test_a_change_of_a_tape_is_redacted_and_stays_so() -> None:
    name, source, request = BY_PLACE[0]
    plain = {
        "id": "x",
        "uid": "y",
        "request": request,
        "raw": event(name, source, requestParameters=request),
    }
    once = _redacted_change(orjson.dumps(plain), OURS)
    assert PLAIN.encode() not in once
    assert _redacted_change(once, Redactor(b"j" * 32)) == once


def test_wrappers_are_no_fields() -> None:
    assert not set(places().fields) & WRAPPERS


def _upper(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: _upper(item) for key, item in value.items()}
    return [_upper(item) for item in value] if isinstance(value, list) else value
