"""Plans and states that Terraform has written (README.md beside this): what of them is declared, what is not, and why."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.aws.terraform import read
from driftline.collectors.declared import DeclaredResources

PLANS = Path(__file__).with_name("plans")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EC2, IAM, KMS = "arn:aws:ec2:eu-west-1:111111111111:", "arn:aws:iam::111111111111:role/", "arn:aws:kms:eu-west-1:111111111111:key/"  # fmt: skip
IN, OUT = "/group/IpPermissions", "/group/IpPermissionsEgress"
ROTATION, TRUST = "/rotation/KeyRotationEnabled", "/role/AssumeRolePolicyDocument"
INLINE, ATTACHED = "/inline_policies", "/attached_policies"
EMPTY = {"Version": "2012-10-17", "Statement": []}
EC2_TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}  # fmt: skip
UNSHOWN, UNSURE, UNSET = "dynamic block", "comes to null", "not set by code"


def told(name: str, **more: Any) -> DeclaredResources:
    return read(PLANS / f"{name}.json", "main", more.pop("ignored", ()), NOW, **more)


def rule(protocol: str, port: int | None, *cidrs: str, groups: tuple[str, ...] = (), description: str = "") -> dict[str, Any]:  # fmt: skip
    ports = {} if port is None else {"FromPort": port, "ToPort": port}
    about = {"Description": description} if description else {}
    return {
        "IpProtocol": protocol, **ports, "IpRanges": [{"CidrIp": cidr, **about} for cidr in cidrs], "Ipv6Ranges": [],
        "PrefixListIds": [], "UserIdGroupPairs": [{"UserId": "111111111111", "GroupId": group} for group in groups],
    }  # fmt: skip


def attached(*names: str) -> list[dict[str, str]]:
    return [{"PolicyArn": f"arn:aws:iam::aws:policy/{name}", "PolicyName": name} for name in names]


SSH = rule("tcp", 22, "10.0.0.0/8")
ALL = rule("tcp", 8443, "10.0.0.0/8")
LAB = rule("tcp", 443, "192.0.2.0/24", "10.0.0.0/8")
GROUPS = {
    f"{EC2}security-group/sg-1": {IN: [SSH], OUT: []},
    f"{EC2}security-group/sg-2": {IN: [rule("tcp", 443, "10.0.0.0/8", description="office"), rule("-1", None, groups=("sg-2",))]},
    f"{EC2}security-group/sg-3": {IN: [rule("tcp", 443, groups=("sg-1",))]},
}  # fmt: skip
ROLES = {
    f"{IAM}empty": {TRUST: EC2_TRUST, INLINE: {}, ATTACHED: []},
    f"{IAM}own": {TRUST: EC2_TRUST, INLINE: {"logs": EMPTY}, ATTACHED: attached("ReadOnlyAccess")},
    f"{IAM}parts": {TRUST: EC2_TRUST, f"{INLINE}/logs": EMPTY},
    f"{IAM}exclusive": {TRUST: EC2_TRUST, ATTACHED: attached("ReadOnlyAccess")},
}
OTHER = "arn:aws:iam::222222222222:role/deployer"
GOV = "arn:aws-us-gov:s3:::of-another-workspace"
FUNCTION = "arn:aws:lambda:eu-west-1:111111111111:function:"
SECRETS: dict[str, dict[str, Any]] = {
    f"{EC2}security-group/sg-1": {OUT: [rule("tcp", 443, "10.0.0.0/8")]},
    "arn:aws:s3:::c": {"/versioning/Status": "Enabled"},
    "arn:aws:rds:eu-west-1:111111111111:db:d": {"/instance/MultiAZ": True, "/instance/DBInstanceClass": "db.t3.micro"},
}  # fmt: skip

DECLARED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "builtin": ({}, {"terraform_data.counted[1]": "no resource of AWS", 'module.part["x.y"].terraform_data.part': "no resource of AWS"}),
    "group-blocks": (GROUPS, {}),
    "group-dynamic": ({}, {"aws_security_group.dynamic": UNSHOWN}),
    # opened by somebody, and in planned_values: never declared
    "group-null": ({}, {"aws_security_group.constant": UNSHOWN, "aws_security_group.variable": UNSHOWN, "aws_security_group.condition": UNSURE}),
    "group-opened": ({}, {"aws_security_group.g": UNSHOWN}),
    "group-single": (
        {f"{EC2}security-group/sg-1": {IN: [SSH]}, f"{EC2}security-group/sg-3": {IN: [SSH, ALL]}},
        {"aws_security_group.single": "--claims", 'aws_vpc_security_group_ingress_rule.single["office.v4[0]"]': "--claims"},
    ),
    "modules": (
        {f"{KMS}counted0": {ROTATION: True, "/policy": EMPTY}, f"{KMS}counted1": {ROTATION: True, "/policy": EMPTY},
         f"{KMS}key-true": {ROTATION: True}, f"{KMS}key-false": {ROTATION: False}},
        {'module.keys["a.b"].aws_kms_key.k': "policy", 'module.keys["c\\"]d"].aws_kms_key.k': "policy"},
    ),
    "sensitive": (SECRETS, {"aws_security_group.g": "sensitive: ingress", "aws_s3_bucket_versioning.hidden": "sensitive: versioning_configuration",
                            "aws_db_instance.d": "password"}),
    "bucket-parts": (
        {"arn:aws:s3:::b": {
            "/versioning/Status": "Enabled",
            "/encryption/Rules/0/ApplyServerSideEncryptionByDefault/SSEAlgorithm": "aws:kms",
            "/encryption/Rules/0/ApplyServerSideEncryptionByDefault/KMSMasterKeyID": f"{KMS}k",
            "/policy": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*",
                "Condition": {"Bool": {"AWS:SecureTransport": "false"}},
            }]},
        }},
        {"aws_s3_bucket.b": "nothing of it", "aws_kms_key.k": UNSET},
    ),
    # each roundabout way to null, an empty block, ignored changes: all of them opened by somebody
    "null-values": (
        {f"{IAM}r": {TRUST: {}}, "arn:aws:iam::222222222222:role/r": {TRUST: {}, f"{INLINE}/p": {}}, f"{KMS}imported": {ROTATION: True},
         f"{KMS}k2-q": {"/policy": EMPTY},
         f"{KMS}k7": {"/policy": {"Version": "2012-10-17", "Statement": [
             {"Effect": "Allow", "Principal": {"AWS": f"{IAM}r"}, "Action": "kms:*", "Resource": "*"},
         ]}}},
        {**{f"aws_kms_key.{name}": "comes to null" for name in ("cond", "loc", "module_output", "indexed[0]")},
         **dict.fromkeys(("aws_kms_key.tried", "aws_kms_key.object", 'aws_kms_key.each["p"]', "module.a.module.b.aws_kms_key.deep"), "not set by code: is_enabled, policy"),
         "aws_kms_key.secret": "sensitive: policy", "aws_instance.empty_block": "not set by code: metadata_options[0].http_endpoint",
         "aws_db_instance.ign": "another value than code says", "aws_security_group.ignored_const": "another value", "aws_security_group.ignored_var": UNSURE},
    ),
    "roles": (ROLES, {"aws_iam_role.parts": "managed_policy_arns", "aws_iam_role_policy_attachment.parts": "--claims"}),
    "ignored": ({}, {"aws_iam_role.constant": "another value than code says", "aws_iam_role.expression": "changed past Terraform"}),
    "accounts": (
        {f"{IAM}deployer": {TRUST: EC2_TRUST}, OTHER: {TRUST: EC2_TRUST}, GOV: {"/versioning/Status": "Enabled"}},
        {"aws_iam_role_policy_attachment.here": "--claims", "module.there.aws_iam_role_policy_attachment.there": "--claims"},
    ),
    "functions": (
        {f"{FUNCTION}image": {"/function/Role": "arn:aws:iam::111111111111:role/f", "/function/Runtime": None},
         f"{FUNCTION}zip": {
             "/function/Role": "arn:aws:iam::111111111111:role/f", "/function/Runtime": "python3.13", "/function/Handler": "main.handler",
             "/function/Timeout": 30, "/function/VpcConfig/SubnetIds": ["subnet-1", "subnet-2"], "/function/VpcConfig/SecurityGroupIds": ["sg-1"],
         }},
        {"aws_lambda_function.zip": "memory_size"},
    ),
    "instances": ({f"{EC2}instance/ami-1": {"/instance/MetadataOptions/HttpTokens": "required"}},
                  {"aws_instance.block": UNSURE, "aws_instance.dynamic": UNSHOWN}),
    "moved": ({f"{KMS}k": {ROTATION: True}}, {"aws_kms_key.new": "is_enabled"}),
}  # fmt: skip


@pytest.mark.parametrize("name", DECLARED)
def test_a_whole_plan(name: str) -> None:
    found = told(name)
    declared, left = DECLARED[name]
    assert {record.uid: record.expect for record in found.records} == declared
    assert (found.kind, found.partial, found.notes) == ("declared", [], [])
    for address, why in left.items():
        assert why in found.not_compared.get(address, ""), address


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("pending", ["changes are pending: aws_kms_key.gone[0] (delete), aws_kms_key.k (update)"]),
        ("target", ["complete", "the code has aws_kms_key.b"]),
        ("builtin-target", ["complete", "the code has terraform_data.plain"]),
        ("refresh-only", ["the code has aws_kms_key.a, and the plan has not"]),
        ("destroy", ["aws_kms_key.a (delete)"]),
        ("errored", ["errored: true", "complete", "the code has aws_kms_key.b"]),
        ("created", ["aws_lambda_function.f (create)"]),
    ],
)
def test_a_plan_that_is_not_whole(name: str, reasons: list[str]) -> None:
    found = told(name)
    assert len(found.partial) == len(reasons), found.partial
    assert all(reason in said for reason, said in zip(reasons, found.partial, strict=True))


def test_what_somebody_set_in_a_plan_that_only_refreshes_is_not_declared() -> None:
    """It has a = false, and code says true."""
    assert told("refresh-only").records == []


@pytest.mark.parametrize("name", ["state-file", "state-shown"])
def test_a_state(name: str) -> None:
    """All that it has is recorded: it says what was read, and nothing of code."""
    found = told(name)
    assert (found.kind, found.partial, found.notes) == ("recorded", [], [])
    expected = {record.uid: record.expect for record in found.records}
    for uid, places in SECRETS.items():
        assert places.items() <= expected[uid].items()
    assert "sensitive: ingress" in found.not_compared["aws_security_group.g"]
    assert IN not in expected[f"{EC2}security-group/sg-1"]


def test_what_the_caller_says_that_code_sets() -> None:
    found = told("group-dynamic", sets=("*.dynamic.ingress",))
    [record] = found.records
    assert record.expect == {IN: [SSH, rule("tcp", 443, "10.0.0.0/8")]}
    assert told("group-dynamic", sets=("*.ingress",), ignored=("*.ingress",)).records == []


def test_what_is_claimed() -> None:
    """With --claims, what single rules and attachments say is all."""
    groups = {record.uid: record.expect for record in told("group-single", claims=True).records}
    assert groups == {
        f"{EC2}security-group/sg-1": {IN: [SSH], OUT: []},
        f"{EC2}security-group/sg-2": {IN: [LAB], OUT: []},
        f"{EC2}security-group/sg-3": {IN: [SSH, ALL], OUT: []},
    }
    roles = {record.uid: record.expect for record in told("roles", claims=True).records}
    assert roles == ROLES | {
        f"{IAM}parts": {TRUST: EC2_TRUST, INLINE: {"logs": EMPTY}, ATTACHED: attached("ReadOnlyAccess")},
        f"{IAM}exclusive": {TRUST: EC2_TRUST, INLINE: {}, ATTACHED: attached("ReadOnlyAccess")},
    }, "what somebody attached is in planned_values of the role, and is not claimed"  # fmt: skip
    accounts = {record.uid: record.expect for record in told("accounts", claims=True).records}
    assert accounts[f"{IAM}deployer"][ATTACHED] == attached("ReadOnlyAccess")
    assert accounts[OTHER][ATTACHED] == attached("PowerUserAccess")
    opened = told("group-opened", claims=True)
    assert [record.expect for record in opened.records] == [{OUT: []}]
    assert UNSHOWN in opened.not_compared["aws_security_group.g"]


def test_every_plan_is_tried() -> None:
    names = {path.stem for path in PLANS.glob("*.json")}
    partial = {"pending", "target", "builtin-target", "refresh-only", "destroy", "errored", "created"}  # fmt: skip
    assert names == DECLARED.keys() | partial | {"state-file", "state-shown"}
    assert len(names) >= 25


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_no_resource_is_passed_over_in_silence(path: Path) -> None:
    """Each managed resource is declared, or is told with a reason."""
    for claims in (False, True):
        found = told(path.stem, claims=claims)
        root = json.loads(path.read_text())
        root = (root.get("planned_values") or root.get("values") or {}).get("root_module", {})
        said = {address for all_ in found.addresses.values() for address in all_}
        assert set(_addresses(root)) <= said | found.not_compared.keys()


def _addresses(module: dict[str, Any]) -> list[str]:
    below = [address for one in module.get("child_modules", ()) for address in _addresses(one)]
    return [one["address"] for one in module.get("resources", ()) if one["mode"] == "managed"] + below  # fmt: skip
