"""Builds."""

from typing import Any

from tests.collectors.furnished.compute import ROLE
from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::CodeBuild::Project"}
NEVER_FAILED = {"codebuild-project-builds-not-public"}
"""The simulated AWS keeps no project's visibility."""
NEVER_PASSED: set[str] = set()
RULE = "codebuild-project"


def build(moto: Moto) -> Truth:
    client = moto.client("codebuild", "eu-west-1")
    machine = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}  # fmt: skip

    def variables(*pairs: tuple[str, str | None]) -> dict[str, Any]:
        named = [
            {"name": name, "value": "x"} | ({"type": kind} if kind else {}) for name, kind in pairs
        ]
        return {"environment": machine | {"environmentVariables": named}}

    def source(location: str) -> dict[str, Any]:
        return {"source": {"type": "BITBUCKET", "location": location}}

    def logs(cloudwatch: str, s3: str) -> dict[str, Any]:
        return {"logsConfig": {"cloudWatchLogs": {"status": cloudwatch}, "s3Logs": {"status": s3, "location": "logs/x"}}}  # fmt: skip

    keys, address = f"{RULE}-no-plaintext-keys", f"{RULE}-source-without-credentials"
    rows: dict[str, tuple[dict[str, Any], set[str]]] = {
        "b-good": ({}, set()),
        "b-variables": (variables(("STAGE", "PLAINTEXT"), ("AWS_SECRET_ACCESS_KEY", "SECRETS_MANAGER")), set()),
        "b-key": (variables(("STAGE", "PLAINTEXT"), ("AWS_SECRET_ACCESS_KEY", "PLAINTEXT")), {keys}),
        "b-key-by-default": (variables(("AWS_ACCESS_KEY_ID", None)), {keys}),
        "b-named": (source("https://somebody@bitbucket.org/example/app.git"), set()),
        "b-password": (source("https://somebody:hunter22@bitbucket.org/example/app.git"), {address}),
        "b-token": (source("https://x-token-auth:abcdefgh@bitbucket.org/example/app.git"), {address}),
        "b-logged": (logs("ENABLED", "DISABLED"), set()),
        "b-logged-s3": (logs("DISABLED", "ENABLED"), set()),
        "b-silent": (logs("DISABLED", "DISABLED"), {f"{RULE}-logged"}),
        "b-privileged": ({"environment": machine | {"privilegedMode": True}}, {f"{RULE}-not-privileged"}),
    }  # fmt: skip
    for name, (more, _) in rows.items():
        common = source("https://bitbucket.org/example/app.git") | {"environment": machine}
        client.create_project(name=name, serviceRole=ROLE, artifacts={"type": "NO_ARTIFACTS"}, **(common | more))  # fmt: skip
    return {name: breaks for name, (_, breaks) in rows.items()}
