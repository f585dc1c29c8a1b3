"""Maps AWS Config items to the shapes of the rows: a table of the parts whose mapping is verified by a test.

Parts that an item lacks, or has in an unknown form, are not covered, and never treated as absent."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

import jmespath  # type: ignore[import-untyped]

from driftline.collectors.aws.api.partitions import DEFAULT, of_region
from driftline.collectors.aws.files.account_block import BLOCK, OWN
from driftline.collectors.aws.row import kinds
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Part, Snapshot, Unread, rfc3339
from driftline.pipeline.records import codec

DELETED = {"ResourceDeleted", "ResourceDeletedNotRecorded"}
RECORDED = {"OK", "ResourceDiscovered"}
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$")


class Unmapped(Exception):
    """An unknown form of a part."""


def document(value: Any) -> Any:
    """Decodes a policy that Config stored as text, plain or percent-encoded. Raises Malformed."""
    if not isinstance(value, str):
        return value
    return codec.decode(
        (unquote(value) if value.startswith("%7B") else value).encode(errors="surrogatepass")
    )


def opened(value: Any) -> Any:
    """Decodes a value that Config stored as an object, or as text encoded once or twice. Raises Malformed."""
    while isinstance(value, str):
        value = codec.decode(value.encode(errors="surrogatepass"))
    return value


def api(value: Any) -> Any:
    """Restores a response: Config writes names with a lower-case first letter (groupId) and unset values as null."""
    if isinstance(value, dict):
        return {
            key[:1].upper() + key[1:]: api(item) for key, item in value.items() if item is not None
        }
    if isinstance(value, list):
        return [api(item) for item in value]
    return _time(value)


def _time(value: Any) -> Any:
    if isinstance(value, str) and _TIME.match(value):
        return rfc3339(datetime.fromisoformat(value.replace("Z", "+00:00")))
    return value


def bucket(item: dict[str, Any]) -> Any:
    own = opened(item["configuration"])
    return {
        "Name": own["name"],
        "CreationDate": _time(own["creationDate"]),
        "BucketRegion": item["awsRegion"],
    }


def versioning(value: dict[str, Any]) -> Any:
    out = {} if value["status"] == "Off" else {"Status": value["status"]}
    mfa = value.get("isMfaDeleteEnabled")
    return out if mfa is None else out | {"MFADelete": "Enabled" if mfa else "Disabled"}


def encryption(value: dict[str, Any]) -> Any:
    rules = []
    for rule in value["rules"]:
        default = rule.get("applyServerSideEncryptionByDefault") or {}
        chosen = {
            "SSEAlgorithm": default.get("sseAlgorithm"),
            "KMSMasterKeyID": default.get("kmsMasterKeyID"),
        }
        key = {"BucketKeyEnabled": rule["bucketKeyEnabled"]} if "bucketKeyEnabled" in rule else {}
        rules.append(
            {"ApplyServerSideEncryptionByDefault": {k: v for k, v in chosen.items() if v}} | key
        )
    return {"Rules": rules}


def logging(value: dict[str, Any]) -> Any:
    if value["destinationBucketName"] is None:
        return None
    return {
        "TargetBucket": value["destinationBucketName"],
        "TargetPrefix": value["logFilePrefix"] or "",
    }


def policy(value: dict[str, Any]) -> Any:
    return document(value["policyText"]) or None


GROUPS = {
    name: f"http://acs.amazonaws.com/groups/{name}"
    for name in ("global/AllUsers", "global/AuthenticatedUsers", "s3/LogDelivery")
}
"""S3 groups, which Config writes as the last segment of their name in place of a grantee."""


def acl(value: dict[str, Any]) -> Any:
    """Of canonical users and of S3's own groups."""
    words = {
        "FullControl": "FULL_CONTROL",
        "Read": "READ",
        "Write": "WRITE",
        "ReadAcp": "READ_ACP",
        "WriteAcp": "WRITE_ACP",
    }
    grants = []
    for grant in value["grantList"] or []:
        grantee, permission = grant["grantee"], grant["permission"]
        if permission not in words:
            raise Unmapped
        grants.append({"Grantee": _grantee(grantee), "Permission": words[permission]})
    return {"Owner": _person(value["owner"]), "Grants": grants}


