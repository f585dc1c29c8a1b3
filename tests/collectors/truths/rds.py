"""Instances, clusters and snapshots of RDS, and clusters of Neptune: all in one API."""

from typing import Any

from tests.collectors.furnished.databases import ROLE, parameter_groups
from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {
    "AWS::Neptune::DBCluster", "AWS::RDS::DBCluster", "AWS::RDS::DBClusterSnapshot", "AWS::RDS::DBInstance", "AWS::RDS::DBSnapshot",
}  # fmt: skip
NEVER_FAILED = {"docdb-cluster-snapshot-not-public"}  # no DocumentDB here
NEVER_PASSED = {
    "docdb-cluster-snapshot-not-public",
    "neptune-cluster-iam-authentication",  # refused for Neptune here
}
WORD = {"MasterUserPassword": "not-a-secret"}
INSTANCE: dict[str, Any] = {
    "DBInstanceClass": "db.m6g.large", "Engine": "postgres", "MasterUsername": "keeper", **WORD, "AllocatedStorage": 20,
    "DBParameterGroupName": "strict", "MultiAZ": True, "StorageEncrypted": True, "DeletionProtection": True,
    "BackupRetentionPeriod": 7, "MonitoringInterval": 60, "MonitoringRoleArn": ROLE, "EnableIAMDatabaseAuthentication": True,
    "EnableCloudwatchLogsExports": ["postgresql"], "AutoMinorVersionUpgrade": True, "PubliclyAccessible": False,
}  # fmt: skip
CLUSTER: dict[str, Any] = {
    "Engine": "aurora-postgresql", "MasterUsername": "keeper", **WORD, "DBClusterParameterGroupName": "strict", "StorageEncrypted": True,
    "DeletionProtection": True, "BackupRetentionPeriod": 7, "EnableIAMDatabaseAuthentication": True, "EnableCloudwatchLogsExports": ["postgresql"],
}  # fmt: skip
SEVERAL: dict[str, Any] = {
    "Engine": "postgres", "DBClusterInstanceClass": "db.m6gd.large", "AllocatedStorage": 100, "StorageType": "io1", "Iops": 1000,
    "EnableIAMDatabaseAuthentication": False, "AutoMinorVersionUpgrade": True, "PubliclyAccessible": False,
}  # fmt: skip


def build(moto: Moto) -> Truth:
    rds = moto.client("rds", "eu-west-1")
    for name, value in (("strict", "1"), ("lax", "0")):
        parameter_groups(rds, name, value)
    truth: Truth = {}
    for maker in (instances, clusters, members, graphs, snapshots, cluster_snapshots):
        made = maker(rds)
        assert not truth.keys() & made.keys()
        truth |= made
    return truth


def made(rds: Any, name: str, base: dict[str, Any], own: dict[str, Any]) -> None:
    """An instance or a cluster; what is None is left out."""
    kind = "instance" if "DBInstanceClass" in base else "cluster"
    given = {key: value for key, value in (base | own).items() if value is not None}
    create = rds.create_db_instance if kind == "instance" else rds.create_db_cluster
    create(**{f"DB{kind.title()}Identifier": name}, **given)


