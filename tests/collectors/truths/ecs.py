"""Containers: clusters, services, and the latest revision of every family."""

from typing import Any

from tests.collectors.furnished.compute import subnets_of
from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::ECS::Cluster", "AWS::ECS::Service", "AWS::ECS::TaskDefinition"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
REGION, TASK = "eu-west-1", "ecs-task-definition"
GOOD: dict[str, Any] = {
    "name": "app", "image": "app", "memory": 64, "readonlyRootFilesystem": True, "user": "1000",
    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "app"}},
    "environment": [{"name": "STAGE", "value": "prod"}],
    "secrets": [{"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key"}],
}  # fmt: skip


def build(moto: Moto) -> Truth:
    ecs = moto.client("ecs", REGION)
    return clusters(ecs) | tasks(ecs) | services(moto)


def clusters(ecs: Any) -> Truth:
    truth: Truth = {}
    insights = "ecs-cluster-container-insights"
    for name, value, breaks in (
        ("k-good", "enabled", set()),
        ("k-detailed", "enhanced", set()),
        ("k-off", "disabled", {insights}),
        ("k-bare", None, {insights}),
    ):
        settings = [{"name": "containerInsights", "value": value}] if value else []
        ecs.create_cluster(clusterName=name, settings=settings)
        truth[name] = set(breaks)
    ecs.create_cluster(clusterName="k-going")
    ecs.delete_cluster(cluster="k-going")
    return truth


def tasks(ecs: Any) -> Truth:
    bare = {"name": "app", "image": "app", "memory": 64}
    root = {key: value for key, value in GOOD.items() if key != "user"}
    writable = {key: value for key, value in GOOD.items() if key != "readonlyRootFilesystem"}
    silent = {key: value for key, value in GOOD.items() if key != "logConfiguration"}
    keyed = GOOD | {"environment": [{"name": "AWS_ACCESS_KEY_ID", "value": "AKIAIOSFODNN7EXAMPLE"}]}
    windows = {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}
    host_network = f"{TASK}-host-network-not-root"
    rows: dict[str, tuple[dict[str, Any], list[dict[str, Any]], set[str]]] = {
        "t-good": ({}, [GOOD, GOOD | {"name": "helper"}], set()),
        "t-host-pid": ({"pidMode": "host"}, [GOOD], {f"{TASK}-no-host-processes"}),
        "t-task-pid": ({"pidMode": "task"}, [GOOD], set()),
        "t-privileged": ({}, [GOOD, GOOD | {"name": "helper", "privileged": True}], {f"{TASK}-not-privileged"}),
        "t-writable": ({}, [GOOD, writable], {f"{TASK}-root-read-only"}),
        "t-windows": (windows, [writable], set()),
        "t-keys": ({}, [keyed], {f"{TASK}-no-keys-in-environment"}),
        "t-silent": ({}, [GOOD, silent], {f"{TASK}-logged"}),
        "t-host-root": ({"networkMode": "host"}, [root], {host_network}),
        "t-host-zero": ({"networkMode": "host"}, [GOOD | {"user": "0:0"}], {host_network}),
        "t-host-user": ({"networkMode": "host"}, [GOOD], set()),
        "t-bridge-root": ({"networkMode": "bridge"}, [root], set()),
        "t-bare": ({}, [bare], {f"{TASK}-root-read-only", f"{TASK}-logged"}),
    }  # fmt: skip
    for name, (more, containers, _) in rows.items():
        ecs.register_task_definition(family=name, containerDefinitions=containers, **more)
    # an old revision that is bad
    ecs.register_task_definition(family="t-mended", containerDefinitions=[bare])
    ecs.register_task_definition(family="t-mended", containerDefinitions=[GOOD])
    return {name: breaks for name, (_, _, breaks) in rows.items()} | {"t-mended": set()}


def services(moto: Moto) -> Truth:
    ecs, subnets = moto.client("ecs", REGION), subnets_of(moto, REGION)
    group = moto.client("ec2", REGION).describe_security_groups()["SecurityGroups"][0]["GroupId"]
    fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}  # fmt: skip
    ecs.register_task_definition(family="t-fargate", containerDefinitions=[GOOD], **fargate)
    public, old = "ecs-service-no-public-address", "ecs-service-fargate-platform-latest"
    truth: Truth = {"t-fargate": set()}
    for name, kind, version, address, breaks in (
        ("s-good", "FARGATE", "LATEST", "DISABLED", set()),
        ("s-numbered", "FARGATE", "1.4.0", "DISABLED", set()),
        ("s-public", "FARGATE", "LATEST", "ENABLED", {public}),
        ("s-old", "FARGATE", "1.3.0", "DISABLED", {old}),
        ("s-machines", "EC2", None, None, set()),
    ):
        network = {"subnets": subnets, "securityGroups": [group], "assignPublicIp": address}
        more: dict[str, Any] = (
            {"networkConfiguration": {"awsvpcConfiguration": network}} if address else {}
        )
        more |= {"platformVersion": version} if version else {}
        ecs.create_service(
            cluster="k-good", serviceName=name, desiredCount=0, launchType=kind,
            taskDefinition="t-fargate" if kind == "FARGATE" else "t-good", **more,
        )  # fmt: skip
        truth[name] = set(breaks)
    return truth
