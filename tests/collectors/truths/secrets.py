"""Secrets, in eu-west-1."""

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth
from tests.collectors.truth_data import shared

TYPES = {"AWS::SecretsManager::Secret"}
# nothing here is older than a minute
NEVER_FAILED = {f"secretsmanager-secret-{what}" for what in ("used", "value-not-old", "rotation-succeeds")}  # fmt: skip
NEVER_PASSED: set[str] = set()


def build(moto: Moto) -> Truth:
    secrets, truth = moto.client("secretsmanager", "eu-west-1"), Truth()
    public, others, unrotated = (f"secretsmanager-secret-{what}" for what in ("policy-not-public", "policy-own-account", "rotated"))  # fmt: skip
    for name, (text, breaks) in shared("s", public, "secretsmanager:GetSecretValue").items():
        secrets.create_secret(Name=name, SecretString="not-a-secret")
        if text:
            secrets.put_resource_policy(SecretId=name, ResourcePolicy=text)
        cross = {others} if name.endswith(("other", "organization")) else set()
        truth[name] = breaks | cross | {unrotated}
    secrets.create_secret(Name="s-rotated", SecretString="not-a-secret")
    secrets.rotate_secret(SecretId="s-rotated", RotationRules={"AutomaticallyAfterDays": 30})
    secrets.create_secret(Name="s-going", SecretString="not-a-secret")
    secrets.delete_secret(SecretId="s-going", RecoveryWindowInDays=7)
    secrets.create_secret(Name="s-empty")
    return truth | {"s-rotated": set(), "s-empty": {unrotated}}
