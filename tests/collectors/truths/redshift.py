"""Warehouses."""

from typing import Any

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::Redshift::Cluster"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED = {"redshift-cluster-tls-required"}  # parameters cannot be changed here
GOOD: dict[str, Any] = {
    "NodeType": "ra3.large", "MasterUsername": "keeper", "MasterUserPassword": "not-a-secret", "DBName": "orders", "Encrypted": True,
    "EnhancedVpcRouting": True, "AllowVersionUpgrade": True, "PubliclyAccessible": False, "AutomatedSnapshotRetentionPeriod": 7,
}  # fmt: skip


def build(moto: Moto) -> Truth:
    redshift = moto.client("redshift", "eu-west-1")
    redshift.create_cluster_parameter_group(
        ParameterGroupName="own", ParameterGroupFamily="redshift-2.0", Description="own"
    )
    truth: Truth = {}
    for name, own, breaks in (
        ("w-good", {}, set()),
        ("w-own", {"ClusterParameterGroupName": "own"}, set()),
        ("w-plain", {"Encrypted": False}, {"encrypted"}),
        ("w-public", {"PubliclyAccessible": True}, {"not-public"}),
        ("w-around", {"EnhancedVpcRouting": False}, {"vpc-routing"}),
        ("w-old", {"AllowVersionUpgrade": False}, {"version-upgrades"}),
        ("w-forgetful", {"AutomatedSnapshotRetentionPeriod": 1}, {"snapshots-kept"}),
        ("w-admin", {"MasterUsername": "awsuser"}, {"admin-name-own"}),
        ("w-silent", {}, {"audit-logs"}),
    ):
        redshift.create_cluster(ClusterIdentifier=name, **(GOOD | own))
        if name != "w-silent":
            redshift.enable_logging(
                ClusterIdentifier=name, LogDestinationType="cloudwatch", LogExports=["userlog"]
            )
        truth[name] = {f"redshift-cluster-{rule}" for rule in {"tls-required", *breaks}}
    return truth
