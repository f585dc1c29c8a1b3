"""Turns findings of other AWS services (GuardDuty, Inspector, Security Hub) into changes. Detections use them; they request
no reads. Pure.

Shapes: the EventBridge pages of the user guides of GuardDuty, Inspector and Security Hub."""

from collections.abc import Iterator, Mapping
from typing import Any

from driftline.collectors.aws.events.names import kept
from driftline.collectors.aws.events.record import MOST_BYTES, MOST_RESOURCES
from driftline.collectors.aws.places import places
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Actor, Change
from driftline.pipeline.records import codec

OWN_PRODUCT = "Driftline"
"""Driftline's own findings, which Security Hub sends back."""
SERVICES = {
    "GuardDuty Finding": "guardduty", "Inspector2 Finding": "inspector", "Security Hub Findings - Imported": "securityhub",
}  # fmt: skip


@codec.one_record("a finding")
def changes(document: Mapping[str, Any], redactor: Redactor, source: str) -> list[Change]:
    """Returns the changes of an EventBridge event with findings: one for each resource, all with the same id.

    Raises Malformed."""
    return [
        Change.model_validate(one | {"source": source, "raw": redactor.event(one["raw"], places())})
        for one in _BY_TYPE[str(document["detail-type"])](document, document["detail"])
    ]


def _base(document: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the common fields. The time is that of the report; the activity may be hours older."""
    service = SERVICES[str(document["detail-type"])]
    size = len(str(raw))
    return {
        "provider": "aws", "account": str(document["account"]), "region": str(document["region"]), "kind": "reported",
        "service": f"{service}.amazonaws.com", "occurred_at": document["time"], "outcome": "success",
        "actor": Actor(id=f"{service}.amazonaws.com", type="service", tool="service"),
        "raw": codec.fits(dict(raw)) if size <= MOST_BYTES else {"omitted": True, "originalSize": size},
    }  # fmt: skip


def _guardduty(document: Mapping[str, Any], detail: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    base = _base(document, detail)
    account, region = str(detail.get("accountId") or base["account"]), str(detail.get("region") or base["region"])  # fmt: skip
    severity = float(detail["severity"])
    base |= {
        "account": account, "region": region, "action": str(detail["type"]),
        "id": f"guardduty:{detail['id']}:{int(severity)}",  # repeated while the activity continues
        "source_ip": _remote(detail.get("service") or {}),
    }  # fmt: skip
    partition = str(detail.get("partition") or "aws")
    resource = detail.get("resource") or {}
    if actor := _whose_key(resource.get("accessKeyDetails"), account, partition):
        base["actor"] = actor
    uids = list(_guarded(resource, f"arn:{partition}", account, region))
    if actor and not uids:
        uids = [actor.id]
    yield from _each(base, uids)


def _guarded(resource: Mapping[str, Any], arn: str, account: str, region: str) -> Iterator[str]:
    if id := (resource.get("instanceDetails") or {}).get("instanceId"):
        yield f"{arn}:ec2:{region}:{account}:instance/{id}"
    for bucket in resource.get("s3BucketDetails") or ():
        yield bucket.get("arn") or f"{arn}:s3:::{bucket['name']}"
    names = (("eksClusterDetails", "arn"), ("ecsClusterDetails", "arn"), ("lambdaDetails", "functionArn"),
             ("rdsDbInstanceDetails", "dbInstanceArn"))  # fmt: skip
    for part, name in names:
        if uid := (resource.get(part) or {}).get(name):
            yield uid


def _whose_key(key: Any, account: str, partition: str) -> Actor | None:
    """Returns the actor whose credential was used, in the form of CloudTrail."""
    if not isinstance(key, dict) or not key.get("userName"):
        return None
    name, type_ = str(key["userName"]), str(key.get("userType") or "")
    if type_ == "Root":
        return Actor(id=f"arn:{partition}:iam::{account}:root", type="root", name=name, account=account)  # fmt: skip
    if type_ == "IAMUser":
        return Actor(id=f"arn:{partition}:iam::{account}:user/{name}", type="user", name=name, account=account)  # fmt: skip
    if type_ in ("AssumedRole", "Role"):
        return Actor(id=f"arn:{partition}:iam::{account}:role/{name}", type="role", name=name, account=account)  # fmt: skip
    return None


def _remote(service: Mapping[str, Any]) -> str | None:
    """Returns the remote address."""
    for action in (service.get("action") or {}).values():
        if isinstance(action, dict) and (address := (action.get("remoteIpDetails") or {}).get("ipAddressV4")):  # fmt: skip
            return str(address)
    return None


def _inspector(document: Mapping[str, Any], detail: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if detail.get("status") != "ACTIVE":
        return
    base = _base(document, detail)
    account = str(detail.get("awsAccountId") or base["account"])
    flaw = (detail.get("packageVulnerabilityDetails") or {}).get("vulnerabilityId")
    base |= {
        "account": account, "action": str(flaw or detail["title"]),
        "id": f"inspector:{detail['findingArn']}:{detail['severity']}",
    }  # fmt: skip
    uids = []
    for one in detail["resources"]:
        id, region = str(one["id"]), one.get("region") or base["region"]
        if id.startswith("i-"):
            id = f"arn:{one.get('partition') or 'aws'}:ec2:{region}:{account}:instance/{id}"
        elif ":repository/" in id:
            id = id.partition("/sha256:")[0]
        uids.append(id)
    yield from _each(base, uids)


def _security_hub(document: Mapping[str, Any], detail: Mapping[str, Any]) -> Iterator[dict[str, Any]]:  # fmt: skip
    for finding in detail["findings"]:
        over = (
            finding.get("RecordState") == "ARCHIVED"
            or (finding.get("Workflow") or {}).get("Status") in ("RESOLVED", "SUPPRESSED")
            or (finding.get("Compliance") or {}).get("Status") == "PASSED"
        )
        if over or finding.get("ProductName") == OWN_PRODUCT:
            continue
        base = _base(document, finding)
        label = (finding.get("Severity") or {}).get("Label")
        base |= {
            "account": str(finding["AwsAccountId"]), "region": str(finding.get("Region") or base["region"]),
            "action": str(finding["Title"]), "id": f"securityhub:{finding['Id']}:{label}",
        }  # fmt: skip
        ids = [str(one["Id"]) for one in finding.get("Resources") or ()]
        own = [
            id
            for id in ids
            if id.startswith("arn:") and id.split(":", 5)[4:5] in ([""], [base["account"]])
        ]
        yield from _each(
            base, own
        )  # importers may name any resource; only those of their own account count


def _each(base: dict[str, Any], uids: list[str]) -> Iterator[dict[str, Any]]:
    found = sorted({kept(uid) for uid in uids})
    if len(found) > MOST_RESOURCES:
        raise Malformed(f"a finding about more than {MOST_RESOURCES} resources")
    for uid in found or [f"account:aws:{base['account']}"]:
        yield base | {"uid": uid, "resources": found}


_BY_TYPE = {
    "GuardDuty Finding": _guardduty, "Inspector2 Finding": _inspector, "Security Hub Findings - Imported": _security_hub,
}  # fmt: skip
