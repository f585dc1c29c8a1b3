"""Kubernetes clusters and their node groups."""

from typing import Any

from tests.collectors.furnished.compute import ROLE, subnets_of
from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::EKS::Cluster", "AWS::EKS::Nodegroup"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
REGION, RULE = "eu-west-1", "eks-cluster"
KEY = {"keyArn": f"arn:aws:kms:{REGION}:{MASTER}:key/k"}


def build(moto: Moto) -> Truth:
    eks, subnets = moto.client("eks", REGION), subnets_of(moto, REGION)
    inside: dict[str, Any] = {"endpointPublicAccess": False, "endpointPrivateAccess": True}
    audit = {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]}
    secrets = [{"resources": ["secrets"], "provider": KEY}]
    # 9.99: newer than any that is listed, whatever the day of the test
    good = {"version": "9.99", "logging": audit, "encryptionConfig": secrets}
    public, supported = f"{RULE}-endpoint-not-public", f"{RULE}-version-supported"
    own_key, logged = f"{RULE}-secrets-own-key", f"{RULE}-audit-logged"
    everything = {public, supported, own_key, logged}
    other = {"clusterLogging": [{"types": ["api"], "enabled": True}, {"types": ["audit"], "enabled": False}]}  # fmt: skip
    rows: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
        "c-good": (inside, good, set()),
        "c-known": ({"endpointPublicAccess": True, "publicAccessCidrs": ["198.51.100.0/24"]}, good, set()),
        "c-open": ({"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]}, good, {public}),
        "c-halves": ({"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, good, {public}),
        "c-old": (inside, good | {"version": "1.24"}, {supported}),
        "c-other-logs": (inside, good | {"logging": other}, {logged}),
        "c-no-key": (inside, {k: v for k, v in good.items() if k != "encryptionConfig"}, {own_key}),
        "c-bare": ({}, {"version": "1.24"}, everything),
    }  # fmt: skip
    truth: Truth = {}
    for name, (network, more, breaks) in rows.items():
        eks.create_cluster(name=name, roleArn=ROLE, resourcesVpcConfig={"subnetIds": subnets} | network, **more)  # fmt: skip
        truth[name] = breaks
    restricted = "eks-nodegroup-remote-access-restricted"
    access: dict[str, tuple[dict[str, Any], set[str]]] = {
        "n-guarded": ({"ec2SshKey": "key", "sourceSecurityGroups": ["sg-1"]}, set()),
        "n-open": ({"ec2SshKey": "key"}, {restricted}),
        "n-empty": ({"ec2SshKey": "key", "sourceSecurityGroups": []}, {restricted}),
    }
    for name, (remote, breaks) in access.items():
        made = eks.create_nodegroup(clusterName="c-good", nodegroupName=name, nodeRole=ROLE, subnets=subnets, remoteAccess=remote)  # fmt: skip
        assert made["nodegroup"]["remoteAccess"] == remote
        truth[name] = breaks
    return truth
