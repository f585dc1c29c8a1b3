"""A secret in plain text in everything that can hold one, beside a twin with a reference or a placeholder in its place."""

import base64
import io
import json
import zipfile
from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {
    "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api", "AWS::AutoScaling::LaunchConfiguration", "AWS::Batch::JobDefinition",
    "AWS::CloudFormation::Stack", "AWS::CodeBuild::Project", "AWS::DataPipeline::Pipeline", "AWS::EC2::Instance", "AWS::EC2::LaunchTemplate",
    "AWS::ECS::TaskDefinition", "AWS::Glue::DataCatalogSettings", "AWS::Glue::Job", "AWS::Lambda::Function", "AWS::SSM::Document",
    "AWS::SSM::Parameter", "AWS::SageMaker::Model", "AWS::StepFunctions::StateMachine",
}  # fmt: skip
HALF_ANSWERED = frozenset({"AWS::AutoScaling::LaunchConfiguration", "AWS::EC2::LaunchTemplate"})
"""The simulated AWS does not answer for a region's metadata defaults."""
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
OLDER = {"codebuild-project-no-plaintext-keys", "ecs-task-definition-no-keys-in-environment"}
"""Rules that judge secrets too, beside those named `no-secrets`."""
REGION, ROLE = "eu-west-1", f"arn:aws:iam::{MASTER}:role/x"
PASSWORD = "Zq9-hunter-22"
KEY = "AK" + "IA" + "QX7W2LMN5RT3VB6Y"
REFERENCE = f"arn:aws:secretsmanager:eu-west-1:{MASTER}:secret:db-AbCdEf"
SCRIPT, HARMLESS = f"#!/bin/sh\nexport DB_PASSWORD={PASSWORD}\n", "#!/bin/sh\necho hello\n"


def build(moto: Moto) -> Truth:
    makers = (_functions, _machines, _definitions, _jobs, _builds, _apis, _models, _documents, _parameters, _stacks, _batch, _pipelines, _tasks)  # fmt: skip
    return {name: breaks for make in makers for name, breaks in make(moto).items()}


