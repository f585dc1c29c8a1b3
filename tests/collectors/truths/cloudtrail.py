"""Trails, and what an account's trails record together."""

from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::CloudTrail::Trail", "AWS::CloudTrail::AccountSettings"}
# one account has one answer: the module `untraced` shows the other
NEVER_FAILED = {f"cloudtrail-account-{what}-recorded" for what in ("management", "s3-writes", "s3-reads")}  # fmt: skip
NEVER_PASSED: set[str] = set()

GROUP = f"arn:aws:logs:us-east-1:{MASTER}:log-group:trail:*"
OBJECTS = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]


def build(moto: Moto) -> Truth:
    """The one that records all is at home in eu-west-1; only that region tells its selectors."""
    moto.client("s3").create_bucket(Bucket="bare")
    logs = moto.client("logs")
    logs.create_log_group(logGroupName="trail")
    logging, proof = "cloudtrail-trail-logging", "cloudtrail-trail-log-validation"
    plain = {"cloudtrail-trail-kms-encrypted", "cloudtrail-trail-to-cloudwatch"}
    truth: Truth = {"cloudtrail": set()}

    def make(name: str, breaks: set[str], region: str = "us-east-1", *, started: bool = True, selectors: Any = None, **more: Any) -> None:  # fmt: skip
        client = moto.client("cloudtrail", region)
        wide = {"IsMultiRegionTrail": True, "EnableLogFileValidation": True}
        client.create_trail(Name=name, S3BucketName="bare", **(wide | more))
        if started:
            client.start_logging(Name=name)
        if selectors:
            client.put_event_selectors(TrailName=name, **selectors)
        truth[name] = breaks

    everything = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": OBJECTS}
    make("whole", plain, "eu-west-1", selectors={"EventSelectors": [everything]})
    role = f"arn:aws:iam::{MASTER}:role/trail"
    make("watched", {"cloudtrail-trail-kms-encrypted"}, CloudWatchLogsLogGroupArn=GROUP, CloudWatchLogsRoleArn=role)  # fmt: skip
    key = moto.client("kms").create_key()["KeyMetadata"]["Arn"]
    make("sealed", {"cloudtrail-trail-to-cloudwatch"}, KmsKeyId=key)
    make("one-region", plain | {logging}, IsMultiRegionTrail=False)
    make("stopped", plain | {logging, proof}, started=False, EnableLogFileValidation=False)
    writes = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}
    make("writes", plain | {logging}, selectors={"EventSelectors": [writes]})
    data = [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]  # fmt: skip
    make("data-only", plain, "eu-west-1", selectors={"AdvancedEventSelectors": [{"FieldSelectors": data}]})  # fmt: skip
    return truth