def instances(rds: Any) -> Truth:
    truth: Truth = {}
    logs = "EnableCloudwatchLogsExports"
    mysql = {"Engine": "mysql", logs: ["audit", "error"]}
    for name, own, breaks in (
        ("i-good", {}, set()),
        ("i-single", {"MultiAZ": False}, {"multi-az"}),
        ("i-public", {"PubliclyAccessible": True}, {"not-public"}),
        ("i-plain", {"StorageEncrypted": False}, {"storage-encrypted"}),
        ("i-forgetful", {"BackupRetentionPeriod": 1}, {"backups-kept"}),
        ("i-deletable", {"DeletionProtection": False}, {"deletion-protected"}),
        ("i-unwatched", {"MonitoringInterval": 0, "MonitoringRoleArn": None}, {"enhanced-monitoring"}),
        ("i-silent", {logs: None}, {"logs-exported"}),
        ("i-upgrades", {logs: ["upgrade"]}, {"logs-exported"}),
        ("i-passwords", {"EnableIAMDatabaseAuthentication": False}, {"iam-authentication"}),
        ("i-by-hand", {"AutoMinorVersionUpgrade": False}, {"minor-upgrades"}),
        ("i-admin", {"MasterUsername": "admin"}, {"admin-name-own"}),
        ("i-postgres", {"MasterUsername": "postgres"}, {"admin-name-own"}),
        ("i-clear", {"DBParameterGroupName": "lax"}, {"tls-required"}),
        ("i-default", {"DBParameterGroupName": None}, {"tls-required"}),
        ("i-mysql", mysql, set()),
        ("i-mysql-clear", mysql | {"DBParameterGroupName": "lax", logs: ["error", "general", "slowquery"]}, {"tls-required", "logs-exported"}),
        ("i-mariadb-old", mysql | {"Engine": "mariadb", "EngineVersion": "10.5.27", "EnableIAMDatabaseAuthentication": False}, set()),
        ("i-mariadb", mysql | {"Engine": "mariadb", "EngineVersion": "10.11.9", "EnableIAMDatabaseAuthentication": False}, {"iam-authentication"}),
        ("i-express", {"Engine": "sqlserver-ex", "MultiAZ": False, "StorageEncrypted": False, "EnableIAMDatabaseAuthentication": False, logs: ["error"]},
         {"storage-encrypted"}),
        ("i-oracle", {"Engine": "oracle-se2", "EnableIAMDatabaseAuthentication": False, "DBParameterGroupName": None, logs: ["alert", "audit", "listener"]}, set()),
        ("i-oracle-silent", {"Engine": "oracle-ee", "EnableIAMDatabaseAuthentication": False, "DBParameterGroupName": None, logs: ["trace"]}, {"logs-exported"}),
    ):  # fmt: skip
        made(rds, name, INSTANCE, own)
        truth[name] = {f"rds-instance-{rule}" for rule in breaks}
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier="i-copy", SourceDBInstanceIdentifier="i-good", MultiAZ=False
    )  # fmt: skip
    truth["i-copy"] = set()
    return truth


def clusters(rds: Any) -> Truth:
    truth: Truth = {}
    logs = "EnableCloudwatchLogsExports"
    mysql = {"Engine": "aurora-mysql", logs: ["audit"]}
    # Refused for clusters in several zones here; AWS takes it since October 2024.
    iam = {"iam-authentication"}
    for name, own, breaks in (
        ("c-good", {}, set()),
        ("c-plain", {"StorageEncrypted": False}, {"encrypted"}),
        ("c-deletable", {"DeletionProtection": False}, {"deletion-protected"}),
        ("c-forgetful", {"BackupRetentionPeriod": 1}, {"backups-kept"}),
        ("c-passwords", {"EnableIAMDatabaseAuthentication": False}, {"iam-authentication"}),
        ("c-silent", {logs: None}, {"logs-exported"}),
        ("c-admin", {"MasterUsername": "admin"}, {"admin-name-own"}),
        ("c-clear", {"DBClusterParameterGroupName": "lax"}, {"tls-required"}),
        ("c-mysql", mysql, set()),
        ("c-mysql-lax", mysql | {"DBClusterParameterGroupName": "lax"}, {"tls-required", "audit-logs-written"}),
        ("c-mysql-silent", mysql | {logs: ["error", "slowquery"]}, {"logs-exported"}),
        ("c-several", SEVERAL, iam),
        ("c-several-public", SEVERAL | {"PubliclyAccessible": True}, {"not-public"} | iam),
        ("c-several-by-hand", SEVERAL | {"AutoMinorVersionUpgrade": False}, {"minor-upgrades"} | iam),
        ("c-several-mysql", SEVERAL | {"Engine": "mysql", logs: None}, iam),
    ):  # fmt: skip
        made(rds, name, CLUSTER, own)
        truth[name] = {f"rds-cluster-{rule}" for rule in breaks}
    return truth


def member(rds: Any, name: str, cluster: str, zone: str, **own: Any) -> None:
    engine = "neptune" if cluster.startswith("g-") else "aurora-postgresql"
    rds.create_db_instance(
        DBInstanceIdentifier=name, DBInstanceClass="db.r6g.large", Engine=engine, DBClusterIdentifier=cluster,
        AvailabilityZone=f"eu-west-1{zone}", **own,
    )  # fmt: skip


