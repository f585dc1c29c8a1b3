"""What runs, copies and mounts: notebooks, state machines, documents, replication instances, access points."""

from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {
    "AWS::DMS::Endpoint", "AWS::DMS::ReplicationInstance", "AWS::EFS::AccessPoint", "AWS::SSM::Document", "AWS::SageMaker::Model",
    "AWS::SageMaker::NotebookInstance",
    "AWS::StepFunctions::StateMachine",
}  # fmt: skip
NEVER_FAILED: set[str] = set()
NEVER_PASSED = {"sagemaker-model-isolated"}
"""The simulated SageMaker forgets that a model is isolated."""
INTERNET, VPC, IS_ROOT = (f"sagemaker-notebook-{it}" for it in ("no-direct-internet", "in-vpc", "no-root"))  # fmt: skip
SILENT, SHARED, PUBLIC = "stepfunctions-state-machine-logging", "ssm-document-not-public", "dms-replication-instance-not-public"  # fmt: skip
CLEAR = "dms-endpoint-encrypted"
WHOLE, ANY_USER = "efs-access-point-root-directory", "efs-access-point-user"
ROLE = f"arn:aws:iam::{MASTER}:role/x"


def build(moto: Moto) -> Truth:
    makers = (_notebooks, _machines, _documents, _replication, _access_points)
    return {name: breaks for make in makers for name, breaks in make(moto).items()}


def _notebooks(moto: Moto) -> Truth:
    client, truth = moto.client("sagemaker", "eu-west-1"), Truth()
    for name, internet, subnet, root, breaks in (
        ("nb-good", "Disabled", "subnet-1", "Disabled", set()),
        ("nb-out", "Enabled", "subnet-1", "Disabled", {INTERNET}),
        ("nb-root", "Disabled", "subnet-1", "Enabled", {IS_ROOT}),
        ("nb-alone", "Enabled", None, "Disabled", {INTERNET, VPC}),
        ("nb-bare", None, None, None, {INTERNET, VPC, IS_ROOT}),
    ):
        asked: dict[str, Any] = {"DirectInternetAccess": internet, "SubnetId": subnet, "RootAccess": root}  # fmt: skip
        client.create_notebook_instance(
            NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=ROLE, **{k: v for k, v in asked.items() if v}
        )  # fmt: skip
        truth[name] = set(breaks)
    client.create_model(ModelName="mo-out", PrimaryContainer={"Image": "x"}, ExecutionRoleArn=ROLE)
    return truth | {"mo-out": {"sagemaker-model-isolated"}}


def _machines(moto: Moto) -> Truth:
    client = moto.client("stepfunctions", "eu-west-1")
    definition = '{"StartAt": "x", "States": {"x": {"Type": "Succeed"}}}'
    group = {"cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:eu-west-1:{MASTER}:log-group:states:*"}}  # fmt: skip
    for name, level in (("sm-all", "ALL"), ("sm-errors", "ERROR"), ("sm-off", "OFF")):
        client.create_state_machine(
            name=name, definition=definition, roleArn=ROLE, loggingConfiguration={"level": level, "destinations": [group]}
        )  # fmt: skip
    client.create_state_machine(name="sm-bare", definition=definition, roleArn=ROLE, type="EXPRESS")
    return {"sm-all": set(), "sm-errors": set(), "sm-off": {SILENT}, "sm-bare": {SILENT}}


def _documents(moto: Moto) -> Truth:
    """Those of AWS are not this account's."""
    client = moto.client("ssm", "eu-west-1")
    content = '{"schemaVersion": "2.2", "description": "x", "mainSteps": []}'
    for name, accounts in (
        ("d-own", []),
        ("d-shared", ["222222222222"]),
        ("d-public", ["All"]),
    ):
        client.create_document(Name=name, Content=content, DocumentType="Command")
        if accounts:
            client.modify_document_permission(Name=name, PermissionType="Share", AccountIdsToAdd=accounts)  # fmt: skip
    return {"d-own": set(), "d-shared": set(), "d-public": {SHARED}}


def _replication(moto: Moto) -> Truth:
    client = moto.client("dms", "eu-west-1")
    for name, public in (("r-own", False), ("r-public", True)):
        client.create_replication_instance(
            ReplicationInstanceIdentifier=name, ReplicationInstanceClass="dms.t3.micro", PubliclyAccessible=public
        )  # fmt: skip
    truth: Truth = {"r-own": set(), "r-public": {PUBLIC}}
    for name, engine, mode, breaks in (
        ("e-checked", "postgres", "verify-full", set()),
        ("e-asked", "sqlserver", "require", set()),
        ("e-clear", "mysql", "none", {CLEAR}),
        ("e-unsaid", "oracle", None, {CLEAR}),
        ("e-bucket", "s3", None, set()),
    ):
        more: dict[str, Any] = {"SslMode": mode} if mode else {}
        client.create_endpoint(EndpointIdentifier=name, EndpointType="source", EngineName=engine, **more)  # fmt: skip
        truth[name] = set(breaks)
    return truth


def _access_points(moto: Moto) -> Truth:
    client, truth = moto.client("efs", "eu-west-1"), Truth()
    system = client.create_file_system(CreationToken="x")["FileSystemId"]
    user: dict[str, Any] = {"PosixUser": {"Uid": 0, "Gid": 0}}
    owner = {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}
    path: dict[str, Any] = {"RootDirectory": {"Path": "/app", "CreationInfo": owner}}
    root: dict[str, Any] = {"RootDirectory": {"Path": "/"}}
    for number, (asked, breaks) in enumerate(
        ((user | path, set()), (user | root, {WHOLE}), (user, {WHOLE}), (path, {ANY_USER}), ({}, {WHOLE, ANY_USER}))
    ):  # fmt: skip
        made = client.create_access_point(ClientToken=str(number), FileSystemId=system, **asked)
        truth[made["AccessPointId"]] = set(breaks)
    return truth
