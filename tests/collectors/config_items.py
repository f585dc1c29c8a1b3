"""The resources of tests/collectors/recorded as AWS Config writes them in a snapshot file.

Their form is the documented one: an answer's names with a lower first letter, what is not set as null, policies as
text (IAM's percent-encoded), S3's extras under supplementaryConfiguration, some of them as text."""

import json
from typing import Any
from urllib.parse import quote

ACCOUNT = "123456789012"
OPEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}  # fmt: skip
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}  # fmt: skip
OWNER = {
    "displayName": "webfile",
    "id": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a",
}
BUCKET_ACL = {
    "grantSet": None, "owner": OWNER, "isRequesterCharged": False,
    "grantList": [{"grantee": OWNER | {"displayName": None}, "permission": "FullControl"}],
}  # fmt: skip
"""As a text within a text, which is how Config writes this one."""


def _item(type_: str, arn: str, region: str, name: str, configuration: Any, more: Any, tags: Any) -> dict[str, Any]:  # fmt: skip
    return {
        "configurationItemVersion": "1.3", "configurationItemCaptureTime": "2026-11-24T14:00:00.000Z", "configurationStateId": 1795528800000,
        "awsAccountId": ACCOUNT, "configurationItemStatus": "OK", "resourceType": type_, "resourceId": name, "resourceName": name, "ARN": arn,
        "awsRegion": region, "availabilityZone": "Regional", "tags": tags, "relatedEvents": [], "relationships": [],
        "configuration": configuration, "supplementaryConfiguration": more,
    }  # fmt: skip


def _bucket(name: str, region: str, created: str, **more: Any) -> dict[str, Any]:
    extras = {
        "AccessControlList": json.dumps(json.dumps(BUCKET_ACL)), "BucketAccelerateConfiguration": {"status": None},
        "BucketLoggingConfiguration": {"destinationBucketName": None, "logFilePrefix": None},
        "BucketNotificationConfiguration": {"configurations": {}}, "BucketPolicy": {"policyText": None},
        "BucketVersioningConfiguration": {"status": "Off", "isMfaDeleteEnabled": None}, "IsRequesterPaysEnabled": False,
    } | more.pop("extras", {})  # fmt: skip
    own = {"name": name, "owner": OWNER, "creationDate": created}
    return _item("AWS::S3::Bucket", f"arn:aws:s3:::{name}", region, name, own, extras, more.get("tags", {}))  # fmt: skip


def account_block(*switches: bool, **more: Any) -> dict[str, Any]:
    """The account's: Config gives it no ARN and no name, and writes its configuration as text."""
    names = ("blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets")
    text = json.dumps(dict(zip(names, switches, strict=True)))
    item = _item("AWS::S3::AccountPublicAccessBlock", "", "us-east-1", ACCOUNT, text, {}, {})
    return {k: v for k, v in item.items() if k not in ("ARN", "resourceName")} | {"availabilityZone": "Not Applicable"} | more  # fmt: skip


BOUNDARY = {
    kind: {"permissionsBoundaryType": type_, "permissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/reads"}
    for kind, type_ in (("user", "Policy"), ("role", "PermissionsBoundaryPolicy"))
}  # fmt: skip


def _user_or_role(kind: str, id: str, policies: str, attached: Any, inline: Any, tags: Any) -> dict[str, Any]:  # fmt: skip
    name = "full" if attached else "bare"
    configuration = {
        "path": "/", f"{kind}Name": name, f"{kind}Id": id, "arn": f"arn:aws:iam::{ACCOUNT}:{kind}/{name}", "createDate": "2026-11-24T13:24:51.000Z",
        "attachedManagedPolicies": attached, policies: inline, "permissionsBoundary": BOUNDARY[kind] if attached else None,
        "tags": [{"key": k, "value": v} for k, v in tags.items()],
    } | ({"groupList": ["people"] if attached else []} if kind == "user" else {})  # fmt: skip
    type_ = f"AWS::IAM::{kind.capitalize()}"
    item = _item(type_, str(configuration["arn"]), "global", name, configuration, {}, tags)
    return item | {"resourceId": id}


ATTACHED = [{"policyName": "everything", "policyArn": f"arn:aws:iam::{ACCOUNT}:policy/everything"}]
INLINE = [{"policyName": "own", "policyDocument": quote(json.dumps(ADMIN, separators=(",", ":")))}]


def _range(port: int | None, protocol: str, v6: list[Any]) -> dict[str, Any]:
    ports = {} if port is None else {"fromPort": port, "toPort": port}
    return ports | {
        "ipProtocol": protocol, "ipv6Ranges": v6, "prefixListIds": [], "userIdGroupPairs": [],
        "ipv4Ranges": [{"cidrIp": "0.0.0.0/0"}], "ipRanges": ["0.0.0.0/0"],
    }  # fmt: skip


