"""Images' repositories."""

import json

from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth
from tests.collectors.truth_data import shared

TYPES = {"AWS::ECR::Repository"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
REGION, RULE = "eu-west-1", "ecr-repository"
EXPIRY = {"rulePriority": 1, "action": {"type": "expire"}, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}}  # fmt: skip


def build(moto: Moto) -> Truth:
    ecr, truth = moto.client("ecr", REGION), Truth()

    def make(name: str, tags: str, scanned: bool, expires: bool) -> None:
        ecr.create_repository(repositoryName=name, imageTagMutability=tags, imageScanningConfiguration={"scanOnPush": scanned})  # fmt: skip
        if expires:
            ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps({"rules": [EXPIRY]}))  # fmt: skip

    for name, (text, breaks) in shared("e", f"{RULE}-policy-not-public", "ecr:BatchGetImage").items():  # fmt: skip
        make(name, "IMMUTABLE", scanned=True, expires=True)
        if text:
            ecr.set_repository_policy(repositoryName=name, policyText=text)
        truth[name] = breaks
    make("e-mutable", "MUTABLE", scanned=True, expires=True)
    make("e-unscanned", "IMMUTABLE", scanned=False, expires=True)
    make("e-keeping", "IMMUTABLE", scanned=True, expires=False)
    make("e-registry", "IMMUTABLE", scanned=False, expires=True)
    matching = [{"filter": "e-registry", "filterType": "WILDCARD"}]
    ecr.put_registry_scanning_configuration(
        scanType="BASIC", rules=[{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": matching}]
    )
    assert MASTER in ecr.describe_repositories()["repositories"][0]["repositoryArn"]
    return truth | {
        "e-mutable": {f"{RULE}-tags-immutable"},
        "e-unscanned": {f"{RULE}-scanned-on-push"},
        "e-keeping": {f"{RULE}-lifecycle-policy"},
        "e-registry": set(),
    }
