"""What of deploy/aws is generated: the policies, and the template of the role."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from driftline.collectors.aws.permissions import caller_policy, reader_policy, split, trust_policy
from driftline.pipeline.reference import HEADER

ROLE = "DriftlineReader"


def deployed() -> Iterator[tuple[str, str]]:
    """Every file, as path and text."""
    for name, policy in (("reader", reader_policy()), ("caller", caller_policy(ROLE))):
        for number, part in enumerate(split(policy), 1):
            yield f"deploy/aws/{name}-policy-{number}.json", _json(part)
    trust = trust_policy("${caller_account}", "${external_id}", "${partition}")
    yield "deploy/aws/trust-policy.json.tftpl", _json(trust)
    yield "deploy/aws/reader-role.yaml", template()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def template() -> str:
    """The CloudFormation template of the role, for a StackSet or a stack in one account."""
    managed = {
        f"ReaderPolicy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "Description": "The calls that Driftline makes; all of them read configurations.",
                "Roles": [{"Ref": "ReaderRole"}],
                "PolicyDocument": policy,
            },
        }
        for number, policy in enumerate(split(reader_policy()), 1)
    }
    trust = _substituted(trust_policy("${CallerAccount}", "${ExternalId}", "${AWS::Partition}"))
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": {"Ref": "RoleName"},
            "Description": "Assumed by Driftline to read this account's configuration.",
            "AssumeRolePolicyDocument": trust,
        },
    }
    whole = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Driftline's role in an account: reads configurations only.",
        "Parameters": {
            "CallerAccount": {
                "Type": "String", "AllowedPattern": r"\d{12}",
                "Description": "The account in which Driftline's collector runs.",
            },
            "ExternalId": {
                "Type": "String", "MinLength": 16, "MaxLength": 1224, "AllowedPattern": r"[\w+=,.@:/-]+",
                "Description": "The external id that the collector uses to assume the role (aws.external_id).",
            },
            "RoleName": {"Type": "String", "Default": ROLE, "Description": "aws.role_name of the collector."},
        },
        "Resources": {"ReaderRole": role, **managed},
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["ReaderRole", "Arn"]}}},
    }  # fmt: skip
    return HEADER.format(source="collectors/aws/kinds") + yaml.safe_dump(whole, sort_keys=False, width=120)  # fmt: skip


def _substituted(value: Any) -> Any:
    """Strings that contain ${…} become Fn::Sub; a string that is only ${…} becomes Ref."""
    if isinstance(value, dict):
        return {key: _substituted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item) for item in value]
    if isinstance(value, str) and (alone := re.fullmatch(r"\$\{([\w:]+)\}", value)):
        return {"Ref": alone[1]}
    return {"Fn::Sub": value} if isinstance(value, str) and "${" in value else value
