"""Whole plans made by hand, by the JSON output format's documentation and the AWS provider's: resources and forms that the
stand-in provider does not have."""

import json
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.assess.decisions.baselines import differences
from driftline.pipeline.common.errors import UserError
from tests.collectors.terraform.hand import expected, plan, resource, told

GROUP = "arn:aws:ec2:eu-west-1:111111111111:security-group/sg-1"
ROLE = "arn:aws:iam::111111111111:role/r"
KEY = "arn:aws:kms:eu-west-1:111111111111:key/k"
QUEUE = "arn:aws:sqs:eu-west-1:111111111111:q"
OPEN = {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"]}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
WIDE = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})  # fmt: skip
BUCKET = {"bucket": "b", "arn": "arn:aws:s3:::b"}


def group(**more: Any) -> dict[str, Any]:
    return resource("aws_security_group", "g", {"arn": GROUP, "id": "sg-1", "name": "g", "ingress": [OPEN], "egress": []}, "ingress", "egress", **more)  # fmt: skip


def role(name: str = "r", arn: str = ROLE, **more: Any) -> dict[str, Any]:
    return resource("aws_iam_role", more.pop("label", name), {"arn": arn, "id": name, "name": name, "assume_role_policy": POLICY}, **more)  # fmt: skip


def key(values: dict[str, Any], *unset: str, **more: Any) -> dict[str, Any]:
    return resource("aws_kms_key", "k", {"arn": KEY, "id": "k"} | values, *unset, **more)


def references(*names: str) -> dict[str, Any]:
    return {"references": list(names)}


@pytest.mark.parametrize(
    ("type_", "values", "marks", "place", "value"),
    [
        ("aws_s3_bucket_versioning", {"bucket": "b", "versioning_configuration": [{"status": "Enabled"}]},
         {"versioning_configuration": [{}]}, "/versioning/Status", "Enabled"),
        ("aws_s3_bucket_server_side_encryption_configuration",
         {"bucket": "b", "rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256"}]}]},
         {"rule": [{"apply_server_side_encryption_by_default": [{}]}]},
         "/encryption/Rules/0/ApplyServerSideEncryptionByDefault/SSEAlgorithm", "AES256"),
        ("aws_s3_bucket_ownership_controls", {"bucket": "b", "rule": [{"object_ownership": "BucketOwnerEnforced"}]}, {"rule": [{}]},
         "/ownership/Rules/0/ObjectOwnership", "BucketOwnerEnforced"),
        ("aws_instance", {"arn": "arn:x", "metadata_options": [{"http_tokens": "required"}]}, {"metadata_options": [{}], "ebs_block_device": []},
         "/instance/MetadataOptions/HttpTokens", "required"),
        ("aws_lambda_function", {"arn": "arn:x", "vpc_config": [{"subnet_ids": ["s"], "security_group_ids": ["g"]}]},
         {"vpc_config": [{"subnet_ids": [False], "security_group_ids": [False, False]}]}, "/function/VpcConfig/SubnetIds", ["s"]),
        ("aws_ecr_repository", {"arn": "arn:x", "image_scanning_configuration": [{"scan_on_push": True}]}, {"image_scanning_configuration": [{}]},
         "/repository/imageScanningConfiguration/scanOnPush", True),
        ("aws_dynamodb_table", {"arn": "arn:x", "point_in_time_recovery": [{"enabled": False}]}, {"point_in_time_recovery": [{}]},
         "/continuous_backups/PointInTimeRecoveryStatus", "DISABLED"),
    ],
)  # fmt: skip
def test_marks_of_nested_blocks_say_nothing_unless_they_are_true(
    tmp_path: Path, type_: str, values: dict[str, Any], marks: Any, place: str, value: Any
) -> None:
    found = told(tmp_path, plan(resource(type_, "x", values, sensitive_values=marks)))
    [record] = found.records
    assert record.expect[place] == value
    for secret in (True, dict.fromkeys(marks, True)):
        hidden = told(tmp_path, plan(resource(type_, "x", values, sensitive_values=secret)))
        assert place not in expected(hidden).get(record.uid, {})
        assert "sensitive" in hidden.not_compared[f"{type_}.x"]
    later = told(tmp_path, plan(resource(type_, "x", values, change={"after_unknown": marks and dict.fromkeys(marks, True)})))  # fmt: skip
    assert "known only after apply" in later.not_compared[f"{type_}.x"]


