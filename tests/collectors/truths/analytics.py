"""Glue, EMR's setting and Athena, in two regions."""

from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth, policy

TYPES = {
    "AWS::Athena::WorkGroup", "AWS::EMR::BlockPublicAccess", "AWS::Glue::DataCatalogSettings", "AWS::Glue::Job"
}  # fmt: skip
NEVER_FAILED: set[str] = set()
NEVER_PASSED = {"emr-block-public-access"}
"""The simulated EMR has one setting for all regions."""
OLD, OPEN, CLEAR = "glue-job-version-supported", "glue-catalog-policy-not-public", "glue-catalog-passwords-encrypted"  # fmt: skip
BLOCK, SILENT = "emr-block-public-access", "athena-workgroup-metrics"


def build(moto: Moto) -> Truth:
    return _jobs(moto) | _catalogs(moto) | _clusters(moto) | _workgroups(moto)


def _jobs(moto: Moto) -> Truth:
    client, truth = moto.client("glue", "eu-west-1"), Truth()
    for name, command, version, breaks in (
        ("j-new", "glueetl", "5.0", set()),
        ("j-oldest", "glueetl", "3.0", set()),
        ("j-auto", "glueetl", "auto", set()),
        ("j-streaming", "gluestreaming", "4.0", set()),
        ("j-old", "glueetl", "2.0", {OLD}),
        ("j-old-streaming", "gluestreaming", "1.0", {OLD}),
        ("j-first", "glueetl", "0.9", {OLD}),
        ("j-shell", "pythonshell", "1.0", set()),
        ("j-unsaid", "glueetl", None, set()),
    ):
        more: dict[str, Any] = {"GlueVersion": version} if version else {}
        client.create_job(Name=name, Role=f"arn:aws:iam::{MASTER}:role/x", Command={"Name": command}, **more)  # fmt: skip
        truth[name] = set(breaks)
    return truth


def _catalogs(moto: Moto) -> Truth:
    """One keeps a password in the clear and is open; the other encrypts it and is shared with an organization."""
    password = {"ConnectionType": "JDBC", "ConnectionProperties": {"USERNAME": "app", "PASSWORD": "not-a-secret"}}  # fmt: skip
    there, here = moto.client("glue", "eu-west-1"), moto.client("glue", "us-east-1")
    for client in (there, here):
        client.create_connection(ConnectionInput={"Name": "db", **password})
    there.put_resource_policy(PolicyInJson=policy("*", "glue:*"))
    here.put_data_catalog_encryption_settings(
        DataCatalogEncryptionSettings={
            "ConnectionPasswordEncryption": {"ReturnConnectionPasswordEncrypted": True}
        }
    )
    own = {"StringEquals": {"aws:PrincipalOrgID": "o-example"}}
    here.put_resource_policy(PolicyInJson=policy("*", "glue:*", condition=own))
    return {"catalog@eu-west-1": {OPEN, CLEAR}, "catalog@us-east-1": set()}


def _clusters(moto: Moto) -> Truth:
    moto.client("emr").put_block_public_access_configuration(
        BlockPublicAccessConfiguration={
            "BlockPublicSecurityGroupRules": True,
            "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 65535}],
        }
    )
    return {"block-public-access@eu-west-1": {BLOCK}, "block-public-access@us-east-1": {BLOCK}}


def _workgroups(moto: Moto) -> Truth:
    client = moto.client("athena", "eu-west-1")
    for name, told in (("w-good", True), ("w-quiet", False)):
        asked: dict[str, Any] = {"PublishCloudWatchMetricsEnabled": told}
        client.create_work_group(Name=name, Configuration=asked, Tags=[{"Key": "a", "Value": "b"}])
    return {"w-good": set(), "w-quiet": {SILENT}, "primary": set()}
