"""Domains of OpenSearch, in a VPC and on the internet."""

from typing import Any

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import ROOT, Truth, policy

TYPES = {"AWS::OpenSearchService::Domain"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
VPC, PUBLIC = "opensearch-domain-in-vpc", "opensearch-domain-policy-not-public"
REST, NODES, HTTPS = (f"opensearch-domain-{it}" for it in ("encrypted", "node-to-node-encrypted", "https-modern"))  # fmt: skip
AUDIT, USERS = "opensearch-domain-audit-logs", "opensearch-domain-fine-grained-access"

GOOD: dict[str, Any] = {
    "EngineVersion": "OpenSearch_2.19",
    "EncryptionAtRestOptions": {"Enabled": True},
    "NodeToNodeEncryptionOptions": {"Enabled": True},
    "VPCOptions": {"SubnetIds": ["subnet-1"]},
    "DomainEndpointOptions": {"EnforceHTTPS": True, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
    "LogPublishingOptions": {"AUDIT_LOGS": {"Enabled": True, "CloudWatchLogsLogGroupArn": f"arn:aws:logs:eu-west-1:{MASTER}:log-group:a"}},
    "AdvancedSecurityOptions": {"Enabled": True, "AnonymousAuthEnabled": False},
}  # fmt: skip
OLD_TLS = {"EnforceHTTPS": True, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-2019-07"}
ANYBODY = policy("*", "es:*")
OFFICE = policy("*", "es:*", condition={"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}})
NOWHERE = policy("*", "es:*", condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})
NO_USERS = {"Enabled": False}
ANONYMOUS = {"Enabled": True, "AnonymousAuthEnabled": True}
ALTERED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "good": ({}, set()),
    "open-in-vpc": ({"AccessPolicies": ANYBODY}, set()),
    "plain": ({"EncryptionAtRestOptions": {"Enabled": False}}, {REST}),
    "chatty": ({"NodeToNodeEncryptionOptions": {"Enabled": False}}, {NODES}),
    "http": ({"DomainEndpointOptions": {"EnforceHTTPS": False, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"}}, {HTTPS}),
    "old-tls": ({"DomainEndpointOptions": OLD_TLS}, {HTTPS}),
    "slow-logs": ({"LogPublishingOptions": {"INDEX_SLOW_LOGS": {"Enabled": True, "CloudWatchLogsLogGroupArn": f"arn:aws:logs:eu-west-1:{MASTER}:log-group:a"}}}, {AUDIT}),
    "no-users": ({"AdvancedSecurityOptions": NO_USERS}, {USERS}),
    "anonymous": ({"AdvancedSecurityOptions": ANONYMOUS}, {USERS}),
    "asks-itself": ({"VPCOptions": None, "AccessPolicies": ANYBODY}, {VPC}),
    "office": ({"VPCOptions": None, "AccessPolicies": OFFICE, "AdvancedSecurityOptions": NO_USERS}, {VPC, USERS}),
    "one-account": ({"VPCOptions": None, "AccessPolicies": policy({"AWS": ROOT}, "es:*"), "AdvancedSecurityOptions": NO_USERS}, {VPC, USERS}),
    "no-policy": ({"VPCOptions": None, "AdvancedSecurityOptions": NO_USERS}, {VPC, USERS}),
    "anybody": ({"VPCOptions": None, "AccessPolicies": ANYBODY, "AdvancedSecurityOptions": NO_USERS}, {VPC, USERS, PUBLIC}),
    "nowhere": ({"VPCOptions": None, "AccessPolicies": NOWHERE, "AdvancedSecurityOptions": NO_USERS}, {VPC, USERS, PUBLIC}),
    "anybody-anonymous": ({"VPCOptions": None, "AccessPolicies": ANYBODY, "AdvancedSecurityOptions": ANONYMOUS}, {VPC, USERS, PUBLIC}),
}  # fmt: skip


def build(moto: Moto) -> Truth:
    client = moto.client("opensearch", "eu-west-1")
    for name, (altered, _) in ALTERED.items():
        asked = {key: value for key, value in (GOOD | altered).items() if value is not None}
        client.create_domain(DomainName=name, **asked)
    client.create_domain(DomainName="bare")
    moto.client("es", "eu-west-1").create_elasticsearch_domain(
        DomainName="elastic", ElasticsearchVersion="7.10"
    )
    bare = {VPC, REST, NODES, HTTPS, AUDIT, USERS}
    return {name: breaks for name, (_, breaks) in ALTERED.items()} | {"bare": bare, "elastic": bare}
