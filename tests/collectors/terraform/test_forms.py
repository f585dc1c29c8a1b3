"""Plans made by hand: forms that no Terraform at hand writes, and resources that the stand-in provider does not have. By the
documentation of Terraform's JSON output format and the schemas of the AWS provider's documentation."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.aws.terraform import NO_CODE, mapping, read
from driftline.collectors.aws.terraform.groups import WAYS, permissions
from driftline.collectors.aws.terraform.marks import path_of
from driftline.collectors.aws.terraform.principals import POINTERS
from driftline.collectors.declared import DeclaredResources
from driftline.pipeline.assess.decisions.baselines import differences
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.compare.paths import steps
from driftline.pipeline.rulebook.shapes import builtin_shapes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLE = "arn:aws:iam::111111111111:role/deployer"
GROUP = "arn:aws:ec2:eu-west-1:111111111111:security-group/sg-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def resource(type_: str, name: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "address": f"{type_}.{name}",
        "mode": "managed",
        "type": type_,
        "name": name,
        "values": values,
        **more,
    }


def plan(*resources: dict[str, Any], below: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    modules = [{"address": "module.a", "resources": list(below)}] if below else []
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": list(resources), "child_modules": modules}},
    }


def told(tmp_path: Path, data: Any, *ignored: str, claims: bool = False) -> DeclaredResources:
    path = tmp_path / "plan.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return read(path, "main", ignored, NOW, claims=claims)


def expected(found: DeclaredResources) -> dict[str, dict[str, Any]]:
    return {record.uid: record.expect for record in found.records}


WORDS = {"terraform", "type", "bucket", "of", "names", "computed", "expect", "document", "groups", "principal"}  # fmt: skip


@pytest.mark.parametrize("row", mapping().values(), ids=lambda row: str(row["terraform"]))
def test_every_row_names_places_that_are_there(row: dict[str, Any]) -> None:
    parts = builtin_shapes()[row["type"]]["parts"]
    assert row.keys() <= WORDS
    assert not ("bucket" in row and "of" in row)
    pointers = [*row.get("expect", {}), *row.get("document", {})]
    if "groups" in row:
        pointers += WAYS.values()
    if "principal" in row:
        pointers += POINTERS.values()
    for pointer in pointers:
        shape: Any = {"fields": parts}
        for step in steps(pointer):
            if shape == "any":
                break
            assert isinstance(shape, dict), pointer
            if "list" in shape:
                assert step.isdigit(), pointer
                shape = shape["list"]
            elif "map" in shape:
                shape = shape["map"]
            else:
                assert step in shape["fields"], pointer
                shape = shape["fields"][step]
    for said in row.get("expect", {}).values():
        text = said if isinstance(said, str) else said["from"]
        path = path_of(text)
        assert "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path) == f".{text}"  # fmt: skip
        assert isinstance(said, str) or said.keys() == {"from", "map"}
    if "of" in row:
        assert mapping()[row["of"][0]].keys().isdisjoint({"bucket", "of"})


def test_a_resource_split_over_several_types_is_joined(tmp_path: Path) -> None:
    found = told(tmp_path, plan(
        resource("aws_s3_bucket", "b", {"bucket": "b", "arn": "arn:aws:s3:::b", "force_destroy": True}),
        resource("aws_s3_bucket_versioning", "b", {"bucket": "b", "versioning_configuration": [{"status": "Enabled"}]}),
        below=(resource("aws_s3_bucket_public_access_block", "b", {"bucket": "b", "block_public_acls": True, "ignore_public_acls": True}),
               resource("aws_s3_bucket_policy", "b", {"bucket": "b", "policy": json.dumps(TRUST)})),
    ))  # fmt: skip
    [record] = found.records
    assert (record.uid, record.type, record.kind, record.source, record.by) == (
        "arn:aws:s3:::b",
        "AWS::S3::Bucket",
        "declared",
        "main",
        "terraform",
    )
    assert record.expect == {
        "/versioning/Status": "Enabled", "/public_access_block/BlockPublicAcls": True, "/public_access_block/IgnorePublicAcls": True,
        "/policy": TRUST,
    }  # fmt: skip
    assert found.not_compared == {"aws_s3_bucket.b": "code sets nothing of it that is compared"}
    assert (record.address, found.notes) == ("aws_s3_bucket.b", [NO_CODE])


def test_what_is_not_known_yet_ignored_or_secret_is_left_out(tmp_path: Path) -> None:
    key = {
        "arn": "arn:aws:kms:eu-west-1:1:key/1",
        "enable_key_rotation": True,
        "is_enabled": True,
        "policy": json.dumps(TRUST),
        "multi_region": True,
    }
    new = {"enable_key_rotation": True}
    found = told(tmp_path, plan(
        resource("aws_kms_key", "a", key, sensitive_values={"policy": True}), resource("aws_kms_key", "new", new),
        resource("random_id", "x", {"hex": "00"}), {"mode": "data", "type": "aws_caller_identity", "address": "data.x", "values": {}},
    ), "aws_kms_key.*.is_enabled")  # fmt: skip
    assert expected(found) == {key["arn"]: {"/rotation/KeyRotationEnabled": True}}
    assert found.not_compared == {
        "aws_kms_key.a": "attributes that are not compared: multi_region; ignored (--ignore): is_enabled; sensitive: policy",
        "aws_kms_key.new": "its ARN is not known before it is applied",
        "random_id.x": "no resource of AWS",
    }  # fmt: skip


def role(**more: Any) -> tuple[dict[str, Any], ...]:
    return (
        resource("aws_iam_role_policy_attachment", "a", {"role": "deployer", "policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        resource("aws_iam_role", "r", {"arn": ROLE, "name": "deployer", "assume_role_policy": json.dumps(TRUST), "max_session_duration": 3600, **more}),
        resource("aws_iam_role_policy", "p", {"role": "deployer", "name": "own", "policy": json.dumps(TRUST)}),
        resource("aws_iam_role_policy", "q", {"role": "somebody-elses", "name": "own", "policy": json.dumps(TRUST)}),
    )  # fmt: skip


def test_a_role_and_what_it_claims(tmp_path: Path) -> None:
    found = told(tmp_path, plan(*role()))
    own = {"/role/AssumeRolePolicyDocument": TRUST, "/role/MaxSessionDuration": 3600}
    assert expected(found) == {ROLE: own | {"/inline_policies/own": TRUST}}
    assert "is not in this workspace" in found.not_compared["aws_iam_role_policy.q"]
    attached = [
        {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "PolicyName": "ReadOnlyAccess"}
    ]
    whole = own | {"/inline_policies": {"own": TRUST}, "/attached_policies": attached}
    assert expected(told(tmp_path, plan(*role()), claims=True)) == {ROLE: whole}
    wider = {"role": {"AssumeRolePolicyDocument": TRUST, "MaxSessionDuration": 3600}, "inline_policies": {"own": TRUST},
             "attached_policies": [*attached, {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "PolicyName": "AdministratorAccess"}]}  # fmt: skip
    [change] = differences(whole, wider)
    assert (change["op"], change["path"]) == ("add", "/attached_policies/1")
    assert list(differences(expected(told(tmp_path, plan(*role())))[ROLE], wider)) == []


INGRESS = [
    {
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_blocks": ["10.0.0.0/8"],
        "description": "office",
    },
    {
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_blocks": ["192.0.2.0/24"],
        "description": "",
        "self": True,
    },
    {
        "protocol": "-1",
        "from_port": 0,
        "to_port": 0,
        "ipv6_cidr_blocks": ["::/0"],
        "security_groups": ["222222222222/sg-9", "sg-8"],
    },
]


def test_a_groups_rules_are_as_ec2_answers_them() -> None:
    assert permissions(INGRESS, GROUP) == [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "Ipv6Ranges": [], "PrefixListIds": [],
         "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "office"}, {"CidrIp": "192.0.2.0/24"}],
         "UserIdGroupPairs": [{"UserId": "111111111111", "GroupId": "sg-1"}]},
        {"IpProtocol": "-1", "IpRanges": [], "Ipv6Ranges": [{"CidrIpv6": "::/0"}], "PrefixListIds": [],
         "UserIdGroupPairs": [{"UserId": "222222222222", "GroupId": "sg-9"}, {"UserId": "111111111111", "GroupId": "sg-8"}]},
    ]  # fmt: skip


def test_a_group(tmp_path: Path) -> None:
    own = resource("aws_security_group", "g", {"arn": GROUP, "ingress": INGRESS, "egress": []})
    assert expected(told(tmp_path, plan(own))) == {
        GROUP: {
            "/group/IpPermissions": permissions(INGRESS, GROUP),
            "/group/IpPermissionsEgress": [],
        }
    }
    apart = resource("aws_vpc_security_group_ingress_rule", "r", {"security_group_id": "sg-1"})
    found = told(tmp_path, plan(own, apart))
    assert expected(found) == {}, (
        "with rules of their own resources the blocks only repeat what is there"
    )
    assert "--claims" in found.not_compared["aws_vpc_security_group_ingress_rule.r"]
    assert "--claims" in found.not_compared["aws_security_group.g"]


def test_rules_of_their_own_resources_are_joined_where_the_workspace_claims_them(
    tmp_path: Path,
) -> None:
    """Written in three ways, the same group."""
    blocks = {"arn": GROUP, "id": "sg-1", "ingress": [], "egress": []}
    group = resource("aws_security_group", "g", blocks)
    https = {"security_group_id": "sg-1", "from_port": 443, "to_port": 443, "description": "office"}
    way_in, way_out = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
    new = [
        resource(way_in, "a", https | {"ip_protocol": "tcp", "cidr_ipv4": "10.0.0.0/8"}),
        resource(way_in, "b", https | {"ip_protocol": "tcp", "cidr_ipv6": "::/0", "description": None}),
        resource(way_in, "c", https | {"ip_protocol": "tcp", "referenced_security_group_id": "sg-8", "description": ""}),
        resource(way_out, "d", {"security_group_id": "sg-1", "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}),
    ]  # fmt: skip
    single = "aws_security_group_rule"
    old = [
        resource(single, "a", https | {"type": "ingress", "protocol": "tcp", "cidr_blocks": ["10.0.0.0/8"]}),
        resource(single, "b", https | {"type": "ingress", "protocol": "tcp", "ipv6_cidr_blocks": ["::/0"], "description": None}),
        resource(single, "c", https | {"type": "ingress", "protocol": "tcp", "source_security_group_id": "sg-8", "description": ""}),
        resource(single, "d", {"security_group_id": "sg-1", "type": "egress", "protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}),
    ]  # fmt: skip
    tcp = {"protocol": "tcp", "from_port": 443, "to_port": 443}
    inline = resource("aws_security_group", "g", blocks | {
        "ingress": [tcp | {"cidr_blocks": ["10.0.0.0/8"], "description": "office"}, tcp | {"ipv6_cidr_blocks": ["::/0"]}, tcp | {"security_groups": ["sg-8"]}],
        "egress": [{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}],
    })  # fmt: skip
    wanted = expected(told(tmp_path, plan(inline)))
    assert len(wanted[GROUP]["/group/IpPermissions"][0]["UserIdGroupPairs"]) == 1
    for rules in (new, old):
        found = told(tmp_path, plan(group, *rules), claims=True)
        assert expected(found) == wanted
        assert found.not_compared == {}
    elsewhere = resource(way_in, "x", https | {"security_group_id": "sg-7"})
    found = told(tmp_path, plan(group, *new, elsewhere), claims=True)
    assert "sg-7 is not in this workspace" in found.not_compared[f"{way_in}.x"]
    assert expected(found) == wanted


def test_a_state_is_only_recorded(tmp_path: Path) -> None:
    instance: dict[str, Any] = {"index_key": "a", "attributes": {"arn": "arn:aws:kms:eu-west-1:1:key/1", "enable_key_rotation": True, "policy": json.dumps(TRUST)},
                "sensitive_attributes": [[{"type": "get_attr", "value": "policy"}]]}  # fmt: skip
    raw = {
        "version": 4,
        "serial": 7,
        "lineage": "l",
        "resources": [
            {
                "mode": "managed",
                "module": "module.m",
                "type": "aws_kms_key",
                "name": "k",
                "instances": [instance],
            }
        ],
    }
    found = told(tmp_path, raw)
    [record] = found.records
    assert (found.kind, record.kind, record.serial, record.lineage) == (
        "recorded",
        "recorded",
        7,
        "l",
    )
    assert record.expect == {"/rotation/KeyRotationEnabled": True}
    shown = {"values": plan(resource("aws_kms_key", "k", instance["attributes"]))["planned_values"]}
    assert told(tmp_path, shown).kind == "recorded"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "[]",
        '{"a": 1}',
        '{"planned_values": {"root_module": {"resources": [5]}}}',
        '{"resources": [{}]}',
    ],
)
def test_what_is_no_plan_is_told(tmp_path: Path, bad: str) -> None:
    with pytest.raises(UserError, match=r"plan\.json: "):
        told(tmp_path, bad)


def test_a_document_that_is_none_is_told(tmp_path: Path) -> None:
    found = told(tmp_path, plan(resource("aws_iam_policy", "p", {"arn": "arn:x", "policy": "{"})))
    assert (expected(found), "no JSON" in found.not_compared["aws_iam_policy.p"]) == ({}, True)
