"""Tables, and the caches before them."""

from tests.collectors.furnished.databases import ROLE
from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::DAX::Cluster", "AWS::DynamoDB::Table"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()


def build(moto: Moto) -> Truth:
    truth: Truth = {}
    tables = moto.client("dynamodb", "eu-west-1")
    for name, protected, restorable, breaks in (
        ("t-good", True, True, set()),
        ("t-deletable", False, True, {"deletion-protected"}),
        ("t-passing", True, False, {"point-in-time-recovery"}),
    ):
        tables.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}], DeletionProtectionEnabled=protected,
        )  # fmt: skip
        tables.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": restorable}
        )  # fmt: skip
        truth[name] = {f"dynamodb-table-{rule}" for rule in breaks}
    caches = moto.client("dax", "eu-west-1")
    for name, encrypted, endpoint, breaks in (
        ("d-good", True, "TLS", set()),
        ("d-plain", False, "TLS", {"encrypted-at-rest"}),
        ("d-clear", True, "NONE", {"encrypted-in-transit"}),
    ):
        caches.create_cluster(
            ClusterName=name, NodeType="dax.t3.small", ReplicationFactor=1, IamRoleArn=ROLE, SSESpecification={"Enabled": encrypted},
            ClusterEndpointEncryptionType=endpoint,
        )  # fmt: skip
        truth[name] = {f"dax-cluster-{rule}" for rule in breaks}
    return truth
