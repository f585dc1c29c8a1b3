"""Caches: groups of nodes, and nodes alone."""

from typing import Any

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
GROUP: dict[str, Any] = {
    "ReplicationGroupDescription": "cache", "Engine": "redis", "CacheNodeType": "cache.t4g.micro", "NumCacheClusters": 2,
    "AutomaticFailoverEnabled": True, "TransitEncryptionEnabled": True, "AtRestEncryptionEnabled": True, "SnapshotRetentionLimit": 7,
    "AuthToken": "not-a-secret-at-all", "AutoMinorVersionUpgrade": True,
}  # fmt: skip
NODE: dict[str, Any] = {"CacheNodeType": "cache.t4g.micro", "NumCacheNodes": 1}


def build(moto: Moto) -> Truth:
    cache = moto.client("elasticache", "eu-west-1")
    truth: Truth = {}
    groups: tuple[tuple[str, dict[str, Any], set[str]], ...] = (
        ("g-good", {}, set()),
        ("g-required", {"TransitEncryptionMode": "required"}, set()),
        ("g-preferred", {"TransitEncryptionMode": "preferred"}, {"encrypted-in-transit"}),
        ("g-clear", {"TransitEncryptionEnabled": False}, {"encrypted-in-transit"}),
        ("g-plain", {"AtRestEncryptionEnabled": False}, {"encrypted-at-rest"}),
        ("g-users", {"AuthToken": None, "UserGroupIds": ["users"]}, set()),
        ("g-open", {"AuthToken": None}, {"authenticated"}),
        ("g-forgetful", {"SnapshotRetentionLimit": 0}, {"backups-kept"}),
        ("g-single", {"AutomaticFailoverEnabled": False}, {"failover"}),
        ("g-by-hand", {"AutoMinorVersionUpgrade": False}, {"minor-upgrades"}),
    )
    for name, own, breaks in groups:
        given = {key: value for key, value in (GROUP | own).items() if value is not None}
        cache.create_replication_group(ReplicationGroupId=name, **given)
        truth[name] = {f"elasticache-replication-group-{rule}" for rule in breaks}
    nodes: tuple[tuple[str, dict[str, Any], set[str]], ...] = (
        ("n-redis", {"Engine": "redis"}, {"encrypted-in-transit", "backups-kept"}),
        ("n-kept", {"Engine": "redis", "SnapshotRetentionLimit": 1}, {"encrypted-in-transit"}),
        ("n-memcached", {"Engine": "memcached"}, {"encrypted-in-transit"}),
        ("n-tls", {"Engine": "memcached", "TransitEncryptionEnabled": True}, set()),
    )
    for name, own, breaks in nodes:
        cache.create_cache_cluster(CacheClusterId=name, **NODE, **own)
        truth[name] = {f"elasticache-cluster-{rule}" for rule in breaks}
    return truth
