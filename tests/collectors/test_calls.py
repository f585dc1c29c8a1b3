"""What is known of calls as CloudTrail names them, by the models that botocore carries."""

import pytest

from driftline.collectors.aws import calls
from driftline.collectors.aws.events.claims import claims


@pytest.mark.parametrize(
    ("source", "event", "service"),
    [
        ("monitoring", "DeleteAlarms", "cloudwatch"), ("elasticloadbalancing", "CreateTargetGroup", "elbv2"), ("rds", "ModifyDBInstance", "rds"),
        ("lambda", "AddPermission20150331v2", "lambda"), ("s3", "PutBucketPublicAccessBlock", "s3"), ("sso", "CreatePermissionSet", "sso-admin"),
        ("states", "CreateStateMachine", "stepfunctions"), ("tagging", "TagResources", "resourcegroupstaggingapi"),
        ("ec2", "GetPasswordDat", None), ("nowhere", "GetPasswordData", None), ("signin", "ConsoleLogin", None),
    ],
)  # fmt: skip
def test_a_call(source: str, event: str, service: str | None) -> None:
    found = calls.call(source, event)
    assert (found.service if found else None) == service


@pytest.mark.parametrize(
    ("source", "event", "some"),
    [
        ("rds", "DeleteDBInstanceAutomatedBackup", {"DeleteDBClusterAutomatedBackup"}),
        ("iam", "CreateSAMLProvider", {"DeleteSAMLProvider", "UpdateSAMLProvider"}),
        ("secretsmanager", "GetSecretValue", {"BatchGetSecretValue"}), ("ssm", "GetParameter", {"GetParameters", "GetParametersByPath"}),
        ("ec2", "AuthorizeSecurityGroupIngress", {"ModifySecurityGroupRules", "RevokeSecurityGroupIngress"}),
        ("cloudtrail", "DeleteTrail", {"UpdateTrail", "CreateTrail"}), ("securityhub", "DisableSecurityHub", {"DisableSecurityHubV2"}),
        ("rds", "ModifyDBInstance", {"ModifyDBCluster", "RestoreDBInstanceFromS3"}), ("ec2", "CreateSnapshot", {"CreateSnapshots"}),
        ("redshift", "DeleteClusterSnapshot", {"BatchDeleteClusterSnapshots"}), ("sts", "AssumeRole", {"AssumeRoleWithSAML"}),
    ],
)  # fmt: skip
def test_relatives(source: str, event: str, some: set[str]) -> None:
    found = set(calls.relatives(source, event))
    assert some <= found
    assert event not in found
    assert all(event in calls.relatives(source, one) for one in found)  # it goes both ways
    assert not any(one.startswith(("Describe", "List", "Tag")) for one in found)


@pytest.mark.parametrize(
    ("source", "event", "some"),
    [
        ("ec2", "AuthorizeSecurityGroupIngress", {"cidrIp", "ipPermissions.items.ipRanges.items.cidrIp", "ipPermissions.items.ipv6Ranges.items.cidrIpv6"}),
        ("ec2", "ModifySnapshotAttribute", {"createVolumePermission.add.items.userId", "userId.items"}),
        ("rds", "ModifyDBSnapshotAttribute", {"dBSnapshotIdentifier", "valuesToAdd"}), ("iam", "AttachUserPolicy", {"policyArn", "userName"}),
    ],
)  # fmt: skip
def test_places(source: str, event: str, some: set[str]) -> None:
    found = calls.places(source, event)
    assert some <= set(found.values())
    assert all(calls.plain(path) == plain for plain, path in found.items())


def test_forms_of_a_path_are_one() -> None:
    assert calls.plain(
        "ModifySecurityGroupRulesRequest.SecurityGroupRule.SecurityGroupRule.CidrIpv4"
    ) == calls.plain("securityGroupRule.items.securityGroupRule.cidrIpv4")


def test_versions() -> None:
    assert calls.versions("lambda", "UpdateFunctionCode") == ("20150331",)
    assert calls.versions("cloudfront", "CreateDistribution") == ("2020_05_31",)
    assert calls.versions("ec2", "RunInstances") == ()
    assert calls.versioned("lambda", "UpdateFunctionCode") == ("UpdateFunctionCode20150331", "UpdateFunctionCode20150331v2")  # fmt: skip
    assert calls.versioned("cloudfront", "CreateDistribution") == ("CreateDistribution2020_05_31",)
    assert calls.versioned("ec2", "RunInstances") == ()


def test_a_name_that_nobody_writes_is_known_of_no_source() -> None:
    assert calls.names("nowhere") == frozenset()
    assert {"sso-directory", "signin", "ec2"} <= calls.sources()


def test_what_rows_hear_of_is_known() -> None:
    """Rows and detections mean the same names."""
    assert {
        one for one in claims() if calls.names(one[0]) and one[1] not in calls.names(one[0])
    } == set()


@pytest.mark.parametrize(
    ("event", "paths"),
    [
        ("PutBucketAcl", ["x-amz-acl", "acl", "AccessControlPolicy.AccessControlList.Grant.Grantee.URI"]),
        ("GetObject", ["Host", "bucketName", "key", "versionId", "response-content-disposition", "X-Amz-Date"]),
        ("ListObjects", ["list-type", "prefix", "max-keys", "encoding-type"]), ("CopyObject", ["x-amz-copy-source"]),
        ("PutBucketEncryption", ["ServerSideEncryptionConfiguration.Rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm"]),
        ("PutBucketPublicAccessBlock", ["publicAccessBlock", "PublicAccessBlockConfiguration.BlockPublicAcls"]),
        ("PutAccountPublicAccessBlock", ["PublicAccessBlockConfiguration.BlockPublicAcls"]),
        ("CreateBucket", ["CreateBucketConfiguration.LocationConstraint", "x-amz-object-ownership"]),
        ("PutBucketLifecycle", ["LifecycleConfiguration.Rule.Expiration.Days"]), ("PutBucketPolicy", ["bucketPolicy", "policy"]),
        ("PutBucketReplication", ["ReplicationConfiguration.Rule.Destination.Bucket"]), ("CreateAccessPoint", ["name", "accountId"]),
        ("PutBucketLogging", ["BucketLoggingStatus.LoggingEnabled.TargetBucket"]), ("PutBucketVersioning", ["VersioningConfiguration.Status"]),
    ],
)  # fmt: skip
def test_the_parameters_of_s3_are_known_as_they_are_sent(event: str, paths: list[str]) -> None:
    known = calls.members("s3", event)
    for path in paths:
        assert set(path.split(".")) <= known, path
    assert not {"bucketNmae", "VersionConfiguration", "x-amz-alc"} & known


def test_below_a_map_any_name_may_stand() -> None:
    assert "variables" in calls.free("lambda", "UpdateFunctionConfiguration20150331v2")
    assert "tags" in calls.free("lambda", "TagResource")
    assert "bucketPolicy" in calls.free("s3", "PutBucketPolicy")
    assert calls.free("iam", "CreateUser") == calls.DOCUMENTS
