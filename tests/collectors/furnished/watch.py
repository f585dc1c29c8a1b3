"""What logs, watches, warns, hides and encrypts."""

from typing import Any

from tests.collectors.moto import MASTER, Moto

TAGS = [{"Key": "env", "Value": "prod"}]
KEY = f"arn:aws:kms:us-east-1:{MASTER}:key/11111111-2222-3333-4444-555555555555"


def furnish(moto: Moto) -> None:
    logs = moto.client("logs")
    logs.create_log_group(logGroupName="bare")
    logs.create_log_group(logGroupName="/app/full", kmsKeyId=KEY, tags={"env": "prod"})
    logs.put_retention_policy(logGroupName="/app/full", retentionInDays=365)
    _alarms(moto.client("cloudwatch"))
    events = moto.client("events")
    events.create_event_bus(Name="full", Tags=TAGS)
    events.put_permission(
        EventBusName="full",
        StatementId="other",
        Action="events:PutEvents",
        Principal="222222222222",
    )
    _trails(moto)
    _recorder(moto.client("config"))
    moto.client("guardduty").create_detector(
        Enable=True,
        FindingPublishingFrequency="FIFTEEN_MINUTES",
        Features=[{"Name": "S3_DATA_EVENTS", "Status": "ENABLED"}],
    )
    moto.client("inspector2").enable(accountIds=[MASTER], resourceTypes=["EC2", "ECR"])
    moto.client("macie2").enable_macie()
    moto.client("securityhub").enable_security_hub()


def _alarms(alarms: Any) -> None:
    plain = {
        "MetricName": "Errors", "Namespace": "AWS/Lambda", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1,
        "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    alarms.put_metric_alarm(AlarmName="bare", **plain)
    topic = f"arn:aws:sns:us-east-1:{MASTER}:full"
    alarms.put_metric_alarm(AlarmName="full", AlarmActions=[topic], Tags=TAGS, **plain)


def _trails(moto: Moto) -> None:
    moto.client("cloudtrail").put_event_selectors(
        TrailName="trail",
        EventSelectors=[
            {
                "ReadWriteType": "All",
                "IncludeManagementEvents": True,
                "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
            }
        ],
    )
    away = moto.client("cloudtrail", "eu-west-1")
    away.create_trail(Name="away", S3BucketName="bare", IsMultiRegionTrail=True)
    away.start_logging(Name="away")


def _recorder(config: Any) -> None:
    config.put_configuration_recorder(
        ConfigurationRecorder={
            "name": "default",
            "roleARN": f"arn:aws:iam::{MASTER}:role/full",
            "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
        }
    )
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": "bare"})
    config.start_configuration_recorder(ConfigurationRecorderName="default")