def _group() -> dict[str, Any]:
    id = "sg-8e56fa7201fbf816a"
    configuration = {
        "description": "default VPC security group", "groupName": "default", "ownerId": ACCOUNT, "groupId": id, "tags": [],
        "ipPermissions": [_range(22, "tcp", [{"cidrIpv6": "::/0"}])], "ipPermissionsEgress": [_range(None, "-1", [])],
        "vpcId": "vpc-84a899a379ad98454",
    }  # fmt: skip
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:security-group/{id}"
    return _item("AWS::EC2::SecurityGroup", arn, "us-east-1", "default", configuration, {}, {}) | {"resourceId": id}  # fmt: skip


def _volume(
    id: str, size: int, created: str, attachments: list[Any], **more: Any
) -> dict[str, Any]:
    configuration = {
        "attachments": attachments, "availabilityZone": "us-east-1a", "createTime": created, "kmsKeyId": None, "outpostArn": None, "size": size,
        "snapshotId": None, "state": "available", "volumeId": id, "iops": None, "volumeType": "gp2", "fastRestored": None, "throughput": None,
    }  # fmt: skip
    arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:volume/{id}"
    item = _item("AWS::EC2::Volume", arn, "us-east-1", id, configuration | more, {}, {})
    return item | {"resourceName": None, "availabilityZone": "us-east-1a"}


_ATTACHED_VOLUME = {
    "attachTime": "2026-11-24T13:24:56.000Z", "device": "/dev/sda1", "instanceId": "i-5316e2402a9fd1754", "state": "attached",
    "volumeId": "vol-726158e8876dac384", "deleteOnTermination": None,
}  # fmt: skip

ITEMS: dict[tuple[str, str], dict[str, Any]] = {
    ("AWS::S3::Bucket", "bare"): _bucket("bare", "us-east-1", "2026-11-24T13:24:51.000Z"),
    ("AWS::S3::Bucket", "full"): _bucket(
        "full", "eu-west-1", "2026-11-24T13:24:52.000Z", tags={"env": "prod", "db-password": "hunter22"},
        extras={
            "BucketLoggingConfiguration": {"destinationBucketName": "logs", "logFilePrefix": "x/"},
            "BucketPolicy": {"policyText": json.dumps(OPEN)},
            "BucketVersioningConfiguration": {"status": "Enabled", "isMfaDeleteEnabled": None},
            "PublicAccessBlockConfiguration": {"blockPublicAcls": True, "ignorePublicAcls": True, "blockPublicPolicy": True, "restrictPublicBuckets": False},
            "ServerSideEncryptionConfiguration": {
                "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256", "kmsMasterKeyID": None}, "bucketKeyEnabled": False}]
            },
        },
    ),
    ("AWS::S3::AccountPublicAccessBlock", "public-access-block"): account_block(True, True, True, False),
    ("AWS::EC2::SecurityGroup", "default"): _group(),
    ("AWS::EC2::Volume", "vol-d3ebbf8ddc72dcd7d"): _volume(
        "vol-d3ebbf8ddc72dcd7d", 1, "2026-11-24T13:24:55.000Z", [], encrypted=True,
        kmsKeyId="arn:aws:kms:us-east-1:123456789012:key/8944e08e-68ea-4d67-b34c-b7b8e7646246",
    ),
    ("AWS::EC2::Volume", "vol-726158e8876dac384"): _volume(
        "vol-726158e8876dac384", 8, "2026-11-24T13:24:56.000Z", [_ATTACHED_VOLUME], encrypted=False, state="in-use",
    ),
    ("AWS::IAM::Role", "full"): _user_or_role("role", "AROARZPUZDIKMO77FMCJS", "rolePolicyList", ATTACHED, INLINE, {"team": "red"}),
    ("AWS::IAM::Role", "bare"): _user_or_role("role", "AROARZPUZDIKPGMAU6ASE", "rolePolicyList", [], [], {}),
    ("AWS::IAM::User", "full"): _user_or_role("user", "ivip2fc8lfo5tlya31nh", "userPolicyList", ATTACHED, INLINE, {"team": "red"}),
    ("AWS::IAM::User", "bare"): _user_or_role("user", "ofupzq8sc07pu3irzgc8", "userPolicyList", [], [], {}),
}  # fmt: skip
"""Type and name to the item."""


def config_file(*items: Any) -> bytes:
    """A snapshot file of these items."""
    return json.dumps({"fileVersion": "1.0", "configSnapshotId": "5f3d", "configurationItems": items}).encode()  # fmt: skip