@pytest.mark.parametrize(
    "expressions",
    [
        {},
        {"ingress": {"constant_value": None}},
        {"ingress": references("var.absent")},
        {"ingress": references("local.rules")},
        {"ingress": references("module.rules.all", "module.rules")},
        {"ingress": references("each.value")},
        {"ingress": references("var.closed", "aws_vpc.v.cidr_block", "aws_vpc.v")},
    ],
)
def test_what_was_read_of_an_opened_group_is_never_declared(
    tmp_path: Path, expressions: dict[str, Any]
) -> None:
    data = plan(group(expressions=expressions), variables={"absent": {"value": None}, "closed": {"value": True}})  # fmt: skip
    found = told(tmp_path, data)
    assert (expected(found), "ingress" in found.not_compared["aws_security_group.g"]) == ({}, True)
    claimed = told(tmp_path, data, claims=True)
    assert "/group/IpPermissions" not in expected(claimed).get(GROUP, {})
    assert "ingress" in claimed.not_compared["aws_security_group.g"]


@pytest.mark.parametrize(
    "expression",
    [
        {"constant_value": [OPEN | {"self": None}]},
        references("var.cidr"),
        references("aws_vpc.v.cidr_block", "aws_vpc.v"),
        references("data.aws_ip_ranges.office.cidr_blocks", "data.aws_ip_ranges.office"),
    ],
)
def test_what_code_sets_of_a_group_is(tmp_path: Path, expression: dict[str, Any]) -> None:
    data = plan(group(expressions={"ingress": expression}), variables={"cidr": {"value": "0.0.0.0/0"}})  # fmt: skip
    assert len(expected(told(tmp_path, data))[GROUP]["/group/IpPermissions"]) == 1


def test_a_policy_of_a_data_source_that_the_plan_does_not_keep(tmp_path: Path) -> None:
    """ignore_changes: what was read stays in the plan, and the data source says another thing."""
    document = {"address": "data.aws_iam_policy_document.d", "mode": "data", "type": "aws_iam_policy_document", "name": "d", "values": {"json": POLICY}}  # fmt: skip
    prior = {"values": {"root_module": {"resources": [document]}}}
    said = {"policy": references("data.aws_iam_policy_document.d.json", "data.aws_iam_policy_document.d")}  # fmt: skip
    for policy, declared in ((POLICY, {KEY: {"/policy": json.loads(POLICY)}}), (WIDE, {})):
        data = plan(key({"policy": policy}, expressions=said), prior_state=prior)
        assert expected(told(tmp_path, data)) == declared


STAGING = {"environment": {"value": "staging"}, "account": {"value": "111111111111"}, "conf": {"value": {"policy": None, "name": "staging"}},
           "doc": {"value": {"Version": "2012-10-17"}}}  # fmt: skip
DATA = ("data.aws_iam_policy_document.d.json", "data.aws_iam_policy_document.d")
ME = ("data.aws_caller_identity.me.account_id", "data.aws_caller_identity.me")


@pytest.mark.parametrize(
    "names",
    [
        ("var.environment",), ("var.account",), ("var.doc",), ("var.conf",), ('var.conf["policy"]', "var.conf"), ("var.environment", *DATA),
        (*ME, *DATA), ME, ("aws_sns_topic.t",), ("aws_sns_topic.t", *DATA), (*DATA, "data.aws_iam_policy_document.e.json", "data.aws_iam_policy_document.e"),
    ],
)  # fmt: skip
def test_what_a_condition_only_asks_about_declares_nothing(tmp_path: Path, names: tuple[str, ...]) -> None:  # fmt: skip
    """Code comes to null, somebody has set a policy that has in it whatever code refers to."""
    theirs = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "staging", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "arn:aws:kms:eu-west-1:111111111111:staging"},
        {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "kms:*", "Resource": "*"},
    ]})  # fmt: skip
    documents = [
        {"address": "data.aws_iam_policy_document.d", "mode": "data", "type": "aws_iam_policy_document", "name": "d", "values": {"json": WIDE}},
        {"address": "data.aws_caller_identity.me", "mode": "data", "type": "aws_caller_identity", "name": "me", "values": {"account_id": "111111111111"}},
    ]  # fmt: skip
    data = plan(
        key({"policy": theirs}, expressions={"policy": references(*names)}), variables=STAGING,
        prior_state={"values": {"root_module": {"resources": documents}}},
    )  # fmt: skip
    found = told(tmp_path, data)
    assert (expected(found), "policy" in found.not_compared["aws_kms_key.k"]) == ({}, True)
    assert expected(told(tmp_path, data, sets=("*.policy",))) == {KEY: {"/policy": json.loads(theirs)}}  # fmt: skip