def _grantee(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and "id" in value:
        return _person(value) | {"Type": "CanonicalUser"}
    for name, uri in GROUPS.items():
        if value == name.partition("/")[2]:
            return {"Type": "Group", "URI": uri}
    raise Unmapped


def _person(value: dict[str, Any]) -> dict[str, Any]:
    named = {"DisplayName": value.get("displayName"), "ID": value["id"]}
    return {key: text for key, text in named.items() if text is not None}


def group(item: dict[str, Any]) -> Any:
    out = api(opened(item["configuration"]))
    for permission in out.get("IpPermissions", []) + out.get("IpPermissionsEgress", []):
        permission["IpRanges"] = permission.pop(
            "Ipv4Ranges"
        )  # its own ipRanges are the same as bare texts
    arn = f"arn:{item['ARN'].split(':')[1]}:ec2:{item['awsRegion']}:{item['awsAccountId']}:security-group/{out['GroupId']}"
    return out | {"SecurityGroupArn": arn}


def volume(item: dict[str, Any]) -> Any:
    return api(opened(item["configuration"]))


def no_groups(value: list[str]) -> Any:
    """Config lists a user's groups without their policies."""
    if value:
        raise Unmapped
    return {}


def inline(value: list[dict[str, Any]]) -> Any:
    return {policy["policyName"]: document(policy["policyDocument"]) for policy in value}


class Mapped(NamedTuple):
    """The source of a part: a path in the item, and the conversion to the row's shape."""

    path: str
    make: Callable[[Any], Any]
    beside: tuple[str, ...] = ()
    """Paths present in every item that Config could read completely: if they exist, a missing `path` means null."""


MORE = "supplementaryConfiguration."
MAPPINGS: dict[str, dict[str, Mapped]] = {
    "AWS::S3::Bucket": {
        "bucket": Mapped("@", bucket),
        "public_access_block": Mapped(
            MORE + "PublicAccessBlockConfiguration", api, (MORE + "BucketPolicy", MORE + "AccessControlList"),
        ),
        "encryption": Mapped(MORE + "ServerSideEncryptionConfiguration", encryption),
        "versioning": Mapped(MORE + "BucketVersioningConfiguration", versioning),
        "policy": Mapped(MORE + "BucketPolicy", policy),
        "acl": Mapped(MORE + "AccessControlList", acl),
        "logging": Mapped(MORE + "BucketLoggingConfiguration", logging),
    },
    BLOCK: {OWN: Mapped("configuration", lambda value: api(value) or None)},
    "AWS::EC2::SecurityGroup": {"group": Mapped("@", group)},
    "AWS::EC2::Volume": {"volume": Mapped("@", volume)},
    "AWS::IAM::Role": {
        "attached_policies": Mapped("configuration.attachedManagedPolicies", api),
        "inline_policies": Mapped("configuration.rolePolicyList", inline),
        "boundary": Mapped("configuration.permissionsBoundary", api, ("configuration.attachedManagedPolicies",)),
    },
    "AWS::IAM::User": {
        "attached_policies": Mapped("configuration.attachedManagedPolicies", api),
        "inline_policies": Mapped("configuration.userPolicyList", inline),
        "boundary": Mapped("configuration.permissionsBoundary", api, ("configuration.attachedManagedPolicies",)),
        "group_policies": Mapped("configuration.groupList", no_groups),
    },
}  # fmt: skip
"""Parts by type. A role's own part (its trust policy) is not included, because Config omits some of its fields."""


def parts_of(item: dict[str, Any]) -> dict[str, Any]:
    """The parts of an item; Unread for a part that cannot be decoded.

    Raises KeyError, TypeError or Malformed if the item as a whole cannot be decoded."""
    out: dict[str, Any] = {}
    item = item | {"configuration": opened(item["configuration"])}
    for part, (path, make, beside) in MAPPINGS[item["resourceType"]].items():
        try:
            value = opened(jmespath.search(path, item))
            if value is not None:
                out[part] = codec.fits(make(value))
            elif beside and all(jmespath.search(one, item) is not None for one in beside):
                out[part] = None
        except Unmapped:
            continue
        except (Malformed, KeyError, TypeError, ValueError, AttributeError, OverflowError):
            out[part] = Unread(part=part, reason="failed", code="Malformed")
    return out


def _block(item: dict[str, Any], *, gone: bool) -> dict[str, Any]:
    """What the item of an account's public access block lacks: an ARN. One that was deleted is one that is not set."""
    partition = of_region(str(item.get("awsRegion"))) or DEFAULT
    arn = f"arn:{partition}:s3::{item['awsAccountId']}:public-access-block"
    own = {"ARN": arn, "resourceName": "public-access-block", "awsRegion": "global"}
    return own | ({"configuration": {}} if gone else {})


@codec.one_record("a configuration item")
def snapshot_of(item: dict[str, Any], redactor: Redactor) -> Snapshot | None:
    """Converts a configuration item to a snapshot; None if Config does not record the resource.

    Raises Malformed for a malformed one."""
    status = item.get("configurationItemStatus", "OK")
    item = {"ARN": item.get("arn"), "awsAccountId": item.get("accountId")} | item
    if item.get("resourceType") == BLOCK and status in DELETED | RECORDED:
        item |= _block(item, gone=status in DELETED)
        status = "OK"
    if not isinstance(item["ARN"], str) or status not in DELETED | RECORDED:
        if status not in DELETED | RECORDED:
            return None
        raise Malformed("no ARN")
    for name in ("resourceType", "awsAccountId", "awsRegion", "configurationItemCaptureTime"):
        if not isinstance(item[name], str):
            raise Malformed(f"{name} is no text")
    at = datetime.fromisoformat(str(item["configurationItemCaptureTime"]).replace("Z", "+00:00"))
    deleted = status in DELETED
    found = {} if deleted else parts_of(item)
    whole = {k: v for k, v in found.items() if not isinstance(v, Unread)}
    config = redactor.config(whole, kinds()[item["resourceType"]].redact)
    return Snapshot(
        uid=item["ARN"], type=item["resourceType"], class_=kinds()[item["resourceType"]].class_, provider="aws", account=str(item["awsAccountId"]),
        region="global" if item["awsRegion"] == "global" or item["resourceType"].startswith("AWS::IAM::") else item["awsRegion"],
        name=str(item.get("resourceName") or item.get("resourceId") or ""),
        tags=redactor.tags({str(k): str(v) for k, v in (item.get("tags") or {}).items()}),
        captured_at=at, config=config, parts=[Part(name=name, captured_at=at, provided_at=at) for name in config],
        unread=[part for part in found.values() if isinstance(part, Unread)], source="import", deleted=deleted, deleted_reason="not_found" if deleted else None,
    )  # fmt: skip
