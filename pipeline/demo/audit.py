"""Audit events for calls to the simulated AWS: SYNTHETIC, generated from the SDK's requests and responses, not
AWS's own output. Shares no mapping with the parser.

Known differences from AWS: no ordering and no delay; EC2 responses have `_return` as in AWS; only Lambda has versioned names."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

READ = re.compile(r"^(Get|List|Describe|Head|BatchGet|Lookup|Search|Assume)")
SECRET = re.compile(r"(?i)password|secret|plaintext")
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
VERSIONED = {"CreateFunction": "CreateFunction20150331", "UpdateFunctionConfiguration": "UpdateFunctionConfiguration20150331v2",
             "AddPermission": "AddPermission20150331v2", "DeleteFunction": "DeleteFunction20150331"}  # fmt: skip
NAMES = {
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock", ("s3", "DeletePublicAccessBlock"): "DeleteBucketPublicAccessBlock",
    ("s3control", "PutPublicAccessBlock"): "PutAccountPublicAccessBlock",
    ("s3control", "DeletePublicAccessBlock"): "DeleteAccountPublicAccessBlock",
}  # fmt: skip
"""S3 operations whose names differ in CloudTrail."""
SOURCES = {"s3control": "s3", "elbv2": "elasticloadbalancing", "cloudwatch": "monitoring", "stepfunctions": "states"}  # fmt: skip
GLOBAL = {"iam", "cloudfront", "route53", "organizations"}

Sink = Callable[[dict[str, Any]], None]


def user(name: str, account: str) -> dict[str, Any]:
    """The identity of an IAM user."""
    return {
        "type": "IAMUser", "principalId": f"AIDA{name.upper()}", "arn": f"arn:aws:iam::{account}:user/{name}", "accountId": account,
        "accessKeyId": f"AKIA{name.upper():X<16.16}", "userName": name,
    }  # fmt: skip


STRANGER = {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}
"""The identity of an anonymous caller."""


class Recorder:
    """Creates an event for every call that a session makes from now on (including reads that are `wanted`)."""

    def __init__(self, session: Any, account: str, identity: dict[str, Any], sink: Sink, wanted: frozenset[str] = frozenset()) -> None:  # fmt: skip
        self.account, self.identity, self.sink, self.wanted = account, identity, sink, wanted
        self.agent = "aws-cli/2.31.0"
        events = session.events
        events.register("provide-client-params.*.*", self._before)
        events.register("after-call.*.*", self._after)

    def _before(self, params: Any, context: Any, **_: Any) -> None:
        context["audit"] = params

    def _after(self, http_response: Any, parsed: Any, model: Any, context: Any, **_: Any) -> None:
        if READ.match(model.name) and model.name not in self.wanted:
            return
        service = model.service_model.service_name
        if service in ("events", "sqs") and model.name in ("PutEvents", "ReceiveMessage", "SendMessage", "DeleteMessageBatch"):  # fmt: skip
            return
        region = context.get("client_region") or "us-east-1"
        error = parsed.get("Error", {}) if http_response.status_code >= 300 else {}
        answer = {k: v for k, v in parsed.items() if k not in ("ResponseMetadata", "Error")}
        request = _s3(context.get("audit") or {}) if service == "s3" else context.get("audit") or {}
        data = model.name == "GetObject"
        record = {
            "eventVersion": "1.11", "userIdentity": self.identity, "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{SOURCES.get(service, service)}.amazonaws.com",
            "eventName": VERSIONED.get(model.name) or NAMES.get((service, model.name), model.name),
            "awsRegion": "us-east-1" if service in GLOBAL else region, "sourceIPAddress": "192.0.2.7", "userAgent": self.agent,
            "requestParameters": _shaped(request, service) or None, "responseElements": None if data or error else _shaped(answer, service) or None,
            "requestID": uuid.uuid4().hex, "eventID": str(uuid.uuid4()), "readOnly": bool(READ.match(model.name)),
            "eventType": "AwsApiCall", "managementEvent": not data, "recipientAccountId": self.account,
            "eventCategory": "Data" if data else "Management",
        }  # fmt: skip
        if error:
            record |= {"errorCode": error.get("Code"), "errorMessage": error.get("Message")}
        self.sink(record)


def _s3(params: dict[str, Any]) -> dict[str, Any]:
    return {("bucketName" if key == "Bucket" else key): value for key, value in params.items() if key != "Body"}  # fmt: skip


def _shaped(value: Any, service: str) -> Any:
    """Converts parameters: keys begin in lower case, EC2 wraps lists, secrets are hidden, times become strings."""
    if isinstance(value, dict):
        return {_small(key): HIDDEN if SECRET.search(key) and isinstance(item, str) else _list(_shaped(item, service), service)
                for key, item in value.items() if item is not None}  # fmt: skip
    if isinstance(value, list | tuple):
        return [_shaped(item, service) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes) or hasattr(value, "read"):
        return None
    return value


EC2_IDS = {"resources": ("resourcesSet", "resourceId"), "instanceIds": ("instancesSet", "instanceId")}  # fmt: skip


def _list(value: Any, service: str) -> Any:
    if service != "ec2" or not isinstance(value, list):
        return value
    return {"items": value}


def _small(key: str) -> str:
    if key.upper() == key:
        return key.lower()
    return key[:1].lower() + key[1:]


def ec2_sets(record: dict[str, Any]) -> dict[str, Any]:
    """EC2's own names for lists of ids."""
    request = record.get("requestParameters")
    if record["eventSource"].startswith("ec2.") and isinstance(request, dict):
        for key, (name, field) in EC2_IDS.items():
            if key in request:
                ids = request.pop(key)["items"]
                request[name] = {"items": [{field: id} for id in ids]}
    return record


def to_bus(client: Any) -> Sink:
    """Sends an event through EventBridge: the simulated bus creates its envelope."""

    def put(record: dict[str, Any]) -> None:
        detail = json.dumps(ec2_sets(record))
        answer = client.put_events(Entries=[{"Source": f"aws.{record['eventSource'].partition('.')[0]}", "DetailType": "AWS API Call via CloudTrail", "Detail": detail}])  # fmt: skip
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"the bus rejected an event: {answer}")

    return put


def bus_to_queue(events: Any, sqs: Any, name: str = "driftline-events") -> str:
    """Creates a rule on the default bus that sends every call to a queue; returns the queue's URL."""
    url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]  # fmt: skip
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [{"prefix": "aws."}], "detail-type": ["AWS API Call via CloudTrail"]}))  # fmt: skip
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url
