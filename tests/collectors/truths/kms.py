"""Keys, in eu-west-1."""

from typing import Any

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth, policy
from tests.collectors.truth_data import shared

TYPES = {"AWS::KMS::Key"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()


def build(moto: Moto) -> Truth:
    kms, truth = moto.client("kms", "eu-west-1"), Truth()
    rotation, others = "kms-key-rotation-enabled", "kms-key-policy-own-account"

    def make(breaks: set[str], **more: Any) -> str:
        made = str(kms.create_key(**more)["KeyMetadata"]["KeyId"])
        truth[made] = breaks
        return made

    for name, (text, breaks) in shared("k", "kms-key-policy-not-public", "kms:Decrypt").items():
        broken = breaks | ({others} if name in ("k-other", "k-organization") else set())
        kms.enable_key_rotation(KeyId=make(broken, **({"Policy": text} if text else {})))
    make({rotation})
    make(set(), KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    make(set(), KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    make(set(), Origin="EXTERNAL")
    kms.disable_key(KeyId=make(set()))
    going = make({"kms-key-not-pending-deletion"}, Policy=policy("*", "kms:*"))
    kms.schedule_key_deletion(KeyId=going, PendingWindowInDays=7)
    return truth
