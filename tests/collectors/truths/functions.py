"""Lambda functions: their own policies, their aliases', their URLs, their runtimes."""

import io
import zipfile
from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import OTHER, Truth, document

TYPES = {"AWS::Lambda::Function"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()


def build(moto: Moto) -> Truth:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("own.py", "def handler(event, context): return 1")
    trust = document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )
    moto.client("iam").create_role(RoleName="runs", AssumeRolePolicyDocument=trust)
    client = moto.client("lambda", "eu-west-1")
    public, url = "lambda-function-policy-not-public", "lambda-function-url-authenticated"
    old = "lambda-function-runtime-supported"
    rows: dict[str, tuple[str, dict[str, str], str | None, set[str]]] = {
        "f-none": ("python3.13", {}, None, set()),
        "f-public": ("python3.13", {"Principal": "*"}, None, {public}),
        "f-service": ("python3.13", {"Principal": "sns.amazonaws.com"}, None, set()),
        # as Lambda answers, whoever is named by his number
        "f-other": ("python3.13", {"Principal": f"arn:aws:iam::{OTHER}:root"}, None, set()),
        "f-of-account": ("python3.13", {"Principal": "*", "SourceAccount": MASTER}, None, set()),
        "f-alias": ("python3.13", {"Principal": "*", "Qualifier": "live"}, None, {public}),
        "f-alias-service": ("python3.13", {"Principal": "sns.amazonaws.com", "Qualifier": "live"}, None, set()),
        "f-open-url": ("python3.13", {}, "NONE", {url}),
        "f-signed-url": ("python3.13", {}, "AWS_IAM", set()),
        "f-old": ("python3.8", {}, None, {old}),
        "f-first": ("nodejs", {}, None, {old}),
        "f-own-system": ("provided.al2023", {}, None, set()),
    }  # fmt: skip
    for name, (runtime, permission, auth, _) in rows.items():
        _make(client, name, packed.getvalue(), Runtime=runtime, Handler="own.handler")
        if "Qualifier" in permission:
            client.publish_version(FunctionName=name)
            client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        if permission:
            client.add_permission(FunctionName=name, StatementId="x", Action="lambda:InvokeFunction", **permission)  # fmt: skip
        if auth:
            client.create_function_url_config(FunctionName=name, AuthType=auth)
    return {name: breaks for name, (_, _, _, breaks) in rows.items()}


def _make(client: Any, name: str, code: bytes, **more: Any) -> None:
    client.create_function(
        FunctionName=name, Role=f"arn:aws:iam::{MASTER}:role/runs", Code={"ZipFile": code}, **more
    )