def members(rds: Any) -> Truth:
    """What is the cluster's is not asked of its members."""
    truth: Truth = {}
    made(rds, "c-one", CLUSTER, {})
    truth["c-one"] = {"rds-cluster-multi-az"}
    for name, own, breaks in (
        ("m-good", {"MonitoringInterval": 60, "MonitoringRoleArn": ROLE}, set()),
        ("m-bare", {}, {"enhanced-monitoring"}),
        ("m-by-hand", {"AutoMinorVersionUpgrade": False}, {"enhanced-monitoring", "minor-upgrades"}),
        ("m-public", {"PubliclyAccessible": True}, {"enhanced-monitoring", "not-public"}),
    ):  # fmt: skip
        member(rds, name, "c-one", "a", **own)
        truth[name] = {f"rds-instance-{rule}" for rule in breaks}
    made(rds, "c-two", CLUSTER, {})
    watched = {"MonitoringInterval": 60, "MonitoringRoleArn": ROLE}
    for zone in "ab":
        member(rds, f"m-{zone}", "c-two", zone, **watched)
    truth |= {"c-two": set(), "m-a": set(), "m-b": set()}
    return truth


def graphs(rds: Any) -> Truth:
    truth: Truth = {}
    always = {"neptune-cluster-iam-authentication"}
    base = CLUSTER | {
        "Engine": "neptune", "MasterUsername": None, "MasterUserPassword": None, "EnableIAMDatabaseAuthentication": None, "EnableCloudwatchLogsExports": ["audit"],
        "DBClusterParameterGroupName": "audited",
    }  # fmt: skip
    for group, value in (("audited", "1"), ("unaudited", "0")):
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=group, DBParameterGroupFamily="neptune1.3", Description="audit"
        )  # fmt: skip
        parameter = {"ParameterName": "neptune_enable_audit_log", "ParameterValue": value, "ApplyMethod": "pending-reboot"}  # fmt: skip
        rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=group, Parameters=[parameter])  # fmt: skip
    for name, own, breaks in (
        ("g-good", {}, set()),
        ("g-plain", {"StorageEncrypted": False}, {"encrypted"}),
        ("g-deletable", {"DeletionProtection": False}, {"deletion-protected"}),
        ("g-forgetful", {"BackupRetentionPeriod": 1}, {"backups-kept"}),
        ("g-silent", {"EnableCloudwatchLogsExports": []}, {"audit-logs"}),
        ("g-unwritten", {"DBClusterParameterGroupName": "unaudited"}, {"audit-logs"}),
    ):
        made(rds, name, base, own)
        truth[name] = always | {f"neptune-cluster-{rule}" for rule in breaks}
    for cluster, zones, breaks in (
        ("g-good", "ab", set()),
        ("g-plain", "a", {"neptune-cluster-multi-az"}),
    ):
        for zone in zones:
            member(rds, f"{cluster}-{zone}", cluster, zone)
            truth[f"{cluster}-{zone}"] = set()
        truth[cluster] |= breaks
    return truth


def snapshots(rds: Any) -> Truth:
    truth: Truth = {}
    for name, of, shared, breaks in (
        ("s-good", "i-good", [], set()),
        ("s-shared", "i-good", ["222222222222"], set()),
        ("s-plain", "i-plain", ["222222222222"], {"encrypted"}),
        ("s-public", "i-plain", ["222222222222", "all"], {"encrypted", "not-public"}),
    ):
        rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=of)
        rds.modify_db_snapshot_attribute(
            DBSnapshotIdentifier=name, AttributeName="restore", ValuesToAdd=shared
        )
        truth[name] = {f"rds-snapshot-{rule}" for rule in breaks}
    return truth


def cluster_snapshots(rds: Any) -> Truth:
    truth: Truth = {}
    for service, prefix in (("rds", "c"), ("neptune", "g")):
        for name, of, shared, breaks in (
            ("good", "good", [], set()),
            ("shared", "plain", ["222222222222"], {"encrypted"}),
            ("public", "plain", ["all"], {"encrypted", "not-public"}),
        ):
            snapshot = f"{prefix}s-{name}"
            rds.create_db_cluster_snapshot(
                DBClusterSnapshotIdentifier=snapshot, DBClusterIdentifier=f"{prefix}-{of}"
            )
            rds.modify_db_cluster_snapshot_attribute(
                DBClusterSnapshotIdentifier=snapshot, AttributeName="restore", ValuesToAdd=shared
            )
            truth[snapshot] = {f"{service}-cluster-snapshot-{rule}" for rule in breaks}
    return truth
