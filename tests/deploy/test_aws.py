"""The role in every account: generated policies that IAM takes, a template that makes the role, a role that can read."""

import json
import re
import shutil
import string
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cfnlint import lint_file  # type: ignore[import-untyped]

from driftline.collectors.aws.deploy_files import ROLE
from driftline.collectors.aws.permissions import (
    MOST,
    caller_policy,
    reader_policy,
    size,
    split,
    trust_policy,
)
from driftline.collectors.aws.sweep.collect import sweep
from driftline.collectors.aws.sweep.options import CollectOptions
from tests.collectors.moto import MASTER, Moto, organization
from tests.deploy.words import DEPLOY, mentioned, parse
from tests.parts import needs

AWS = DEPLOY / "aws"
TEMPLATE = AWS / "reader-role.yaml"
EXTERNAL = "an-external-id-of-ours"
MANAGED_AT_A_ROLE = 10
TYPES = (
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::S3::Bucket",
    "AWS::EC2::SecurityGroup",
    "AWS::KMS::Key",
)
"""What is swept: global and regional, with details that the role itself brings. (moto refuses Lambda's signature.)"""


def written(name: str) -> list[dict[str, Any]]:
    """The generated policies of that name."""
    return [json.loads(path.read_text()) for path in sorted(AWS.glob(f"{name}-policy-*.json"))]


def actions(policies: list[dict[str, Any]]) -> list[str]:
    out: list[str] = []
    for policy in policies:
        for statement in policy["Statement"]:
            own = statement["Action"]
            out += own if isinstance(own, list) else [own]
    return sorted(out)


@pytest.mark.parametrize(("name", "whole"), [("reader", reader_policy()), ("caller", caller_policy(ROLE))])  # fmt: skip
def test_iam_takes_the_policies(name: str, whole: dict[str, Any]) -> None:
    policies = written(name)
    assert actions(policies) == actions([whole])
    assert 0 < len(policies) <= MANAGED_AT_A_ROLE
    for policy in policies:
        assert size(policy) <= MOST


def test_what_is_too_long_is_split_and_loses_nothing() -> None:
    many = [f"service{number % 90}:DescribeSomethingLong{number}" for number in range(900)]
    policy = caller_policy("R")
    policy["Statement"][0]["Action"] = many
    parts = split(policy)
    assert 1 < len(parts) <= MANAGED_AT_A_ROLE
    assert all(size(part) <= MOST for part in parts)
    assert actions(parts) == actions([policy])
    assert sum("sts:AssumeRole" in json.dumps(part) for part in parts) == 1


def test_characters_are_counted_as_iam_counts_them() -> None:
    assert size({"Sid": "a b"}) == len('{"Sid":"ab"}')


def test_cfn_lint_finds_nothing() -> None:
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def test_the_organization_s_role_reads_all_that_the_collector_asks(moto: Moto) -> None:
    """The stack is made in a member account, then IAM is enforced, and the caller sweeps the account by that role."""
    (member,) = organization(moto, 1)
    maker = {"Version": "2012-10-17", "Statement": []}
    moto.client("iam").create_role(RoleName="Maker", AssumeRolePolicyDocument=json.dumps(maker))
    stacks = moto.client("cloudformation", account=member)
    parameters = {"CallerAccount": MASTER, "ExternalId": EXTERNAL}
    stacks.create_stack(
        StackName="driftline", TemplateBody=TEMPLATE.read_text(), Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )  # fmt: skip
    outputs = stacks.describe_stacks(StackName="driftline")["Stacks"][0]["Outputs"]
    assert outputs[0]["OutputValue"] == f"arn:aws:iam::{member}:role/{ROLE}"

    iam = moto.client("iam", account=member)
    role = iam.get_role(RoleName=ROLE)["Role"]
    assert role["AssumeRolePolicyDocument"] == trust_policy(MASTER, EXTERNAL)
    assert granted(iam) == actions([reader_policy()])

    caller = moto.client("iam").create_user(UserName="caller")["User"]["UserName"]
    for number, policy in enumerate(written("caller")):
        moto.client("iam").put_user_policy(UserName=caller, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))  # fmt: skip
    key = moto.client("iam").create_access_key(UserName=caller)["AccessKey"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        moto.post("reset-auth", b"0")
        options = CollectOptions(accounts=["all"], regions=["us-east-1"], types=TYPES, external_id=EXTERNAL, requests_per_second=1000)  # fmt: skip
        headers = sweep(options, {}, lambda _: None)
    assert {header.scope.account for header in headers} == {MASTER, member}
    assert [(h.scope.key, h.reason) for h in headers if h.status != "complete"] == []


def granted(iam: Any) -> list[str]:
    """What the role's policies allow."""
    attached = iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    versions = [iam.get_policy_version(PolicyArn=one["PolicyArn"], VersionId="v1") for one in attached]  # fmt: skip
    return actions([version["PolicyVersion"]["Document"] for version in versions])


def test_terraform_trusts_whom_the_template_trusts() -> None:
    text = (AWS / "trust-policy.json.tftpl").read_text()
    filled = string.Template(text).substitute(
        caller_account=MASTER, external_id=EXTERNAL, partition="aws"
    )
    assert json.loads(filled) == trust_policy(MASTER, EXTERNAL)
    given = re.search(r"templatefile\([^{]+\{(.+?)\n  \}\)", (AWS / "main.tf").read_text(), re.DOTALL)  # fmt: skip
    assert given
    assert set(re.findall(r"^\s+(\w+)\s+=", given[1], re.MULTILINE)) == set(re.findall(r"\$\{(\w+)\}", text))  # fmt: skip


def test_terraform_names_only_what_is_there() -> None:
    texts = {path.name: path.read_text() for path in AWS.glob("*.tf")}
    whole = "\n".join(texts.values())
    declared = set(re.findall(r'^variable "(\w+)"', texts["variables.tf"], re.MULTILINE))
    assert set(re.findall(r"\bvar\.(\w+)", whole)) == declared
    for name in re.findall(r'\$\{path\.module\}/([\w.-]+)"', texts["main.tf"]):
        assert (AWS / name).exists(), name
    for kind, name in re.findall(r"\b(aws_\w+)\.(\w+)", whole):
        found = f'resource "{kind}" "{name}"' in whole or f'data "{kind}" "{name}"' in whole
        assert found, f"{kind}.{name}"
    taken = set(re.findall(r"^    (\w+)\s+= var\.", texts["main.tf"].partition("parameters = {")[2], re.MULTILINE))  # fmt: skip
    assert taken >= {"CallerAccount", "ExternalId", "RoleName"}


@needs("terraform")
def test_terraform_is_well_formed(tmp_path: Path) -> None:
    for path in AWS.glob("*.tf"):
        shutil.copy(path, tmp_path)
    done = subprocess.run(["terraform", "fmt", "-check", "-diff", str(tmp_path)], capture_output=True, text=True, timeout=60)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_the_readme_calls_real_commands() -> None:
    found = list(mentioned((AWS / "README.md").read_text()))
    assert len(found) >= 3
    for words in found:
        parse(words)