SSH_BLOCK = {name: {"constant_value": value} for name, value in OPEN.items()}
OFFICE = OPEN | {"cidr_blocks": ["10.0.0.0/8"], "self": False, "description": ""}


@pytest.mark.parametrize(
    ("blocks", "planned", "declared"),
    [
        ([SSH_BLOCK], [OPEN], True),
        ([SSH_BLOCK, SSH_BLOCK], [OPEN], True),  # a set
        ([SSH_BLOCK | {"cidr_blocks": references("var.office")}], [OFFICE], True),
        ([SSH_BLOCK | {"cidr_blocks": references("var.others")}, SSH_BLOCK], [OFFICE, OPEN], True),
        ([SSH_BLOCK], [OFFICE], False),
        ([SSH_BLOCK], [OPEN, OFFICE], False),
        ([SSH_BLOCK], [OPEN | {"self": True}], False),
        ([SSH_BLOCK | {"cidr_blocks": references("var.office")}], [OPEN], False),
        ([SSH_BLOCK | {"cidr_blocks": references("var.office")}], [OFFICE, OPEN], False),
    ],
)  # fmt: skip
def test_blocks_that_are_not_those_of_code_declare_nothing(tmp_path: Path, blocks: list[Any], planned: list[Any], declared: bool) -> None:  # fmt: skip
    """ignore_changes, or a dynamic block beside them."""
    one = resource("aws_security_group", "g", {"arn": GROUP, "id": "sg-1", "name": "g", "ingress": planned}, "ingress", expressions={"ingress": blocks})  # fmt: skip
    data = plan(one, variables={"office": {"value": ["10.0.0.0/8"]}, "others": {"value": {"a": "10.0.0.0/8"}}})  # fmt: skip
    found = told(tmp_path, data)
    assert (GROUP in expected(found), "ingress" in found.not_compared.get("aws_security_group.g", "")) == (declared, not declared)  # fmt: skip


def test_a_key_in_an_escape_of_terraform_is_no_reason_to_refuse_a_plan(tmp_path: Path) -> None:
    data = plan(key({"enable_key_rotation": True}, expressions={"policy": references("each.value")}))  # fmt: skip
    for one in (data["planned_values"]["root_module"]["resources"], data["resource_changes"]):
        one[0]["address"] += '["\\U000e0001"]'
    assert expected(told(tmp_path, data)) == {KEY: {"/rotation/KeyRotationEnabled": True}}


def test_an_unread_rule_makes_its_group_unknown(tmp_path: Path) -> None:
    rule = {"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_ipv4": "10.0.0.0/8"}  # fmt: skip
    way = "aws_vpc_security_group_ingress_rule"
    for more in ({"sensitive_values": {"cidr_ipv4": True}}, {"expressions": {"cidr_ipv4": {"constant_value": "192.0.2.0/24"}}},
                 {"drift": {"before": rule | {"cidr_ipv4": "192.0.2.0/24"}, "after": rule}}):  # fmt: skip
        found = told(tmp_path, plan(group(), resource(way, "r", rule, **more)), claims=True)
        assert expected(found) == {GROUP: {"/group/IpPermissionsEgress": []}}
        assert "cidr_ipv4" in found.not_compared[f"{way}.r"]