def packed() -> bytes:
    """A function's code."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.py", "def b(event, context): return 1")
    return file.getvalue()


def _functions(moto: Moto) -> Truth:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}  # fmt: skip
    moto.client("iam").create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))  # fmt: skip
    client, truth = moto.client("lambda", REGION), Truth()
    for name, variables, bad in (
        ("f-password", {"DB_PASSWORD": PASSWORD}, True), ("f-form", {"NOTE": KEY}, True), ("f-url", {"DB": f"postgres://a:{PASSWORD}@db/x"}, True),
        ("f-reference", {"DB_PASSWORD": REFERENCE, "MODE": "fast", "KMS_KEY_ID": "1234abcd"}, False), ("f-placeholder", {"DB_PASSWORD": "changeme"}, False),
    ):  # fmt: skip
        client.create_function(FunctionName=name, Role=ROLE, Runtime="python3.13", Handler="a.b", Code={"ZipFile": packed()}, Environment={"Variables": variables})  # fmt: skip
        truth[name] = {"lambda-function-no-secrets-in-environment"} if bad else set()
    return truth


def _machines(moto: Moto) -> Truth:
    """Instances, launch templates and launch configurations."""
    ec2, groups, truth = moto.client("ec2", REGION), moto.client("autoscaling", REGION), Truth()
    image = ec2.describe_images()["Images"][0]["ImageId"]
    for script, bad in ((SCRIPT, True), (HARMLESS, False)):
        made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, UserData=script)[
            "Instances"
        ][0]
        truth[made["InstanceId"]] = {"ec2-instance-no-secrets-in-user-data"} if bad else set()
        data = base64.b64encode(script.encode()).decode()
        name = f"lt-{'bad' if bad else 'good'}"
        ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": image, "UserData": data})  # fmt: skip
        truth[name] = {"ec2-launch-template-no-secrets"} if bad else set()
        name = f"lc-{'bad' if bad else 'good'}"
        groups.create_launch_configuration(LaunchConfigurationName=name, ImageId=image, InstanceType="t3.micro", UserData=script)  # fmt: skip
        truth[name] = {"autoscaling-launch-configuration-no-secrets-in-user-data"} if bad else set()
    return truth


def _definitions(moto: Moto) -> Truth:
    client, truth = moto.client("stepfunctions", REGION), Truth()
    for name, parameters, bad in (("sm-bad", {"password": PASSWORD}, True), ("sm-good", {"password.$": "$.password", "SecretId": "db"}, False)):  # fmt: skip
        state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters, "End": True}  # fmt: skip
        client.create_state_machine(name=name, roleArn=ROLE, definition=json.dumps({"StartAt": "A", "States": {"A": state}}))  # fmt: skip
        truth[name] = {"stepfunctions-state-machine-no-secrets-in-definition"} if bad else set()
    return truth


def _jobs(moto: Moto) -> Truth:
    there, here, truth = moto.client("glue", REGION), moto.client("glue", "us-east-1"), Truth()
    for name, arguments, bad in (("j-bad", {"--db-password": PASSWORD}, True), ("j-good", {"--mode": "fast", "--secret-arn": REFERENCE}, False)):  # fmt: skip
        there.create_job(Name=name, Role=ROLE, Command={"Name": "glueetl"}, GlueVersion="5.0", DefaultArguments=arguments)  # fmt: skip
        truth[name] = {"glue-job-no-secrets-in-arguments"} if bad else set()
    address = "jdbc:postgresql://db/x"
    for client, more in ((there, f"?user=a&password={PASSWORD}"), (here, "")):
        properties = {"JDBC_CONNECTION_URL": address + more, "SECRET_ID": "prod/db"}
        client.create_connection(ConnectionInput={"Name": "db", "ConnectionType": "JDBC", "ConnectionProperties": properties})  # fmt: skip
    return truth | {
        "catalog@eu-west-1": {"glue-connections-no-secrets"},
        "catalog@us-east-1": set(),
    }


def _builds(moto: Moto) -> Truth:
    client, truth = moto.client("codebuild", REGION), Truth()
    spec = f"version: 0.2\nphases:\n  build:\n    commands:\n      - export API_TOKEN={PASSWORD}\n"
    for name, variable, buildspec, bad in (
        ("b-password", {"name": "DB_PASSWORD", "type": "PLAINTEXT", "value": PASSWORD}, None, True),
        (
            "b-reference",
            {"name": "DB_PASSWORD", "type": "PARAMETER_STORE", "value": "db-password"},
            None,
            False,
        ),
        ("b-spec", {"name": "MODE", "type": "PLAINTEXT", "value": "fast"}, spec, True),
    ):
        environment = {"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL", "environmentVariables": [variable]}  # fmt: skip
        source = {"type": "S3", "location": "bucket/path.zip"} | ({"buildspec": buildspec} if buildspec else {})  # fmt: skip
        client.create_project(name=name, source=source, artifacts={"type": "NO_ARTIFACTS"}, environment=environment, serviceRole=ROLE)  # fmt: skip
        truth[name] = {"codebuild-project-no-plaintext-keys"} if bad else set()
    return truth


def _tasks(moto: Moto) -> Truth:
    client, truth = moto.client("ecs", REGION), Truth()
    for name, more, bad in (
        ("t-password", {"environment": [{"name": "DB_PASSWORD", "value": PASSWORD}]}, True), ("t-command", {"command": ["app", "--password", PASSWORD]}, True),
        ("t-reference", {"environment": [{"name": "MODE", "value": "fast"}], "secrets": [{"name": "DB_PASSWORD", "valueFrom": REFERENCE}]}, False),
    ):  # fmt: skip
        containers: list[dict[str, Any]] = [{"name": "app", "image": "app", "memory": 64, **more}]
        client.register_task_definition(family=name, containerDefinitions=containers)
        truth[name] = {"ecs-task-definition-no-keys-in-environment"} if bad else set()
    return truth


def _apis(moto: Moto) -> Truth:
    rest, http, truth = moto.client("apigateway", REGION), moto.client("apigatewayv2", REGION), Truth()  # fmt: skip
    for bad in (True, False):
        value, name = PASSWORD if bad else REFERENCE, f"r-{'bad' if bad else 'good'}"
        api = rest.create_rest_api(name=name)["id"]
        root = rest.get_resources(restApiId=api)["items"][0]["id"]
        rest.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
        rest.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
        rest.create_deployment(restApiId=api, stageName="prod", variables={"dbPassword": value})
        truth[name] = {"apigateway-rest-api-no-secrets-in-stage-variables"} if bad else set()
        name = f"h-{'bad' if bad else 'good'}"
        api = http.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
        http.create_stage(ApiId=api, StageName="prod", StageVariables={"dbPassword": value})
        truth[name] = {"apigatewayv2-api-no-secrets-in-stage-variables"} if bad else set()
    return truth


def _models(moto: Moto) -> Truth:
    client, truth = moto.client("sagemaker", REGION), Truth()
    for name, value, bad in (("m-bad", PASSWORD, True), ("m-good", REFERENCE, False)):
        client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i", "Environment": {"API_TOKEN": value}})  # fmt: skip
        truth[name] = {"sagemaker-model-no-secrets-in-environment"} if bad else set()
    return truth


def _documents(moto: Moto) -> Truth:
    client, truth = moto.client("ssm", REGION), Truth()
    for name, command, bad in (("d-bad", f"export DB_PASSWORD={PASSWORD}", True), ("d-good", "export DB_PASSWORD=$(get db)", False)):  # fmt: skip
        step = {"action": "aws:runShellScript", "name": "x", "inputs": {"runCommand": [command]}}
        client.create_document(Name=name, DocumentType="Command", Content=json.dumps({"schemaVersion": "2.2", "mainSteps": [step]}))  # fmt: skip
        truth[name] = {"ssm-document-no-secrets"} if bad else set()
    return truth


def _parameters(moto: Moto) -> Truth:
    client, truth = moto.client("ssm", REGION), Truth()
    for name, type_, value, bad in (
        ("/prod/db/password", "String", PASSWORD, True), ("/prod/note", "String", KEY, True), ("/prod/token", "StringList", f"{PASSWORD},b", True),
        ("/prod/mode", "String", "fast", False), ("/prod/db/secret-arn", "String", REFERENCE, False), ("/prod/api/password", "SecureString", PASSWORD, False),
    ):  # fmt: skip
        client.put_parameter(Name=name, Type=type_, Value=value)
        truth[name] = {"ssm-parameter-no-secrets-in-plain-text"} if bad else set()
    return truth


def _stacks(moto: Moto) -> Truth:
    client, truth = moto.client("cloudformation", REGION), Truth()
    template = {"Parameters": {"DbPassword": {"Type": "String"}}, "Resources": {"Own": {"Type": "AWS::SNS::Topic"}}}  # fmt: skip
    for name, value, bad in (("s-bad", PASSWORD, True), ("s-reference", REFERENCE, False)):
        client.create_stack(StackName=name, TemplateBody=json.dumps(template), Parameters=[{"ParameterKey": "DbPassword", "ParameterValue": value}])  # fmt: skip
        truth[name] = {"cloudformation-stack-no-secrets"} if bad else set()
    output = {"Resources": {"Own": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Address": {"Value": f"postgres://a:{PASSWORD}@db/x"}}}  # fmt: skip
    client.create_stack(StackName="s-output", TemplateBody=json.dumps(output))
    return truth | {"s-output": {"cloudformation-stack-no-secrets"}}


def _batch(moto: Moto) -> Truth:
    client, truth = moto.client("batch", REGION), Truth()
    for name, more, bad in (
        ("bj-environment", {"environment": [{"name": "DB_PASSWORD", "value": PASSWORD}]}, True), ("bj-command", {"command": ["run", "--token", PASSWORD]}, True),
        ("bj-good", {"environment": [{"name": "DB_PASSWORD", "value": "${DB_PASSWORD}"}]}, False),
    ):  # fmt: skip
        client.register_job_definition(jobDefinitionName=name, type="container", containerProperties={"image": "app", "vcpus": 1, "memory": 64, **more})  # fmt: skip
        truth[name] = {"batch-job-definition-no-secrets"} if bad else set()
    return truth


def _pipelines(moto: Moto) -> Truth:
    client, truth = moto.client("datapipeline", REGION), Truth()
    for name, value, bad in (("p-bad", PASSWORD, True), ("p-good", "#{myPassword}", False)):
        made = client.create_pipeline(name=name, uniqueId=name)["pipelineId"]
        fields = [{"key": "password", "stringValue": value}]
        client.put_pipeline_definition(pipelineId=made, pipelineObjects=[{"id": "Db", "name": "Db", "fields": fields}])  # fmt: skip
        truth[name] = {"datapipeline-pipeline-no-secrets"} if bad else set()
    return truth
