"""What watches and records: us-east-1 has all of it, eu-west-1 has it off, or half of it."""

from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {
    "AWS::Config::RegionSettings", "AWS::GuardDuty::RegionSettings", "AWS::SecurityHub::RegionSettings", "AWS::Inspector2::RegionSettings",
    "AWS::Macie::RegionSettings", "AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm",
}  # fmt: skip
# one region has one detector: the module `guardduty` shows a region without
NEVER_FAILED = {"guardduty-region-enabled"}
NEVER_PASSED = {"config-region-recording"}
HALF_ANSWERED = frozenset({"AWS::Config::RegionSettings"})
"""The simulated AWS does not say what became of deliveries."""

PLANS = {
    "s3-protection": "S3_DATA_EVENTS", "eks-audit-logs": "EKS_AUDIT_LOGS", "lambda-protection": "LAMBDA_NETWORK_LOGS",
    "malware-protection": "EBS_MALWARE_PROTECTION", "rds-protection": "RDS_LOGIN_EVENTS",
}  # fmt: skip
KEY = f"arn:aws:kms:eu-west-1:{MASTER}:key/11111111-2222-3333-4444-555555555555"
ALL = {"allSupported": True, "includeGlobalResourceTypes": True}
SOME = {"allSupported": False, "resourceTypes": ["AWS::S3::Bucket"]}


def build(moto: Moto) -> Truth:
    for region, group in (("us-east-1", ALL), ("eu-west-1", SOME)):
        _recorder(moto.client("config", region), group, started=group is ALL)
        on = "ENABLED" if group is ALL else "DISABLED"
        features = [{"Name": name, "Status": on} for name in PLANS.values()]
        moto.client("guardduty", region).create_detector(Enable=True, Features=features)
    moto.client("securityhub").enable_security_hub()
    kinds = ["EC2", "ECR", "LAMBDA"]
    moto.client("inspector2").enable(accountIds=[MASTER], resourceTypes=kinds)
    moto.client("inspector2", "eu-west-1").disable(accountIds=[MASTER], resourceTypes=kinds)
    moto.client("macie2").enable_macie()
    moto.client("macie2", "eu-west-1").enable_macie(status="PAUSED")
    truth: Truth = {f"{name}@us-east-1": set() for name in ("config", "guardduty", "securityhub", "inspector", "macie")}  # fmt: skip
    return truth | {
        "config@eu-west-1": {"config-region-recording", "config-region-records-all-types"},
        "guardduty@eu-west-1": {f"guardduty-region-{plan}" for plan in PLANS},
        "securityhub@eu-west-1": {"securityhub-region-enabled"},
        "inspector@eu-west-1": {f"inspector-region-{kind.lower()}-enabled" for kind in kinds},
        "macie@eu-west-1": {"macie-region-enabled"},
    } | _groups(moto.client("logs", "eu-west-1")) | _alarms(moto.client("cloudwatch", "eu-west-1"))  # fmt: skip


def _recorder(config: Any, group: dict[str, Any], *, started: bool) -> None:
    role = f"arn:aws:iam::{MASTER}:role/config"
    config.put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": role, "recordingGroup": group})  # fmt: skip
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": "bare"})
    if started:
        config.start_configuration_recorder(ConfigurationRecorderName="default")


def _groups(logs: Any) -> Truth:
    truth: Truth = {}
    short, plain = "logs-log-group-retention", "logs-log-group-kms-encrypted"
    for name, days, key, breaks in (
        ("g-for-ever", None, None, {plain}),
        ("g-year", 365, None, {plain}),
        ("/app/g-month", 30, None, {plain, short}),
        ("g-sealed", 731, KEY, set()),
    ):
        logs.create_log_group(logGroupName=name, **({"kmsKeyId": key} if key else {}))
        if days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        truth[name] = set(breaks)
    truth["g-month"] = truth.pop("/app/g-month")
    return truth


def _alarms(alarms: Any) -> Truth:
    plain = {
        "MetricName": "Errors", "Namespace": "AWS/Lambda", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1,
        "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    topic = f"arn:aws:sns:eu-west-1:{MASTER}:alarms"
    for name, actions, on in (("a-loud", [topic], True), ("a-silenced", [topic], False), ("a-mute", [], True)):  # fmt: skip
        alarms.put_metric_alarm(AlarmName=name, AlarmActions=actions, ActionsEnabled=on, **plain)
    return {
        "a-loud": set(),
        "a-silenced": {"cloudwatch-alarm-actions-enabled"},
        "a-mute": {"cloudwatch-alarm-has-action"},
    }