def test_rules_that_are_said_to_be_all(tmp_path: Path) -> None:
    rule = {"security_group_id": "sg-1", "id": "sgr-1", "ip_protocol": "47", "cidr_ipv4": "10.0.0.0/8"}  # fmt: skip
    exclusive = "aws_vpc_security_group_rules_exclusive"
    all_ = {"security_group_id": "sg-1", "ingress_rule_ids": ["sgr-1"], "egress_rule_ids": ["sgr-9"]}  # fmt: skip
    found = told(tmp_path, plan(
        group(), resource("aws_vpc_security_group_ingress_rule", "r", rule), resource(exclusive, "x", all_)
    ))  # fmt: skip
    [(uid, expect)] = expected(found).items()
    reality = {"group": {"IpPermissions": [{"IpProtocol": "47", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}}  # fmt: skip
    assert (uid, list(expect), list(differences(expect, reality))) == (GROUP, ["/group/IpPermissions"], [])  # fmt: skip
    assert "it names other rules" in found.not_compared[f"{exclusive}.x"]


def test_every_way_to_give_a_role_policies(tmp_path: Path) -> None:
    name, arn = "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111111111111:policy/team/own"  # fmt: skip
    shared = resource("aws_iam_policy_attachment", "s", {"name": "s", "roles": ["r"], "users": ["nobody"], "policy_arn": arn})  # fmt: skip
    one = resource("aws_iam_role_policy_attachment", "o", {"role": "r", "policy_arn": name})
    inline = resource("aws_iam_role_policy", "i", {"role": "r", "name": "a/b", "policy": POLICY})
    names = {"role_name": "r", "policy_names": ["a/b"]}
    exclusive = resource("aws_iam_role_policies_exclusive", "x", names)
    found = told(tmp_path, plan(role(), shared, one, inline, exclusive))
    assert expected(found)[ROLE]["/inline_policies"] == {"a/b": json.loads(POLICY)}
    assert "/attached_policies" not in expected(found)[ROLE]
    found = told(tmp_path, plan(role(), shared, one, inline), claims=True)
    assert [p["PolicyName"] for p in expected(found)[ROLE]["/attached_policies"]] == ["own", "ReadOnlyAccess"]  # fmt: skip
    assert "nobody is not in this workspace" in found.not_compared["aws_iam_policy_attachment.s"]
    assert expected(told(tmp_path, plan(role(), inline)))[ROLE]["/inline_policies/a~1b"] == json.loads(POLICY)  # fmt: skip
    more = resource("aws_iam_role_policies_exclusive", "x", names | {"policy_names": ["a/b", "c"]})
    found = told(tmp_path, plan(role(), inline, more))
    assert "/inline_policies" not in expected(found)[ROLE]
    assert "not every policy" in found.not_compared["aws_iam_role.r"]
    hidden = inline | {"sensitive_values": {"policy": True}}
    found = told(tmp_path, plan(role(), hidden, one), claims=True)
    assert expected(found)[ROLE].keys() == {"/role/AssumeRolePolicyDocument", "/attached_policies"}
    assert "sensitive" in found.not_compared["aws_iam_role_policy.i"]


@pytest.mark.parametrize("kind", ["user", "group"])
def test_users_and_groups_as_roles(tmp_path: Path, kind: str) -> None:
    arn = f"arn:aws:iam::111111111111:{kind}/a"
    owner = resource(f"aws_iam_{kind}", "a", {"arn": arn, "id": "a", "name": "a"})
    policy = resource(f"aws_iam_{kind}_policy", "p", {kind: "a", "name": "p", "policy": POLICY})
    exclusive = resource(f"aws_iam_{kind}_policy_attachments_exclusive", "x", {f"{kind}_name": "a", "policy_arns": []})  # fmt: skip
    found = told(tmp_path, plan(owner, policy, exclusive))
    assert expected(found) == {arn: {"/inline_policies/p": json.loads(POLICY), "/attached_policies": []}}  # fmt: skip


@pytest.mark.parametrize(
    ("providers", "right"),
    [(("aws", "aws.b", "aws.b"), "222222222222"), (("aws", "aws.b", "aws"), "111111111111"), (("aws", "aws.b", "module.m:aws"), ""),
     (("aws", "aws", "aws"), "")],
)  # fmt: skip
def test_a_policy_goes_to_the_role_of_its_own_account(
    tmp_path: Path, providers: tuple[str, str, str], right: str
) -> None:
    other = "arn:aws:iam::222222222222:role/r"
    found = told(tmp_path, plan(
        role(provider=providers[0]), role(arn=other, label="s", provider=providers[1]),
        resource("aws_iam_role_policy", "p", {"role": "r", "name": "p", "policy": POLICY}, provider=providers[2]),
    ))  # fmt: skip
    whose = [uid.split(":")[4] for uid, expect in expected(found).items() if "/inline_policies/p" in expect]  # fmt: skip
    assert whose == ([right] if right else [])
    assert ("in which account" in found.not_compared.get("aws_iam_role_policy.p", "")) is not bool(right)  # fmt: skip


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-gov-east-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eu-central-1", "aws"), ("us-iso-east-1", "aws-iso"), ("eusc-de-east-1", "aws-eusc")],
)  # fmt: skip
def test_a_bucket_of_another_workspace_is_in_the_partition_of_its_region(
    tmp_path: Path, region: str, partition: str
) -> None:
    block = resource("aws_s3_bucket_public_access_block", "b", {"bucket": "b", "block_public_acls": True})  # fmt: skip
    data = plan(block)
    data["configuration"]["provider_config"]["aws"]["expressions"]["region"]["constant_value"] = region  # fmt: skip
    found = told(tmp_path, data)
    assert (list(expected(found)), found.not_compared) == ([f"arn:{partition}:s3:::b"], {})
    data["configuration"]["provider_config"]["aws"]["expressions"]["region"] = references("var.region")  # fmt: skip
    assert list(expected(told(tmp_path, data | {"variables": {"region": {"value": region}}}))) == [f"arn:{partition}:s3:::b"]  # fmt: skip
    block["values"]["region"] = region
    elsewhere = told(tmp_path, plan(block | {"provider": "aws.unknown"}))
    assert list(expected(elsewhere)) == [f"arn:{partition}:s3:::b"]


def test_a_partition_that_nothing_shows_is_said_to_be_taken(tmp_path: Path) -> None:
    data = plan(resource("aws_s3_bucket_logging", "b", {"bucket": "b", "target_bucket": "logs"}, provider="x"))  # fmt: skip
    found = told(tmp_path, data, partition="aws-cn")
    assert list(expected(found)) == ["arn:aws-cn:s3:::b"]
    assert "taken as aws-cn (--partition)" in found.not_compared["aws_s3_bucket_logging.b"]
    gov = resource("aws_kms_key", "k", {"arn": KEY.replace("aws", "aws-us-gov", 1), "enable_key_rotation": True}, provider="y")  # fmt: skip
    both = told(tmp_path, plan(*(dict(one) for one in (gov, key({"enable_key_rotation": True}))),
                               resource("aws_s3_bucket_logging", "b", {"bucket": "b", "target_bucket": "logs"}, provider="x")))  # fmt: skip
    assert "in which partition" in both.not_compared["aws_s3_bucket_logging.b"]


def test_two_who_say_different_things_of_one_place(tmp_path: Path) -> None:
    bucket = resource("aws_s3_bucket", "b", BUCKET)
    on, off = (resource("aws_s3_bucket_versioning", word.lower(), {"bucket": "b", "versioning_configuration": [{"status": word}]})
               for word in ("Enabled", "Suspended"))  # fmt: skip
    found = told(tmp_path, plan(bucket, on, off))
    assert expected(found) == {}
    assert "another thing" in found.not_compared["aws_s3_bucket_versioning.enabled"]
    assert "another thing" in found.not_compared["aws_s3_bucket_versioning.suspended"]
    third = on | {"address": "aws_s3_bucket_versioning.third"}
    assert expected(told(tmp_path, plan(bucket, on, off, third))) == {}
    assert list(expected(told(tmp_path, plan(bucket, on, third)))) == ["arn:aws:s3:::b"]


@pytest.mark.parametrize(
    ("one", "place", "reality"),
    [
        (resource("aws_sqs_queue", "q", {"arn": QUEUE, "kms_master_key_id": ""}), "/attributes/KmsMasterKeyId", {"attributes": {"KmsMasterKeyId": "k"}}),
        (resource("aws_sqs_queue", "q", {"arn": QUEUE, "policy": ""}), "/attributes/Policy", {"attributes": {"Policy": json.loads(WIDE)}}),
        (resource("aws_cloudwatch_log_group", "l", {"arn": "arn:x", "retention_in_days": 0}), "/group/retentionInDays", {"group": {"retentionInDays": 1}}),
        (resource("aws_security_group", "g", {"arn": GROUP, "ingress": []}), "/group/IpPermissions", {"group": {"IpPermissions": [{"IpProtocol": "-1"}]}}),
        (resource("aws_s3_bucket_versioning", "v", BUCKET | {"versioning_configuration": [{"status": "Disabled"}]}), "/versioning/Status",
         {"versioning": {"Status": "Enabled"}}),
        (resource("aws_iam_role", "r", {"arn": ROLE, "name": "r", "managed_policy_arns": []}), "/attached_policies",
         {"attached_policies": [{"PolicyArn": "a", "PolicyName": "a"}]}),
    ],
)  # fmt: skip
def test_what_code_empties_is_expected_to_be_empty(
    tmp_path: Path, one: dict[str, Any], place: str, reality: dict[str, Any]
) -> None:
    [record] = told(tmp_path, plan(one)).records
    expect = {place: record.expect[place]}
    part = place.split("/")[1]
    assert len(list(differences(expect, reality))) == 1
    nothings: tuple[Any, ...] = (None, {}, [], "")
    for empty in nothings:
        assert list(differences(expect, {part: empty})) == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"errored": True}, "errored"), ({"complete": False}, "complete"), ({"deferred_changes": [{"reason": "unknown"}]}, "deferred"),
        ({"resource_changes": []}, "did not look"), ({"resource_changes": None, "resource_drift": None}, "did not look"),
        ({"configuration": {"root_module": {}}}, "its configuration has not"),
        ({"planned_values": {}, "resource_changes": []}, "the plan has not"),
        ({"planned_values": {}, "complete": None}, "the plan has not"),
    ],
)  # fmt: skip
def test_what_makes_a_plan_not_whole(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    found = told(tmp_path, plan(key({"enable_key_rotation": True}), **changed))
    assert any(why in reason for reason in found.partial), found.partial
    if "plan has not" not in why and why not in ("errored", "complete", "deferred"):
        assert found.records == []


@pytest.mark.parametrize(
    "actions", [["create"], ["update"], ["delete"], ["delete", "create"], ["create", "delete"], ["forget"]]
)  # fmt: skip
def test_pending_changes(tmp_path: Path, actions: list[str]) -> None:
    found = told(tmp_path, plan(key({"enable_key_rotation": True}, change={"actions": actions})))
    assert "aws_kms_key.k" in found.partial[0]
    assert "/".join(actions) in found.partial[0]


def test_a_plan_of_which_values_were_cut_off_is_not_whole(tmp_path: Path) -> None:
    """Else all that it does not have would have ended."""
    cuts: list[Any] = [{}, None, {"root_module": {}}, {"root_module": {"resources": []}}]
    for cut in cuts:
        found = told(tmp_path, plan(key({"enable_key_rotation": True})) | {"planned_values": cut})
        assert any("planned_values do not have aws_kms_key.k" in why for why in found.partial)


def test_a_format_that_is_not_known_is_refused(tmp_path: Path) -> None:
    for version in ("0.2", "1.2", "1.99"):
        assert expected(told(tmp_path, plan(key({"enable_key_rotation": True}), format_version=version)))  # fmt: skip
    with pytest.raises(UserError, match=r"format_version 2\.0"):
        told(tmp_path, plan(key({"enable_key_rotation": True}), format_version="2.0"))


def test_what_code_sets_and_the_plan_has_no_value_of(tmp_path: Path) -> None:
    """Cut off, or known only after apply: nothing is expected to be empty by that."""
    found = told(tmp_path, plan(key({}, expressions={"enable_key_rotation": references("aws_x.y.z")})))  # fmt: skip
    assert found.records == []
    assert found.not_compared["aws_kms_key.k"] == "the plan has no value of it: enable_key_rotation"


def test_a_resource_whose_code_may_be_absent(tmp_path: Path) -> None:
    """One that is counted to none, or made only where a newer Terraform's meta argument says so, is not missing."""
    data = plan(key({"enable_key_rotation": True}))
    data["configuration"]["root_module"]["resources"].append(
        {"address": "aws_kms_key.none", "mode": "managed", "type": "aws_kms_key", "name": "none", "expressions": {}}
    )  # fmt: skip
    assert told(tmp_path, data).partial == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_plan_as_a_windows_shell_writes_it(tmp_path: Path, encoding: str) -> None:
    data = json.dumps(plan(key({"enable_key_rotation": True}))).encode(encoding)
    assert list(expected(told(tmp_path, data))) == [KEY]


def test_the_older_form_of_a_plan(tmp_path: Path) -> None:
    """Terraform 0.12 to 1.0: no marks, no word on being whole, blocks in place of attributes not in the configuration."""
    data = plan(group(), key({"enable_key_rotation": True}))
    for name in ("complete", "errored", "resource_drift"):
        del data[name]
    for one in data["planned_values"]["root_module"]["resources"]:
        del one["sensitive_values"]
    found = told(tmp_path, data)
    assert (found.partial, list(expected(found))) == ([], [KEY])
    assert "ingress" in found.not_compared["aws_security_group.g"]
