"""Databases: one bare and one with everything, of each kind that the simulated AWS has."""

from typing import Any

from tests.collectors.moto import Moto

TAGS = [{"Key": "env", "Value": "prod"}]
ROLE = "arn:aws:iam::123456789012:role/full"
LOGIN = {"MasterUsername": "app", "MasterUserPassword": "not-a-secret"}


def furnish(moto: Moto) -> None:
    rds = moto.client("rds")
    for name, value in (("strict", "1"), ("lax", "0")):
        parameter_groups(rds, name, value)
    instances(rds)
    clusters(rds)
    redshift(moto.client("redshift"))
    caches(moto.client("elasticache"))
    accelerators(moto.client("dax"))
    memories(moto.client("memorydb"))


def parameter_groups(rds: Any, name: str, value: str) -> None:
    """One for instances and one for clusters, both of this name, that ask for TLS and write audit logs, or do not."""
    parameters = [
        {"ParameterName": parameter, "ParameterValue": value, "ApplyMethod": "immediate"}
        for parameter in ("rds.force_ssl", "require_secure_transport", "server_audit_logging")
    ]
    rds.create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description="tls"
    )
    rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=parameters)
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        DBParameterGroupFamily="aurora-postgresql16",
        Description="tls",
    )
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=name, Parameters=parameters)


def instances(rds: Any) -> None:
    rds.create_db_instance(
        DBInstanceIdentifier="full", DBInstanceClass="db.m6g.large", Engine="postgres", **LOGIN, AllocatedStorage=20,
        DBParameterGroupName="strict", MultiAZ=True, StorageEncrypted=True, DeletionProtection=True, BackupRetentionPeriod=7,
        MonitoringInterval=60, MonitoringRoleArn=ROLE, EnableIAMDatabaseAuthentication=True, EnableCloudwatchLogsExports=["postgresql", "upgrade"], Tags=TAGS,
    )  # fmt: skip
    rds.create_db_snapshot(DBSnapshotIdentifier="bare", DBInstanceIdentifier="db")
    rds.create_db_snapshot(DBSnapshotIdentifier="full", DBInstanceIdentifier="full", Tags=TAGS)
    rds.modify_db_snapshot_attribute(
        DBSnapshotIdentifier="full", AttributeName="restore", ValuesToAdd=["222222222222"]
    )


def clusters(rds: Any) -> None:
    for engine, name in (("aurora-postgresql", "aurora"), ("neptune", "graph")):
        graph = engine == "neptune"
        own = {} if graph else LOGIN
        more = {} if graph else {"EnableIAMDatabaseAuthentication": True}
        rds.create_db_cluster(
            DBClusterIdentifier=f"{name}-bare", Engine=engine, **own, DBClusterParameterGroupName="lax"
        )  # fmt: skip
        rds.create_db_cluster(
            DBClusterIdentifier=f"{name}-full", Engine=engine, **own, DBClusterParameterGroupName="strict", StorageEncrypted=True,
            DeletionProtection=True, BackupRetentionPeriod=7, Tags=TAGS,
            EnableCloudwatchLogsExports=["audit" if graph else "postgresql"], **more,
        )  # fmt: skip
        rds.create_db_cluster_snapshot(
            DBClusterSnapshotIdentifier=f"{name}-full", DBClusterIdentifier=f"{name}-full", Tags=TAGS
        )  # fmt: skip
        rds.modify_db_cluster_snapshot_attribute(
            DBClusterSnapshotIdentifier=f"{name}-full", AttributeName="restore", ValuesToAdd=["222222222222"]
        )  # fmt: skip
    rds.create_db_instance(
        DBInstanceIdentifier="member", DBInstanceClass="db.r6g.large", Engine="aurora-postgresql", DBClusterIdentifier="aurora-full"
    )  # fmt: skip


def redshift(redshift: Any) -> None:
    redshift.create_cluster_parameter_group(
        ParameterGroupName="strict", ParameterGroupFamily="redshift-2.0", Description="tls"
    )
    for name, more in (
        ("bare", {}),
        ("full", {"Encrypted": True, "EnhancedVpcRouting": True, "ClusterParameterGroupName": "strict", "Tags": TAGS}),
    ):  # fmt: skip
        redshift.create_cluster(
            ClusterIdentifier=name, NodeType="ra3.large", DBName=name, **LOGIN, PubliclyAccessible=False, **more
        )  # fmt: skip


def caches(cache: Any) -> None:
    cache.create_replication_group(
        ReplicationGroupId="bare", ReplicationGroupDescription="bare", Engine="redis", CacheNodeType="cache.t4g.micro"
    )  # fmt: skip
    cache.create_replication_group(
        ReplicationGroupId="full", ReplicationGroupDescription="full", Engine="redis", CacheNodeType="cache.t4g.micro",
        NumCacheClusters=2, AutomaticFailoverEnabled=True, MultiAZEnabled=True, TransitEncryptionEnabled=True, AtRestEncryptionEnabled=True,
        SnapshotRetentionLimit=7, AuthToken="not-a-secret-at-all", Tags=TAGS,
    )  # fmt: skip
    cache.create_cache_cluster(
        CacheClusterId="lone", Engine="redis", CacheNodeType="cache.t4g.micro", NumCacheNodes=1
    )
    cache.create_cache_cluster(
        CacheClusterId="simple", Engine="memcached", CacheNodeType="cache.t4g.micro", NumCacheNodes=2,
        TransitEncryptionEnabled=True, Tags=TAGS,
    )  # fmt: skip


def accelerators(dax: Any) -> None:
    dax.create_cluster(
        ClusterName="bare", NodeType="dax.t3.small", ReplicationFactor=1, IamRoleArn=ROLE
    )
    dax.create_cluster(
        ClusterName="full", NodeType="dax.t3.small", ReplicationFactor=3, IamRoleArn=ROLE, SSESpecification={"Enabled": True},
        ClusterEndpointEncryptionType="TLS", Tags=TAGS,
    )  # fmt: skip


def memories(memory: Any) -> None:
    memory.create_cluster(
        ClusterName="bare", NodeType="db.t4g.small", ACLName="open-access", TLSEnabled=False
    )
    memory.create_cluster(
        ClusterName="full", NodeType="db.t4g.small", ACLName="people", SnapshotRetentionLimit=7, AutoMinorVersionUpgrade=True, Tags=TAGS
    )  # fmt: skip
