"""Databases in memory."""

from typing import Any

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::MemoryDB::Cluster"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
GOOD: dict[str, Any] = {
    "NodeType": "db.t4g.small", "ACLName": "people", "TLSEnabled": True, "SnapshotRetentionLimit": 7, "AutoMinorVersionUpgrade": True,
}  # fmt: skip


def build(moto: Moto) -> Truth:
    memory = moto.client("memorydb", "eu-west-1")
    truth: Truth = {}
    for name, own, breaks in (
        ("m-good", {}, set()),
        ("m-clear", {"TLSEnabled": False, "ACLName": "open-access"}, {"tls-required", "authenticated"}),
        ("m-open", {"ACLName": "open-access"}, {"authenticated"}),
        ("m-forgetful", {"SnapshotRetentionLimit": 0}, {"snapshots-kept"}),
        ("m-by-hand", {"AutoMinorVersionUpgrade": False}, {"minor-upgrades"}),
    ):  # fmt: skip
        memory.create_cluster(ClusterName=name, **(GOOD | own))
        truth[name] = {f"memorydb-cluster-{rule}" for rule in breaks}
    return truth
