"""Audit events as AWS's user guides show them, with names and numbers of our own."""

from typing import Any

from driftline.collectors.aws.events.origin import WRITERS

ACCOUNT = "111111111111"


def event(name: str, source: str, **more: Any) -> dict[str, Any]:
    """A management event of CloudTrail by an IAM user."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": f"arn:aws:iam::{ACCOUNT}:user/ann",
            "accountId": ACCOUNT, "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": "ann",
            "sessionContext": {"attributes": {"creationDate": "2026-11-01T10:00:00Z", "mfaAuthenticated": "true"}},
        },
        "eventTime": "2026-11-01T10:00:05Z", "eventSource": f"{source}.amazonaws.com", "eventName": name,
        "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.7", "userAgent": "aws-cli/2.31.0 md/awscrt",
        "requestParameters": None, "responseElements": None, "requestID": "r-1",
        "eventID": "11111111-2222-3333-4444-555555555555", "readOnly": False, "eventType": "AwsApiCall",
        "managementEvent": True, "recipientAccountId": ACCOUNT, "eventCategory": "Management",
    } | more  # fmt: skip


OPENED = event(
    "AuthorizeSecurityGroupIngress", "ec2",
    requestParameters={"groupId": "sg-1", "ipPermissions": {"items": [
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "groups": {}, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
    ]}},
    responseElements={"requestId": "r-1", "_return": True},
)  # fmt: skip
ASSUMED = event(
    "AssumeRole", "sts", readOnly=True, sharedEventID="shared-1",
    requestParameters={"roleArn": "arn:aws:iam::222222222222:role/deploy", "roleSessionName": "ci"},
    responseElements={
        "credentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE", "sessionToken": "secret-token", "expiration": "Nov 1, 2026"},
        "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLE:ci", "arn": "arn:aws:sts::222222222222:assumed-role/deploy/ci"},
    },
)  # fmt: skip


def by_role(role: str, session: str, **context: Any) -> dict[str, Any]:
    """The identity of a session of a role."""
    return {
        "type": "AssumedRole", "principalId": f"AROAEXAMPLE:{session}", "accountId": ACCOUNT, "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/{session}",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                              "accountId": ACCOUNT, "userName": role.rpartition("/")[2]},
            "attributes": {"creationDate": "2026-11-01T10:00:00Z", "mfaAuthenticated": "false"}, **context,
        },
    }  # fmt: skip


def source_of(record: dict[str, Any], type_: str) -> str:
    """The source that AWS writes."""
    return f"aws.{WRITERS.get(type_) or str(record.get('eventSource')).partition('.')[0]}"


def bridged(record: dict[str, Any], type_: str = "AWS API Call via CloudTrail") -> dict[str, Any]:
    """EventBridge's envelope."""
    return {
        "version": "0", "id": "e-1", "detail-type": type_, "source": source_of(record, type_), "account": ACCOUNT,
        "time": "2026-11-01T10:00:06Z", "region": "eu-west-1", "resources": [], "detail": record,
    }  # fmt: skip


def noticed(message: str) -> dict[str, Any]:
    """SNS's wrapping."""
    return {
        "Type": "Notification", "MessageId": "m-1", "TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:trail",
        "Message": message, "Timestamp": "2026-11-01T10:00:06.000Z", "SignatureVersion": "1", "Signature": "x",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem", "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/",
    }  # fmt: skip


LOG = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/11/01/{ACCOUNT}_CloudTrail_eu-west-1_20261101T1005Z_abc.json.gz"


def stored(key: str = LOG, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """S3's notification."""
    return {"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": name,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": "trail", "arn": "arn:aws:s3:::trail"}, "object": {"key": key, "size": 5}},
    }]}  # fmt: skip


def item_message(kind: str = "ConfigurationItemChangeNotification", **more: Any) -> dict[str, Any]:
    """A message of AWS Config."""
    item = {
        "configurationItemStatus": "OK", "resourceType": "AWS::EC2::Volume", "resourceId": "vol-1", "awsRegion": "eu-west-1",
        "awsAccountId": ACCOUNT, "ARN": f"arn:aws:ec2:eu-west-1:{ACCOUNT}:volume/vol-1", "configuration": {"volumeId": "vol-1"},
        "configurationItemCaptureTime": "2026-11-01T10:00:00.000Z",
    }  # fmt: skip
    return {"messageType": kind, "recordVersion": "1.3", "configurationItem": item, "configurationItemDiff": None} | more  # fmt: skip
